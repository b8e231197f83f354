package stats_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

func TestEquivalenceIsItsInterval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := effects(t)
		q := stats.Equivalence{Margin: e.SE() * rapid.Float64Range(0.1, 12).Draw(t, "margin"), Alpha: 0.05}
		test, err := q.Test(e)
		if err != nil {
			t.Fatal(err)
		}
		if within := test.Lower > -q.Margin && test.Upper < q.Margin; within != test.Equivalent && math.Abs(test.P-q.Alpha) > 1e-9 {
			t.Errorf("%+v of %+v: %+v", q, e, test)
		}
		fixed, err := stats.Welch(e, 1-2*q.Alpha)
		if err != nil || !closeTo(test.Lower, fixed.Lower, 1e-6, 1e-9*e.SE()) || !closeTo(test.Upper, fixed.Upper, 1e-6, 1e-9*e.SE()) {
			t.Errorf("interval %+v, want the 90 %% one %+v (%v)", test.Interval, fixed.Interval, err)
		}
		watched, err := q.Watch(e, e.N)
		if err != nil {
			t.Fatal(err)
		}
		if watched.Lower > test.Lower || watched.Upper < test.Upper {
			t.Errorf("the sequence %+v is inside the fixed interval %+v", watched.Interval, test.Interval)
		}
		switch watched.State {
		case stats.Equivalent:
			if !(watched.Lower >= -q.Margin*(1+1e-9) && watched.Upper <= q.Margin*(1+1e-9)) {
				t.Errorf("equivalent with %+v and a margin of %v", watched.Interval, q.Margin)
			}
		case stats.NotEquivalent:
			if math.Abs(e.Estimate) < q.Margin {
				t.Errorf("different with the estimate %v and a margin of %v", e.Estimate, q.Margin)
			}
		case stats.EquivalenceUnknown:
		}
	})
}

func TestEquivalenceStates(t *testing.T) {
	t.Parallel()
	q := stats.Equivalence{Margin: 0.02, Alpha: 0.05}
	for _, test := range []struct {
		estimate, se float64
		want         stats.EquivalenceState
	}{
		{0, 0.001, stats.Equivalent},
		{-0.01, 0.001, stats.Equivalent},
		{0.03, 0.001, stats.NotEquivalent},
		{-0.03, 0.001, stats.NotEquivalent},
		{0, 0.1, stats.EquivalenceUnknown},
	} {
		e := stats.Effect{Estimate: test.estimate, Variance: test.se * test.se, DF: 1e6, N: 1e6}
		if got, err := q.Watch(e, 1e6); err != nil || got.State != test.want {
			t.Errorf("at %v: %+v, %v, want %s", test.estimate, got, err, test.want)
		}
	}
	e := stats.Effect{Estimate: 0, Variance: 1, DF: 10, N: 12}
	for _, bad := range []stats.Equivalence{{Alpha: 0.05}, {Margin: 1}, {Margin: math.NaN(), Alpha: 0.05}} {
		if _, err := bad.Test(e); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("%+v: Test: %v", bad, err)
		}
		if _, err := bad.Watch(e, 100); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("%+v: Watch: %v", bad, err)
		}
	}
}

func TestMergedEValues(t *testing.T) {
	t.Parallel()
	logs := []float64{math.Log(8), math.Log(2), math.Inf(-1)}
	if got, err := stats.MeanLogE(logs); err != nil || !closeTo(got, math.Log(10.0/3), 1e-12, 0) {
		t.Errorf("MeanLogE = %v, %v, want ln of 10/3", got, err)
	}
	if got, err := stats.ProductLogE(logs[:2]); err != nil || !closeTo(got, math.Log(16), 1e-12, 0) {
		t.Errorf("ProductLogE = %v, %v, want ln 16", got, err)
	}
	if got, err := stats.ProductLogE(nil); err != nil || got != 0 {
		t.Errorf("ProductLogE of nothing = %v, %v, want 0", got, err)
	}
	if got, err := stats.MeanLogE([]float64{math.Inf(-1)}); err != nil || !math.IsInf(got, -1) {
		t.Errorf("MeanLogE of zero = %v, %v", got, err)
	}
	if got, err := stats.MeanLogE([]float64{1e6, 1e6}); err != nil || !closeTo(got, 1e6, 1e-12, 0) {
		t.Errorf("MeanLogE of huge ones = %v, %v, want no overflow", got, err)
	}
	for _, test := range []struct {
		name string
		want stats.Code
		err  error
	}{
		{"mean of none", stats.InvalidArgument, drop(stats.MeanLogE(nil))},
		{"mean with NaN", stats.NonFinite, drop(stats.MeanLogE([]float64{1, math.NaN()}))},
		{"product with NaN", stats.NonFinite, drop(stats.ProductLogE([]float64{1, math.NaN()}))},
		{"zero times infinity", stats.NonFinite, drop(stats.ProductLogE([]float64{math.Inf(1), math.Inf(-1)}))},
	} {
		if reasonOf(test.err) != test.want {
			t.Errorf("%s: error %v, want reason %q", test.name, test.err, test.want)
		}
	}
}

