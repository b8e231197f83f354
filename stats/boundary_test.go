package stats_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

func TestBoundsAreWhereMixturesReachTheThreshold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		vOpt := math.Exp(rapid.Float64Range(0, 12).Draw(t, "ln v_opt"))
		v := math.Exp(rapid.Float64Range(-2, 14).Draw(t, "ln v"))
		alpha := rapid.SampledFrom([]float64{1e-6, 0.01, 0.05, 0.3}).Draw(t, "alpha")
		c := rapid.SampledFrom([]float64{0.1, 1, 3}).Draw(t, "c")
		p := rapid.SampledFrom([]float64{0.01, 0.5, 0.9}).Draw(t, "p")
		oneSided := rapid.Bool().Draw(t, "one-sided")
		families := map[string]boundary{
			"normal":            stats.NormalBoundary{VOpt: vOpt, AlphaOpt: 0.05, OneSided: oneSided},
			"gamma-exponential": stats.GammaExponentialBoundary{VOpt: vOpt, C: c, AlphaOpt: 0.05},
			"gamma-poisson":     stats.GammaPoissonBoundary{VOpt: vOpt, C: c, AlphaOpt: 0.05},
			"beta-binomial":     stats.BetaBinomialBoundary{VOpt: vOpt, G: p, H: 1 - p, AlphaOpt: 0.05, OneSided: oneSided},
		}
		for name, b := range families {
			bound, err := b.Bound(v, alpha)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if name == "beta-binomial" && bound >= v/p*(1-1e-12) {
				continue // never reached
			}
			at, err := b.LogMixture(bound, v)
			if err != nil || !closeTo(at, -math.Log(alpha), 1e-8, 1e-8) {
				t.Errorf("%s %+v at v %v: bound %v has ln E %v, %v, want %v", name, b, v, bound, at, err, -math.Log(alpha))
			}
		}
	})
}

func TestStitchingGrowsWithTimeAndCertainty(t *testing.T) {
	t.Parallel()
	poly := stats.PolynomialStitching{VMin: 10, C: 1, S: 1.4, Eta: 2}
	double := stats.DoubleStitching{TOpt: 100, Delta: 0.5, S: 1.4, Eta: 2}
	band := stats.EmpiricalProcessLIL{TMin: 100, A: 0.85}
	bounds := func(time, alpha float64) [3]float64 {
		var out [3]float64
		var errs [3]error
		out[0], errs[0] = poly.Bound(time, alpha)
		out[1], errs[1] = double.Bound(0.9, time, alpha)
		out[2], errs[2] = band.Bound(time, alpha)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		return out
	}
	early, late, sure := bounds(1000, 0.05), bounds(100_000, 0.05), bounds(1000, 0.001)
	for i := range early {
		if grows := late[i] > early[i]; grows != (i < 2) { // the band is of a mean and shrinks
			t.Errorf("boundary %d: %v at 1,000 and %v at 100,000", i, early[i], late[i])
		}
		if sure[i] <= early[i] {
			t.Errorf("boundary %d: %v at alpha 0.001, %v at 0.05", i, sure[i], early[i])
		}
	}
	if before, err := band.Bound(99, 0.05); err != nil || !math.IsInf(before, 1) {
		t.Errorf("band before its first time = %v, %v, want infinity", before, err)
	}
}

