package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

func lognormalHistograms(seed uint64, n int, factor float64) [2]*stats.Histogram {
	rng := rand.New(rand.NewPCG(seed, 9))
	h := [2]*stats.Histogram{{}, {}}
	for range n {
		h[0].Add(1000 * math.Exp(rng.NormFloat64()))
		h[1].Add(1000 * factor * math.Exp(rng.NormFloat64()))
	}
	return h
}

func TestDistributionBandsFindWhichQuantilesMoved(t *testing.T) {
	t.Parallel()
	// Only the slowest tenth becomes slower, by half.
	rng := rand.New(rand.NewPCG(3, 9))
	h := [2]*stats.Histogram{{}, {}}
	for range 100_000 {
		h[0].Add(1000 * math.Exp(rng.NormFloat64()))
		slow := rng.NormFloat64()
		if slow > 1.2816 {
			slow += math.Log(1.5)
		}
		h[1].Add(1000 * math.Exp(slow))
	}
	bands := stats.DistributionBands{Alpha: 0.05, TMin: 1000}
	points, err := bands.Compare(h[0], h[1])
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for _, p := range points {
		if p.Difference.Contains(0) {
			continue
		}
		moved++
		if p.Control < 0.88 || p.Treatment > p.Control {
			t.Errorf("the band says that the share below %v moved: %+v", p.Value, p)
		}
	}
	if moved == 0 {
		t.Error("the band sees nothing")
	}
	_, _, p50, err := bands.QuantileShift(h[0], h[1], 0.5)
	if err != nil || !p50.Contains(0) {
		t.Errorf("QuantileShift of the median = %+v, %v, want an interval around 0", p50, err)
	}
	c, w, p95, err := bands.QuantileShift(h[0], h[1], 0.95)
	if err != nil || p95.Lower <= 0 || !c.Contains(1000*math.Exp(1.6449)) || !w.Contains(1500*math.Exp(1.6449)) {
		t.Errorf("QuantileShift of p95 = %+v %+v %+v, %v, want the truth and a rise", c, w, p95, err)
	}
}

func TestDistributionBandsEnds(t *testing.T) {
	t.Parallel()
	h := lognormalHistograms(4, 2000, 1)
	bands := stats.DistributionBands{Alpha: 0.05, TMin: 100}
	c, _, shift, err := bands.QuantileShift(h[0], h[1], 0.999)
	if err != nil || !math.IsInf(c.Upper, 1) || !math.IsInf(shift.Upper, 1) || math.IsInf(c.Lower, 0) {
		t.Errorf("a far quantile: %+v %+v, %v, want no upper end", c, shift, err)
	}
	c, _, _, err = bands.QuantileShift(h[0], h[1], 0.001)
	if err != nil || !math.IsInf(c.Lower, -1) || math.IsInf(c.Upper, 0) {
		t.Errorf("a small quantile: %+v, %v, want no lower end", c, err)
	}
	zeros := &stats.Histogram{}
	zeros.AddN(0, 5000)
	if c, _, _, err = bands.QuantileShift(zeros, h[1], 0.5); err != nil || c.Upper != 0x1p-20 || !math.IsInf(c.Lower, -1) {
		t.Errorf("zeros: %+v, %v, want all at or below the smallest edge", c, err)
	}
	over := &stats.Histogram{}
	over.AddN(1e300, 5000)
	if c, _, _, err = bands.QuantileShift(over, h[1], 0.5); err != nil || !math.IsInf(c.Upper, 1) {
		t.Errorf("overflow: %+v, %v, want no upper end", c, err)
	}
	nan := h[0].Clone()
	nan.Add(math.NaN())
	few := lognormalHistograms(4, 99, 1)
	for _, test := range []struct {
		name string
		want stats.Code
		err  error
	}{
		{"alpha", stats.InvalidArgument, drop(stats.DistributionBands{TMin: 1}.Compare(h[0], h[1]))},
		{"first time", stats.InvalidArgument, drop(stats.DistributionBands{Alpha: 0.05}.Compare(h[0], h[1]))},
		{"NaN", stats.NonFinite, drop(bands.Compare(nan, h[1]))},
		{"few", stats.BurnIn, drop(bands.Compare(few[0], h[1]))},
	} {
		if reasonOf(test.err) != test.want {
			t.Errorf("%s: error %v, want reason %q", test.name, test.err, test.want)
		}
	}
	if _, _, _, err := bands.QuantileShift(h[0], h[1], 1); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("level 1: %v", err)
	}
}

