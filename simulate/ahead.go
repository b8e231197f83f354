package simulate

import (
	"context"
	"time"
)

// ahead evaluates and plays each tick while the one before is being sent. One
// goroutine at most is under way; stop waits for it.
type ahead struct {
	play   func(from, to time.Time) ([]played, error)
	cancel context.CancelFunc
	tick   time.Duration
	at, to time.Time
	ch     chan ticked
	busy   bool
}

// ticked is the visits of one tick.
type ticked struct {
	visits []played
	err    error
}

func (d *Driver) playAhead(ctx context.Context, cal *calendar, from, to time.Time) *ahead {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{cancel: cancel, tick: d.Tick, at: from, to: to, ch: make(chan ticked, 1)}
	a.play = func(from, to time.Time) ([]played, error) {
		return d.visits(ctx, cal.between(from, to), d.World.castsBetween(from, to))
	}
	a.start()
	return a
}

// start begins the next tick, if there is one.
func (a *ahead) start() {
	if !a.at.Before(a.to) {
		return
	}
	from, to := a.at, earliest(a.at.Add(a.tick), a.to)
	a.at = to
	a.busy = true
	go func() {
		visits, err := a.play(from, to)
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
