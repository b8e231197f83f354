package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/splitcast/splitcast/metrics"
)

// wallClock is the time of everything but the demo's accelerated phase.
func wallClock() metrics.Clock {
	return metrics.Clock{Now: time.Now, Sleep: sleep}
}

// sleep waits for d, or returns the error of ctx when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// demoClock stands still at the time it was set to until it is released, and
// is the wall clock from then on. It never goes back.
type demoClock struct{ set atomic.Pointer[time.Time] }

func newDemoClock(at time.Time) *demoClock {
	c := &demoClock{}
	c.Set(at)
	return c
}

// Set moves the clock to at.
func (c *demoClock) Set(at time.Time) { c.set.Store(&at) }

// Release gives the clock to the wall.
func (c *demoClock) Release() { c.set.Store(nil) }

// Now returns the time.
func (c *demoClock) Now() time.Time {
	if t := c.set.Load(); t != nil {
		return *t
	}
	return time.Now()
}
