package metrics

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Restatement says which day of an experiment was computed again, by whom and why.
type Restatement struct {
	Day    time.Time `json:"day"`  // in UTC: outcomes of windows that closed on it
	Look   int       `json:"look"` // the look that was taken for it
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
	Units  int       `json:"units"` // outcomes that were made again
}

// MaxRestatements bounds the restatements of one version: every look after them
// tells of all. A version that needs more should be begun anew.
const MaxRestatements = 100

// MaxRestatementReason bounds the words of a reason, as of other actions.
const MaxRestatementReason = 1_000

// Restate computes the outcomes of windows that closed on a day again, from what is
// known now, and appends a look made of them and of all other outcomes as they
// are. The first outcomes stay, and with them every look before, which reads as it
// did. The next looks go on from the new one. It returns the new look.
//
// It is for repairs: telemetry that was delivered days late, or decoded wrongly. What
// sequential guarantees there are hold for outcomes that are fixed once; a look that
// holds restated ones says so.
//
// It returns an experiment.Error of CodeInvalid for a day of which no window has
// closed or without a reason, of CodeTooLarge for
// more than MaxRestatements, and of CodeConflict while another process looks at the
// experiment.
func (j *Job) Restate(ctx context.Context, exp *experiment.Experiment, r Restatement, now time.Time) (Look, error) {
	r.Day = r.Day.UTC().Truncate(24 * time.Hour)
	if r.Reason == "" || len(r.Reason) > MaxRestatementReason {
		return Look{}, experiment.Invalidf("reason", "must say why in at most %d bytes", MaxRestatementReason)
	}
	if _, err := j.Store.FoldSessions(ctx, now); err != nil {
		return Look{}, fmt.Errorf("fold sessions: %w", err)
	}
	catalogue := Builtin()
	if j.Catalogue != nil {
		var err error
		if catalogue, err = j.Catalogue(ctx); err != nil {
			return Look{}, fmt.Errorf("read the metric catalogue: %w", err)
		}
	}
	var made Look
	ran, err := j.Store.Look(ctx, exp, func(tx LookTx) (err error) {
		l := looker{exp: exp, tx: tx, now: now, catalogue: catalogue, health: make([]Health, len(exp.Arms)), restating: true}
		made, err = l.restate(ctx, r)
		return err
	})
	switch {
	case err != nil:
		return Look{}, err
	case !ran:
		return Look{}, experiment.Errorf(experiment.CodeConflict, "", "a look at %s is being taken; try again", exp.Key)
	}
	return made, nil
}

// restate takes the look.
func (l *looker) restate(ctx context.Context, r Restatement) (Look, error) {
	last, ok, err := l.tx.Last(ctx)
	if err != nil {
		return Look{}, fmt.Errorf("read the last look: %w", err)
	}
	if !ok || last.Watermark.Before(r.Day) {
		return Look{}, experiment.Invalidf("day", "no window of %s has closed on %s", l.exp.Key, r.Day.Format(time.DateOnly))
	}
	if len(last.Restated) >= MaxRestatements {
		return Look{}, experiment.Errorf(experiment.CodeTooLarge, "day", "%d days of %s were computed again: no more", MaxRestatements, l.exp.Key)
	}
	cells, err := NewAccumulator(l.spec(&last))
	if err != nil {
		return Look{}, err
	}
	cells.keepValues(last.Cells)
	next := Look{
		Number: last.Number + 1, At: l.now.UTC().Truncate(time.Microsecond), Watermark: last.Watermark, Arms: last.Arms,
	}
	for _, w := range cells.Windows() {
		if w.IsReturn() && !cells.Uses(w) {
			continue
		}
		if r.Units, err = l.restateWindow(ctx, w, &r, &next, cells); err != nil {
			return Look{}, fmt.Errorf("window %s: %w", w, err)
		}
	}
	if r.Units == 0 {
		return Look{}, experiment.Invalidf("day", "no window of %s has closed on %s", l.exp.Key, r.Day.Format(time.DateOnly))
	}
	r.Look, r.At = next.Number, next.At
	next.Restated = append(slices.Clone(last.Restated), r)
	next.Cells = cells.Cells()
	if err := l.tx.AppendLook(ctx, next); err != nil {
		return Look{}, fmt.Errorf("append look %d: %w", next.Number, err)
	}
	return next, nil
}

// restateWindow makes the day's outcomes of a window again, and adds up all that are
// valid from now on. It returns how many were made so far, of other windows included.
func (l *looker) restateWindow(ctx context.Context, w Window, r *Restatement, next *Look, cells *Accumulator) (int, error) {
	dayEnd := r.Day.Add(24*time.Hour - time.Microsecond)
	ask := Reading{Window: w, After: r.Day.Add(-time.Microsecond), UpTo: dayEnd}
	if next.Watermark.Before(dayEnd) {
		ask.UpTo = next.Watermark
	}
	units := r.Units
	err := l.readWindow(ctx, ask, cells, func(chunk []Outcome) error {
		units += len(chunk)
		return l.tx.AppendRestated(ctx, w, next.Number, chunk)
	})
	if err != nil {
		return units, err
	}
	return units, l.tx.Outcomes(ctx, w, next.Number, func(o *Outcome) error {
		if o.Arm < 0 || o.Arm >= len(l.exp.Arms) {
			return fmt.Errorf("unit %q is in arm %d of %d", o.Unit, o.Arm, len(l.exp.Arms))
		}
		cells.Add(w, o)
		return nil
	})
}
