package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// clusterArms draws two arms of clusters.
func clusterArms(t *rapid.T) stats.ClusteredRatio {
	arm := func(name string) []stats.Cluster {
		n := rapid.IntRange(3, 40).Draw(t, name+" clusters")
		out := make([]stats.Cluster, n)
		for i := range out {
			size := math.Exp(rapid.Float64Range(0, 5).Draw(t, name+" ln size"))
			out[i] = stats.Cluster{X: size, Y: size * rapid.Float64Range(1, 2).Draw(t, name+" mean")}
		}
		return out
	}
	return stats.ClusteredRatio{Control: arm("control"), Treatment: arm("treatment")}
}

func pairOf(clusters []stats.Cluster) stats.PairMoments {
	var p stats.PairMoments
	for _, c := range clusters {
		p.Add(c.Y, c.X)
	}
	return p
}

func TestClusteredRatioIsTheRatioWithHonestErrors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := clusterArms(t)
		plain, err := stats.RatioLift(pairOf(r.Control), pairOf(r.Treatment))
		if err != nil {
			t.Skip(err)
		}
		got, err := r.Effect(stats.LogRatio)
		if reasonOf(err) == stats.UnboundedRatio {
			t.Skip(err)
		}
		if err != nil || !closeTo(got.Estimate, plain.Estimate, 1e-9, 1e-12) || got.N != plain.N {
			t.Errorf("Effect = %+v, %v, want the estimate of %+v", got, err, plain)
		}
		if got.DF > float64(got.N-2)+1e-6 || got.DF < 1 {
			t.Errorf("%d clusters have %v degrees of freedom", got.N, got.DF)
		}
	})
}

func TestClustersOfEqualSizeAreWelch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := clusterArms(t)
		for _, arm := range [][]stats.Cluster{r.Control, r.Treatment} {
			for i := range arm {
				arm[i] = stats.Cluster{X: 10, Y: 10 * arm[i].Y / arm[i].X}
			}
		}
		got, err := r.Effect(stats.Absolute)
		if reasonOf(err) == stats.ZeroVariance {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := stats.RatioDifference(pairOf(r.Control), pairOf(r.Treatment))
		if err != nil {
			t.Fatal(err)
		}
		// With equal sizes the correction is G/(G-1), and the degrees of freedom of
		// an arm are G-1: Welch's.
		if !closeTo(got.Variance, want.Variance, 1e-9, 0) || !closeTo(got.DF, want.DF, 1e-9, 0) {
			t.Errorf("Effect = %+v, want %+v", got, want)
		}
	})
}

// The variance is unbiased, and the degrees of freedom are those of a chi-square
// with the same spread, when deviations grow with the size.
func TestClusteredVarianceUnderItsModel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(31, 1))
	sizes := []float64{500, 200, 100, 100, 50, 20, 10, 5, 5, 5, 1, 1}
	var variances, estimates stats.Moments
	df := 0.0
	for range 20_000 {
		arms := [2][]stats.Cluster{}
		for i := range arms {
			for _, size := range sizes {
				arms[i] = append(arms[i], stats.Cluster{X: size, Y: size * (3 + rng.NormFloat64())})
			}
		}
		e, err := stats.ClusteredRatio{Control: arms[0], Treatment: arms[1]}.Effect(stats.Absolute)
		if err != nil {
			t.Fatal(err)
		}
		variances.Add(e.Variance)
		estimates.Add(e.Estimate)
		df += e.DF / 20_000
	}
	truth, _ := estimates.Variance()
	if !closeTo(variances.Mean, truth, 0.03, 0) {
		t.Errorf("the mean variance is %v, that of the estimates %v", variances.Mean, truth)
	}
	// A chi-square over its df has the variance 2/df. Welch's combination of the arms
	// takes their variances from the data and errs on the side of caution.
	spread, _ := variances.Variance()
	if matched := 2 * variances.Mean * variances.Mean / spread; matched < 0.95*df || matched > 1.5*df {
		t.Errorf("the variance behaves like one of %.2f degrees of freedom, stated are %.2f", matched, df)
	}
}

func TestClusteredRatioRefusals(t *testing.T) {
	t.Parallel()
	good := []stats.Cluster{{Y: 3, X: 1}, {Y: 5, X: 2}, {Y: 9, X: 2}}
	tests := []struct {
		name    string
		control []stats.Cluster
		scale   stats.Scale
		want    stats.Code
	}{
		{"fine", good, stats.Absolute, ""},
		{"two", good[:2], stats.Absolute, ""},
		{"one", good[:1], stats.Absolute, stats.TooFewUnits},
		{"one with all members", []stats.Cluster{{Y: 3, X: 1}, {}}, stats.Absolute, stats.TooFewUnits},
		{"no members", []stats.Cluster{{Y: 3}, {Y: 2}}, stats.Absolute, stats.ZeroDenominator},
		{"negative size", []stats.Cluster{{Y: 3, X: 2}, {Y: 3, X: -1}}, stats.Absolute, stats.InvalidArgument},
		{"NaN", []stats.Cluster{{Y: math.NaN(), X: 2}, {Y: 3, X: 1}}, stats.Absolute, stats.NonFinite},
		{"overflow", []stats.Cluster{{Y: 1, X: 1e308}, {Y: 3, X: 1e308}}, stats.Absolute, stats.NonFinite},
		{"scale", good, "other", stats.InvalidArgument},
		{"negative ratio", []stats.Cluster{{Y: -3, X: 2}, {Y: -4, X: 1}}, stats.LogRatio, stats.NonPositiveBaseline},
	}
	for _, test := range tests {
		r := stats.ClusteredRatio{Control: test.control, Treatment: good}
		if e, err := r.Effect(test.scale); reasonOf(err) != test.want {
			t.Errorf("%s: Effect = %+v, %v, want reason %q", test.name, e, err, test.want)
		}
	}
}
