package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/experiment"
)

// Defaults of a Driver, chosen so that two weeks of the default world pass in
// under a minute beside the server and its database on two cores.
const (
	DefaultTick        = 10 * time.Minute
	DefaultJobEvery    = 6 * time.Hour
	DefaultConcurrency = 8
	DefaultLiveRate    = 5.0 // session starts a second
)

// Driver lets the viewers of a world use a server: they ask for their arms,
// report the experiments they met, and report how it went. Its methods must
// not be called at the same time, except Sent and Checkpoint.
type Driver struct {
	BaseURL   string // of the server, without a slash at the end
	Token     string // API key with the scopes evaluate and ingest
	IngestKey string // of POST /v1/cmcd/{key}; empty means Token
	World     *World

	// SetNow, if set, is given the simulated time before anything of a tick
	// is sent. CatchUp calls it; Live leaves the clock alone.
	SetNow func(time.Time)
	// RunJob, if set, is called every JobEvery of simulated time, after
	// everything up to then was acknowledged.
	RunJob func(context.Context) error
	// Progress, if set, is called after every tick.
	Progress func(Progress)
	// Ledger, if set, notes what is true. It is for worlds of thousands.
	Ledger *Ledger
	// Now is the clock of Live.
	Now func() time.Time

	Tick        time.Duration // 0 means DefaultTick
	JobEvery    time.Duration // 0 means DefaultJobEvery
	Concurrency int           // evaluations at a time; 0 means DefaultConcurrency
	LiveRate    float64       // session starts a second; 0 means DefaultLiveRate

	client  *client
	mu      sync.Mutex // guards sent and checkpoint
	sent    Sent
	done    time.Time
	pending []Parcel // not yet due, in no order
	whole   bool     // pending holds all that is to come after done
	told    map[exposureKey]string
}

// Progress is where CatchUp is.
type Progress struct {
	From, At, To time.Time
	Sent         Sent
}

// Checkpoint returns the simulated time up to which everything was
// acknowledged: where a later CatchUp can begin. It is zero before that.
func (d *Driver) Checkpoint() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

func (d *Driver) prepare() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil {
		return
	}
	d.Tick = cmp.Or(d.Tick, DefaultTick)
	d.JobEvery = cmp.Or(d.JobEvery, DefaultJobEvery)
	d.Concurrency = cmp.Or(d.Concurrency, DefaultConcurrency)
	d.LiveRate = cmp.Or(d.LiveRate, DefaultLiveRate)
	d.IngestKey = cmp.Or(d.IngestKey, d.Token)
	d.client = newClient(d.BaseURL, d.Token)
	d.told = map[exposureKey]string{}
	d.sent.Units = map[string]map[string]int64{}
}

// Close drops the connections to the server.
func (d *Driver) Close() {
	if d.client != nil {
		d.client.close()
	}
}

// CatchUp plays the time from from to to in ticks of simulated time, as fast
// as the server takes it. Of sessions that began before from, it sends the
// reports from then on, so that a run which starts at the checkpoint of
// another sends what the other did not.
func (d *Driver) CatchUp(ctx context.Context, from, to time.Time) error {
	d.prepare()
	cal := calendar{world: d.World, day: -1}
	if err := d.resume(ctx, &cal, from); err != nil {
		return err
	}
	ahead := d.playAhead(ctx, &cal, from, to)
	defer ahead.stop()
	for at := from; at.Before(to); at = at.Add(d.Tick) {
		end := earliest(at.Add(d.Tick), to)
		visits, err := ahead.next()
		if err != nil {
			return fmt.Errorf("sessions of %s: %w", at.Format(time.RFC3339), err)
		}
		if d.SetNow != nil {
			d.SetNow(end)
		}
		if err := d.tick(ctx, visits, end); err != nil {
			return fmt.Errorf("tick of %s: %w", at.Format(time.RFC3339), err)
		}
		if d.RunJob != nil && end.Truncate(d.JobEvery).After(at) {
			if err := d.RunJob(ctx); err != nil {
				return fmt.Errorf("job at %s: %w", end.Format(time.RFC3339), err)
			}
		}
		d.reached(end)
		if d.Progress != nil {
			d.Progress(Progress{From: from, At: end, To: to, Sent: d.Sent()})
		}
	}
	return nil
}

