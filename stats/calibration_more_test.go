package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// Quantiles: lognormal values, sigma = 1, 50 looks.

var quantileMethods = []string{
	"AsympCS, difference", "AsympCS, lift", "threshold test (exact)", "contrast, cells of 3 % (exact)",
	"contrast, cells of 13 % (exact)", "beta-binomial (exact)",
}

func quantileStudies(full bool) []study {
	var out []study
	for _, c := range []struct{ nu, lift float64 }{{0.5, 0.05}, {0.9, 0.07}, {0.99, 0.15}} {
		if full {
			out = append(out, quantileStudy(c.nu, c.lift, 10_000, 50, quantileMethods))
		} else if c.nu < 0.95 {
			out = append(out, quantileStudy(c.nu, c.lift, 2000, 10, quantileMethods))
		}
	}
	return out
}

// moreQuantileStudies are the fast ones of the methods, with more runs.
func moreQuantileStudies(full bool) []study {
	if !full {
		return nil
	}
	var out []study
	for _, c := range []struct{ nu, lift float64 }{{0.5, 0.05}, {0.9, 0.07}, {0.99, 0.15}} {
		s := quantileStudy(c.nu, c.lift, 10_000, 50, quantileMethods[:3])
		s.runs = 4000
		out = append(out, s)
	}
	return out
}

func quantileStudy(nu, lift float64, units, looks int, methods []string) study {
	value := 1000 * math.Exp(stats.Normal{}.Quantile(nu))
	s := study{
		name:    fmt.Sprintf("p%v, %s an arm, %+.0f %%", 100*nu, thousands(units), 100*lift),
		methods: methods, looks: looks, runs: 1000, truth: [2]float64{0, value * lift},
	}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var arms [3]stats.Histogram // control, treatment without and with the effect
		var before [3]*stats.Histogram
		var thresholds [2][]stats.ThresholdLook
		var done [6][2]bool
		for look := range looks {
			for i := range before {
				before[i] = arms[i].Clone()
			}
			for range units / looks {
				arms[0].Add(1000 * math.Exp(rng.NormFloat64()))
				v := 1000 * math.Exp(rng.NormFloat64())
				arms[1].Add(v)
				arms[2].Add(v * (1 + lift))
			}
			for truth := range 2 {
				c, t := &arms[0], &arms[1+truth]
				if l, err := stats.NewThresholdLook(nu, [2]*stats.Histogram{before[0], before[1+truth]}, [2]*stats.Histogram{c, t}); err == nil {
					thresholds[truth] = append(thresholds[truth], l)
				}
				for m := range s.methods {
					if m > 1 && done[m][truth] {
						continue
					}
					a := quantileAnswer(m, nu, value, int64(2*units), c, t, thresholds[truth])
					done[m][truth] = done[m][truth] || a.rejects
					say(m, truth, look, a)
				}
			}
		}
	}
	return s
}

func quantileAnswer(method int, nu, value float64, planned int64, c, t *stats.Histogram, looks []stats.ThresholdLook) answer {
	rejects := func(logE float64, err error) answer {
		return answer{rejects: err == nil && logE >= -math.Log(calibrationAlpha)}
	}
	tail := float64(min(c.Count(), t.Count())) * min(nu, 1-nu)
	cs := stats.AsympCS{Alpha: calibrationAlpha, NOpt: planned}
	switch method {
	case 0, 1:
		if tail < stats.BurnInEvents {
			return answer{}
		}
		compare := stats.QuantileDifference
		if method == 1 {
			compare = stats.QuantileLift
		}
		e, err := compare(c, t, nu)
		if err != nil {
			return answer{}
		}
		a := sequenceAnswer(cs.TwoSided(e))
		if method == 1 {
			a.lower, a.upper = math.Expm1(a.lower)*value, math.Expm1(a.upper)*value
		}
		return a
	case 2:
		return rejects(stats.ThresholdTest{Nu: nu, NOpt: planned, Alpha: calibrationAlpha}.LogE(looks))
	case 3:
		return rejects(stats.QuantileContrast{Nu: nu, NOpt: planned, Alpha: calibrationAlpha}.Histograms(c, t))
	case 4:
		return rejects(stats.QuantileContrast{Nu: nu, NOpt: planned, Alpha: calibrationAlpha, CellBuckets: 16}.Histograms(c, t))
	}
	return rejects(stats.QuantileTest{Nu: nu, TOpt: float64(planned) / 2, AlphaOpt: calibrationAlpha}.Histograms(c, t))
}

// CUPED: a past value that correlates with the metric.

var cupedMethods = []string{"unadjusted", "CUPED, one slope", "CUPED, slope per arm (Lin)", "CUPED, lift"}

