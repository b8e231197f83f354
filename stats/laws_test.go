package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// More units of the same kind, at the same share of the plan, make every interval
// narrower.
func TestIntervalsShrinkWithInformation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := effects(t)
		factor := rapid.Float64Range(1.1, 50).Draw(t, "factor")
		more := e
		more.Variance /= factor
		more.N = int64(float64(e.N) * factor)
		more.DF = float64(more.N - 2)
		plan := rapid.Int64Range(1000, 1e8).Draw(t, "planned")
		for name, width := range widths(t, e, more, plan) {
			if width[1] >= width[0] {
				t.Errorf("%s: with %v times the units the width went from %v to %v", name, factor, width[0], width[1])
			}
		}
	})
}

// widths returns the widths of all intervals of two effects.
func widths(t *rapid.T, few, many stats.Effect, plan int64) map[string][2]float64 {
	const alpha = 0.05
	out := map[string][2]float64{}
	for i, e := range []stats.Effect{few, many} {
		keep := func(name string, interval stats.Interval, err error) {
			if err != nil {
				t.Fatalf("%s(%+v): %v", name, e, err)
			}
			w := out[name]
			w[i] = interval.Upper - interval.Lower
			out[name] = w
		}
		welch, err := stats.Welch(e, 1-alpha)
		keep("Welch", welch.Interval, err)
		s, err := stats.AsympCS{Alpha: alpha, NOpt: plan}.TwoSided(e)
		keep("AsympCS", s.Interval, err)
		s, err = stats.TMixture{Alpha: alpha, G: float64(min(plan, few.N)) / 8}.TwoSided(e)
		keep("TMixture", s.Interval, err)
		s, err = stats.MSPRT{Alpha: alpha, Tau2: few.Variance}.TwoSided(e)
		keep("MSPRT", s.Interval, err)
		i, err := stats.IteratedLogarithmCS(e, alpha)
		keep("IteratedLogarithmCS", i, err)
		posterior, err := stats.NewPosterior(e, stats.Prior{Proper: true, Variance: few.Variance}, 1-alpha, false)
		keep("Posterior", posterior.Interval, err)
		q, err := stats.Equivalence{Margin: few.SE(), Alpha: alpha}.Test(e)
		keep("Equivalence", q.Interval, err)
	}
	return out
}

// Arms that say the same show no effect, and an interval that is its own mirror image.
func TestEqualArmsShowNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		arm := h.control
		for name, effect := range map[string]func() (stats.Effect, error){
			"MeanDifference":  func() (stats.Effect, error) { return stats.MeanDifference(arm.Y(), arm.Y()) },
			"MeanLift":        func() (stats.Effect, error) { return stats.MeanLift(arm.Y(), arm.Y()) },
			"RatioDifference": func() (stats.Effect, error) { return stats.RatioDifference(arm, arm) },
			"RatioLift":       func() (stats.Effect, error) { return stats.RatioLift(arm, arm) },
			"CupedMean": func() (stats.Effect, error) {
				a, err := stats.CupedMean{Control: arm, Treatment: arm}.Effect(stats.Absolute)
				return a.Effect, err
			},
			"FlooredDifference": func() (stats.Effect, error) {
				a, err := arm.Y().Arm()
				if err != nil {
					return stats.Effect{}, err
				}
				return stats.FlooredDifference(a, a)
			},
		} {
			e, err := effect()
			if err != nil {
				continue // a refusal is no claim
			}
			s, err := stats.AsympCS{Alpha: 0.05, NOpt: 1000}.TwoSided(e)
			if err != nil {
				t.Fatal(err)
			}
			if e.Estimate != 0 || s.P != 1 || !closeTo(s.Lower, -s.Upper, 1e-12, 0) {
				t.Errorf("%s of an arm with itself: %+v, %+v", name, e, s)
			}
		}
	})
}