func TestTrafficDays(t *testing.T) {
	t.Parallel()
	week := []float64{100, 50, 50, 50, 50, 50, 50, 50} // the first day is not of the last week
	for _, test := range []struct {
		name    string
		traffic stats.Traffic
		units   float64
		want    float64
	}{
		{"within the first day", stats.Traffic{NewUnits: week}, 25, 0.25},
		{"within the days seen", stats.Traffic{NewUnits: week}, 175, 2.5},
		{"at their end", stats.Traffic{NewUnits: week}, 450, 8},
		{"beyond them", stats.Traffic{NewUnits: week}, 550, 10},
		{"half of the audience", stats.Traffic{NewUnits: week, Share: 0.5}, 275, 10},
		{"a single day", stats.Traffic{NewUnits: []float64{10}}, 100, 10},
	} {
		if got, err := test.traffic.Days(test.units); err != nil || !closeTo(got, test.want, 1e-12, 0) {
			t.Errorf("%s: Days = %v, %v, want %v", test.name, got, err, test.want)
		}
	}
	for _, test := range []struct {
		name string
		want stats.Code
		err  error
	}{
		{"no day", stats.TooFewUnits, drop(stats.Traffic{}.Days(1))},
		{"units", stats.InvalidArgument, drop(stats.Traffic{NewUnits: week}.Days(0))},
		{"share", stats.InvalidArgument, drop(stats.Traffic{NewUnits: week, Share: 1.1}.Days(1))},
		{"negative day", stats.InvalidArgument, drop(stats.Traffic{NewUnits: []float64{-1}}.Days(1))},
		{"nobody", stats.NoSolution, drop(stats.Traffic{NewUnits: []float64{5, 0, 0, 0, 0, 0, 0, 0}}.Days(9))},
	} {
		if reasonOf(test.err) != test.want {
			t.Errorf("%s: error %v, want reason %q", test.name, test.err, test.want)
		}
	}
}

// What a hundred looks at a confidence sequence find, without simulation: the rows
// "normal" of the published tables, of 20,000 and 10,000 runs, are
// 1.42 % (se 0.08) of alarms, and 52.2 % (0.5) found with a mean stop at 0.78.
func TestSequenceOperatesAsMeasured(t *testing.T) {
	t.Parallel()
	g := stats.GroupSequential{Kind: stats.Pocock, Alpha: 0.05, TwoSided: true}
	for k := range 100 {
		g.Information = append(g.Information, float64(k+1)/100)
	}
	cs := stats.AsympCS{Alpha: 0.05, NOpt: 20_000}
	bounds, err := cs.Bounds(g.Information)
	if err != nil {
		t.Fatal(err)
	}
	null, err := g.Operate(bounds, 0)
	if err != nil {
		t.Fatal(err)
	}
	alarms := 2 * null.Power()
	drift, err := stats.Rule{Kind: stats.RuleFixed, Alpha: 0.05}.Drift(0.8)
	if err != nil {
		t.Fatal(err)
	}
	effect, err := g.Operate(bounds, drift)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("alarms %.4f, power %.4f, stop %.4f", alarms, effect.Power(), effect.ExpectedInformation)
	if math.Abs(alarms-0.0142) > 3*0.0008 || math.Abs(effect.Power()-0.522) > 3*0.005 || math.Abs(effect.ExpectedInformation-0.78) > 0.01 {
		t.Errorf("alarms %v, power %v, stop %v, want 0.0142, 0.522 and 0.78", alarms, effect.Power(), effect.ExpectedInformation)
	}
	if _, err := cs.Bounds([]float64{0}); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Bounds at no information: %v", err)
	}
	if _, err := (stats.AsympCS{Alpha: 0.05}).Bounds([]float64{1}); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Bounds without a plan: %v", err)
	}
}