func cupedStudies(bool) []study {
	// Two lognormal values whose logarithms correlate.
	past := func(rng *rand.Rand) (x, y float64) {
		a := rng.NormFloat64()
		return math.Exp(a), math.Exp(0.8*a + 0.6*rng.NormFloat64())
	}
	mean, sd := math.Exp(0.5), math.Exp(0.5)*math.Sqrt(math.Expm1(1))
	return []study{
		cupedStudy("normal, correlation 0.7", func(rng *rand.Rand) (x, y float64) {
			x = rng.NormFloat64()
			return x, 10 + 0.7*x + math.Sqrt(1-0.49)*rng.NormFloat64()
		}, 10, 1),
		cupedStudy("lognormal σ = 1, log-correlation 0.8", past, mean, sd),
		cupedStudy("lognormal, a third without history", func(rng *rand.Rand) (x, y float64) {
			x, y = past(rng)
			if rng.Float64() < 1.0/3 {
				return 0, y
			}
			return x, y
		}, mean, sd),
		unevenCupedStudy(1), unevenCupedStudy(2),
	}
}

func cupedStudy(name string, draw func(rng *rand.Rand) (x, y float64), mean, sd float64) study {
	const units, looks = 5000, 50
	lift := population{mean: mean, sd: sd}.tableLift([2]int{units, units})
	s := study{
		name: name + ", 5,000 an arm", methods: cupedMethods, looks: looks, runs: 3000,
		truth: [2]float64{0, mean * lift},
	}
	cs := stats.AsympCS{Alpha: calibrationAlpha, NOpt: 2 * units}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var arms [3]stats.PairMoments
		for look := range looks {
			for range units / looks {
				x, y := draw(rng)
				arms[0].Add(y, x)
				x, y = draw(rng)
				arms[1].Add(y, x)
				arms[2].Add(y*(1+lift), x)
			}
			for truth := range 2 {
				c, t := arms[0], arms[1+truth]
				e, err := stats.MeanDifference(c.Y(), t.Y())
				if err != nil {
					continue
				}
				say(0, truth, look, sequenceAnswer(cs.TwoSided(e)))
				for i, slope := range []stats.SlopeRule{stats.SlopeWithin, stats.SlopePerArm} {
					a := must(stats.CupedMean{Control: c, Treatment: t, Slope: slope}.Effect(stats.Absolute))
					say(1+i, truth, look, sequenceAnswer(cs.TwoSided(a.Effect)))
				}
				if a, err := (stats.CupedMean{Control: c, Treatment: t}).Effect(stats.LogRatio); err == nil {
					lifted := sequenceAnswer(cs.TwoSided(a.Effect))
					lifted.lower, lifted.upper = math.Expm1(lifted.lower)*mean, math.Expm1(lifted.upper)*mean
					say(3, truth, look, lifted)
				}
			}
		}
	}
	return s
}

// Ratios: stall seconds over watch seconds of a viewer, which go together, and what
// happens when sessions are taken for independent.

var ratioMethods = []string{"ratio of viewers, lift", "ratio of viewers, difference", "ratio CUPED, lift", "peeking, sessions as units"}

// viewer draws numerator, denominator, and both of the period before.
func viewer(rng *rand.Rand) (stall, watch, stallBefore, watchBefore float64) {
	interest := math.Exp(0.8 * rng.NormFloat64())
	line := beta(rng, 0.6, 12) // share of time that a viewer's line stalls
	session := func() (stalled, watched float64) {
		watched = interest * gamma(rng, 2) * 600
		return watched * line * 2 * rng.Float64(), watched
	}
	stall, watch = session()
	stallBefore, watchBefore = session()
	return stall, watch, stallBefore, watchBefore
}

func ratioStudies(bool) []study {
	const units, looks = 5000, 50
	// Relative standard deviation of a viewer's residual, from a large sample.
	rng := rand.New(rand.NewPCG(calibrationSeed, 0))
	var sample stats.PairMoments
	for range 200_000 {
		stall, watch, _, _ := viewer(rng)
		sample.Add(stall, watch)
	}
	arm := must(sample.RatioArm())
	truthRatio := stallMean // E[stall] = E[watch] E[line] since interest and line are independent
	lift := population{mean: arm.Value, sd: math.Sqrt(arm.Variance)}.tableLift([2]int{units, units})
	s := study{
		name: "stall over watch seconds, 5,000 viewers an arm", methods: ratioMethods, looks: looks, runs: 2000,
		truth: [2]float64{0, truthRatio * lift},
	}
	cs := stats.AsympCS{Alpha: calibrationAlpha, NOpt: 2 * units}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var arms [3]stats.PairMoments
		var joint [3]stats.JointMoments
		var sessions [3]stats.Moments
		add := func(arm int, stall, watch, stallBefore, watchBefore float64) {
			arms[arm].Add(stall, watch)
			if err := joint[arm].Add(stall, watch, stallBefore, watchBefore); err != nil {
				panic(err)
			}
			// A viewer's time is cut into sessions of 150 s, all of the same line.
			sessions[arm].AddN(stall/watch, 1+int64(watch/150))
		}
		for look := range looks {
			for range units / looks {
				stall, watch, a, b := viewer(rng)
				add(0, stall, watch, a, b)
				stall, watch, a, b = viewer(rng)
				add(1, stall, watch, a, b)
				add(2, stall*(1+lift), watch, a, b)
			}
			for truth := range 2 {
				c, t := arms[0], arms[1+truth]
				scaledTo := func(a answer) answer {
					a.lower, a.upper = math.Expm1(a.lower)*truthRatio, math.Expm1(a.upper)*truthRatio
					return a
				}
				if e, err := stats.RatioLift(c, t); err == nil {
					say(0, truth, look, scaledTo(sequenceAnswer(cs.TwoSided(e))))
				}
				say(1, truth, look, sequenceAnswer(cs.TwoSided(must(stats.RatioDifference(c, t)))))
				if e, err := (stats.CupedRatio{Control: joint[0], Treatment: joint[1+truth]}).Effect(stats.LogRatio); err == nil {
					say(2, truth, look, scaledTo(sequenceAnswer(cs.TwoSided(e.Effect))))
				}
				say(3, truth, look, sequenceAnswer(cs.TwoSided(must(stats.MeanDifference(sessions[0], sessions[1+truth])))))
			}
		}
	}
	return []study{s}
}