func TestQuantileContrast(t *testing.T) {
	t.Parallel()
	q := stats.QuantileContrast{Nu: 0.9, NOpt: 20_000, Alpha: 0.05}
	same, moved := lognormalHistograms(5, 10_000, 1), lognormalHistograms(5, 10_000, 1.2)
	null, err := q.Histograms(same[0], same[1])
	if err != nil || null > math.Log(20) {
		t.Errorf("equal arms: ln E = %v, %v", null, err)
	}
	found, err := q.Histograms(moved[0], moved[1])
	if err != nil || found < math.Log(1000) {
		t.Errorf("20 %% slower: ln E = %v, %v, want much", found, err)
	}
	swapped, err := q.Histograms(moved[1], moved[0])
	if err != nil || !closeTo(swapped, found, 1e-6, 1e-6) {
		t.Errorf("with arms swapped ln E = %v, %v, want %v", swapped, err, found)
	}
	q.Atoms = true
	cautious, err := q.Histograms(moved[0], moved[1])
	if err != nil || cautious > found+1e-9 {
		t.Errorf("with atoms ln E = %v, %v, want at most %v", cautious, err, found)
	}
	wide := stats.QuantileContrast{Nu: 0.9, NOpt: 20_000, Alpha: 0.05, CellBuckets: 128}
	if l, err := wide.Histograms(moved[0], moved[1]); err != nil || l < found-1e-9 {
		t.Errorf("with cells of an octave ln E = %v, %v, want no less than %v", l, err, found)
	}
}

// Two arms whose quantile is the same atom say nothing, however different the rest.
func TestQuantileContrastOfAtoms(t *testing.T) {
	t.Parallel()
	h := [2]*stats.Histogram{{}, {}}
	for i, zeros := range []int64{9000, 6000} {
		h[i].AddN(0, zeros)
		h[i].AddN(100, 10_000-zeros)
	}
	median := stats.QuantileContrast{Nu: 0.5, NOpt: 20_000, Alpha: 0.05}
	if l, err := median.Histograms(h[0], h[1]); err != nil || l > 0 {
		t.Errorf("both medians are zero, but ln E = %v, %v", l, err)
	}
	upper := stats.QuantileContrast{Nu: 0.8, NOpt: 20_000, Alpha: 0.05}
	if l, err := upper.Histograms(h[0], h[1]); err != nil || l < 100 {
		t.Errorf("p80 is 0 and 100, but ln E = %v, %v", l, err)
	}
}

func TestQuantileContrastRefusals(t *testing.T) {
	t.Parallel()
	good := stats.QuantileContrast{Nu: 0.5, NOpt: 1000, Alpha: 0.05}
	h := lognormalHistograms(6, 100, 1)
	nan := h[0].Clone()
	nan.Add(math.NaN())
	tests := []struct {
		name    string
		control *stats.Histogram
		change  func(q *stats.QuantileContrast)
		want    stats.Code
	}{
		{"fine", h[0], func(*stats.QuantileContrast) {}, ""},
		{"widest cell", h[0], func(q *stats.QuantileContrast) { q.CellBuckets = 128 }, ""},
		{"wider than that", h[0], func(q *stats.QuantileContrast) { q.CellBuckets = 129 }, stats.InvalidArgument},
		{"negative cell", h[0], func(q *stats.QuantileContrast) { q.CellBuckets = -1 }, stats.InvalidArgument},
		{"level", h[0], func(q *stats.QuantileContrast) { q.Nu = 1 }, stats.InvalidArgument},
		{"alpha", h[0], func(q *stats.QuantileContrast) { q.Alpha = 0 }, stats.InvalidArgument},
		{"share", h[0], func(q *stats.QuantileContrast) { q.Share = 1 }, stats.InvalidArgument},
		{"plan", h[0], func(q *stats.QuantileContrast) { q.NOpt = 0 }, stats.InvalidArgument},
		{"plan far too small", h[0], func(q *stats.QuantileContrast) { q.NOpt, q.Nu = 1, 1-1e-9 }, stats.InvalidArgument},
		{"empty", &stats.Histogram{}, func(*stats.QuantileContrast) {}, stats.TooFewUnits},
		{"NaN", nan, func(*stats.QuantileContrast) {}, stats.NonFinite},
	}
	for _, test := range tests {
		q := good
		test.change(&q)
		if l, err := q.Histograms(test.control, h[1]); reasonOf(err) != test.want {
			t.Errorf("%s: Histograms = %v, %v, want reason %q", test.name, l, err, test.want)
		}
	}
}

