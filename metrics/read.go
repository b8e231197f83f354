package metrics

import (
	"context"
	"fmt"
	"time"
)

// observe makes the outcome of a unit, and counts what it says of the arm's health.
func (l *looker) observe(c *Closed, ask *Reading, asked []Quantity) Outcome {
	o := Observe(c, ask.Window)
	if len(asked) > 0 {
		o.Covariates = ObserveHistory(c, l.exp.Plan.Covariates.Days(), asked)
	}
	if l.exp.Unit.HasPast() && (!ask.Window.IsReturn() || l.excludesSuspects()) {
		o.Suspected = Suspected(c, ask.HistoryDays)
	}
	switch ask.Window {
	case WindowFirst:
		l.health[c.Arm].addFirst(c)
	case WindowDay:
		l.health[c.Arm].addDay(&o)
	default:
	}
	return o
}

// read turns the exposures whose window w closed after the last watermark into
// outcomes, takes those that were imported, and adds them all to the cells.
func (l *looker) read(ctx context.Context, w Window, after time.Time, next *Look, cells *Accumulator) error {
	written := 0
	take := func(chunk []Outcome) error {
		for i := range chunk {
			cells.Add(w, &chunk[i])
		}
		written += len(chunk)
		return l.tx.AppendOutcomes(ctx, w, next.Number, chunk)
	}
	ask := Reading{Window: w, After: after, UpTo: next.Watermark}
	if err := l.readWindow(ctx, ask, cells, take); err != nil {
		return err
	}
	if err := l.readImported(ctx, ask, take); err != nil {
		return err
	}
	switch w {
	case WindowFirst:
		l.did.First = written
	case WindowDay:
		l.did.Day = written
	default:
		l.did.Return += written
	}
	return nil
}

// readImported gives the outcomes that were imported to take, by the chunk. Of their
// units no event is observed, so that none is added.
func (l *looker) readImported(ctx context.Context, ask Reading, take func([]Outcome) error) error {
	var chunk []Outcome
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		if err := take(chunk); err != nil {
			return fmt.Errorf("append outcomes: %w", err)
		}
		chunk = chunk[:0]
		return nil
	}
	err := l.tx.Imported(ctx, ask, func(o *Outcome) error {
		if o.Arm < 0 || o.Arm >= len(l.exp.Arms) {
			return fmt.Errorf("unit %q is in arm %d of %d", o.Unit, o.Arm, len(l.exp.Arms))
		}
		if chunk = append(chunk, *o); len(chunk) == outcomeChunk {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// readWindow makes outcomes of the exposures whose window closed as asked, and gives
// them to take by the chunk, which is valid during the call only.
func (l *looker) readWindow(ctx context.Context, ask Reading, cells *Accumulator, take func([]Outcome) error) error {
	var chunk []Outcome // most looks write few
	var marks []Marks   // of chunk
	customs := cells.Customs(ask.Window)
	asked := cells.Asked(ask.Window)
	if len(asked) > 0 || l.excludesSuspects() { // who is left out is left out of every window
		ask.HistoryDays = l.exp.Plan.SuspectDays()
	}
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		if err := l.addEvents(ctx, ask.Window, &customs, chunk); err != nil {
			return err
		}
		if err := l.addFunnels(ctx, ask.Window, &customs, chunk, marks); err != nil {
			return err
		}
		if err := take(chunk); err != nil {
			return fmt.Errorf("append outcomes: %w", err)
		}
		chunk, marks = chunk[:0], marks[:0]
		return nil
	}
	err := l.tx.Closed(ctx, ask, func(c *Closed) error {
		if c.Excluded() {
			l.did.Excluded++
			return nil
		}
		if c.Arm < 0 || c.Arm >= len(l.exp.Arms) {
			return fmt.Errorf("unit %q is in arm %d of %d", c.Unit, c.Arm, len(l.exp.Arms))
		}
		chunk = append(chunk, l.observe(c, &ask, asked))
		o := &chunk[len(chunk)-1]
		customs.Observe(c, ask.Window, o)
		marks = append(marks, customs.Marks(c, ask.Window, o))
		if len(chunk) == outcomeChunk {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// addEvents adds to outcomes the events of their units that metrics need.
func (l *looker) addEvents(ctx context.Context, w Window, customs *Customs, outcomes []Outcome) error {
	if len(customs.Events()) == 0 {
		return nil
	}
	windows := make([]UnitWindow, len(outcomes))
	for i := range outcomes {
		windows[i] = UnitWindowOf(&outcomes[i], w)
	}
	l.known(windows)
	sums, err := l.tx.EventSums(ctx, customs.Events(), windows)
	if err != nil {
		return fmt.Errorf("sum events: %w", err)
	}
	customs.AddEvents(outcomes, sums)
	return nil
}

// addFunnels adds to outcomes how far their units came in funnels whose steps are in
// order.
func (l *looker) addFunnels(ctx context.Context, w Window, customs *Customs, outcomes []Outcome, marks []Marks) error {
	if !customs.Funnels() {
		return nil
	}
	return customs.AddFunnels(w, outcomes, marks, func(name string, windows []UnitWindow) ([]UnitMoment, error) {
		l.known(windows)
		moments, err := l.tx.FirstEvents(ctx, name, windows)
		if err != nil {
			return nil, fmt.Errorf("find first events: %w", err)
		}
		return moments, nil
	})
}

// known lets all that is known by now count when a day is restated: what came late is
// what it is for.
func (l *looker) known(windows []UnitWindow) {
	if !l.restating {
		return
	}
	for i := range windows {
		windows[i].KnownMs = l.now.UnixMilli()
	}
}