// Exchanging the arms turns every answer round.
func TestExchangedArmsMirrorEveryAnswer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		e, err := stats.MeanDifference(h.control.Y(), h.treatment.Y())
		back, err2 := stats.MeanDifference(h.treatment.Y(), h.control.Y())
		if err != nil || err2 != nil {
			t.Skip(err, err2)
		}
		near := 1e-9 * e.SE()
		mirror := func(name string, a, b stats.Interval, logEA, logEB float64) {
			if !closeTo(a.Lower, -b.Upper, 1e-9, near) || !closeTo(a.Upper, -b.Lower, 1e-9, near) || !closeTo(logEA, logEB, 1e-9, 1e-9) {
				t.Errorf("%s: %+v (ln E %v) and with arms exchanged %+v (%v)", name, a, logEA, b, logEB)
			}
		}
		const alpha = 0.05
		cs := stats.AsympCS{Alpha: alpha, NOpt: 500}
		mixture := stats.TMixture{Alpha: alpha, G: 1}
		a, err := cs.TwoSided(e)
		b, err2 := cs.TwoSided(back)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		mirror("AsympCS", a.Interval, b.Interval, a.LogE, b.LogE)
		a, err = mixture.TwoSided(e)
		b, err2 = mixture.TwoSided(back)
		if err == nil && err2 == nil {
			mirror("TMixture", a.Interval, b.Interval, a.LogE, b.LogE)
		}
		greater, err := cs.OneSided(e, stats.Greater)
		less, err2 := cs.OneSided(back, stats.Less)
		if err != nil || err2 != nil || !closeTo(greater.Lower, -less.Upper, 1e-9, near) || !closeTo(greater.LogE, less.LogE, 1e-9, 1e-9) {
			t.Errorf("one-sided: %+v (%v), with arms exchanged %+v (%v)", greater, err, less, err2)
		}
		guard := stats.NonInferiority{Margin: e.SE(), Alpha: alpha, HigherIsBetter: true}
		lower := guard
		lower.HigherIsBetter = false
		g, err := guard.Watch(e, 500)
		m, err2 := lower.Watch(back, 500)
		if err != nil || err2 != nil || g.State != m.State || !closeTo(g.WorstCase, -m.WorstCase, 1e-9, near) {
			t.Errorf("guardrail %+v (%v), mirrored %+v (%v)", g, err, m, err2)
		}
	})
}

// A cell without units, which a segment or an hour often is, changes nothing.
func TestEmptyCellsChangeNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		c := h.control
		c.Merge(stats.PairMoments{})
		if diff := cmp.Diff(h.control, c); diff != "" {
			t.Errorf("PairMoments:\n%s", diff)
		}
		var joint stats.JointMoments
		if err := joint.Add(1, 2, 3); err != nil {
			t.Fatal(err)
		}
		before := joint.N
		if err := joint.Merge(stats.JointMoments{}); err != nil || joint.N != before {
			t.Errorf("JointMoments: %+v, %v", joint, err)
		}
		groups := []stats.Moments{h.control.Y(), h.treatment.Y()}
		want, err := stats.OneWayANOVA(groups)
		got, err2 := stats.OneWayANOVA(append(groups, stats.Moments{}))
		if reasonOf(err) != reasonOf(err2) || want != got {
			t.Errorf("OneWayANOVA: %+v (%v), with an empty group %+v (%v)", want, err, got, err2)
		}
		counts := []int64{rapid.Int64Range(0, 1e6).Draw(t, "a"), rapid.Int64Range(0, 1e6).Draw(t, "b")}
		test := stats.ThresholdTest{Nu: 0.5, NOpt: 1000, Alpha: 0.05}
		look := stats.ThresholdLook{
			Control:   stats.Proportion{Successes: counts[0] / 2, Trials: counts[0] + 1},
			Treatment: stats.Proportion{Successes: counts[1] / 2, Trials: counts[1] + 1},
		}
		nothing := stats.ThresholdLook{
			Control: stats.Proportion{Trials: 5}, Treatment: stats.Proportion{Trials: 7}, // none below: no comparison
		}
		one, err := test.LogE([]stats.ThresholdLook{look})
		two, err2 := test.LogE([]stats.ThresholdLook{look, nothing})
		if err != nil || err2 != nil || !closeTo(one, two, 1e-12, 1e-12) {
			t.Errorf("ThresholdTest: %v (%v), with an empty table %v (%v)", one, err, two, err2)
		}
	})
}

// eRun simulates one experiment without an effect and returns ln E at each of its
// looks.
type eRun func(rng *rand.Rand, looks int) []float64

