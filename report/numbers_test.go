package report_test

import (
	"math"
	"testing"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// near compares with a relative tolerance: the expected values here are made by
// other formulas, in another order.
func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Max(math.Abs(want), 1e-300)
}

// rho2 solves rho^2 N = u with u - ln(1+u) = -2 ln alpha by bisection: the
// tuning of an asymptotic confidence sequence, written out anew.
func rho2(alpha, n float64) float64 {
	low, high := 1e-9, 1e6
	for range 200 {
		u := (low + high) / 2
		if u-math.Log1p(u) < -2*math.Log(alpha) {
			low = u
		} else {
			high = u
		}
	}
	return low / n
}

// TestRowNumbers computes one row by hand: control has mean 10 and variance 4,
// treatment 10.5 and 9, with 10,000 and 12,000 units of 20,000 planned.
func TestRowNumbers(t *testing.T) {
	t.Parallel()
	s := newSynthetic(2)
	in := s.at(11_000,
		cell(primaryKey, 0, pair(10_000, 10*3.6e6, 2*3.6e6)), cell(primaryKey, 1, pair(12_000, 10.5*3.6e6, 3*3.6e6)),
		cell(guardKey, 0, pair(10_000, 10, 2)), cell(guardKey, 1, pair(12_000, 10.5, 3)),
	).input()
	r := report.Build(in)
	row := r.Primary[0]
	variance := 4.0/10_000/100 + 9.0/12_000/110.25
	estimate := math.Log(1.05)
	k := 22_000 * rho2(0.05, 20_000)
	radius := math.Sqrt(variance * (k + 1) / k * math.Log((k+1)/(0.05*0.05)))
	logE := -math.Log(k+1)/2 + k/(k+1)*estimate*estimate/variance/2
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"control", *row.Control.Value, 10},
		{"treatment", *row.Treatment.Value, 10.5},
		{"control se", *row.Control.SE, 0.02},
		{"units", float64(row.Units), 22_000},
		{"lift", row.Effect.Estimate, 0.05},
		{"lower", row.Effect.Lower, math.Exp(estimate-radius) - 1},
		{"upper", row.Effect.Upper, math.Exp(estimate+radius) - 1},
		{"fixed lower", row.Effect.FixedLower, math.Exp(estimate-1.9600695*math.Sqrt(variance)) - 1}, // t with 20,800 df
		{"log e", row.Evidence.LogE, logE},
		{"p", row.Evidence.P, math.Exp(-logE)},
		{"difference", row.Absolute.Difference, 0.5},
		{"se of the logarithm", row.Effect.SE, math.Sqrt(variance)},
		{"half width", row.Precision.HalfWidth, (math.Exp(estimate+radius) - math.Exp(estimate-radius)) / 2},
		{"variance", row.Explain.Variance, variance},
		{"sum of the numerator", row.Treatment.Numerator, 10.5 * 3.6e6 * 12_000},
	} {
		if !near(test.got, test.want, 1e-6) {
			t.Errorf("%s = %v, want %v", test.name, test.got, test.want)
		}
	}
	if row.State != report.StateBetter || row.Effect.Text != "+5.00 %" {
		t.Errorf("state %s, text %q", row.State, row.Effect.Text)
	}
	guard := r.Guardrails[0]
	if guard.Effect.Lower <= row.Effect.Lower || guard.Effect.Upper >= row.Effect.Upper {
		t.Errorf("bounds of one side each %v are not within the two-sided %v", guard.Effect.Band, row.Effect.Band)
	}
}

// TestAlphaSplit checks that every primary of every treatment has its part.
func TestAlphaSplit(t *testing.T) {
	t.Parallel()
	s := newSynthetic(4)
	s.plan.Primary = []string{primaryKey, "stall_ratio"}
	s.plan.Secondary = []string{"live_latency_mean"}
	r := report.Build(s.at(100).input())
	if len(r.Primary) != 6 || len(r.Secondary) != 3 || len(r.Guardrails) != 3 {
		t.Fatalf("%d primary, %d secondary, %d guardrail rows", len(r.Primary), len(r.Secondary), len(r.Guardrails))
	}
	if got, want := r.Primary[0].Explain.Alpha, 0.05/6; !near(got, want, 1e-12) {
		t.Errorf("alpha of a primary row = %v, want %v", got, want)
	}
	if got := r.Guardrails[0].Explain.Alpha; got != 0.05 {
		t.Errorf("alpha of a guardrail = %v, want 0.05", got)
	}
	if got := r.Primary[0].Explain.NOpt; got != 10_000 { // two arms of four
		t.Errorf("planned units of two arms of four = %d of 20,000", got)
	}
}

