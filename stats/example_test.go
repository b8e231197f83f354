package stats_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/splitcast/splitcast/stats"
)

// A comparison of two means that may be read at any time.
func Example() {
	rng := rand.New(rand.NewPCG(1, 2))
	var control, treatment stats.Moments
	for range 50_000 {
		control.Add(20 * rng.ExpFloat64())   // minutes watched
		treatment.Add(21 * rng.ExpFloat64()) // 5 % more
	}
	effect, err := stats.MeanLift(control, treatment)
	if err != nil {
		fmt.Println(err)
		return
	}
	sequence, err := stats.AsympCS{Alpha: 0.05, NOpt: 100_000}.TwoSided(effect)
	if err != nil {
		fmt.Println(err)
		return
	}
	estimate, _ := effect.Lift()
	interval, _ := sequence.Lift()
	fmt.Printf("%+.1f %% (%+.1f %% to %+.1f %%)\n", 100*estimate, 100*interval.Lower, 100*interval.Upper)
	// Output: +4.1 % (+2.1 % to +6.1 %)
}

// What cannot be computed is a reason and a sentence, never a number.
func ExampleRefusal() {
	var nobody, someone stats.Moments
	someone.AddN(0, 100)
	someone.AddN(1, 3)
	_, err := stats.MeanLift(nobody, someone)
	if refusal, ok := errors.AsType[*stats.Refusal](err); ok {
		fmt.Println(refusal.Reason)
		fmt.Println(refusal.Message)
	}
	// Output:
	// too_few_units
	// A mean needs at least 2 units; there are 0.
}

// Hours are counted apart and merged; the result is that of all values at once.
func ExampleMoments_Merge() {
	morning := stats.MomentsOf([]float64{1, 2, 3})
	evening := stats.MomentsOf([]float64{4, 5})
	morning.Merge(evening)
	variance, _ := morning.Variance()
	fmt.Println(morning.N, morning.Mean, variance)
	// Output: 5 3 2.5
}

// The 95th percentile of startup time with its order-statistic interval.
func ExampleHistogram() {
	var startupMs stats.Histogram
	for i := range 10_000 {
		startupMs.Add(500 + float64(i)/10)
	}
	p95, err := startupMs.Quantile(0.95)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f ms (%.0f to %.0f)\n", p95.Value, p95.Lower, p95.Upper)
	// Output: 1450 ms (1446 to 1454)
}

// A split of 50.5 to 49.5 among 20,000 is no accident to worry about; among
// 200,000 it is.
func ExampleSampleRatio() {
	for _, counts := range [][]int64{{10_100, 9_900}, {101_000, 99_000}} {
		srm, err := stats.SampleRatio(counts, []int64{1, 1}, stats.SampleRatioConcentration)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s, p = %.2g\n", srm.Status, srm.P)
	}
	// Output:
	// ok, p = 1
	// alert, p = 0.00068
}

// Crashes of a new player build, watched hourly.
func ExampleRateSequence() {
	concentration, err := stats.RateConcentration(0.5, 1.5) // tuned to 50 % more crashes
	if err != nil {
		fmt.Println(err)
		return
	}
	crashes := stats.RateSequence{Alpha: 0.05, Concentration: concentration}
	old := stats.Rate{Events: 40, Exposure: 10_000} // viewer hours
	build := stats.Rate{Events: 85, Exposure: 10_000}
	ratio, err := crashes.OneSided(old, build, stats.Greater)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("at least %.2f times as many crashes, p = %.4f\n", ratio.Bound, ratio.P)
	// Output: at least 1.27 times as many crashes, p = 0.0012
}

// Five planned looks cost almost nothing over a single one.
func ExampleGroupSequential() {
	design := stats.GroupSequential{
		Kind: stats.SpendOBrienFleming, Information: []float64{0.2, 0.4, 0.6, 0.8, 1}, Alpha: 0.05, TwoSided: true,
	}
	bounds, err := design.Bounds()
	if err != nil {
		fmt.Println(err)
		return
	}
	cost, err := design.Characteristics(0.8)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("z %.3f\n", bounds.Z)
	fmt.Printf("units: %.3f times a single test at most, %.2f on average\n", cost.Inflation, cost.ExpectedH1)
	// Output:
	// z [4.877 3.357 2.680 2.290 2.031]
	// units: 1.025 times a single test at most, 0.82 on average
}

// Which of five goals moved, with at most one in ten of the findings false,
// whatever the goals have to do with one another and whenever this is asked.
func ExampleEBH() {
	logE := []float64{math.Log(300), math.Log(2), math.Log(60), math.Log(0.5), math.Log(20)}
	found, err := stats.EBH(logE, 0.1)
	fmt.Println(found, err)
	// Output: [0 2 4] <nil>
}

