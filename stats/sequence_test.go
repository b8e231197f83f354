package stats_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// effects draws an effect whose estimate is up to 12 standard errors from zero.
func effects(t *rapid.T) stats.Effect {
	n := rapid.Int64Range(200, 1e9).Draw(t, "n")
	se := math.Exp(rapid.Float64Range(-10, 3).Draw(t, "ln se"))
	return stats.Effect{
		Estimate: se * rapid.Float64Range(-12, 12).Draw(t, "z"),
		Variance: se * se, DF: float64(n - 2), N: n, Scale: stats.LogRatio,
	}
}

// sequences makes every two-sided sequence of an effect.
func sequences(t *rapid.T, e stats.Effect, alpha float64) map[string]stats.Sequence {
	plan := rapid.Int64Range(1000, 1e8).Draw(t, "planned")
	out := map[string]stats.Sequence{}
	keep := func(name string) func(s stats.Sequence, err error) {
		return func(s stats.Sequence, err error) {
			if err != nil {
				t.Fatalf("%s(%+v): %v", name, e, err)
			}
			out[name] = s
		}
	}
	keep("AsympCS")(stats.AsympCS{Alpha: alpha, NOpt: plan}.TwoSided(e))
	keep("AsympCS approximate")(stats.AsympCS{Alpha: alpha, NOpt: plan, Approximate: true}.TwoSided(e))
	keep("MSPRT")(stats.MSPRT{Alpha: alpha, Tau2: e.Variance * float64(e.N) / float64(plan)}.TwoSided(e))
	keep("LyapunovCS")(stats.LyapunovCS{Alpha: alpha, Rho2: 1 / float64(plan)}.TwoSided(e))
	keep("TMixture")(stats.TMixture{Alpha: alpha, G: float64(min(plan, e.N)) / 8}.TwoSided(e))
	return out
}

func TestSequencesAreWiderThanTheFixedInterval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := effects(t)
		alpha := rapid.SampledFrom([]float64{0.001, 0.01, 0.05, 0.1}).Draw(t, "alpha")
		fixed, err := stats.Welch(e, 1-alpha)
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range sequences(t, e, alpha) {
			if s.Lower > fixed.Lower || s.Upper < fixed.Upper {
				t.Errorf("%s of %+v is %+v, inside the fixed interval %+v", name, e, s.Interval, fixed.Interval)
			}
			against := fixed
			if name != "TMixture" { // the others take the variance as known
				normal := e
				normal.DF = math.Inf(1)
				if against, err = stats.Welch(normal, 1-alpha); err != nil {
					t.Fatal(err)
				}
			}
			if s.P < against.P {
				t.Errorf("%s of %+v has p %v, below the fixed %v", name, e, s.P, against.P)
			}
		}
	})
}

func TestSequencesRejectWhereTheyExcludeZero(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := effects(t)
		const alpha = 0.05
		for name, s := range sequences(t, e, alpha) {
			excludes := !s.Contains(0)
			if margin := math.Abs(s.LogE + math.Log(alpha)); excludes != (s.LogE >= -math.Log(alpha)) && margin > 1e-9 {
				t.Errorf("%s of %+v: ln E %v, interval %+v", name, e, s.LogE, s.Interval)
			}
			if s.P != math.Exp(-max(0, s.LogE)) || s.Estimate != e.Estimate || s.Scale != e.Scale {
				t.Errorf("%s of %+v: %+v", name, e, s)
			}
		}
	})
}

func TestSequencesMoveWithTheEffect(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := effects(t)
		cs := stats.AsympCS{Alpha: 0.05, NOpt: 10_000}
		s, err := cs.TwoSided(e)
		if err != nil {
			t.Fatal(err)
		}
		moved := e
		moved.Estimate += 7 * e.SE()
		m, err := cs.TwoSided(moved)
		if err != nil {
			t.Fatal(err)
		}
		if !closeTo(m.Lower-s.Lower, 7*e.SE(), 1e-9, 0) || !closeTo(m.Upper-s.Upper, 7*e.SE(), 1e-9, 0) {
			t.Errorf("moved by 7 standard errors %+v became %+v", s.Interval, m.Interval)
		}
	})
}

func TestAsympCSWidthRelativeToFixed(t *testing.T) {
	t.Parallel()
	// The multiples that the documentation of AsympCS states.
	for _, test := range []struct{ share, want float64 }{{1, 1.55}, {0.5, 1.57}, {2, 1.56}, {10, 1.66}, {0.1, 1.95}, {100, 1.82}} {
		const planned = 1_000_000
		e := stats.Effect{Variance: 1, DF: math.Inf(1), N: int64(test.share * planned)}
		s, err := stats.AsympCS{Alpha: 0.05, NOpt: planned}.TwoSided(e)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Upper / 1.959963984540054; math.Abs(got-test.want) > 0.006 {
			t.Errorf("at %v of the plan the width is %.3f times the fixed one, want %v", test.share, got, test.want)
		}
	}
}

