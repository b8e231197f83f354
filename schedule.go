package main

import (
	"context"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// scheduleEvery is how often a server asks whether a step of a schedule is due.
const scheduleEvery = time.Second

// runSchedule takes the steps of schedules that are due, those missed while
// nobody ran first, until ctx ends. Of several servers one acts. A step that
// cannot be taken is tried again each time and told once.
func (p *platform) runSchedule(ctx context.Context) {
	told := ""
	for {
		changed, err := p.db.RunSchedule(ctx, p.cfg.Now())
		for _, a := range changed {
			p.cfg.Log.Info("schedule", "experiment", a.Experiment.Key, "status", a.Experiment.Status, "slots", a.Experiment.TargetSlots())
		}
		text := ""
		if code, _ := experiment.CodeOf(err); err != nil && code != experiment.CodeUnavailable && ctx.Err() == nil {
			text = err.Error()
		}
		if text != "" && text != told {
			p.cfg.Log.Warn("a step of a schedule waits", "error", err)
		}
		told = text
		if sleep(ctx, scheduleEvery) != nil {
			return
		}
	}
}