func eRuns() map[string]eRun {
	normal := func(of func(e stats.Effect) float64) eRun {
		return func(rng *rand.Rand, looks int) (out []float64) {
			sum := 0.0
			for look := range looks {
				sum += rng.NormFloat64()
				n := float64(look + 1) // of looks, each with the variance 1
				out = append(out, of(stats.Effect{Estimate: sum / n, Variance: 1 / n, DF: math.Inf(1), N: int64(n) * 200}))
			}
			return out
		}
	}
	return map[string]eRun{
		"MSPRT": normal(func(e stats.Effect) float64 { return must(stats.MSPRT{Alpha: 0.05, Tau2: 1}.TwoSided(e)).LogE }),
		"AsympCS": normal(func(e stats.Effect) float64 {
			return must(stats.AsympCS{Alpha: 0.05, NOpt: 2000}.TwoSided(e)).LogE
		}),
		"AsympCS one-sided": normal(func(e stats.Effect) float64 {
			return must(stats.AsympCS{Alpha: 0.05, NOpt: 2000}.OneSided(e, stats.Greater)).LogE
		}),
		"Equivalence different": normal(func(e stats.Effect) float64 { // of margins that are next to each other
			return must(stats.Equivalence{Margin: 1e-6, Alpha: 0.05}.Watch(e, 2000)).LogEDifferent
		}),
		"TMixture": func(rng *rand.Rand, looks int) (out []float64) {
			var c, t stats.Moments
			for range looks {
				for range 2 {
					c.Add(rng.NormFloat64())
					t.Add(rng.NormFloat64())
				}
				// The pooled variance of the linear model, for which the mixture is exact.
				e := must(stats.MeanDifference(c, t))
				n := float64(c.N)
				e.Variance, e.DF = (c.M2+t.M2)/(2*n-2)*2/n, 2*n-2
				f := e.Estimate * e.Estimate / e.Variance
				out = append(out, must(stats.TMixtureStatistic{F: f, DF1: 1, DF2: e.DF, N: 2 * n, G: 2}.LogE()))
			}
			return out
		},
		"SampleRatio": func(rng *rand.Rand, looks int) (out []float64) {
			counts := []int64{0, 0}
			for range looks {
				k := int64(binomial(rng, 200, 0.25))
				counts[0], counts[1] = counts[0]+k, counts[1]+200-k
				out = append(out, must(stats.SampleRatio(counts, []int64{1, 3}, 100)).LogE)
			}
			return out
		},
		"RateSequence one-sided": func(rng *rand.Rand, looks int) (out []float64) {
			c, t := stats.Rate{}, stats.Rate{}
			for range looks {
				c.Exposure, t.Exposure = c.Exposure+1, t.Exposure+2
				c.Events += poisson(rng, 10)
				t.Events += poisson(rng, 20)
				out = append(out, must(stats.RateSequence{Alpha: 0.05, Concentration: 30}.OneSided(c, t, stats.Greater)).LogE)
			}
			return out
		},
		"BoundedSequence": func(rng *rand.Rand, looks int) (out []float64) {
			var news []stats.BoundedLook
			b := stats.BoundedSequence{Alpha: 0.05, Upper: 1, Mean: 0.1, SD: 0.3, NOpt: 400}
			for range looks {
				var arms [2]stats.Moments
				rate := 0.2 * rng.Float64() // evenings differ
				for i := range arms {
					k := int64(binomial(rng, 20, rate))
					arms[i].AddN(1, k)
					arms[i].AddN(0, 20-k)
				}
				news = append(news, stats.BoundedLook{Control: arms[0], Treatment: arms[1]})
				out = append(out, must(b.TwoSided(news)).LogE)
			}
			return out
		},
		"ThresholdTest":    quantileRun(0),
		"QuantileContrast": quantileRun(1),
		"QuantileTest":     quantileRun(2),
	}
}

func quantileRun(method int) eRun {
	return func(rng *rand.Rand, looks int) (out []float64) {
		const nu, units, planned = 0.9, 20, 400
		h, before := [2]*stats.Histogram{{}, {}}, [2]*stats.Histogram{}
		var news []stats.ThresholdLook
		for look := range looks {
			for i := range h {
				before[i] = h[i].Clone()
				for range units {
					h[i].Add(math.Exp(rng.NormFloat64()))
				}
			}
			if look > 0 {
				news = append(news, must(stats.NewThresholdLook(nu, before, h)))
			}
			switch method {
			case 0:
				out = append(out, must(stats.ThresholdTest{Nu: nu, NOpt: planned, Alpha: 0.05}.LogE(news)))
			case 1:
				out = append(out, must(stats.QuantileContrast{Nu: nu, NOpt: planned, Alpha: 0.05}.Histograms(h[0], h[1])))
			default:
				out = append(out, must(stats.QuantileTest{Nu: nu, TOpt: planned / 2, AlphaOpt: 0.05}.Histograms(h[0], h[1])))
			}
		}
		return out
	}
}
