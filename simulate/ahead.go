package simulate

import (
	"context"
	"time"
)

// ahead evaluates and plays each tick while the one before is being sent. One
// goroutine at most is under way; stop waits for it.
type ahead struct {
	driver   *Driver
	calendar *calendar
	ctx      context.Context //nolint:containedctx // lives as long as the call of CatchUp that made it
	cancel   context.CancelFunc
	at, to   time.Time
	ch       chan ticked
	busy     bool
}

// ticked is the visits of one tick.
type ticked struct {
	visits []played
	err    error
}

func (d *Driver) playAhead(ctx context.Context, cal *calendar, from, to time.Time) *ahead {
	a := &ahead{driver: d, calendar: cal, at: from, to: to, ch: make(chan ticked, 1)}
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.start()
	return a
}

// start begins the next tick, if there is one.
func (a *ahead) start() {
	if !a.at.Before(a.to) {
		return
	}
	from, to := a.at, earliest(a.at.Add(a.driver.Tick), a.to)
	a.at = to
	a.busy = true
	go func() {
		visits, err := a.driver.visits(a.ctx, a.calendar.between(from, to))
		a.ch <- ticked{visits, err}
	}()
}

// next returns the visits of the tick under way and begins the one after it.
func (a *ahead) next() ([]played, error) {
	t := <-a.ch
	a.busy = false
	if t.err == nil {
		a.start()
	}
	return t.visits, t.err
}

func (a *ahead) stop() {
	a.cancel()
	if a.busy {
		<-a.ch
	}
}
