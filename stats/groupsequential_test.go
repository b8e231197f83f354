package stats_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

func TestOneLookIsAFixedTest(t *testing.T) {
	t.Parallel()
	for _, kind := range []stats.GSTKind{
		stats.OBrienFleming, stats.Pocock, stats.SpendOBrienFleming, stats.SpendPocock,
	} {
		for _, twoSided := range []bool{false, true} {
			g := stats.GroupSequential{Kind: kind, Information: []float64{1}, Alpha: 0.05, TwoSided: twoSided}
			want := stats.Normal{}.Quantile(0.95)
			if twoSided {
				want = stats.Normal{}.Quantile(0.975)
			}
			bounds, err := g.Bounds()
			if err != nil || !closeTo(bounds.Z[0], want, 1e-12, 0) || !closeTo(bounds.AlphaSpent[0], 0.05, 1e-12, 0) {
				t.Errorf("%s: Bounds = %+v, %v, want z %v", kind, bounds, err, want)
			}
		}
	}
}

// informations draws rising looks that end at 1.
func informations(t *rapid.T) []float64 {
	steps := rapid.SliceOfN(rapid.Float64Range(0.01, 1), 1, 12).Draw(t, "steps")
	total := 0.0
	for _, s := range steps {
		total += s
	}
	out := make([]float64, len(steps))
	sum := 0.0
	for i, s := range steps {
		sum += s
		out[i] = sum / total
	}
	return out
}

func TestBoundsNeedOnlyTheLooksSoFar(t *testing.T) {
	t.Parallel()
	all := stats.GroupSequential{
		Kind: stats.SpendOBrienFleming, Information: []float64{0.2, 0.5, 0.7, 1}, Alpha: 0.05, TwoSided: true,
	}
	whole, err := all.Bounds()
	if err != nil {
		t.Fatal(err)
	}
	all.Information = all.Information[:2]
	soFar, err := all.Bounds()
	if err != nil || !closeTo(soFar.Z[1], whole.Z[1], 1e-10, 0) {
		t.Errorf("after two looks the bound is %v, %v, want %v", soFar.Z, err, whole.Z[:2])
	}
}

func TestALookWithoutNewInformationReusesTheBound(t *testing.T) {
	t.Parallel()
	g := stats.GroupSequential{
		Kind: stats.SpendOBrienFleming, Information: []float64{0.5, 0.5, 1, 1.1}, Alpha: 0.05, TwoSided: true,
	}
	bounds, err := g.Bounds()
	if err != nil {
		t.Fatal(err)
	}
	if bounds.Z[1] != bounds.Z[0] || bounds.AlphaSpent[1] != bounds.AlphaSpent[0] {
		t.Errorf("Bounds = %+v, want the second look like the first", bounds)
	}
	if !math.IsInf(bounds.Z[3], 1) {
		t.Errorf("Bounds = %+v, want nothing left to spend beyond the plan", bounds)
	}
}

func TestGroupSequentialRefusals(t *testing.T) {
	t.Parallel()
	good := stats.GroupSequential{Kind: stats.SpendPower, Information: []float64{0.5, 1}, Alpha: 0.05, Shape: 2}
	rising := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = float64(i+1) / float64(n)
		}
		return out
	}
	tests := []struct {
		name   string
		change func(g *stats.GroupSequential)
		want   stats.Code
	}{
		{"fine", func(*stats.GroupSequential) {}, ""},
		{"most looks", func(g *stats.GroupSequential) { g.Information = rising(stats.MaxLooks) }, ""},
		{"one look more", func(g *stats.GroupSequential) { g.Information = rising(stats.MaxLooks + 1) }, stats.InvalidArgument},
		{"no looks", func(g *stats.GroupSequential) { g.Information = nil }, stats.InvalidArgument},
		{"falling", func(g *stats.GroupSequential) { g.Information = []float64{0.5, 0.4} }, stats.InvalidArgument},
		{"zero", func(g *stats.GroupSequential) { g.Information = []float64{0, 1} }, stats.InvalidArgument},
		{"NaN", func(g *stats.GroupSequential) { g.Information = []float64{math.NaN()} }, stats.InvalidArgument},
		{"alpha", func(g *stats.GroupSequential) { g.Alpha = 1 }, stats.InvalidArgument},
		{"kind", func(g *stats.GroupSequential) { g.Kind = "other" }, stats.InvalidArgument},
		{"shape", func(g *stats.GroupSequential) { g.Shape = 0 }, stats.InvalidArgument},
	}
	for _, test := range tests {
		g := good
		test.change(&g)
		if b, err := g.Bounds(); reasonOf(err) != test.want {
			t.Errorf("%s: Bounds = %v, %v, want reason %q", test.name, b, err, test.want)
		}
	}
}

