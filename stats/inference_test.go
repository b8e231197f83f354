package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

func TestWelchKeepsTailsThatUnderflow(t *testing.T) {
	t.Parallel()
	e := stats.Effect{Estimate: 100, Variance: 1, DF: 1e7, N: 1e7 + 2}
	test, err := stats.Welch(e, 0.95)
	// ln p of a normal z of 100 is -5005.5; the t correction raises it by z^4/(4 df).
	if err != nil || test.P != 0 || math.Abs(test.LogP+5004.8310236664895) > 3 {
		t.Errorf("Welch = %+v, %v, want p 0 with ln p about -5003", test, err)
	}
}

func TestRegressionHC2IsWelch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		fitted, err := stats.Regression{Y: h.y, Treatment: h.w, Model: stats.Unadjusted}.Effect(stats.HC2)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := stats.MeanDifference(h.control.Y(), h.treatment.Y())
		if err != nil {
			t.Fatal(err)
		}
		if !closeTo(fitted.Estimate, plain.Estimate, 1e-9, 1e-9) || !closeTo(fitted.Variance, plain.Variance, 1e-9, 0) {
			t.Errorf("regression %+v, Welch %+v", fitted, plain)
		}
		// Every row a cluster of its own is the plain sandwich.
		own := make([]int, len(h.y))
		for i := range own {
			own[i] = i
		}
		r := stats.Regression{Y: h.y, Treatment: h.w, X: h.x, Model: stats.Ancova}
		clustered, err := r.ClusteredEffect(own, stats.ClusterSmallSample{})
		sandwich, err2 := r.Effect(stats.HC0)
		serial, err3 := r.SerialEffect(0)
		if err != nil || err2 != nil || err3 != nil {
			t.Fatal(err, err2, err3)
		}
		if !closeTo(clustered.Variance, sandwich.Variance, 1e-9, 0) || !closeTo(serial.Variance, sandwich.Variance, 1e-9, 0) {
			t.Errorf("HC0 %v, clusters of one %v, lag 0 %v", sandwich.Variance, clustered.Variance, serial.Variance)
		}
	})
}

func TestRegressionRefusals(t *testing.T) {
	t.Parallel()
	y, w, x := []float64{1, 2, 3, 4, 5, 6}, []float64{0, 1, 0, 1, 0, 1}, []float64{1, 2, 4, 3, 1, 5}
	tests := []struct {
		name string
		r    stats.Regression
		want stats.Code
	}{
		{"fine", stats.Regression{Y: y, Treatment: w, X: x, Model: stats.Ancova}, ""},
		{"lengths", stats.Regression{Y: y, Treatment: w[:3], Model: stats.Unadjusted}, stats.InvalidArgument},
		{"model", stats.Regression{Y: y, Treatment: w, X: x, Model: "other"}, stats.InvalidArgument},
		{"empty", stats.Regression{Model: stats.Unadjusted}, stats.TooFewUnits},
		{"too few rows", stats.Regression{Y: y[:4], Treatment: w[:4], X: x[:4], Model: stats.Interacted}, stats.TooFewUnits},
		{"one arm", stats.Regression{Y: y, Treatment: make([]float64, 6), Model: stats.Unadjusted}, stats.ZeroVariance},
		{"constant covariate", stats.Regression{Y: y, Treatment: w, X: make([]float64, 6), Model: stats.Ancova}, stats.ZeroVariance},
		{
			"NaN",
			stats.Regression{Y: []float64{1, 2, math.NaN(), 4, 5, 6}, Treatment: w, Model: stats.Unadjusted},
			stats.NonFinite,
		},
		{
			"an arm of one row",
			stats.Regression{Y: y, Treatment: []float64{0, 0, 0, 0, 0, 1}, Model: stats.Unadjusted},
			stats.ZeroVariance,
		},
	}
	for _, test := range tests {
		if e, err := test.r.Effect(stats.HC3); reasonOf(err) != test.want {
			t.Errorf("%s: Effect = %+v, %v, want reason %q", test.name, e, err, test.want)
		}
	}
	r := tests[0].r
	if _, err := r.Effect("other"); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("error model: %v", err)
	}
	if _, err := r.SerialEffect(6); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("lag: %v", err)
	}
	if _, err := r.ClusteredEffect(make([]int, 6), stats.ClusterSmallSample{}); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("one cluster: %v", err)
	}
}

