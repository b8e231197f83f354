package stats_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// momentsOf makes of both arms of clusters what is kept of a look.
func momentsOf(r stats.ClusteredRatio) stats.ClusterMoments {
	return stats.ClusterMoments{Control: pairOf(r.Control), Treatment: pairOf(r.Treatment)}
}

// jackknife is the squared standard error of sum y/sum x by leaving out each cluster
// in turn.
func jackknife(clusters []stats.Cluster) float64 {
	var y, x float64
	for _, c := range clusters {
		y, x = y+c.Y, x+c.X
	}
	g := float64(len(clusters))
	sum := 0.0
	for _, c := range clusters {
		d := (y-c.Y)/(x-c.X) - y/x
		sum += d * d
	}
	return (g - 1) / g * sum
}

func TestClusterMomentsAreNeverSurerThanTheJackknife(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := clusterArms(t)
		got, err := momentsOf(r).Effect(stats.Absolute)
		if reasonOf(err) == stats.TooFewUnits { // one may have everything
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if least := jackknife(r.Control) + jackknife(r.Treatment); got.Variance < least*(1-1e-9) {
			t.Errorf("the variance is %v, that of the jackknife %v", got.Variance, least)
		}
		plain, err := stats.RatioDifference(pairOf(r.Control), pairOf(r.Treatment))
		if err != nil || got.Estimate != plain.Estimate || got.N != plain.N {
			t.Errorf("Effect = %+v, want the estimate of %+v, %v", got, plain, err)
		}
		if got.DF > float64(got.N-2)+1e-6 || !(got.DF > 0) {
			t.Errorf("%d clusters have %v degrees of freedom", got.N, got.DF)
		}
	})
}

func TestClusterMomentsOfEqualSizes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := clusterArms(t)
		for _, arm := range [][]stats.Cluster{r.Control, r.Treatment} {
			for i := range arm {
				arm[i] = stats.Cluster{X: 10, Y: 10 * arm[i].Y / arm[i].X}
			}
		}
		got, err := momentsOf(r).Effect(stats.Absolute)
		if reasonOf(err) == stats.ZeroVariance {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		// No cluster can have more than 1/G of the members, and each leaves that much less
		// of its deviation; the jackknife of a mean is its variance.
		left := func(arm []stats.Cluster) float64 { return 1 - 1/float64(len(arm)) }
		c, x := left(r.Control), left(r.Treatment)
		if want := jackknife(r.Control)/(c*c) + jackknife(r.Treatment)/(x*x); !closeTo(got.Variance, want, 1e-6, 1e-12) {
			t.Errorf("variance %v, want %v", got.Variance, want)
		}
	})
}

