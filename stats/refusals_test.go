package stats_test

import (
	"math"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// drop forgets a result, to leave the error.
func drop[T any](_ T, err error) error { return err }

// TestSettingsOutOfDomainAreRefused calls every method with settings or data that
// it must not compute with.
func TestSettingsOutOfDomainAreRefused(t *testing.T) {
	t.Parallel()
	e := stats.Effect{Estimate: 1, Variance: 1, DF: 98, N: 100, Scale: stats.Absolute}
	pair := stats.PairMoments{N: 50, MeanY: 1, MeanX: 2, M2Y: 3, M2X: 4, CXY: 1}
	four := stats.JointMoments{N: 9, Mean: make([]float64, 4), Low: make([]float64, 4), C: make([]float64, 10)}
	tTest := stats.TTestDesign{SD: 1, Alpha: 0.05}
	zTest := stats.ZTestDesign{Alpha: 0.05}
	share := stats.ProportionDesign{Alpha: 0.05}
	loss := stats.NonInferiorityDesign{Margin: -0.1, Alpha: 0.05, Power: 0.8}
	gst := stats.GroupSequential{Kind: stats.SpendPocock, Information: []float64{0.5, 1}, Alpha: 0.05}
	two := stats.TwoProportions{
		Control: stats.Proportion{Successes: 1, Trials: 5}, Treatment: stats.Proportion{Successes: 2, Trials: 5},
	}
	arm := stats.Arm{N: 10, Value: 1, Variance: 1}
	plan := stats.Plan{UnitVariance: 1, Power: 0.8}
	fixed := stats.Rule{Kind: stats.RuleFixed, Alpha: 0.05}
	nan := math.NaN()
	tests := []struct {
		name string
		want stats.Code
		err  error
	}{
		{"Welch level", stats.InvalidArgument, drop(stats.Welch(e, 1))},
		{"WelchOneSided side", stats.InvalidArgument, drop(stats.WelchOneSided(e, 0.95, "up"))},
		{"LyapunovCS alpha", stats.InvalidArgument, drop(stats.LyapunovCS{Rho2: 1}.TwoSided(e))},
		{"LyapunovCS tuning", stats.InvalidArgument, drop(stats.LyapunovCS{Alpha: 0.05}.TwoSided(e))},
		{"IteratedLogarithmCS", stats.InvalidArgument, drop(stats.IteratedLogarithmCS(e, 0))},
		{"OneSidedClosed", stats.InvalidArgument, drop(stats.AsympCS{Alpha: 0.05, NOpt: 9}.OneSidedClosed(e, ""))},
		{"Rho2", stats.InvalidArgument, drop(stats.AsympCS{Alpha: 0.05}.Rho2())},
		{"MSPRT prior", stats.InvalidArgument, drop(stats.MSPRT{Alpha: 0.05}.TwoSided(e))},
		{"TMixture g", stats.InvalidArgument, drop(stats.TMixture{Alpha: 0.05}.TwoSided(e))},
		{"NormalRadius units", stats.InvalidArgument, drop(stats.TMixture{Alpha: 0.05, G: 1}.NormalRadius(0))},
		{"OptimalG units", stats.TooFewUnits, drop(stats.OptimalG(2, 2, 0.05))},
		{"NewPosterior level", stats.InvalidArgument, drop(stats.NewPosterior(e, stats.Prior{}, 0, false))},
		{"NewPosterior prior", stats.InvalidArgument, drop(stats.NewPosterior(e, stats.Prior{Proper: true}, 0.9, false))},
		{"MidExperimentPower past", stats.InvalidArgument, drop(stats.MidExperimentPower{Alpha: 0.05}.At(e, -1))},
		{"MidExperimentPower alpha", stats.InvalidArgument, drop(stats.MidExperimentPower{}.At(e, 1))},
		{"RelativeLift level", stats.InvalidArgument, drop(stats.RelativeLift(arm, arm, 2))},
		{"RelativeLift baseline", stats.NonPositiveBaseline, drop(stats.RelativeLift(stats.Arm{N: 9, Variance: 1}, arm, 0.9))},
		{"CupedMean scale", stats.InvalidArgument, drop(stats.CupedMean{Control: pair, Treatment: pair}.Effect("other"))},
		{"CupedMean units", stats.TooFewUnits, drop(stats.CupedMean{Control: pair}.Effect(stats.Absolute))},
		{"CupedRatio zero", stats.ZeroDenominator, drop(stats.CupedRatio{Control: four, Treatment: four}.Effect(stats.Absolute))},
		{"PostStratified scale", stats.InvalidArgument, drop(stats.PostStratifiedCuped(
			[]stats.Stratum[stats.PairMoments]{{Control: pair, Treatment: pair}}, "other"))},
		{"PostStratified ratio", stats.TooFewUnits, drop(stats.PostStratifiedRatios(
			[]stats.Stratum[stats.PairMoments]{{Control: pair}}, stats.Absolute))},
		{"TTest sd", stats.InvalidArgument, drop(stats.TTestDesign{Alpha: 0.05}.Power(10, 1))},
		{"TTest ratio", stats.InvalidArgument, drop(stats.TTestDesign{SD: 1, Alpha: 0.05, Ratio: -1}.Power(10, 1))},
		{"TTest units", stats.InvalidArgument, drop(tTest.Power(1, 1))},
		{"TTest no effect", stats.InvalidArgument, drop(tTest.Units(0, 0.8))},
		{"TTest power", stats.InvalidArgument, drop(tTest.Units(1, 1))},
		{"TTest tiny effect", stats.NoSolution, drop(tTest.Units(1e-12, 0.8))},
		{"TTest huge effect", stats.NoSolution, drop(tTest.Units(1e6, 0.06))},
		{"TTest low power", stats.NoSolution, drop(tTest.MinimumDetectable(100, 0.01))},
		{"ZTest effect", stats.NonFinite, drop(zTest.Power(10, nan))},
		{"ZTest units", stats.InvalidArgument, drop(zTest.Power(-1, 1))},
		{"ZTest low power", stats.NoSolution, drop(zTest.Units(1, 0.05))},
		{"Proportion equal", stats.InvalidArgument, drop(share.Units(0.1, 0.1, 0.8))},
		{"Proportion share", stats.InvalidArgument, drop(share.Power(10, 0, 0.1))},
		{"Proportion low power", stats.NoSolution, drop(share.Units(0.1, 0.2, 0.001))},
		{"NonInferiority at margin", stats.NoSolution, drop(loss.MeanUnits(-0.1, 1))},
		{"NonInferiority shares at margin", stats.NoSolution, drop(loss.ShareUnits(0.5, 0.4))},
		{"NonInferiority sd", stats.InvalidArgument, drop(loss.MeanUnits(0, 0))},
		{"Operate bounds", stats.InvalidArgument, drop(gst.Operate(stats.GSTBounds{}, 0))},
		{"DriftFor low power", stats.NoSolution, drop(gst.DriftFor(stats.GSTBounds{Z: []float64{2, 2}}, 0.01))},
		{"DriftFor high bounds", stats.NoSolution, drop(gst.DriftFor(stats.GSTBounds{Z: []float64{math.Inf(1), math.Inf(1)}}, 0.8))},
		{"MeansDrift sd", stats.InvalidArgument, drop(stats.MeansDrift{Delta: 1}.At(10))},
		{"MeansDrift no effect", stats.InvalidArgument, drop(stats.MeansDrift{SD: 1}.Units(3))},
		{"Plan variance", stats.InvalidArgument, drop(stats.Plan{Power: 0.8}.Units(fixed, 1))},
		{"Plan effect", stats.InvalidArgument, drop(plan.Units(fixed, 0))},
		{"Plan units", stats.InvalidArgument, drop(plan.MDE(fixed, 0))},
		{"Plan power", stats.NoSolution, drop(stats.Plan{UnitVariance: 1, Power: 0.001}.Units(fixed, 1))},
		{"EffectiveClusters", stats.TooFewUnits, drop(stats.EffectiveClusters(stats.Moments{}))},
		{"Autocorrelation lag", stats.InvalidArgument, drop(stats.Autocorrelation([]float64{1, 2}, 2))},
		{"Autocorrelation constant", stats.ZeroVariance, drop(stats.Autocorrelation([]float64{1, 1}, 1))},
		{"ANOVA groups", stats.TooFewUnits, drop(stats.OneWayANOVA([]stats.Moments{stats.MomentsOf([]float64{1, 2})}))},
		{"ANOVA constant", stats.ZeroVariance, drop(stats.OneWayANOVA([]stats.Moments{{N: 2, Mean: 1}, {N: 2, Mean: 2}}))},
		{"Posterior prior", stats.InvalidArgument, drop(two.Posterior(stats.BetaPrior{Alpha: 1}))},
		{"Interval method", stats.InvalidArgument, drop(two.Control.Interval("other", 0.95))},
		{"DifferenceInterval method", stats.InvalidArgument, drop(two.DifferenceInterval(stats.Katz, 0.95))},
		{"RatioInterval method", stats.InvalidArgument, drop(two.RatioInterval(stats.Wald, 0.95))},
		{"NonInferiority margin", stats.InvalidArgument, drop(two.NonInferiority(1))},
		{"PoissonCounts phi", stats.InvalidArgument, drop(stats.PoissonCounts{Alpha: 0.05}.LogE(1, 2))},
		{"PoissonCounts count", stats.InvalidArgument, drop(stats.PoissonCounts{Phi: 1, Alpha: 0.05}.MeanInterval(-1))},
		{"RateSequence exposure", stats.InvalidArgument, drop(stats.RateSequence{Alpha: 0.05, Concentration: 9}.
			TwoSided(stats.Rate{Events: 1}, stats.Rate{Events: 1, Exposure: 1}))},
		{"Multinomial nothing", stats.TooFewUnits, drop(stats.Multinomial{Shares: []float64{0.5, 0.5}, Concentration: 1}.
			Intervals([]int64{0, 0}, 0.05))},
		{"Multinomial shares", stats.InvalidArgument, drop(stats.Multinomial{Shares: []float64{0.5, 0.4}, Concentration: 1}.
			LogE([]int64{0, 0}))},
		{"Pearson weights", stats.InvalidArgument, drop(stats.PearsonSampleRatio([]int64{1, 2}, []float64{0, 0}))},
		{"MeanEffect", stats.TooFewUnits, drop(stats.MeanEffect(stats.Moments{N: 1}))},
	}
	for _, test := range tests {
		if reasonOf(test.err) != test.want {
			t.Errorf("%s: error %v, want reason %s", test.name, test.err, test.want)
		}
	}
}

func TestSumsGiveTheMomentsOfTheirValues(t *testing.T) {
	t.Parallel()
	var want stats.PairMoments
	var sums stats.PairSums
	for i := range 20 {
		y, x := float64(i*i%7), float64(i%5)
		want.Add(y, x)
		sums.N++
		sums.Y, sums.X, sums.YY, sums.XX, sums.YX = sums.Y+y, sums.X+x, sums.YY+y*y, sums.XX+x*x, sums.YX+y*x
	}
	got := sums.Moments()
	if !closeTo(got.M2Y, want.M2Y, 1e-12, 0) || !closeTo(got.M2X, want.M2X, 1e-12, 0) || !closeTo(got.CXY, want.CXY, 1e-12, 0) {
		t.Errorf("Moments of sums = %+v, want %+v", got, want)
	}
	if empty := (stats.PairSums{}).Moments(); empty != (stats.PairMoments{}) {
		t.Errorf("Moments of no sums = %+v, want none", empty)
	}
}
