package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

func testEmpty(t *testing.T, w *world) {
	w.mustLook(func(tx metrics.LookTx) error {
		if _, ok, err := tx.Last(w.ctx); ok || err != nil {
			t.Errorf("Last before the first look = %v, %v; want false, nil", ok, err)
		}
		return nil
	})
	if sum := w.runJob(at(100)); sum.Looks != 0 || sum.Experiments != 1 {
		t.Errorf("RunOnce on nothing = %+v, want 1 experiment and no look", sum)
	}
}

// exampleLook is a look with every part that a store must keep, to the last bit.
func exampleLook(number int) metrics.Look {
	hist := &stats.Histogram{}
	for i := range 1_000 {
		hist.Add(float64(i%37) * 11.5)
	}
	pair := stats.PairMoments{
		N: 1_000, MeanY: 1.0 / 3, MeanX: 2e9 / 7, M2Y: 1e-9 / 3, M2X: 1e18 / 3, CXY: -1.0 / 7, LowY: 1e-18, LowX: -1e-9,
	}
	cells := []metrics.Cell{
		{Metric: "start_success", MetricVersion: 1, Arm: 0, Pair: pair},
		{Metric: "start_success", MetricVersion: 1, Arm: 1},
		{Metric: "start_success", MetricVersion: 1, Arm: 1, Dimension: "country", Value: "DE", Pair: pair},
		{Metric: "startup_first_p95", MetricVersion: 1, Arm: 0, Pair: pair, Hist: hist},
		{Metric: "startup_first_p95", MetricVersion: 1, Arm: 1, Hist: &stats.Histogram{}},
		{Metric: "stall_ratio", MetricVersion: 2, Uncapped: true, Arm: 0, Pair: pair},
	}
	metrics.SortCells(cells)
	return metrics.Look{
		Number: number, At: at(float64(number)), Watermark: at(float64(number) - 0.5), Cells: cells,
		Arms: []metrics.ArmCounts{{Arm: 0, Exposed: 5, Crossed: 1, ClosedFirst: 4}, {Arm: 1, Overridden: 2, ClosedDay: 1}},
	}
}

// histogramsByJSON compares histograms by the form in which they are stored.
func histogramsByJSON() cmp.Option {
	return cmp.Comparer(func(x, y *stats.Histogram) bool {
		if x == nil || y == nil {
			return x == y
		}
		a, errA := x.MarshalJSON()
		b, errB := y.MarshalJSON()
		return errA == nil && errB == nil && bytes.Equal(a, b)
	})
}

func testLookRoundTrip(t *testing.T, w *world) {
	want := exampleLook(1)
	w.mustLook(func(tx metrics.LookTx) error { return tx.AppendLook(w.ctx, want) })
	w.wantLast(want)
	second := exampleLook(2)
	second.Cells = second.Cells[:4] // cells of a value that the newest look lacks must not linger
	w.mustLook(func(tx metrics.LookTx) error { return tx.AppendLook(w.ctx, second) })
	w.wantLast(second)
}

func (w *world) wantLast(want metrics.Look) {
	w.t.Helper()
	w.mustLook(func(tx metrics.LookTx) error {
		got, ok, err := tx.Last(w.ctx)
		if err != nil || !ok {
			return fmt.Errorf("read the newest look: %v, %w", ok, err)
		}
		sameInstant := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		if diff := cmp.Diff(want, got, histogramsByJSON(), sameInstant); diff != "" {
			w.t.Errorf("Last differs (-want +got):\n%s", diff)
		}
		return nil
	})
}

