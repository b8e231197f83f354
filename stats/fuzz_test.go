package stats_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// unlimited are the fields that may be infinite by their documentation.
var unlimited = map[string]bool{
	"OneSided": true, "RateRatio": true, "RateRatioSequence": true, "RateRatioBound": true,
}

// soundness checks that a result is finite or refused with a reason.
func soundness(t *testing.T, name string, result any, err error) {
	t.Helper()
	if err != nil {
		var refusal *stats.Refusal
		if !errors.As(err, &refusal) || refusal.Reason == "" || refusal.Message == "" {
			t.Errorf("%s: error %v is not a refusal", name, err)
		}
		return
	}
	checkNumbers(t, name, reflect.ValueOf(result), unlimited[name] || unlimited[reflect.TypeOf(result).Name()])
}

func checkNumbers(t *testing.T, name string, v reflect.Value, infinite bool) {
	t.Helper()
	switch v.Kind() {
	case reflect.Float64:
		x := v.Float()
		if math.IsNaN(x) || math.IsInf(x, 0) && !infinite {
			t.Errorf("%s returned %v without a reason", name, x)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			checkNumbers(t, name+"."+v.Type().Field(i).Name, v.Field(i), infinite)
		}
	default:
	}
}

// comparePairs runs the whole library on two arms of joint moments.
func comparePairs(t *testing.T, c, w stats.PairMoments, alpha float64, plan int64) {
	t.Helper()
	effects := map[string]stats.Effect{}
	keep := func(name string, e stats.Effect, err error) {
		soundness(t, name, e, err)
		if err == nil {
			effects[name] = e
		}
	}
	e, err := stats.MeanDifference(c.Y(), w.Y())
	keep("MeanDifference", e, err)
	e, err = stats.MeanLift(c.Y(), w.Y())
	keep("MeanLift", e, err)
	e, err = stats.RatioDifference(c, w)
	keep("RatioDifference", e, err)
	e, err = stats.RatioLift(c, w)
	keep("RatioLift", e, err)
	for _, scale := range []stats.Scale{stats.Absolute, stats.Fraction, stats.LogRatio} {
		for _, slope := range []stats.SlopeRule{stats.SlopeWithin, stats.SlopePerArm, stats.SlopeGrowthBook} {
			a, err := stats.CupedMean{Control: c, Treatment: w, Slope: slope}.Effect(scale)
			keep("CupedMean", a.Effect, err)
		}
		stratum := []stats.Stratum[stats.PairMoments]{{Control: c, Treatment: w}}
		e, err = stats.PostStratifiedCuped(stratum, scale)
		keep("PostStratifiedCuped", e, err)
		e, err = stats.PostStratifiedRatios(stratum, scale)
		keep("PostStratifiedRatios", e, err)
	}
	for name, e := range effects {
		infer(t, name, e, alpha, plan)
	}
}

func infer(t *testing.T, name string, e stats.Effect, alpha float64, plan int64) {
	t.Helper()
	cs := stats.AsympCS{Alpha: alpha, NOpt: plan}
	test, err := stats.Welch(e, 1-alpha)
	soundness(t, name+" Welch", test, err)
	s, err := cs.TwoSided(e)
	soundness(t, name+" AsympCS", s, err)
	s, err = stats.TMixture{Alpha: alpha, G: float64(plan) / 8}.TwoSided(e)
	soundness(t, name+" TMixture", s, err)
	s, err = stats.MSPRT{Alpha: alpha, Tau2: 1}.TwoSided(e)
	soundness(t, name+" MSPRT", s, err)
	s, err = cs.OneSided(e, stats.Less)
	soundness(t, "OneSided", s, err)
	p, err := stats.NewPosterior(e, stats.Prior{Proper: true, Variance: 0.01}, 0.95, false)
	soundness(t, name+" Posterior", p, err)
	g, err := stats.NonInferiority{Margin: 0.01, Alpha: alpha}.Watch(e, plan)
	soundness(t, name+" Watch", g, err)
	n, err := stats.NonInferiority{Margin: 0.01, Alpha: alpha, HigherIsBetter: true}.Test(e)
	soundness(t, name+" NonInferiority", n, err)
	power, err := stats.MidExperimentPower{MDE: 0.02, Alpha: alpha, Sequence: cs}.At(e, 1)
	soundness(t, name+" Power", power, err)
}

func FuzzComparison(f *testing.F) {
	f.Add(int64(100), int64(120), 1.0, 1.1, 50.0, 60.0, 2.0, 2.2, 70.0, 80.0, 30.0, 0.05, int64(1000))
	f.Add(int64(2), int64(2), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05, int64(1))
	f.Add(int64(1e9), int64(3), 1e300, 1e-300, 1e300, 1e-300, -1.0, 1e150, 1e308, 5e-324, 1e308, 1e-300, int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, nc, nt int64, yc, yt, vc, vt, xc, xt, wc, wt, cov, alpha float64, plan int64) {
		// Moments obey Cauchy and Schwarz, whatever wrote them.
		bounded := func(a, b float64) float64 { return cov * math.Sqrt(math.Abs(a)) * math.Sqrt(math.Abs(b)) }
		if math.Abs(cov) > 1 {
			cov = 1 / cov
		}
		comparePairs(t,
			stats.PairMoments{N: nc, MeanY: yc, M2Y: vc, MeanX: xc, M2X: wc, CXY: bounded(vc, wc)},
			stats.PairMoments{N: nt, MeanY: yt, M2Y: vt, MeanX: xt, M2X: wt, CXY: bounded(vt, wt)}, alpha, plan)
	})
}

func FuzzCounts(f *testing.F) {
	f.Add(int64(5), int64(100), int64(9), int64(120), 1.0, 2.0, 100.0, 0.05)
	f.Add(int64(0), int64(1), int64(0), int64(1), 1.0, 1.0, 1.0, 0.05)
	f.Add(int64(1e15), int64(1e18), int64(0), int64(1e18), 1e-300, 1e300, 1e300, 1e-300)
	f.Fuzz(func(t *testing.T, xc, nc, xt, nt int64, ec, et, k, alpha float64) {
		pair := stats.TwoProportions{
			Control: stats.Proportion{Successes: xc, Trials: nc}, Treatment: stats.Proportion{Successes: xt, Trials: nt},
		}
		z, err := pair.Pooled()
		soundness(t, "Pooled", z, err)
		for _, m := range []stats.TwoProportionMethod{stats.Wald, stats.AgrestiCaffo, stats.Newcombe, stats.Score} {
			i, err := pair.DifferenceInterval(m, 1-alpha)
			soundness(t, string(m), i, err)
		}
		c, w := stats.Rate{Events: xc, Exposure: ec}, stats.Rate{Events: xt, Exposure: et}
		const most = 1e7 // an exact sum over more outcomes is slow, not wrong
		if xc < most && xt < most {
			r, err := stats.RateRatioExact(c, w, 1-alpha)
			soundness(t, "RateRatio", r, err)
		}
		sequence := stats.RateSequence{Alpha: alpha, Concentration: k}
		s, err := sequence.TwoSided(c, w)
		soundness(t, "RateRatioSequence", s, err)
		srm, err := stats.SampleRatio([]int64{xc, xt}, []int64{nc, nt}, k)
		soundness(t, "SampleRatio", srm, err)
		p, err := stats.PoissonCounts{Phi: k, Alpha: alpha}.LogE(xc, xt)
		soundness(t, "PoissonCounts", p, err)
	})
}
