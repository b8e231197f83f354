package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Passers returns the sessions that start within a second of real time, counted
// from the Unix epoch, when rate sessions start a second on average.
func (w *World) Passers(second int64, rate float64) []Session {
	seed := mix(w.seed, purposeLive, uint64(second))
	d := newDice(seed)
	out := make([]Session, d.poisson(rate, maxPassers))
	for i := range out {
		offset := time.Duration(d.IntN(1000)) * time.Millisecond
		out[i] = Session{
			Viewer: d.IntN(len(w.rates)),
			Start:  time.Unix(second, 0).UTC().Add(offset),
			seed:   mix(seed, uint64(i)),
		}
	}
	slices.SortFunc(out, func(a, b Session) int { return a.Start.Compare(b.Start) })
	return out
}

// Limits of the live world.
const (
	maxPassers    = 1_000 // session starts a second
	maxLagSeconds = 60    // behind the clock; more is a computer that slept, and is skipped
)

// Live goes on in real time until ctx ends, which it returns as nil: sessions
// start at LiveRate, and players beat every ten seconds. What is still to come
// of the sessions of CatchUp is sent when it is due. A session that is under
// way when the program stops is heard of no more, like a killed tab.
func (d *Driver) Live(ctx context.Context) error {
	d.prepare()
	if d.Now == nil {
		return errNoClock
	}
	d.whole = false
	l := live{driver: d, wheel: map[int64][]*Viewing{}, next: d.Now().Unix()}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := l.advance(ctx, d.Now().Unix())
		if ctx.Err() != nil {
			return nil // stopping is the normal end
		}
		if err != nil {
			return err
		}
	}
}

// live is the state of Live: the viewings under way, by the second in which
// their next report can come.
type live struct {
	driver *Driver
	wheel  map[int64][]*Viewing
	next   int64 // second not yet played
}

// advance plays all seconds before now.
func (l *live) advance(ctx context.Context, now int64) error {
	for ; l.next < now; l.next++ {
		if now-l.next > maxLagSeconds && len(l.wheel[l.next]) == 0 {
			continue
		}
		if err := l.second(ctx, l.next); err != nil {
			return fmt.Errorf("second %d: %w", l.next, err)
		}
		l.driver.reached(time.Unix(l.next+1, 0).UTC())
	}
	return nil
}

// second lets one second pass.
func (l *live) second(ctx context.Context, second int64) error {
	d := l.driver
	end := time.Unix(second+1, 0).UTC()
	var visits []played
	for _, s := range d.World.Passers(second, d.LiveRate) {
		v := d.World.Visit(s)
		set, met, err := d.arms(ctx, &v)
		if err != nil {
			return err
		}
		view := d.World.View(&v, set, LiveCadence)
		visits = append(visits, played{visit: &v, met: met, exposures: view.lost.arrives(met), silent: v.Silent(set)})
		l.wheel[second] = append(l.wheel[second], view)
	}
	for _, c := range d.World.castsBetween(time.Unix(second, 0).UTC(), end) {
		p, err := d.cast(ctx, &c)
		if err != nil {
			return err
		}
		visits = append(visits, p)
	}
	for _, view := range l.wheel[second] {
		d.pending = append(d.pending, d.World.dispatch(view.Visit, view.Take(end))...)
		if !view.Done() {
			due := max(second+1, view.Due().Unix())
			l.wheel[due] = append(l.wheel[due], view)
		}
	}
	delete(l.wheel, second)
	return d.tick(ctx, visits, end)
}
