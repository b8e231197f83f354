package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Job turns exposures whose windows have closed into outcomes, cells and looks.
// Its work is proportional to what closed since the last look. A crash at any
// moment loses and repeats nothing, because a look is one transaction; several
// jobs may run at once, because each look holds its experiment's lock.
type Job struct {
	Store Store
	// Experiments lists the next experiments that follow a key, in the order of
	// their keys; none at the end. The job picks those that Due approves. It comes
	// in pages, so that thousands need not be in memory at once.
	Experiments func(ctx context.Context, after string) ([]experiment.Experiment, error)
	// Catalogue returns the definitions that there are at the moment of a run;
	// nil is Builtin.
	Catalogue func(ctx context.Context) (*Catalogue, error)
}

// Limits of a look.
const (
	// WatermarkLag keeps the watermark behind the clock of the job, so that
	// servers whose clocks differ a little agree on what has closed.
	WatermarkLag = 2 * time.Second
	// DrainTime is how long after its end an experiment is still looked at: its
	// last window and grace, and a week in which the job may have been down.
	DrainTime = (MaxReturnDay+1)*DaySpan + DayGrace + 7*24*time.Hour
	// outcomeChunk is how many outcomes are written at once: a few MB. A store
	// that sorts them by unit maintains its key at half the cost of a thousand.
	outcomeChunk = 10_000
)

// Summary is what one run did.
type Summary struct {
	Experiments int // due, whether or not anything had closed
	Looks       int // written
	Busy        int // experiments that another job was looking at
	Failed      int // experiments whose look failed; their errors are returned
	Folded      int // sessions made from event records
	First       int // outcomes of WindowFirst written
	Day         int // outcomes of WindowDay written
	Return      int // outcomes of return windows written
	Excluded    int // closed windows of units that were crossed or forced
}

// Due reports whether windows of the experiment may be open at now: it runs, or
// ended less than DrainTime ago.
func Due(e *experiment.Experiment, now time.Time) bool {
	switch e.Status {
	case experiment.StatusRunning, experiment.StatusPaused:
		return true
	case experiment.StatusStopped, experiment.StatusArchived:
		return e.StoppedAt != nil && now.Sub(*e.StoppedAt) < DrainTime
	}
	return false
}

// RunOnce takes one look at every experiment that is due. Failure of one does
// not stop the others: the errors are joined, and what succeeded is in the
// summary.
func (j *Job) RunOnce(ctx context.Context, now time.Time) (Summary, error) {
	var sum Summary
	folded, err := j.Store.FoldSessions(ctx, now)
	sum.Folded = folded
	if err != nil {
		return sum, fmt.Errorf("fold sessions: %w", err)
	}
	catalogue := Builtin()
	if j.Catalogue != nil {
		if catalogue, err = j.Catalogue(ctx); err != nil {
			return sum, fmt.Errorf("read the metric catalogue: %w", err)
		}
	}
	var failures []error
	for after := ""; ; {
		page, err := j.Experiments(ctx, after)
		if err != nil {
			failures = append(failures, fmt.Errorf("list experiments: %w", err))
		}
		if err != nil || len(page) == 0 {
			return sum, errors.Join(failures...)
		}
		after = page[len(page)-1].Key
		if err := j.lookAt(ctx, page, catalogue, now, &sum); err != nil {
			failures = append(failures, err)
		}
		if ctx.Err() != nil {
			return sum, errors.Join(failures...)
		}
	}
}

// lookAt takes one look at each experiment of a page that is due.
func (j *Job) lookAt(ctx context.Context, page []experiment.Experiment, catalogue *Catalogue, now time.Time, sum *Summary) error {
	var failures []error
	for i := range page {
		exp := &page[i]
		if !Due(exp, now) {
			continue
		}
		if err := ctx.Err(); err != nil {
			failures = append(failures, err)
			break
		}
		sum.Experiments++
		if err := j.look(ctx, exp, catalogue, now, sum); err != nil {
			sum.Failed++
			failures = append(failures, fmt.Errorf("look at %s version %d: %w", exp.Key, exp.Version, err))
		}
	}
	return errors.Join(failures...)
}

