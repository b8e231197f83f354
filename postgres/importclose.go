package postgres

import (
	"context"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// ImportProgress is what became of imported units whose outcomes are made of
// sessions.
type ImportProgress struct {
	Outcomes int // new ones
	Pending  int // windows that are not over yet
}

// CloseImports makes the outcomes of units that were imported with their sessions,
// for every window of the plan that was over, its grace included, by now: the
// sessions are taken to be here. What was made before stays. It reads all imported
// exposures of the version, and may be called as often as one likes.
// Outcomes are in the audit log as the actor's doing.
func (db *DB) CloseImports(ctx context.Context, now func() time.Time, actor string, exp *experiment.Experiment, catalogue *metrics.Catalogue) (ImportProgress, error) {
	var p ImportProgress
	cells, err := metrics.NewAccumulator(metrics.CellSpec{
		Definitions: metrics.PlanDefinitions(&exp.Plan, catalogue), Arms: len(exp.Arms), Adjusted: metrics.AdjustedMetrics(&exp.Plan),
	})
	if err != nil {
		return p, err
	}
	for _, w := range cells.Windows() {
		if w.IsReturn() && !cells.Uses(w) {
			continue
		}
		c := importCloser{db: db, now: now, actor: actor, exp: exp, window: w, at: now(), customs: cells.Customs(w), asked: cells.Asked(w), progress: &p}
		if err := c.close(ctx); err != nil {
			return p, wrap("close imports", err)
		}
	}
	return p, nil
}

// importCloser makes the outcomes of one window.
type importCloser struct {
	db       *DB
	now      func() time.Time
	actor    string
	exp      *experiment.Experiment
	window   metrics.Window
	at       time.Time
	customs  metrics.Customs
	asked    []metrics.Quantity // of the past
	progress *ImportProgress

	outcomes []metrics.Outcome
	marks    []metrics.Marks
	units    []ImportedUnit // of outcomes
}

func (c *importCloser) close(ctx context.Context) error {
	w := c.window
	// All of them: none closes later than an exposure of this moment.
	ask := metrics.Reading{Window: w, UpTo: w.ClosesAt(c.at, c.at)}
	if len(c.asked) > 0 {
		ask.HistoryDays = c.exp.Plan.Covariates.Days()
	}
	err := c.db.readClosed(ctx, c.exp, ask, ImportSessions, func(x *metrics.Closed) error {
		switch {
		case x.Excluded():
			return nil
		case x.ExposedAt.Add(w.Span() + w.Grace()).After(c.at):
			c.progress.Pending++
			return nil
		}
		o := metrics.Observe(x, w)
		if len(c.asked) > 0 {
			o.Covariates = metrics.ObserveHistory(x, ask.HistoryDays, c.asked)
		}
		c.customs.Observe(x, w, &o)
		c.outcomes = append(c.outcomes, o)
		c.marks = append(c.marks, c.customs.Marks(x, w, &o))
		c.units = append(c.units, ImportedUnit{ExposureRow: ExposureRow{
			ExperimentID: c.exp.ID, Version: c.exp.Version, UnitType: c.exp.Unit, Unit: x.Unit, Arm: x.Arm, At: x.ExposedAt,
			Attributes: x.Dims, Imported: ImportSessions,
		}})
		if len(c.units) == MaxImportBatch {
			return c.flush(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.flush(ctx)
}

// flush stores the outcomes.
func (c *importCloser) flush(ctx context.Context) error {
	if len(c.units) == 0 {
		return nil
	}
	if err := c.addEvents(ctx); err != nil {
		return err
	}
	for i := range c.units {
		o := &c.outcomes[i]
		c.units[i].Outcomes = make(map[metrics.Window]*metrics.Measured, 1)
		c.units[i].Outcomes[c.window] = &metrics.Measured{Quantities: o.Quantities, Custom: o.Custom, Covariates: o.Covariates}
	}
	fates, err := c.db.importUnits(ctx, c.now, c.exp, c.units, importAct{c.actor, c.exp.Key, func(accepted int) map[string]any {
		return map[string]any{"outcomes_made": accepted, "window": c.window}
	}})
	c.progress.Outcomes += accepted(fates)
	c.outcomes, c.marks, c.units = c.outcomes[:0], c.marks[:0], c.units[:0]
	return err
}

// addEvents adds what events tell: those that are known by now.
func (c *importCloser) addEvents(ctx context.Context) error {
	known := func(windows []metrics.UnitWindow) []metrics.UnitWindow {
		for i := range windows {
			windows[i].KnownMs = c.at.UnixMilli()
		}
		return windows
	}
	if len(c.customs.Events()) > 0 {
		windows := make([]metrics.UnitWindow, len(c.outcomes))
		for i := range c.outcomes {
			windows[i] = metrics.UnitWindowOf(&c.outcomes[i], c.window)
		}
		sums, err := c.db.EventSums(ctx, c.exp.Unit, c.customs.Events(), known(windows))
		if err != nil {
			return err
		}
		c.customs.AddEvents(c.outcomes, sums)
	}
	return c.customs.AddFunnels(c.window, c.outcomes, c.marks, func(name string, windows []metrics.UnitWindow) ([]metrics.UnitMoment, error) {
		return c.db.FirstEvents(ctx, c.exp.Unit, name, known(windows))
	})
}
