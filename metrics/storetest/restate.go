package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// restate computes a day of the world's experiment again.
func (w *world) restate(minutes, now float64, reason string) (metrics.Look, error) {
	job := metrics.Job{Store: w.s}
	return job.Restate(w.ctx, &w.exp, metrics.Restatement{Day: at(minutes), Actor: "ana", Reason: reason}, at(now))
}

// newest returns the newest look.
func (w *world) newest() metrics.Look {
	w.t.Helper()
	var last metrics.Look
	w.mustLook(func(tx metrics.LookTx) (err error) {
		last, _, err = tx.Last(w.ctx)
		return err
	})
	return last
}

// watched returns the watch time in the total cells of a look.
func watched(l *metrics.Look) float64 {
	sum := 0.0
	for i := range l.Cells {
		if c := &l.Cells[i]; c.IsTotal() && !c.Uncapped && c.Metric == "watch_hours_per_viewer" {
			sum += float64(c.Pair.N) * (c.Pair.MeanY + c.Pair.LowY)
		}
	}
	return sum
}

// testRestate has sessions that were delivered after the day was fixed.
func testRestate(t *testing.T, w *world) {
	const units = 40
	day := 24 * 60.0
	for i := range 2 * units { // half of them a day later
		unit := fmt.Sprintf("u%03d", i)
		minute := float64(i%units) + day*float64(i/units)
		x := w.exposure(unit, w.exp.Arms[i%2].Key, minute)
		x.Attributes = map[string]string{"country": []string{"DE", "FR", ""}[i%3]}
		w.expose(x)
		w.report(session("s-"+unit, unit, minute+1))
		if i%2 == 0 {
			w.report(session("s-past-"+unit, unit, minute-500))
		}
	}
	w.runJob(at(3 * day)) // the days of all have closed, and of some the next
	before := w.newest()
	if _, err := w.restate(-5*day, 3*day, "why"); !faultOf(err, "day") {
		t.Errorf("a day before the beginning: %v, want a fault of day", err)
	}
	if _, err := w.restate(day, 3*day, ""); !faultOf(err, "reason") {
		t.Errorf("without a reason: %v, want a fault of reason", err)
	}
	for i := range 2 * units {
		unit := fmt.Sprintf("u%03d", i)
		w.report(session("s-late-"+unit, unit, float64(i%units)+day*float64(i/units)+2))
	}
	made, err := w.restate(day, 3*day+1, "a collector delivered late")
	if err != nil {
		t.Fatalf("Restate: %v", err)
	}
	last := w.newest()
	want := []metrics.Restatement{{
		Day: at(day).Truncate(24 * time.Hour), Look: last.Number, At: at(3*day + 1), Actor: "ana", Reason: "a collector delivered late",
		Units: 2 * units, // the days of the first half, and the first windows of the others
	}}
	if last.Number != before.Number+1 || made.Number != last.Number || !last.Watermark.Equal(before.Watermark) {
		t.Fatalf("after look %d there is %d as of %s", before.Number, last.Number, last.Watermark)
	}
	if diff := cmp.Diff(want, last.Restated); diff != "" {
		t.Errorf("Restated differs (-want +got):\n%s", diff)
	}
	const late = 59_000
	if got, want := watched(&last), watched(&before)+units*late; got < want-1 || got > want+1 {
		t.Errorf("watched %v ms, want %v: those whose day was restated twice, the others once", got, want)
	}
	old := w.outcomes(metrics.WindowDay)
	sum := 0.0
	for i := range old {
		sum += old[i].Quantities[metrics.WatchMs]
	}
	if sum != watched(&before) {
		t.Errorf("the first outcomes hold %v ms, want %v as ever", sum, watched(&before))
	}
	w.compareLook(&before, before.Number, "before")
	w.compareLook(&last, last.Number, "restated")

	// What follows goes on from the restated look.
	w.expose(w.exposure("eve", "control", 3*day+10))
	w.report(session("s-eve", "eve", 3*day+11))
	w.runJob(at(5 * day))
	next := w.newest()
	if got, want := watched(&next), watched(&last)+late; len(next.Restated) != 1 || got < want-1 || got > want+1 {
		t.Errorf("the next look has %v ms, restated %+v; want %v", got, next.Restated, want)
	}
}