func (d *Driver) reached(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = t
}

// resume takes up the sessions that are under way at from.
func (d *Driver) resume(ctx context.Context, cal *calendar, from time.Time) error {
	if d.whole && from.Equal(d.Checkpoint()) {
		return nil // it was this driver that came so far
	}
	d.pending = nil
	lookBack := d.World.lookBack()
	visits, err := d.visits(ctx, cal.between(from.Add(-lookBack), from), d.World.castsBetween(from.Add(-MaxBroadcast-lookBack), from))
	if err != nil {
		return fmt.Errorf("resume at %s: %w", from.Format(time.RFC3339), err)
	}
	for _, v := range visits {
		for _, p := range v.parcels {
			if !p.Due.Before(from) {
				d.pending = append(d.pending, p)
			}
		}
	}
	d.whole = true
	return nil
}

// played is a visit, or a broadcast, with all that will be sent of it.
type played struct {
	visit     *Visit                // nil of a broadcast
	met       []experiment.Exposure // what it truly met
	exposures []experiment.Exposure // of that, what arrives
	parcels   []Parcel
	reached   Stage // of a visit
	silent    bool
}

// lookBack is how long before a moment a session may have begun of which
// something is still to come.
func (w *World) lookBack() time.Duration {
	back := MaxSession + 3*lateMostSec*time.Second
	if w.on.Lies != (Lies{}) {
		back += stuckAfter + liesLaterSec*time.Second
	}
	return back
}

// visits evaluates and plays sessions and broadcasts, some at a time, in their order.
func (d *Driver) visits(ctx context.Context, sessions []Session, casts []Cast) ([]played, error) {
	out := make([]played, len(sessions)+len(casts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.Concurrency)
	for i, s := range sessions {
		g.Go(func() error {
			v := d.World.Visit(s)
			set, met, err := d.arms(ctx, &v)
			if err != nil {
				return err
			}
			out[i] = played{visit: &v, met: met, silent: v.Silent(set)}
			if !out[i].silent {
				view := d.World.View(&v, set, SparseCadence)
				out[i].exposures = view.lost.arrives(met)
				out[i].parcels = d.World.lie(&v, d.World.dispatch(&v, view.TakeAll()))
				out[i].reached = view.reached()
			}
			return nil
		})
	}
	for i := range casts {
		g.Go(func() (err error) {
			out[len(sessions)+i], err = d.cast(ctx, &casts[i])
			return err
		})
	}
	return out, g.Wait()
}

// arms asks the server for the arms of a visit.
func (d *Driver) arms(ctx context.Context, v *Visit) (Settings, []experiment.Exposure, error) {
	flags, err := d.client.evaluate(ctx, v)
	if err != nil {
		return Settings{}, nil, err
	}
	set, exposures := v.apply(flags)
	if v.Silent(set) {
		exposures = nil
	}
	return set, exposures, nil
}

// tick sends the exposures of visits and all reports that are due before end.
func (d *Driver) tick(ctx context.Context, visits []played, end time.Time) error {
	var n news
	for i := range visits {
		v := &visits[i]
		n.add(d, v)
		d.pending = append(d.pending, v.parcels...)
	}
	d.pending = append(d.pending, n.clicks...)
	var due []Parcel
	d.pending = slices.DeleteFunc(d.pending, func(p Parcel) bool {
		ready := p.Due.Before(end)
		if ready {
			due = append(due, p)
		}
		return ready
	})
	slices.SortStableFunc(due, func(a, b Parcel) int { return a.Due.Compare(b.Due) })
	if err := d.send(ctx, n.exposures, due); err != nil {
		n.forget(d)
		d.whole = false
		return err
	}
	d.count(visits, &n, due)
	return d.note(visits, due, end)
}

// note tells the ledger what was acknowledged.
func (d *Driver) note(visits []played, due []Parcel, at time.Time) error {
	if d.Ledger == nil {
		return nil
	}
	for i := range visits {
		v := &visits[i]
		d.Ledger.met(v.met, v.exposures)
		if v.visit != nil {
			d.Ledger.happened(v.visit, v.reached)
		}
	}
	return d.Ledger.arrived(due, at)
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// errNoClock tells the caller of Live what is missing.
var errNoClock = errors.New("the driver has no clock: set Now")