// TestDirection mirrors a metric of which less is better.
func TestDirection(t *testing.T) {
	t.Parallel()
	b := report.Band{Estimate: -0.02, Lower: -0.05, Upper: 0.01, FixedLower: -0.04, FixedUpper: 0.005}
	want := report.Band{Estimate: 0.02, Lower: -0.01, Upper: 0.05, FixedLower: -0.005, FixedUpper: 0.04}
	if got := b.Facing(-1); got != want {
		t.Errorf("Facing(-1) = %+v, want %+v", got, want)
	}
	if got := b.Facing(1); got != b {
		t.Errorf("Facing(1) = %+v, want it unchanged", got)
	}
	if got := b.Facing(-1).Facing(-1); got != b {
		t.Errorf("Facing twice = %+v", got)
	}
}

// TestBurnIn holds intervals back until the sums rest on enough units.
func TestBurnIn(t *testing.T) {
	t.Parallel()
	build := func(n int64, mean, sd float64) report.Row {
		return report.Build(newSynthetic(2).at(n,
			cell(primaryKey, 0, pair(n, mean, sd)), cell(primaryKey, 1, pair(n, mean, sd)),
		).input()).Primary[0]
	}
	for _, test := range []struct {
		name string
		n    int64
		sd   float64
		code stats.Code
	}{
		{"99 units", 99, 1, stats.BurnIn},
		{"100 units", 100, 1, ""},
		// With mean 1, n units rest on n/(1+sd^2): 1,000 on 25 at sd = sqrt(39).
		{"a tail that leaves 25 units", 1_000, 6.23, ""},
		{"a tail that leaves 24 units", 1_000, 6.4, stats.BurnIn},
	} {
		row := build(test.n, 1, test.sd)
		got := stats.Code("")
		if row.Refusal != nil {
			got = stats.Code(row.Refusal.Code)
		}
		if got != test.code || (row.Effect == nil) != (test.code != "") {
			t.Errorf("%s: refusal %q, want %q", test.name, got, test.code)
		}
	}
}

// TestRefusals says in words why there is no number.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for _, test := range []struct {
		name               string
		control, treatment stats.PairMoments
		code               stats.Code
	}{
		{"no units", stats.PairMoments{}, pair(n, 1, 1), report.CodeNoUnits},
		{"nothing varies", pair(n, 1, 0), pair(n, 1, 0), stats.ZeroVariance},
		{"not a number", pair(n, math.NaN(), 1), pair(n, 1, 1), stats.NonFinite},
		{"infinite", pair(n, 1, math.Inf(1)), pair(n, 1, 1), stats.NonFinite},
		{"a mean of nothing but rounding", pair(n, 1, 1), pair(n, 1e-5, 1), stats.BurnIn},
	} {
		row := report.Build(newSynthetic(2).at(n,
			cell(primaryKey, 0, test.control), cell(primaryKey, 1, test.treatment)).input()).Primary[0]
		if row.Refusal == nil || row.Refusal.Message == "" || row.Effect != nil || row.State != report.StateUnknown {
			t.Errorf("%s: %+v", test.name, row.Refusal)
			continue
		}
		if got := stats.Code(row.Refusal.Code); got != test.code {
			t.Errorf("%s: refused with %s (%s), want %s", test.name, got, row.Refusal.Message, test.code)
		}
	}
}

// TestMetricVersion measures with the definition of the looks, and refuses one
// that the catalogue no longer has.
func TestMetricVersion(t *testing.T) {
	t.Parallel()
	c := cell(primaryKey, 0, pair(1_000, 1, 1))
	c.MetricVersion = 99
	row := report.Build(newSynthetic(2).at(1_000, c, metrics.Cell{Metric: primaryKey, MetricVersion: 99, Arm: 1}).input()).Primary[0]
	if row.Refusal == nil || row.Refusal.Code != report.CodeUnknownMetric {
		t.Errorf("version 99 gives %+v", row.Refusal)
	}
}

// TestSince follows a state through looks.
func TestSince(t *testing.T) {
	t.Parallel()
	s := newSynthetic(2)
	for i, lift := range []float64{-0.2, 0, 0.1, 0.1, 0.1} {
		n := int64(2_000 * (i + 1))
		s.at(n, cell(primaryKey, 0, pair(n, 10, 3)), cell(primaryKey, 1, pair(n, 10*(1+lift), 3)))
	}
	row := report.Build(s.input()).Primary[0]
	if row.State != report.StateBetter || row.SinceLook != 3 || row.FirstHarm != 1 {
		t.Errorf("state %s since look %d, first harm at %d; want better since 3 and harm at 1", row.State, row.SinceLook, row.FirstHarm)
	}
	if row.Evidence.MinP > row.Evidence.P {
		t.Errorf("smallest p %v above that of now, %v", row.Evidence.MinP, row.Evidence.P)
	}
}