// compareLook compares the cells of a look with those made of the outcomes that were
// valid at it.
func (w *world) compareLook(look *metrics.Look, number int, name string) {
	w.t.Helper()
	cells, err := metrics.NewAccumulator(metrics.CellSpec{
		Definitions: metrics.PlanDefinitions(&w.exp.Plan, metrics.Builtin()), Arms: 2,
		Segmented: metrics.SegmentedMetrics(&w.exp.Plan), Adjusted: metrics.AdjustedMetrics(&w.exp.Plan),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mustLook(func(tx metrics.LookTx) error {
		for _, window := range cells.Windows() {
			err := tx.Outcomes(w.ctx, window, number, func(o *metrics.Outcome) error {
				cells.Add(window, o)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	near := cmpopts.EquateApprox(1e-9, 1e-9)
	if diff := cmp.Diff(cells.Cells(), look.Cells, histogramsByJSON(), near); diff != "" {
		w.t.Errorf("%s: cells differ from those of the outcomes (-want +got):\n%s", name, diff)
	}
}

func faultOf(err error, field string) bool {
	e, ok := errors.AsType[*experiment.Error](err)
	return ok && e.Field == field
}

func testRestateNothing(t *testing.T, w *world) {
	if _, err := w.restate(0, 10, "why"); !faultOf(err, "day") {
		t.Errorf("without a look: %v, want a fault of day", err)
	}
	w.expose(w.exposure("a", "control", 1))
	w.runJob(at(100))
	err := w.look(func(tx metrics.LookTx) error {
		return tx.AppendRestated(w.ctx, metrics.WindowFirst, 2, []metrics.Outcome{outcome("stranger", 1)})
	})
	if err == nil {
		t.Error("AppendRestated took a unit without an outcome")
	}
	w.mustLook(func(metrics.LookTx) error {
		if _, err := (&metrics.Job{Store: w.s}).Restate(context.WithoutCancel(w.ctx), &w.exp,
			metrics.Restatement{Day: at(1), Reason: "why"}, at(200)); err == nil {
			t.Error("Restate during a look succeeded, want a conflict")
		}
		return nil
	})
}

// testRestateImported computes a day again on which outcomes were imported: those stay
// as they are, and count as before.
func testRestateImported(t *testing.T, w *world) {
	const day = 24 * 60.0
	w.expose(w.exposure("ann", "control", 0), w.exposure("ben", "treatment", 0))
	w.report(session("s-ann", "ann", 1), session("s-ben", "ben", 1))
	bring := func(minutes float64, outcomes ...metrics.Outcome) {
		t.Helper()
		if err := w.s.Import(w.ctx, &w.exp, at(minutes), metrics.WindowDay, outcomes); err != nil {
			t.Fatalf("Import: %v", err)
		}
	}
	bring(dayCloses, imported("cat", 0, 5_000), imported("dia", 1, 7_000)) // on the day on which the others close
	bring(2*day+dayCloses, imported("eve", 1, 9_000))
	w.runJob(at(dayCloses + 5))
	w.runJob(at(2*day + dayCloses + 5))
	before := w.newest()
	w.report(session("s-late", "ann", 2))
	made, err := w.restate(dayCloses, 3*day, "a collector delivered late")
	if err != nil {
		t.Fatalf("Restate: %v", err)
	}
	if got, want := made.Restated[0].Units, 2; got != want { // their days; their first windows closed the day before
		t.Errorf("%d outcomes were made again, want %d: imported ones stay", got, want)
	}
	if got, want := watched(&made), watched(&before)+59_000; got < want-1 || got > want+1 {
		t.Errorf("watched %v ms, want %v", got, want)
	}
	w.compareLook(&made, made.Number, "restated")
	w.compareLook(&before, before.Number, "before")
	if _, err := w.restate(2*day+dayCloses, 3*day, "why"); !faultOf(err, "day") {
		t.Errorf("a day of imported outcomes alone: %v, want a fault of day", err)
	}
}