func TestLargestShare(t *testing.T) {
	t.Parallel()
	share := func(sizes ...float64) float64 {
		t.Helper()
		s, err := stats.LargestShare(stats.MomentsOf(sizes))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// All others equal: the bound is reached.
	if got := share(60, 10, 10, 10, 10); !closeTo(got, 0.6, 1e-12, 0) {
		t.Errorf("LargestShare of one with 60 of 100 = %v", got)
	}
	if got := share(7, 7, 7, 7); !closeTo(got, 0.25, 1e-12, 0) {
		t.Errorf("LargestShare of four alike = %v", got)
	}
	if got := share(5, 0, 0); !closeTo(got, 1, 1e-12, 0) {
		t.Errorf("LargestShare of one with all = %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Float64Range(0.1, 1e6), 1, 50).Draw(t, "sizes")
		sum, largest := 0.0, 0.0
		for _, s := range sizes {
			sum, largest = sum+s, max(largest, s)
		}
		bound, err := stats.LargestShare(stats.MomentsOf(sizes))
		if err != nil || bound < largest/sum*(1-1e-9) || bound > 1 {
			t.Errorf("LargestShare(%v) = %v, %v; one has %v", sizes, bound, err, largest/sum)
		}
	})
	for _, m := range []stats.Moments{{}, {N: 3}, {N: 3, Mean: -1}, {N: 3, Mean: 1, M2: math.NaN()}} {
		if s, err := stats.LargestShare(m); reasonOf(err) == "" {
			t.Errorf("LargestShare(%+v) = %v, want a refusal", m, s)
		}
	}
}

func TestClusterMomentsRefusals(t *testing.T) {
	t.Parallel()
	good := []stats.Cluster{{Y: 3, X: 1}, {Y: 5, X: 2}, {Y: 9, X: 2}}
	for _, test := range []struct {
		name    string
		control []stats.Cluster
		scale   stats.Scale
		floored bool
		want    stats.Code
	}{
		{"fine", good, stats.Absolute, false, ""},
		{"floored", good, stats.LogRatio, true, ""},
		{"one", good[:1], stats.Absolute, false, stats.TooFewUnits},
		{"one with all members", []stats.Cluster{{Y: 3, X: 1}, {}}, stats.Absolute, false, stats.TooFewUnits},
		{"no members", []stats.Cluster{{Y: 3}, {Y: 2}}, stats.Absolute, false, stats.ZeroDenominator},
		{"scale", good, "other", false, stats.InvalidArgument},
		{"floored fraction", good, stats.Fraction, true, stats.InvalidArgument},
		{"negative ratio", []stats.Cluster{{Y: -3, X: 2}, {Y: -4, X: 1}}, stats.LogRatio, false, stats.NonPositiveBaseline},
	} {
		m := momentsOf(stats.ClusteredRatio{Control: test.control, Treatment: good})
		m.Floored = test.floored
		if e, err := m.Effect(test.scale); reasonOf(err) != test.want {
			t.Errorf("%s: Effect = %+v, %v, want reason %q", test.name, e, err, test.want)
		}
	}
}

// A bound of z standard errors of the widened effect is passed by t as rarely as z by
// a normal number, and the normal score of an effect on that bound is z.
func TestStudentised(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := stats.Effect{
			Estimate: 1, Variance: math.Exp(rapid.Float64Range(-5, 5).Draw(t, "ln variance")),
			DF: math.Exp(rapid.Float64Range(0, 12).Draw(t, "ln df")), N: 100, Scale: stats.Absolute,
		}
		z := rapid.Float64Range(0.5, 6).Draw(t, "z")
		wide, err := e.Studentised(z)
		if err != nil {
			t.Fatal(err)
		}
		if wide.Variance < e.Variance*(1-1e-12) {
			t.Errorf("Studentised(%v) of %+v has a smaller variance, %v", z, e, wide.Variance)
		}
		radius := z * wide.SE()
		tail := stats.StudentT{DF: e.DF}.Tails(radius / e.SE()).LogSF
		if want := (stats.Normal{}).Tails(z).LogSF; !closeTo(tail, want, 1e-6, 1e-9) {
			t.Errorf("the tail beyond the bound is exp(%v), want exp(%v)", tail, want)
		}
		for _, side := range []float64{1, -1} {
			e.Estimate = side * radius
			if got, err := e.NormalScore(); err != nil || !closeTo(got, side*z, 1e-6, 0) {
				t.Errorf("NormalScore on the bound = %v, %v, want %v", got, err, side*z)
			}
		}
	})
	few := stats.Effect{Estimate: 1, Variance: 1, DF: 4, N: 6}
	// With x = t/sqrt(4+t^2) the upper tail of t with 4 degrees of freedom is 1/2 - 3(x-x^3/3)/4;
	// it is that of a normal 2 at 2.8693.
	if wide, err := few.Studentised(2); err != nil || !closeTo(2*wide.SE(), 2.8693, 1e-4, 0) {
		t.Errorf("Studentised(2) = %+v, %v", wide, err)
	}
	for _, z := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := few.Studentised(z); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("Studentised(%v): %v", z, err)
		}
	}
	if _, err := (stats.Effect{Estimate: 1, Variance: 1, N: 6}).Studentised(2); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("without degrees of freedom: %v", err)
	}
	if _, err := (stats.Effect{Estimate: 1, N: 6, DF: 3}).NormalScore(); reasonOf(err) != stats.ZeroVariance {
		t.Errorf("without a variance: %v", err)
	}
}