func TestBoundaryRefusals(t *testing.T) {
	t.Parallel()
	calls := map[string]func() error{
		"normal v_opt": func() error {
			_, err := stats.NormalBoundary{AlphaOpt: 0.05}.Bound(1, 0.05)
			return err
		},
		"normal v": func() error {
			_, err := stats.NormalBoundary{VOpt: 1, AlphaOpt: 0.05}.Bound(-1, 0.05)
			return err
		},
		"gamma s": func() error {
			_, err := stats.GammaExponentialBoundary{VOpt: 1, C: 1, AlphaOpt: 0.05}.LogMixture(-100, 1)
			return err
		},
		"gamma c": func() error {
			_, err := stats.GammaPoissonBoundary{VOpt: 1, AlphaOpt: 0.05}.LogMixture(1, 1)
			return err
		},
		"beta s": func() error {
			_, err := stats.BetaBinomialBoundary{VOpt: 1, G: 0.5, H: 0.5, AlphaOpt: 0.05}.LogMixture(1e9, 1)
			return err
		},
		"stitching eta": func() error {
			_, err := stats.PolynomialStitching{VMin: 1, S: 1.4, Eta: 1}.Bound(1, 0.05)
			return err
		},
		"band factor": func() error {
			_, err := stats.EmpiricalProcessLIL{TMin: 1, A: 0.7}.Bound(1, 0.05)
			return err
		},
		"bernoulli": func() error {
			_, err := stats.BernoulliSequence{Alpha: 0.05, TOpt: 10, AlphaOpt: 0.05}.Interval(5, 4)
			return err
		},
	}
	for name, call := range calls {
		if err := call(); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("%s: %v, want reason %s", name, err, stats.InvalidArgument)
		}
	}
}

func TestQuantileTestOfHistogramsIsThatOfTheirValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Whole numbers up to 128 have a bucket each, so that nothing is lost.
		draw := func(label string) []float64 {
			whole := rapid.SliceOfN(rapid.IntRange(1, 128), 1, 200).Draw(t, label)
			out := make([]float64, len(whole))
			for i, w := range whole {
				out[i] = float64(w)
			}
			return out
		}
		a, b := draw("a"), draw("b")
		q := stats.QuantileTest{Nu: rapid.SampledFrom([]float64{0.1, 0.5, 0.95}).Draw(t, "nu"), TOpt: 100, AlphaOpt: 0.05}
		values, err := q.Values(a, b)
		counted, err2 := q.Histograms(histogramOf(a), histogramOf(b))
		if err != nil || err2 != nil || !closeTo(values, counted, 1e-12, 1e-12) {
			t.Errorf("Values %v (%v), Histograms %v (%v)", values, err, counted, err2)
		}
		slices.Reverse(a)
		if again, _ := q.Values(a, b); again != values {
			t.Errorf("the order of values changed ln E from %v to %v", values, again)
		}
	})
	if _, err := (stats.QuantileTest{Nu: 0.5, TOpt: 1, AlphaOpt: 0.05}).Values(nil, []float64{1}); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("empty arm: %v, want reason %s", err, stats.TooFewUnits)
	}
}

func TestEBHIsMonotone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		logE := rapid.SliceOfN(rapid.Float64Range(-5, 10), 1, 20).Draw(t, "ln e")
		rejected, err := stats.EBH(logE, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(logE)-1).Draw(t, "raised")
		logE[at]++
		more, err := stats.EBH(logE, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range rejected {
			if !slices.Contains(more, i) {
				t.Errorf("raising e-value %d withdrew the rejection of %d: %v, then %v", at, i, rejected, more)
			}
		}
	})
}

func TestEValueRefusals(t *testing.T) {
	t.Parallel()
	if _, err := stats.EBH([]float64{1, math.NaN()}, 0.1); reasonOf(err) != stats.NonFinite {
		t.Errorf("EBH of NaN: %v", err)
	}
	for _, p := range []float64{0, -1, 1.1, math.NaN()} {
		if _, err := stats.LogEFromP(p); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("LogEFromP(%v): %v", p, err)
		}
		if _, err := stats.LogEFromPMixed(p); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("LogEFromPMixed(%v): %v", p, err)
		}
	}
	if _, err := stats.AdjustP([]float64{0.5, 1.2}, stats.Holm); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("AdjustP of 1.2: %v", err)
	}
	if _, err := stats.AdjustP([]float64{0.5}, "other"); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("AdjustP by another method: %v", err)
	}
}
