package metrics_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// sameCells compares cells up to the rounding of sums made in another order.
func sameCells() cmp.Options {
	return cmp.Options{
		cmpopts.EquateApprox(1e-9, 1e-9),
		cmp.Comparer(func(x, y *stats.Histogram) bool {
			if x == nil || y == nil {
				return x == y
			}
			a, _ := x.MarshalJSON()
			b, _ := y.MarshalJSON()
			return bytes.Equal(a, b)
		}),
	}
}

func newCells(t testing.TB, arms int) *metrics.Accumulator {
	t.Helper()
	a, err := metrics.NewAccumulator(metrics.CellSpec{
		Definitions: metrics.All(), Arms: arms, Segmented: []string{"stall_ratio", "startup_first_p95"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func findCell(t *testing.T, cells []metrics.Cell, metric string, arm int, dimension, value string) metrics.Cell {
	t.Helper()
	for _, c := range cells {
		if c.Metric == metric && c.Arm == arm && c.Dimension == dimension && c.Value == value && !c.Uncapped {
			return c
		}
	}
	t.Fatalf("there is no cell %s arm %d %s=%s", metric, arm, dimension, value)
	return metrics.Cell{}
}

// TestCellsByHand adds up four units whose moments are known.
func TestCellsByHand(t *testing.T) {
	t.Parallel()
	cells := newCells(t, 2)
	for i, stall := range []float64{2, 4, 9} {
		o := metrics.Outcome{Arm: 1, Dims: [metrics.DimensionCount]string{0: []string{"DE", "DE", "FR"}[i]}}
		o.Quantities[metrics.StallMs], o.Quantities[metrics.StallBaseMs] = stall, 100
		cells.Add(metrics.WindowDay, &o)
	}
	unobserved := metrics.Outcome{Arm: 1} // stalls unknown: no part of the ratio
	unobserved.Quantities[metrics.StallMs] = 7
	cells.Add(metrics.WindowDay, &unobserved)
	got := cells.Cells()
	for _, test := range []struct {
		dimension, value string
		want             stats.PairMoments
	}{
		{"", "", stats.PairMoments{N: 3, MeanY: 5, MeanX: 100, M2Y: 26}},
		{"country", "DE", stats.PairMoments{N: 2, MeanY: 3, MeanX: 100, M2Y: 2}},
		{"country", "FR", stats.PairMoments{N: 1, MeanY: 9, MeanX: 100}},
		{"os", "unknown", stats.PairMoments{N: 3, MeanY: 5, MeanX: 100, M2Y: 26}},
	} {
		c := findCell(t, got, "stall_ratio", 1, test.dimension, test.value)
		if diff := cmp.Diff(test.want, c.Pair, cmpopts.EquateApprox(1e-12, 1e-12)); diff != "" {
			t.Errorf("%s %s differs (-want +got):\n%s", test.dimension, test.value, diff)
		}
	}
	if c := findCell(t, got, "stall_ratio", 0, "", ""); c.Pair.N != 0 {
		t.Errorf("control has %d units, want an empty total", c.Pair.N)
	}
}

func TestCellsOfQuantile(t *testing.T) {
	t.Parallel()
	cells := newCells(t, 2)
	for i := range 101 {
		var o metrics.Outcome
		o.Quantities[metrics.StartupMs], o.Quantities[metrics.TimedStarts] = float64(100+i), 1
		cells.Add(metrics.WindowFirst, &o)
	}
	for _, metric := range []string{"startup_first_p50", "startup_first_p95"} {
		c := findCell(t, cells.Cells(), metric, 0, "", "")
		if c.Hist.Count() != 101 || c.Pair.N != 101 || math.Abs(c.Pair.MeanY-150) > 1e-9 || c.Pair.MeanX != 1 {
			t.Errorf("%s holds %d values with mean %v", metric, c.Hist.Count(), c.Pair.MeanY)
		}
	}
}

// drawOutcomes draws outcomes with integer quantities, some of them unobserved.
func drawOutcomes(r *rand.Rand, n, arms int) []metrics.Outcome {
	out := make([]metrics.Outcome, n)
	for i := range out {
		out[i].Arm = r.IntN(arms)
		for q := range out[i].Quantities {
			out[i].Quantities[q] = float64(r.IntN(3) * r.IntN(1_000_000))
		}
		out[i].Quantities[metrics.Units] = 1 // as of every outcome
		for d := range out[i].Dims {
			if v := r.IntN(40); v > 0 {
				out[i].Dims[d] = fmt.Sprintf("v%d", v)
			}
		}
	}
	return out
}

// TestLoadIsIdentity checks that a look without outcomes changes no bit.
func TestLoadIsIdentity(t *testing.T) {
	t.Parallel()
	a := newCells(t, 3)
	for _, o := range drawOutcomes(rand.New(rand.NewPCG(9, 9)), 10_000, 3) {
		a.Add(metrics.WindowFirst, &o)
		a.Add(metrics.WindowDay, &o)
	}
	want := a.Cells()
	b := newCells(t, 3)
	b.Load(want)
	exact := cmp.Options{sameCells()[1]}
	if diff := cmp.Diff(want, b.Cells(), exact); diff != "" {
		t.Errorf("Load then Cells differs (-want +got):\n%s", diff)
	}
}

// TestSumsKeepTheirDigits compares with moments of exactly representable values
// that are large next to their spread, the case in which sums of squares fail.
func TestSumsKeepTheirDigits(t *testing.T) {
	t.Parallel()
	const offset = 1e12
	cells := newCells(t, 2)
	n := 0
	for i := range 20_000 { // several batches, 0 and 2 in turn: variance 1
		var o metrics.Outcome
		o.Quantities[metrics.WatchMs], o.Quantities[metrics.WatchUnits] = offset+float64(2*(i%2)), 1
		cells.Add(metrics.WindowDay, &o)
		n++
	}
	c := findCell(t, cells.Cells(), "watch_hours_per_viewer", 0, "", "")
	if c.Pair.MeanY != offset+1 || math.Abs(c.Pair.M2Y-float64(n)) > 1e-6 {
		t.Errorf("mean %v, M2 %v; want %v and %d", c.Pair.MeanY, c.Pair.M2Y, offset+1, n)
	}
}

func TestDimensionValuesAreBounded(t *testing.T) {
	t.Parallel()
	cells := newCells(t, 2)
	add := func(country string) {
		o := metrics.Outcome{Dims: [metrics.DimensionCount]string{0: country}}
		o.Quantities[metrics.Units] = 1
		cells.Add(metrics.WindowFirst, &o)
	}
	add("")
	add(metrics.DimensionOther) // as a value: the same as what is over the limit
	for i := range metrics.MaxDimensionValues {
		add(fmt.Sprintf("c%02d", i))
	}
	add("one too many")
	add("c00")
	units := map[string]int64{}
	for _, c := range cells.Cells() {
		if c.Metric == metrics.CoverageKey && c.Dimension == "country" && c.Arm == 0 {
			units[c.Value] = c.Pair.N
		}
	}
	if len(units) != metrics.MaxDimensionValues+2 {
		t.Errorf("%d values, want %d: %v", len(units), metrics.MaxDimensionValues+2, units)
	}
	for value, want := range map[string]int64{"unknown": 1, "other": 2, "c00": 2, "c19": 1, "one too many": 0} {
		if units[value] != want {
			t.Errorf("%s has %d units, want %d", value, units[value], want)
		}
	}
}

func TestNewAccumulatorRefuses(t *testing.T) {
	t.Parallel()
	all := metrics.All()
	noCoverage := []metrics.Definition{all[0]}
	for name, spec := range map[string]metrics.CellSpec{
		"arms":        {Definitions: all, Arms: experiment.MaxArms + 1},
		"definitions": {Definitions: append(slices.Clip(all), all[0]), Arms: 2},
	} {
		_, err := metrics.NewAccumulator(spec)
		if faults := experiment.Faults(err); len(faults) != 1 || faults[0].Field != name {
			t.Errorf("NewAccumulator = %v, want a fault of %s", err, name)
		}
	}
	if _, err := metrics.NewAccumulator(metrics.CellSpec{Definitions: noCoverage, Arms: 2}); err == nil {
		t.Error("NewAccumulator took definitions without coverage")
	}
	if _, err := metrics.NewAccumulator(metrics.CellSpec{Definitions: all, Arms: experiment.MaxArms}); err != nil {
		t.Errorf("NewAccumulator with the most arms: %v", err)
	}
}

func TestLoadIgnoresStrangers(t *testing.T) {
	t.Parallel()
	a := newCells(t, 2)
	want := a.Cells()
	a.Load([]metrics.Cell{
		{Metric: "no_such", MetricVersion: 1, Pair: stats.PairMoments{N: 5}},
		{Metric: "stall_ratio", MetricVersion: 99, Pair: stats.PairMoments{N: 5}},
		{Metric: "stall_ratio", MetricVersion: 1, Arm: 2, Pair: stats.PairMoments{N: 5}},
		{Metric: "stall_ratio", MetricVersion: 1, Dimension: "shoe_size", Value: "44", Pair: stats.PairMoments{N: 5}},
		{Metric: "bitrate", MetricVersion: 1, Dimension: "country", Value: "DE", Pair: stats.PairMoments{N: 5}},
	})
	if diff := cmp.Diff(want, a.Cells(), sameCells()); diff != "" {
		t.Errorf("Load took a cell that is not its own:\n%s", diff)
	}
}