// Clusters: broadcasters are randomised, viewers are measured. Audiences are Zipf.

var clusterMethods = []string{
	"peeking, viewers as units", "moments of clusters, AsympCS", "moments of clusters, t-mixture",
	"clustered, t-mixture", "clustered, one look at the end",
}

func clusterStudies(full bool) []study {
	var out []study
	for _, c := range []struct {
		clusters int
		tail     float64
	}{{12, 1.2}, {50, 1.2}, {400, 1.2}, {400, 3}} {
		if full || c.clusters == 50 {
			out = append(out, clusterStudy(c.clusters, c.tail))
		}
	}
	return out
}

func clusterStudy(clusters int, tail float64) study {
	const looks, most, between = 10, 5000, 0.3
	// In sizes with this tail the deviation of a cluster's mean decides.
	effect := 2.8 * between * math.Sqrt(2/float64(clusters)) * 1.5
	s := study{
		name:    fmt.Sprintf("%d broadcasters an arm, audience ~ m^−%.1f", clusters, tail),
		methods: clusterMethods, looks: looks, runs: 3000, truth: [2]float64{0, effect},
		promised: func(method string) (alarms, interval bool) {
			safe := tail > 2 || strings.HasPrefix(method, "clustered")
			return safe, safe
		},
	}
	total := int64(2 * clusters)
	mixture := must(stats.OptimalG(total, 2, calibrationAlpha))
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var viewers [3]stats.Moments
		var moments [3]stats.PairMoments
		var list [3][]stats.Cluster
		for look := range looks {
			for len(list[0]) < max(2, clusters*(look+1)/looks) {
				for side := range 2 {
					size := math.Ceil(math.Min(most, math.Pow(rng.Float64(), -1/tail)))
					mean := 10 + between*rng.NormFloat64() + rng.NormFloat64()/math.Sqrt(size)
					inner := 0.0
					if size > 1 {
						inner = 2 * gamma(rng, (size-1)/2)
					}
					for arm, shift := range []float64{0, 0, effect} {
						if (arm > 0) != (side == 1) {
							continue
						}
						viewers[arm].Merge(stats.Moments{N: int64(size), Mean: mean + shift, M2: inner})
						moments[arm].Add(size*(mean+shift), size)
						list[arm] = append(list[arm], stats.Cluster{Y: size * (mean + shift), X: size})
					}
				}
			}
			for truth := range 2 {
				t := 1 + truth
				if e, err := stats.MeanDifference(viewers[0], viewers[t]); err == nil {
					say(0, truth, look, sequenceAnswer(stats.AsympCS{Alpha: calibrationAlpha, NOpt: 40 * total}.TwoSided(e)))
				}
				if e, err := stats.RatioDifference(moments[0], moments[t]); err == nil {
					if stats.Ready(moments[0].Y().Counted(), moments[t].Y().Counted()) == nil {
						say(1, truth, look, sequenceAnswer(stats.AsympCS{Alpha: calibrationAlpha, NOpt: total}.TwoSided(e)))
					}
					say(2, truth, look, sequenceAnswer(mixture.TwoSided(e)))
				}
				e, err := stats.ClusteredRatio{Control: list[0], Treatment: list[t]}.Effect(stats.Absolute)
				if err != nil {
					continue
				}
				say(3, truth, look, sequenceAnswer(mixture.TwoSided(e)))
				if look == looks-1 {
					test := must(stats.Welch(e, 1-calibrationAlpha))
					say(4, truth, look, answer{rejects: test.P <= calibrationAlpha, hasInterval: true, lower: test.Lower, upper: test.Upper})
				}
			}
		}
	}
	return s
}
