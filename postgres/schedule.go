package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// ScheduleActor is who the audit log names for steps of a schedule.
const ScheduleActor = "schedule"

// RunSchedule takes the steps of schedules that are due at now: starts, steps
// of ramps, stops. It returns the experiments it changed. Each is changed in a
// transaction of its own, as by Apply, so that one that cannot (its layer is
// full) keeps no other waiting; that one stays due, and its error is among
// those returned. During a freeze window nothing is done: steps wait for its end.
//
// It may be called by any number of processes at any time: one acts, and a step
// is taken once. With nothing due it costs one look at an index.
func (db *DB) RunSchedule(ctx context.Context, now time.Time) ([]Applied, error) {
	var keys []string
	err := db.sql.SelectContext(ctx, &keys, `select key from experiments where next_step_at <= $1 order by next_step_at, key`, stamp(now))
	if err != nil {
		return nil, wrap("read schedule", err)
	}
	var out []Applied
	var faults []error
	for _, key := range keys {
		a, err := db.runStep(ctx, key, now)
		if err != nil {
			faults = append(faults, fmt.Errorf("schedule of %s: %w", key, err))
			continue
		}
		if a != nil {
			out = append(out, *a)
		}
	}
	return out, errors.Join(faults...)
}

// runStep takes the steps of one experiment that are due; nil when another
// process does, or a freeze window is in force.
func (db *DB) runStep(ctx context.Context, key string, now time.Time) (*Applied, error) {
	var out *Applied
	err := db.publish(ctx, ApplyOptions{Actor: ScheduleActor, Now: now}, func(p *publication) error {
		var alone bool
		if err := p.tx.GetContext(ctx, &alone, `select pg_try_advisory_xact_lock($1)`, lockSchedule); err != nil || !alone || p.freeze != nil {
			return err
		}
		stored, err := loadExperiment(ctx, p.tx, key)
		if err != nil || stored == nil {
			return err
		}
		next, changes, due := experiment.Advance(stored.exp, now)
		if !due {
			return nil
		}
		c := &change{before: stored, next: next, changes: changes, action: "experiment.schedule"}
		if err := p.write(ctx, c); err != nil {
			return err
		}
		out = &Applied{Result: Updated, Experiment: c.next, Changes: changes}
		return nil
	})
	if err != nil {
		return nil, wrap("take a step", err)
	}
	return out, nil
}