// The noncentral hypergeometric likelihood ratio against its sum in full.
func TestThresholdTestIsTheMixtureOfItsTables(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q := stats.ThresholdTest{Nu: 0.7, NOpt: 400, Alpha: 0.05}
		var looks []stats.ThresholdLook
		for range rapid.IntRange(0, 3).Draw(t, "looks") {
			arm := func(name string) stats.Proportion {
				n := rapid.Int64Range(1, 60).Draw(t, name)
				return stats.Proportion{Trials: n, Successes: rapid.Int64Range(0, n).Draw(t, name+" below")}
			}
			looks = append(looks, stats.ThresholdLook{Control: arm("control"), Treatment: arm("treatment")})
		}
		got, err := q.LogE(looks)
		if err != nil {
			t.Fatal(err)
		}
		// The prior again, from its description: u - ln(1+u) = 2 ln 20 is 8.2167 (Lambert).
		u := 8.2
		for range 50 {
			u = 2*math.Log(20) + math.Log1p(u)
		}
		sd := math.Sqrt(u / (400 * 0.7 * 0.3 * 0.25))
		weights, e := 0.0, 0.0
		for x := -3.5; x <= 3.5; x += 0.25 {
			lr := 1.0
			for _, l := range looks {
				lr *= noncentralRatio(l, x*sd)
			}
			weights += math.Exp(-x * x / 2)
			e += math.Exp(-x*x/2) * lr
		}
		if want := math.Log(e / weights); !closeTo(got, want, 1e-9, 1e-9) {
			t.Errorf("LogE(%+v) = %v, want %v", looks, got, want)
		}
	})
}

func noncentralRatio(l stats.ThresholdLook, logOdds float64) float64 {
	choose := func(n, k int64) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return math.Exp(a - b - c)
	}
	m := l.Control.Successes + l.Treatment.Successes
	plain, tilted := 0.0, 0.0
	for k := max(0, m-l.Control.Trials); k <= min(m, l.Treatment.Trials); k++ {
		w := choose(l.Treatment.Trials, k) * choose(l.Control.Trials, m-k)
		plain += w
		tilted += w * math.Exp(logOdds*float64(k-l.Treatment.Successes))
	}
	return plain / tilted
}

func TestThresholdTestOfOneHugeLookIsCautious(t *testing.T) {
	t.Parallel()
	look := stats.ThresholdLook{
		Control:   stats.Proportion{Successes: 5_000_000, Trials: 10_000_000},
		Treatment: stats.Proportion{Successes: 5_200_000, Trials: 10_000_000},
	}
	l, err := stats.ThresholdTest{Nu: 0.5, NOpt: 10_000, Alpha: 0.05}.LogE([]stats.ThresholdLook{look})
	if err != nil || math.IsNaN(l) || math.IsInf(l, 0) {
		t.Errorf("LogE = %v, %v, want a number", l, err)
	}
	// The best likelihood ratio there is at z = 89.
	if l > 89.7*89.7/2 {
		t.Errorf("LogE = %v, above the largest likelihood ratio", l)
	}
}

func TestNewThresholdLookCountsWhatIsNew(t *testing.T) {
	t.Parallel()
	h := lognormalHistograms(7, 1000, 1)
	before := [2]*stats.Histogram{h[0].Clone(), h[1].Clone()}
	for range 40 {
		h[0].Add(1)   // far below
		h[1].Add(1e9) // far above
	}
	got, err := stats.NewThresholdLook(0.9, before, h)
	want := stats.ThresholdLook{
		Control: stats.Proportion{Successes: 40, Trials: 40}, Treatment: stats.Proportion{Successes: 0, Trials: 40},
	}
	if err != nil || got != want {
		t.Errorf("NewThresholdLook = %+v, %v, want %+v", got, err, want)
	}
	nan := [2]*stats.Histogram{h[0].Clone(), h[1]}
	nan[0].Add(math.NaN())
	over := [2]*stats.Histogram{{}, {}}
	over[0].AddN(1e300, 10)
	empty := [2]*stats.Histogram{{}, {}}
	for _, test := range []struct {
		name string
		want stats.Code
		err  error
	}{
		{"level", stats.InvalidArgument, drop(stats.NewThresholdLook(0, before, h))},
		{"first look", stats.TooFewUnits, drop(stats.NewThresholdLook(0.5, empty, h))},
		{"nothing new", stats.TooFewUnits, drop(stats.NewThresholdLook(0.5, h, h))},
		{"lost values", stats.InvalidArgument, drop(stats.NewThresholdLook(0.5, h, before))},
		{"NaN", stats.NonFinite, drop(stats.NewThresholdLook(0.5, before, nan))},
		{"overflow", stats.OutOfRange, drop(stats.NewThresholdLook(0.5, over, h))},
		{"settings", stats.InvalidArgument, drop(stats.ThresholdTest{Nu: 0.5, Alpha: 0.05}.LogE(nil))},
		{"plan far too small", stats.InvalidArgument, drop(stats.ThresholdTest{Nu: 1 - 1e-9, Alpha: 0.05, NOpt: 1}.LogE(nil))},
		{"counts", stats.InvalidArgument, drop(stats.ThresholdTest{Nu: 0.5, Alpha: 0.05, NOpt: 9}.LogE(make([]stats.ThresholdLook, 1)))},
	} {
		if reasonOf(test.err) != test.want {
			t.Errorf("%s: error %v, want reason %q", test.name, test.err, test.want)
		}
	}
}