func TestPosterior(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := effects(t)
		prior := stats.Prior{
			Proper: rapid.Bool().Draw(t, "proper"), Mean: rapid.Float64Range(-1, 1).Draw(t, "mean"),
			Variance: math.Exp(rapid.Float64Range(-5, 5).Draw(t, "ln variance")),
		}
		p, err := stats.NewPosterior(e, prior, 0.95, false)
		if err != nil {
			t.Fatal(err)
		}
		// E[max(X,0)] - E[max(-X,0)] = E[X].
		if gap := p.LossChoosingControl - p.LossChoosingTreatment; !closeTo(gap, p.Mean, 1e-9, 1e-12*p.SD) {
			t.Errorf("losses %+v differ by %v, want the mean %v", p, gap, p.Mean)
		}
		if p.LossChoosingControl < 0 || p.LossChoosingTreatment < 0 || p.ChanceToWin < 0 || p.ChanceToWin > 1 {
			t.Errorf("posterior %+v out of range", p)
		}
		mirrored, err := stats.NewPosterior(e, prior, 0.95, true)
		if err != nil || !closeTo(mirrored.ChanceToWin+p.ChanceToWin, 1, 1e-12, 0) ||
			mirrored.LossChoosingControl != p.LossChoosingTreatment {
			t.Errorf("lower is better: %+v, %v; higher: %+v", mirrored, err, p)
		}
		if prior.Proper && p.SD*p.SD > min(prior.Variance, e.Variance) {
			t.Errorf("the posterior %+v knows less than prior %+v or data", p, prior)
		}
	})
}

func TestExpectedLossFarInTheTail(t *testing.T) {
	t.Parallel()
	// E[max(X,0)] of N(-z,1) is phi(z)/z^2 (1 - 3/z^2 + ...): 1e-350 cannot be
	// held, but 30 standard errors can.
	e := stats.Effect{Estimate: -30, Variance: 1}
	p, err := stats.NewPosterior(e, stats.Prior{}, 0.95, false)
	want := math.Exp(-450) / math.Sqrt(2*math.Pi) / 900 * (1 - 3.0/900 + 15.0/810_000)
	if err != nil || !closeTo(p.LossChoosingControl, want, 1e-6, 0) {
		t.Errorf("LossChoosingControl = %v, %v, want %v", p.LossChoosingControl, err, want)
	}
}

func TestGuardrailStates(t *testing.T) {
	t.Parallel()
	guard := stats.NonInferiority{Margin: 0.02, HigherIsBetter: true, Alpha: 0.05}
	at := func(estimate float64) stats.Effect {
		return stats.Effect{Estimate: estimate, Variance: 1e-6, DF: 1e6, N: 1e6}
	}
	for _, test := range []struct {
		estimate float64
		want     stats.GuardrailState
	}{
		{0, stats.GuardrailSafe},
		{-0.01, stats.GuardrailSafe}, // a loss, but a tolerated one
		{-0.0195, stats.GuardrailHarm},
		{-0.05, stats.GuardrailHarm},
	} {
		g, err := guard.Watch(at(test.estimate), 1e6)
		if err != nil || g.State != test.want {
			t.Errorf("at %v: %+v, %v, want %s", test.estimate, g, err, test.want)
		}
		if g.WorstCase > test.estimate || g.BestCase < test.estimate {
			t.Errorf("at %v: cases %v and %v", test.estimate, g.WorstCase, g.BestCase)
		}
		lower := guard
		lower.HigherIsBetter = false
		m, err := lower.Watch(at(-test.estimate), 1e6)
		if err != nil || m.State != test.want || !closeTo(m.WorstCase, -g.WorstCase, 1e-9, 0) || !closeTo(m.LogESafe, g.LogESafe, 1e-9, 0) {
			t.Errorf("mirrored at %v: %+v, %v, want the mirror of %+v", test.estimate, m, err, g)
		}
	}
	vague := stats.Effect{Estimate: 0.001, Variance: 0.01, DF: 1e4, N: 1e4}
	if g, err := guard.Watch(vague, 1e6); err != nil || g.State != stats.GuardrailUndecided {
		t.Errorf("a vague effect: %+v, %v, want %s", g, err, stats.GuardrailUndecided)
	}
	if _, err := (stats.NonInferiority{Alpha: 0.05}).Test(vague); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("no margin: %v, want reason %s", err, stats.InvalidArgument)
	}
}

func TestPowerDesignsInvert(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		design := stats.TTestDesign{
			SD: rapid.Float64Range(0.1, 10).Draw(t, "sd"), Alpha: rapid.SampledFrom([]float64{0.01, 0.05}).Draw(t, "alpha"),
			Ratio:    rapid.SampledFrom([]float64{0, 0.25, 1, 3}).Draw(t, "ratio"),
			OneSided: rapid.Bool().Draw(t, "one-sided"), BothTails: rapid.Bool().Draw(t, "both tails"),
		}
		delta := design.SD * rapid.Float64Range(0.01, 0.8).Draw(t, "delta")
		power := rapid.Float64Range(0.5, 0.99).Draw(t, "power")
		units, err := design.Units(delta, power)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := design.Power(units, delta); err != nil || !closeTo(got, power, 1e-8, 0) {
			t.Errorf("%+v: power of %v units = %v, %v, want %v", design, units, got, err, power)
		}
		if got, err := design.MinimumDetectable(units, power); err != nil || !closeTo(got, delta, 1e-7, 0) {
			t.Errorf("%+v: MDE of %v units = %v, %v, want %v", design, units, got, err, delta)
		}
	})
}