func TestOneSidedSequences(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := effects(t)
		e.DF = math.Inf(1) // the sequence takes the variance as known
		const alpha = 0.05
		cs := stats.AsympCS{Alpha: alpha, NOpt: rapid.Int64Range(1000, 1e7).Draw(t, "planned")}
		greater, err := cs.OneSided(e, stats.Greater)
		if err != nil {
			t.Fatal(err)
		}
		less, err := cs.OneSided(e, stats.Less)
		if err != nil {
			t.Fatal(err)
		}
		if !math.IsInf(greater.Upper, 1) || !math.IsInf(less.Lower, -1) {
			t.Errorf("one-sided intervals %+v and %+v, want an infinite end", greater.Interval, less.Interval)
		}
		if !closeTo(e.Estimate-greater.Lower, less.Upper-e.Estimate, 1e-9, 0) {
			t.Errorf("bounds %v and %v are not mirror images about %v", greater.Lower, less.Upper, e.Estimate)
		}
		if reject := greater.LogE >= -math.Log(alpha); reject != (greater.Lower >= 0) && math.Abs(greater.LogE+math.Log(alpha)) > 1e-9 {
			t.Errorf("ln E %v and lower bound %v disagree", greater.LogE, greater.Lower)
		}
		two, err := cs.TwoSided(e)
		if err != nil {
			t.Fatal(err)
		}
		if greater.Lower < two.Lower {
			t.Errorf("the one-sided bound %v is below the two-sided %v", greater.Lower, two.Lower)
		}
		closed, err := cs.OneSidedClosed(e, stats.Greater)
		if err != nil {
			t.Fatal(err)
		}
		if closed.Lower > greater.Lower {
			t.Errorf("the closed form %v is above the exact bound %v", closed.Lower, greater.Lower)
		}
		fixed, err := stats.WelchOneSided(e, 1-alpha, stats.Greater)
		if err != nil {
			t.Fatal(err)
		}
		if greater.Lower > fixed.Lower || greater.P < fixed.P {
			t.Errorf("the sequence %+v claims more than the fixed test %+v", greater, fixed)
		}
	})
}

func TestSequenceRefusals(t *testing.T) {
	t.Parallel()
	good := stats.Effect{Estimate: 1, Variance: 1, DF: 10, N: 100}
	change := func(f func(e *stats.Effect)) stats.Effect {
		e := good
		f(&e)
		return e
	}
	tests := []struct {
		name  string
		e     stats.Effect
		alpha float64
		nOpt  int64
		want  stats.Code
	}{
		{"fine", good, 0.05, 1000, ""},
		{"alpha 0", good, 0, 1000, stats.InvalidArgument},
		{"alpha 1", good, 1, 1000, stats.InvalidArgument},
		{"alpha NaN", good, math.NaN(), 1000, stats.InvalidArgument},
		{"no plan", good, 0.05, 0, stats.InvalidArgument},
		{"no variance", change(func(e *stats.Effect) { e.Variance = 0 }), 0.05, 1000, stats.ZeroVariance},
		{"NaN estimate", change(func(e *stats.Effect) { e.Estimate = math.NaN() }), 0.05, 1000, stats.NonFinite},
		{"infinite variance", change(func(e *stats.Effect) { e.Variance = math.Inf(1) }), 0.05, 1000, stats.NonFinite},
		{"no units", change(func(e *stats.Effect) { e.N = 0 }), 0.05, 1000, stats.TooFewUnits},
		{"no degrees of freedom", change(func(e *stats.Effect) { e.DF = math.NaN() }), 0.05, 1000, stats.TooFewUnits},
		{"ln E overflows", change(func(e *stats.Effect) { e.Estimate = 1e200 }), 0.05, 1000, stats.NonFinite},
	}
	for _, test := range tests {
		if s, err := (stats.AsympCS{Alpha: test.alpha, NOpt: test.nOpt}).TwoSided(test.e); reasonOf(err) != test.want {
			t.Errorf("%s: TwoSided = %+v, %v, want reason %q", test.name, s, err, test.want)
		}
	}
	if _, err := (stats.AsympCS{Alpha: 0.05, NOpt: 10}).OneSided(good, "up"); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("OneSided to an unknown side: %v, want reason %s", err, stats.InvalidArgument)
	}
	tiny := change(func(e *stats.Effect) { e.N, e.DF = 4, 2 })
	if _, err := (stats.TMixture{Alpha: 0.001, G: 1e6}).TwoSided(tiny); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("TMixture with 4 units: %v, want reason %s", err, stats.TooFewUnits)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		control, treatment stats.ArmCount
		want               stats.Code
	}{
		{"at the limit", stats.ArmCount{Units: 100}, stats.ArmCount{Units: 100}, ""},
		{"one below", stats.ArmCount{Units: 100}, stats.ArmCount{Units: 99}, stats.BurnIn},
		{
			"events at the limit",
			stats.ArmCount{Units: 500, Rate: true, Events: 25},
			stats.ArmCount{Units: 500, Rate: true, Events: 25},
			"",
		},
		{
			"events one below",
			stats.ArmCount{Units: 500, Rate: true, Events: 24},
			stats.ArmCount{Units: 500, Rate: true, Events: 25},
			stats.BurnIn,
		},
		{"empty", stats.ArmCount{}, stats.ArmCount{}, stats.BurnIn},
	}
	for _, test := range tests {
		if err := stats.Ready(test.control, test.treatment); reasonOf(err) != test.want {
			t.Errorf("%s: Ready = %v, want reason %q", test.name, err, test.want)
		}
	}
	var successes stats.Moments
	successes.AddN(1, 970)
	successes.AddN(0, 30)
	if got, want := successes.CountedRate(), (stats.ArmCount{Units: 1000, Rate: true, Events: 30}); got != want {
		t.Errorf("CountedRate = %+v, want the failures: %+v", got, want)
	}
	if got, want := successes.Counted(), (stats.ArmCount{Units: 1000}); got != want {
		t.Errorf("Counted = %+v, want %+v", got, want)
	}
}