func TestPlanRulesAgreeWithTheirMethods(t *testing.T) {
	t.Parallel()
	plan := stats.Plan{UnitVariance: 4, Power: 0.8}
	fixed := stats.Rule{Kind: stats.RuleFixed, Alpha: 0.05}
	units, err := plan.Units(fixed, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	control, err := stats.ZTestDesign{Alpha: 0.05}.Units(0.05/2, 0.8)
	if err != nil || !closeTo(units, 2*control, 1e-5, 0) {
		t.Errorf("Units = %v, want those of the z-test: %v (%v)", units, 2*control, err)
	}
	sequential := stats.Rule{Kind: stats.RuleSequential, Alpha: 0.05}
	more, err := plan.Units(sequential, 0.05)
	if err != nil || math.Abs(more/units-1.91) > 0.01 {
		t.Errorf("a sequence needs %v times the units (%v), want 1.91", more/units, err)
	}
	looks := stats.Rule{Kind: stats.RuleGroupSequential, Alpha: 0.05, Looks: []float64{0.2, 0.4, 0.6, 0.8, 1}}
	few, err := plan.Units(looks, 0.05)
	if err != nil || math.Abs(few/units-1.025) > 0.003 {
		t.Errorf("five looks need %v times the units (%v), want 1.025", few/units, err)
	}
	for _, rule := range []stats.Rule{fixed, sequential, looks, {Kind: stats.RuleSequential, Alpha: 0.05, OneSided: true}} {
		units, err := plan.Units(rule, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		if mde, err := plan.MDE(rule, units); err != nil || !closeTo(mde, 0.05, 1e-9, 0) {
			t.Errorf("%s: MDE of the planned units = %v, %v, want 0.05", rule.Kind, mde, err)
		}
	}
	if _, err := plan.Units(stats.Rule{Kind: "guess", Alpha: 0.05}, 0.05); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("unknown rule: %v, want reason %s", err, stats.InvalidArgument)
	}
}

func TestClusterPlanning(t *testing.T) {
	t.Parallel()
	equal := stats.MomentsOf([]float64{10, 10, 10, 10})
	if d, err := stats.DesignEffect(equal, 0.1); err != nil || !closeTo(d, 1.9, 1e-12, 0) {
		t.Errorf("DesignEffect = %v, %v, want 1.9", d, err)
	}
	if n, err := stats.EffectiveClusters(equal); err != nil || !closeTo(n, 4, 1e-12, 0) {
		t.Errorf("EffectiveClusters of equal ones = %v, %v, want 4", n, err)
	}
	// One streamer with 97 of 100 viewers: (100)^2/(97^2+3) is 1.06.
	if n, err := stats.EffectiveClusters(stats.MomentsOf([]float64{97, 1, 1, 1})); err != nil || !closeTo(n, 10_000.0/9412, 1e-12, 0) {
		t.Errorf("EffectiveClusters of one giant = %v, %v, want 1.06", n, err)
	}
	for _, icc := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := stats.DesignEffect(equal, icc); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("DesignEffect with a correlation of %v: %v", icc, err)
		}
	}
}