func TestSwitchbackByDrawsAgreesWithEnumeration(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	var s stats.Switchback
	for block := range 21 {
		s.BlockStarts = append(s.BlockStarts, 2*block)
		s.Treated = append(s.Treated, rng.Uint64()&1 == 1)
		for range 2 {
			y := 10 + rng.NormFloat64()
			if s.Treated[block] {
				y += 6
			}
			s.Y = append(s.Y, y)
		}
	}
	if _, err := s.Estimate(nil); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("21 blocks without a source: %v, want reason %s", err, stats.InvalidArgument)
	}
	drawn, err := s.Estimate(rng)
	if err != nil || drawn.Exact {
		t.Fatalf("Estimate = %+v, %v, want a drawn one", drawn, err)
	}
	s.BlockStarts, s.Treated, s.Y = s.BlockStarts[:20], s.Treated[:20], s.Y[:40]
	exact, err := s.Estimate(nil)
	if err != nil || !exact.Exact {
		t.Fatalf("Estimate of 20 blocks = %+v, %v, want an exact one", exact, err)
	}
	if math.Abs(exact.P-drawn.P) > 0.2 {
		t.Errorf("exact %+v and drawn %+v are far apart", exact, drawn)
	}
}

func TestSwitchbackRefusals(t *testing.T) {
	t.Parallel()
	good := stats.Switchback{Y: []float64{1, 2, 3, 4}, BlockStarts: []int{0, 2}, Treated: []bool{true, false}}
	tests := []struct {
		name   string
		change func(s *stats.Switchback)
		want   stats.Code
	}{
		{"fine", func(*stats.Switchback) {}, ""},
		{"no blocks", func(s *stats.Switchback) { s.BlockStarts, s.Treated = nil, nil }, stats.InvalidArgument},
		{"coins", func(s *stats.Switchback) { s.Treated = s.Treated[:1] }, stats.InvalidArgument},
		{"late start", func(s *stats.Switchback) { s.BlockStarts = []int{1, 2} }, stats.InvalidArgument},
		{"order", func(s *stats.Switchback) { s.BlockStarts = []int{0, 0} }, stats.InvalidArgument},
		{"beyond the end", func(s *stats.Switchback) { s.BlockStarts = []int{0, 4} }, stats.InvalidArgument},
		{"carry-over", func(s *stats.Switchback) { s.Carryover = 4 }, stats.TooFewUnits},
		{"NaN", func(s *stats.Switchback) { s.Y = []float64{1, 2, math.NaN(), 4} }, stats.NonFinite},
	}
	for _, test := range tests {
		s := good
		test.change(&s)
		if r, err := s.Estimate(nil); reasonOf(err) != test.want {
			t.Errorf("%s: Estimate = %+v, %v, want reason %q", test.name, r, err, test.want)
		}
	}
}

func TestCapsHoldTheirPercentiles(t *testing.T) {
	t.Parallel()
	values := []float64{5, 1, 4, 2, 3, 1000}
	caps, err := stats.PercentileCaps(values, 0, 0.8)
	if want := (stats.Caps{Lower: 1, Upper: 5}); err != nil || !cmp.Equal(caps, want, cmpopts.EquateApprox(1e-12, 0)) {
		t.Errorf("PercentileCaps = %+v, %v, want %+v", caps, err, want)
	}
	if got := caps.Clamp(1000); got != caps.Upper {
		t.Errorf("Clamp(1000) = %v, want %v", got, caps.Upper)
	}
	if values[0] != 5 {
		t.Errorf("PercentileCaps sorted its argument: %v", values)
	}
	for _, bad := range [][2]float64{{0.5, 0.4}, {-0.1, 1}, {0, 1.1}, {math.NaN(), 1}} {
		if _, err := stats.PercentileCaps(values, bad[0], bad[1]); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("PercentileCaps at %v: %v", bad, err)
		}
	}
	if _, err := stats.SampleQuantiles(nil, []float64{0.5}, 7); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("SampleQuantiles of nothing: %v", err)
	}
	if _, err := stats.SampleQuantiles(values, []float64{0.5}, 10); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("SampleQuantiles by definition 10: %v", err)
	}
}