// A guardrail answers whether a loss is smaller than the margin.
func ExampleNonInferiority_Watch() {
	var control, treatment stats.Moments
	control.AddN(1, 97_000) // starts that succeeded
	control.AddN(0, 3_000)
	treatment.AddN(1, 96_950)
	treatment.AddN(0, 3_050)
	effect, err := stats.MeanDifference(control, treatment)
	if err != nil {
		fmt.Println(err)
		return
	}
	guard := stats.NonInferiority{Margin: 0.005, HigherIsBetter: true, Alpha: 0.05}
	result, err := guard.Watch(effect, 200_000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: a loss of at most %.2f points\n", result.State, -100*result.WorstCase)
	// Output: safe: a loss of at most 0.26 points
}

// How many viewers a two per cent change of a metric needs, when its standard
// deviation is 1.5 times its mean.
func ExamplePlan() {
	plan := stats.Plan{UnitVariance: 1.5 * 1.5, Power: 0.8}
	for _, rule := range []stats.Rule{
		{Kind: stats.RuleFixed, Alpha: 0.05},
		{Kind: stats.RuleGroupSequential, Alpha: 0.05, Looks: []float64{0.25, 0.5, 0.75, 1}},
		{Kind: stats.RuleSequential, Alpha: 0.05},
	} {
		units, err := plan.Units(rule, math.Log(1.02))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %.0f thousand\n", rule.Kind, units/1000)
	}
	// Output:
	// fixed: 180 thousand
	// group_sequential: 184 thousand
	// sequential: 345 thousand
}

// The three layers by hand: moments of each arm, merged as they come; an effect on a
// named scale, which no longer knows what it was made of; and any inference on it.
func Example_layers() {
	// Moments: what is kept per arm. Hours, shards and segments merge.
	rng := rand.New(rand.NewPCG(7, 7))
	var control, treatment stats.PairMoments // stalled and watched seconds of a viewer
	for range 24 {
		var hour [2]stats.PairMoments
		for range 500 {
			watched := 600 * rng.ExpFloat64()
			hour[0].Add(0.020*watched*rng.ExpFloat64(), watched)
			hour[1].Add(0.018*watched*rng.ExpFloat64(), watched)
		}
		control.Merge(hour[0])
		treatment.Merge(hour[1])
	}

	// Effect: the ratio of sums, with the error of viewers, as a log-ratio.
	effect, err := stats.RatioLift(control, treatment)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Inference: any of these, on the same effect.
	fixed, err := stats.Welch(effect, 0.95)
	if err != nil {
		fmt.Println(err)
		return
	}
	sequence, err := stats.AsympCS{Alpha: 0.05, NOpt: 24_000}.TwoSided(effect)
	if err != nil {
		fmt.Println(err)
		return
	}
	belief, err := stats.NewPosterior(effect, stats.Prior{Proper: true, Variance: 0.01}, 0.95, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	once, _ := fixed.Interval.Lift()
	anytime, _ := sequence.Lift()
	fmt.Printf("one look:  %+.1f %% to %+.1f %%\n", 100*once.Lower, 100*once.Upper)
	fmt.Printf("any time:  %+.1f %% to %+.1f %%, p = %.2g\n", 100*anytime.Lower, 100*anytime.Upper, sequence.P)
	fmt.Printf("chance that treatment is better: %.3f\n", belief.ChanceToWin)
	// Output:
	// one look:  -14.0 % to -7.7 %
	// any time:  -15.6 % to -5.9 %, p = 3.6e-08
	// chance that treatment is better: 1.000
}

// A plan with an end that also says when to give up.
func ExampleGroupSequential_Futility() {
	design := stats.GroupSequential{
		Kind: stats.SpendOBrienFleming, Information: []float64{0.25, 0.5, 0.75, 1}, Alpha: 0.05, TwoSided: true,
	}
	bounds, err := design.Bounds()
	if err != nil {
		fmt.Println(err)
		return
	}
	futility, err := design.Futility(bounds, stats.Futility{Kind: stats.SpendPower, Shape: 2, Beta: 0.2})
	if err != nil {
		fmt.Println(err)
		return
	}
	null, err := design.OperateFutility(bounds, futility, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("reject at |z| of %.2f, give up below %.2f\n", bounds.Z, futility.Z[:3])
	fmt.Printf("without an effect it takes %.0f %% of the plan on average\n", 100*null.ExpectedInformation)
	// Output:
	// reject at |z| of [4.33 2.96 2.36 2.01], give up below [0.05 0.39 1.20]
	// without an effect it takes 71 % of the plan on average
}

// A far quantile, watched exactly: of the new values of each look, how many lie above
// the p99 of all that came before.
func ExampleThresholdTest() {
	rng := rand.New(rand.NewPCG(8, 8))
	arms, before := [2]*stats.Histogram{{}, {}}, [2]*stats.Histogram{}
	var looks []stats.ThresholdLook
	for hour := range 48 {
		for i, factor := range []float64{1, 1.25} { // treatment starts 25 % slower
			before[i] = arms[i].Clone()
			for range 400 {
				arms[i].Add(800 * factor * math.Exp(rng.NormFloat64()))
			}
		}
		if hour == 0 {
			continue // no threshold yet
		}
		look, err := stats.NewThresholdLook(0.99, before, arms)
		if err != nil {
			fmt.Println(err)
			return
		}
		looks = append(looks, look)
	}
	logE, err := stats.ThresholdTest{Nu: 0.99, NOpt: 40_000, Alpha: 0.05}.LogE(looks)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := stats.PFromE(logE)
	fmt.Printf("p = %.1g, %v\n", p, err)
	// Output: p = 1e-06, <nil>
}

// Broadcasters were randomised, and one of them has most of the viewers.
func ExampleClusteredRatio() {
	arm := func(giant float64) []stats.Cluster {
		out := []stats.Cluster{{Y: giant * 9000, X: 9000}} // watched minutes, viewers
		for i := range 20 {
			size := float64(40 + 10*i)
			out = append(out, stats.Cluster{Y: size * (11 + float64(i%5)/2), X: size})
		}
		return out
	}
	e, err := stats.ClusteredRatio{Control: arm(12), Treatment: arm(13)}.Effect(stats.LogRatio)
	if err != nil {
		fmt.Println(err)
		return
	}
	test, err := stats.Welch(e, 0.95)
	fmt.Printf("%d clusters, but %.1f degrees of freedom: p = %.2f, %v\n", e.N, e.DF, test.P, err)
	// Output: 42 clusters, but 1.0 degrees of freedom: p = 0.46, <nil>
}

// The same from what is kept of a look, the moments of the clusters: they do not tell
// which broadcaster is large, but that one may have nearly everything.
func ExampleClusterMoments() {
	arm := func(giant float64) stats.PairMoments {
		var p stats.PairMoments
		p.Add(giant*900, 900) // watched minutes, viewers
		for i := range 400 {
			size := float64(40 + i%20)
			p.Add(size*(11+float64(i%5)/2), size)
		}
		return p
	}
	m := stats.ClusterMoments{Control: arm(12), Treatment: arm(12.5)}
	e, err := m.Effect(stats.LogRatio)
	if err != nil {
		fmt.Println(err)
		return
	}
	effective, _ := stats.EffectiveClusters(m.Control.X())
	largest, _ := stats.LargestShare(m.Control.X())
	fmt.Printf("%d clusters, worth %.0f, the largest at most %.1f %%; df %.0f, se %.4f\n", m.Control.N, effective, 100*largest, e.DF, e.SE())
	// Output: 401 clusters, worth 238, the largest at most 4.4 %; df 464, se 0.0045
}

// Whether a change went unnoticed: within one per cent either way, at any time.
func ExampleEquivalence() {
	effect := stats.Effect{Estimate: 0.001, Variance: 0.0026 * 0.0026, DF: 399_998, N: 400_000, Scale: stats.LogRatio}
	result, err := stats.Equivalence{Margin: math.Log(1.01), Alpha: 0.05}.Watch(effect, 400_000)
	fmt.Printf("%s: %+.2f %% to %+.2f %%, %v\n", result.State, 100*math.Expm1(result.Lower), 100*math.Expm1(result.Upper), err)
	// Output: equivalent: -0.62 % to +0.82 %, <nil>
}

// Start failures of two builds, exact from the first viewer on.
func ExampleBoundedSequence() {
	failures := stats.BoundedSequence{Alpha: 0.05, Upper: 1, Mean: 0.3, SD: 0.45, NOpt: 400}
	hour := func(control, treatment int64) stats.BoundedLook {
		var look stats.BoundedLook
		look.Control.AddN(1, control)
		look.Control.AddN(0, 50-control)
		look.Treatment.AddN(1, treatment)
		look.Treatment.AddN(0, 50-treatment)
		return look
	}
	s, err := failures.TwoSided([]stats.BoundedLook{hour(10, 21), hour(14, 26), hour(9, 23), hour(12, 25)})
	fmt.Printf("%+.2f (%+.2f to %+.2f), %v\n", s.Estimate, s.Lower, s.Upper, err)
	// Output: +0.25 (+0.08 to +0.42), <nil>
}