func testRollback(t *testing.T, w *world) {
	w.expose(w.exposure("a", "control", 1))
	failure := errors.New("the job was killed")
	err := w.look(func(tx metrics.LookTx) error {
		if err := tx.AppendOutcomes(w.ctx, metrics.WindowFirst, 1, []metrics.Outcome{outcome("a", 1)}); err != nil {
			t.Fatalf("AppendOutcomes: %v", err)
		}
		if err := tx.AppendLook(w.ctx, exampleLook(1)); err != nil {
			t.Fatalf("AppendLook: %v", err)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("Look = %v, want the error of do", err)
	}
	w.mustLook(func(tx metrics.LookTx) error {
		if _, ok, err := tx.Last(w.ctx); ok || err != nil {
			t.Errorf("Last after a failed look = %v, %v; want false, nil", ok, err)
		}
		return nil
	})
	if got := w.outcomes(metrics.WindowFirst); len(got) != 0 {
		t.Errorf("a failed look left %d outcomes", len(got))
	}
}

// outcome is an outcome of WindowFirst with every quantity that a viewer has, and
// every dimension, set.
func outcome(unit string, minutes float64) metrics.Outcome {
	o := metrics.Outcome{Unit: unit, Arm: 1, ExposedAt: at(minutes), ClosesAt: at(minutes + firstCloses)}
	for i := range o.Quantities[:metrics.Streams] {
		o.Quantities[i] = float64(i) * 1_000_003
	}
	for i := range o.Dims {
		o.Dims[i] = fmt.Sprintf("value %d", i)
	}
	o.Dims[0] = "" // unknown stays unknown
	o.Covariates = metrics.Covariates{Known: true, History: true}
	o.Covariates.Quantities[metrics.WatchMs], o.Covariates.Quantities[metrics.Units] = 7_200_000, 1
	o.Suspected = true
	return o
}

func (w *world) outcomes(window metrics.Window) []metrics.Outcome {
	w.t.Helper()
	got, err := w.s.Outcomes(w.ctx, &w.exp, window)
	if err != nil {
		w.t.Fatalf("Outcomes: %v", err)
	}
	return got
}

func testOutcomeTwice(t *testing.T, w *world) {
	first, second := outcome("a", 1), outcome("b", 2)
	second.Covariates = metrics.Covariates{Known: true} // no past is not an unknown one
	w.mustLook(func(tx metrics.LookTx) error {
		return tx.AppendOutcomes(w.ctx, metrics.WindowFirst, 1, []metrics.Outcome{first, second})
	})
	err := w.look(func(tx metrics.LookTx) error {
		return tx.AppendOutcomes(w.ctx, metrics.WindowFirst, 2, []metrics.Outcome{outcome("c", 3), first})
	})
	if err == nil {
		t.Error("AppendOutcomes took a unit's outcome twice")
	}
	sameInstant := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	if diff := cmp.Diff([]metrics.Outcome{first, second}, w.outcomes(metrics.WindowFirst), sameInstant); diff != "" {
		t.Errorf("Outcomes differ (-want +got):\n%s", diff)
	}
	if got := w.outcomes(metrics.WindowDay); len(got) != 0 {
		t.Errorf("the other window has %d outcomes", len(got))
	}
}

func testLookNumbers(t *testing.T, w *world) {
	for _, number := range []int{0, 2} {
		if err := w.look(func(tx metrics.LookTx) error { return tx.AppendLook(w.ctx, exampleLook(number)) }); err == nil {
			t.Errorf("AppendLook took look %d as the first", number)
		}
	}
	w.mustLook(func(tx metrics.LookTx) error { return tx.AppendLook(w.ctx, exampleLook(1)) })
	if err := w.look(func(tx metrics.LookTx) error { return tx.AppendLook(w.ctx, exampleLook(1)) }); err == nil {
		t.Error("AppendLook took look 1 twice")
	}
}

func testWriteWhileReading(t *testing.T, w *world) {
	const units = 2_500 // more than any store reads at once
	var xs []experiment.Exposure
	for i := range units {
		xs = append(xs, w.exposure(fmt.Sprintf("unit-%05d", i), "control", 1))
	}
	w.expose(xs...)
	w.mustLook(func(tx metrics.LookTx) error {
		return tx.Closed(w.ctx, metrics.Reading{Window: metrics.WindowFirst, UpTo: at(100)}, func(c *metrics.Closed) error {
			o := metrics.Observe(c, metrics.WindowFirst)
			return tx.AppendOutcomes(w.ctx, metrics.WindowFirst, 1, []metrics.Outcome{o})
		})
	})
	if got := len(w.outcomes(metrics.WindowFirst)); got != units {
		t.Errorf("%d outcomes, want %d", got, units)
	}
}

func testLock(t *testing.T, w *world) {
	other := w.launch("other")
	w.mustLook(func(metrics.LookTx) error {
		ran, err := w.s.Look(w.ctx, &w.exp, func(metrics.LookTx) error {
			t.Error("two looks at the same experiment at once")
			return nil
		})
		if ran || err != nil {
			t.Errorf("Look within a look = %v, %v; want false, nil", ran, err)
		}
		ran, err = w.s.Look(w.ctx, &other, func(metrics.LookTx) error { return nil })
		if !ran || err != nil {
			t.Errorf("Look at another experiment = %v, %v; want true, nil", ran, err)
		}
		return nil
	})
	w.mustLook(func(metrics.LookTx) error { return nil }) // the lock was released
}

func (w *world) runJob(now time.Time) metrics.Summary {
	w.t.Helper()
	job := metrics.Job{Store: w.s, Experiments: func(_ context.Context, after string) ([]experiment.Experiment, error) {
		if after != "" {
			return nil, nil
		}
		return []experiment.Experiment{w.exp}, nil
	}}
	sum, err := job.RunOnce(w.ctx, now)
	if err != nil {
		w.t.Fatalf("RunOnce: %v", err)
	}
	return sum
}

// testJob runs the job minute by minute and compares the cells with those of
// all outcomes added up at once.
func testJob(t *testing.T, w *world) {
	const units = 300
	var xs []experiment.Exposure
	for i := range units {
		unit := fmt.Sprintf("u%03d", i)
		x := w.exposure(unit, w.exp.Arms[i%2].Key, float64(i%60))
		x.Attributes = map[string]string{"country": []string{"DE", "FR", ""}[i%3]}
		xs = append(xs, x)
		s := session("s-"+unit, unit, float64(i%60)+1)
		s.PlayMs += int64(i) * 7
		w.report(s)
		if i%2 == 0 {
			past := session("s-past-"+unit, unit, float64(-10*i)-60)
			past.PlayMs += int64(i) * 11
			w.report(past)
		}
		if i%3 == 0 {
			w.report(session("s-next-"+unit, unit, 2_000))
		}
	}
	w.expose(xs...)
	total := metrics.Summary{}
	looks := 0
	for minute := 0.0; minute < 2_000; minute += 13 {
		sum := w.runJob(at(minute))
		looks += sum.Looks
		total.First += sum.First
		total.Day += sum.Day
	}
	if total.First != units || total.Day != units || looks < 5 {
		t.Errorf("the job wrote %d and %d outcomes in %d looks, want %d of each in several", total.First, total.Day, looks, units)
	}
	if sum := w.runJob(at(3_100)); sum.Looks != 1 || sum.Return != units || sum.First+sum.Day != 0 {
		t.Errorf("RunOnce after all have returned or not = %+v, want %d outcomes of a return window", sum, units)
	}
	if sum := w.runJob(at(4_000)); sum.Looks != 0 {
		t.Errorf("a run with nothing new wrote %d looks", sum.Looks)
	}
	fresh, err := metrics.NewAccumulator(metrics.CellSpec{
		Definitions: metrics.PlanDefinitions(&w.exp.Plan, metrics.Builtin()), Arms: 2, Segmented: metrics.SegmentedMetrics(&w.exp.Plan),
		Adjusted: metrics.AdjustedMetrics(&w.exp.Plan),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, window := range metrics.Windows() {
		all := w.outcomes(window)
		for i := range all {
			fresh.Add(window, &all[i])
		}
	}
	w.mustLook(func(tx metrics.LookTx) error {
		last, _, err := tx.Last(w.ctx)
		if err != nil {
			return err
		}
		// Sums in another order differ in the last digits.
		near := cmpopts.EquateApprox(1e-9, 1e-9)
		if !slices.ContainsFunc(last.Cells, func(c metrics.Cell) bool { return c.Joint != nil && c.Joint.N > 0 && c.Joint.Mean[4] > 0 }) {
			t.Error("no cell knows of a past")
		}
		if diff := cmp.Diff(fresh.Cells(), last.Cells, histogramsByJSON(), near); diff != "" {
			t.Errorf("cells differ from those made at once (-want +got):\n%s", diff)
		}
		return nil
	})
}