// Clock is the time that a Loop lives in; the demo's runs faster than real time.
type Clock struct {
	Now func() time.Time
	// Sleep waits for a duration of this clock, or returns the error of ctx
	// when that ends first.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Loop runs the job every interval until ctx ends, reports each run to done, and
// returns the error of ctx. A run that took longer than the interval is followed
// by the next at once.
func (j *Job) Loop(ctx context.Context, every time.Duration, clock Clock, done func(Summary, error)) error {
	for {
		began := clock.Now()
		sum, err := j.RunOnce(ctx, began)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		done(sum, err)
		if rest := every - clock.Now().Sub(began); rest > 0 {
			if err := clock.Sleep(ctx, rest); err != nil {
				return err
			}
		}
	}
}

// look takes one look at an experiment and adds what it did to sum once it is
// committed.
func (j *Job) look(ctx context.Context, exp *experiment.Experiment, catalogue *Catalogue, now time.Time, sum *Summary) error {
	var did Summary
	ran, err := j.Store.Look(ctx, exp, func(tx LookTx) error {
		l := looker{exp: exp, tx: tx, now: now, catalogue: catalogue, health: make([]Health, len(exp.Arms))}
		err := l.take(ctx)
		did = l.did
		return err
	})
	switch {
	case err != nil:
		return err
	case !ran:
		sum.Busy++
		return nil
	}
	sum.Looks += did.Looks
	sum.First += did.First
	sum.Day += did.Day
	sum.Return += did.Return
	sum.Excluded += did.Excluded
	return nil
}

// looker takes one look within its transaction.
type looker struct {
	exp       *experiment.Experiment
	tx        LookTx
	now       time.Time
	catalogue *Catalogue
	did       Summary
	health    []Health // by arm, of what this look adds
	restating bool     // a day is computed again, from what is known now
}

func (l *looker) take(ctx context.Context) error {
	last, _, err := l.tx.Last(ctx)
	if err != nil {
		return fmt.Errorf("read the last look: %w", err)
	}
	at := l.now.UTC().Truncate(time.Microsecond) // what every store keeps exactly
	next := Look{Number: last.Number + 1, At: at, Watermark: at.Add(-WatermarkLag), Restated: last.Restated}
	if !next.Watermark.After(last.Watermark) {
		return nil // a clock that went back closes nothing
	}
	cells, err := NewAccumulator(l.spec(&last))
	if err != nil {
		return err
	}
	cells.Load(last.Cells)
	for _, w := range cells.Windows() {
		if w.IsReturn() && !cells.Uses(w) {
			continue // reading it would cost as much as the day again
		}
		if err := l.read(ctx, w, last.Watermark, &next, cells); err != nil {
			return fmt.Errorf("window %s: %w", w, err)
		}
	}
	closed := l.did.First+l.did.Day+l.did.Return > 0
	if !closed && (last.Number == 0 || next.Watermark.Before(last.Watermark.Add(LateSpan))) {
		return nil
	}
	customs := cells.Customs(WindowDay)
	settled, err := l.settled(ctx, &last, &next, customs.EventNames())
	if err != nil {
		return err
	}
	// When all that the last look holds has settled, and nothing closed since, one
	// more look counts what came late of its units: no other one would.
	if !closed && !slices.ContainsFunc(settled, func(a Aftermath) bool { return a.Awaited > 0 }) {
		return nil
	}
	if next.Arms, err = l.tx.Counts(ctx, next.Watermark); err != nil {
		return fmt.Errorf("count units: %w", err)
	}
	l.addHealth(&last, &next, settled)
	next.Cells = cells.Cells()
	if err := l.tx.AppendLook(ctx, next); err != nil {
		return fmt.Errorf("append look %d: %w", next.Number, err)
	}
	l.did.Looks = 1
	return nil
}

// settled returns by arm what came of the units that settled since the last look, with
// their events by these names.
func (l *looker) settled(ctx context.Context, last, next *Look, events []string) ([]Aftermath, error) {
	after := last.Watermark
	if !after.IsZero() {
		after = after.Add(-LateSpan)
	}
	settled, err := l.tx.Aftermath(ctx, after, next.Watermark.Add(-LateSpan), events)
	if err != nil {
		return nil, fmt.Errorf("count late records: %w", err)
	}
	return settled, nil
}

// addHealth completes the counts of the next look: the health of the units of the
// last one, of those that it adds, and of those that settled since.
func (l *looker) addHealth(last, next *Look, settled []Aftermath) {
	for i := range next.Arms {
		arm := &next.Arms[i]
		arm.Health = l.health[arm.Arm].plus(Health{Aftermath: settled[arm.Arm]})
		for j := range last.Arms {
			if last.Arms[j].Arm == arm.Arm {
				arm.Health = arm.Health.plus(last.Arms[j].Health)
			}
		}
	}
}

// spec returns what to add up: the definitions that the first look began with,
// so that a new catalogue never changes what a running experiment measures.
func (l *looker) spec(last *Look) CellSpec {
	plan := &l.exp.Plan
	spec := CellSpec{
		Arms: len(l.exp.Arms), Segmented: SegmentedMetrics(plan), SuspectsApart: l.excludesSuspects(),
	}
	if last.Number == 0 {
		spec.Definitions, spec.Adjusted = PlanDefinitions(plan, l.catalogue), AdjustedMetrics(plan)
		return spec
	}
	seen := map[string]bool{}
	for i := range last.Cells {
		c := &last.Cells[i]
		if !c.IsTotal() || seen[c.Metric] {
			continue
		}
		seen[c.Metric] = true
		if d, ok := l.catalogue.LookupVersion(c.Metric, c.MetricVersion); ok {
			spec.Definitions = append(spec.Definitions, d)
			if c.Joint != nil {
				spec.Adjusted = append(spec.Adjusted, c.Metric)
			}
		}
	}
	return spec
}

// excludesSuspects reports whether units that are likely to be programs are left out
// of the effects.
func (l *looker) excludesSuspects() bool { return l.exp.Plan.Suspects == experiment.SuspectsExclude }

// AdjustedMetrics returns the metrics of a plan whose effects are adjusted by the
// units' past: the primary and secondary ones, when the plan has covariates.
// Guardrails watch for harm within minutes, and need no past to be read for it.
func AdjustedMetrics(p *experiment.Plan) []string {
	if p.Covariates.Days() == 0 {
		return nil
	}
	return slices.Concat(p.Primary, p.Secondary)
}

// PlanDefinitions returns what an experiment measures: the metrics of its plan
// in the versions that were fixed at launch, the newest of those that were not,
// the companions of its ratios, and what tells whether they can be believed.
// Metrics that the catalogue does not have are left out; the report names them.
//
// Other metrics are not added up: outcomes hold all base quantities, so that any
// metric can still be made from them, but nobody should find by chance what they
// did not plan to look for.
func PlanDefinitions(p *experiment.Plan, c *Catalogue) []Definition {
	var out []Definition
	for _, key := range append(p.Metrics(), CoverageKey, StartTimeKnownKey) {
		if slices.ContainsFunc(out, func(d Definition) bool { return d.Key == key }) {
			continue
		}
		d, ok := c.planned(p, key)
		if !ok {
			continue
		}
		out = append(out, d)
		if companion, ok := d.PerUnit(); ok {
			out = append(out, companion)
		}
		out = append(out, d.stepCompanions()...)
	}
	return out
}

// planned returns a metric in the version that the plan fixed, or the newest.
func (c *Catalogue) planned(p *experiment.Plan, key string) (Definition, bool) {
	if version, fixed := p.Versions[key]; fixed {
		return c.LookupVersion(key, version)
	}
	return c.Lookup(key)
}

// SegmentedMetrics returns the metrics of a plan that are kept by dimension: the
// primary ones and the guardrails, where harm to a few must not hide.
func SegmentedMetrics(p *experiment.Plan) []string {
	out := slices.Clone(p.Primary)
	for _, g := range p.Guardrails {
		if !slices.Contains(out, g.Metric) {
			out = append(out, g.Metric)
		}
	}
	return out
}
