//go:build !race

package stats_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

func TestFutilitySpendsBetaAndLeavesAlpha(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SampledFrom([]stats.GSTKind{
			stats.SpendOBrienFleming, stats.SpendPocock, stats.SpendPower, stats.SpendHwangShih,
		})
		g := stats.GroupSequential{
			Kind: kinds.Draw(t, "kind"), Information: informations(t), Shape: rapid.Float64Range(0.5, 3).Draw(t, "shape"),
			Alpha: rapid.SampledFrom([]float64{0.01, 0.05}).Draw(t, "alpha"), TwoSided: rapid.Bool().Draw(t, "two-sided"),
		}
		f := stats.Futility{
			Kind: kinds.Draw(t, "futility"), Shape: rapid.Float64Range(0.5, 3).Draw(t, "futility shape"),
			Beta: rapid.SampledFrom([]float64{0.1, 0.2, 0.5}).Draw(t, "beta"),
		}
		bounds, err := g.Bounds()
		if err != nil {
			t.Fatal(err)
		}
		futility, err := g.Futility(bounds, f)
		if err != nil {
			t.Fatal(err)
		}
		atEffect, err := g.OperateFutility(bounds, futility, futility.Drift)
		if err != nil || !closeTo(atEffect.Power(), 1-f.Beta, 1e-8, 0) {
			t.Errorf("%+v %+v: power %v, %v, want %v", g, f, atEffect.Power(), err, 1-f.Beta)
		}
		free, err := g.Operate(bounds, futility.Drift)
		if err != nil || free.Power() < atEffect.Power()-1e-9 || free.ExpectedInformation < atEffect.ExpectedInformation-1e-9 {
			t.Errorf("%+v: giving up finds more (%v against %v) or takes longer", g, atEffect, free)
		}
		null, err := g.OperateFutility(bounds, futility, 0)
		alarms := 0.0
		for k := range null.Upper {
			alarms += null.Upper[k] + null.Lower[k]
			if futility.Z[k] > bounds.Z[k] {
				t.Errorf("%+v: futility bound %v above the efficacy bound %v", g, futility.Z, bounds.Z)
			}
		}
		if err != nil || alarms > g.Alpha+1e-9 {
			t.Errorf("%+v: %v of alarms when advice is followed, %v, want at most alpha", g, alarms, err)
		}
	})
}

func TestBoundsSpendExactlyAlpha(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := stats.GroupSequential{
			Kind: rapid.SampledFrom([]stats.GSTKind{
				stats.OBrienFleming, stats.Pocock, stats.WangTsiatis, stats.SpendOBrienFleming, stats.SpendPocock,
				stats.SpendPower, stats.SpendHwangShih,
			}).Draw(t, "kind"),
			Information: informations(t),
			Alpha:       rapid.SampledFrom([]float64{0.001, 0.025, 0.05, 0.2}).Draw(t, "alpha"),
			TwoSided:    rapid.Bool().Draw(t, "two-sided"),
			Shape:       rapid.Float64Range(0.1, 0.9).Draw(t, "shape"),
		}
		bounds, err := g.Bounds()
		if err != nil {
			t.Fatal(err)
		}
		last := len(bounds.Z) - 1
		if !closeTo(bounds.AlphaSpent[last], g.Alpha, 1e-9, 0) {
			t.Errorf("%+v spends %v", g, bounds.AlphaSpent)
		}
		null, err := g.Operate(bounds, 0)
		if err != nil {
			t.Fatal(err)
		}
		crossed := 0.0
		for k := range null.Upper {
			crossed += null.Upper[k] + null.Lower[k]
			if !closeTo(crossed, bounds.AlphaSpent[k], 1e-8, 1e-14) {
				t.Errorf("%+v crosses %v by look %d, spent %v", g, crossed, k, bounds.AlphaSpent[k])
			}
		}
		drift, err := g.DriftFor(bounds, 0.8)
		if err != nil {
			t.Fatal(err)
		}
		o, err := g.Operate(bounds, drift)
		if err != nil || !closeTo(o.Power(), 0.8, 1e-9, 0) {
			t.Errorf("%+v: power %v at the drift for 0.8, %v", g, o.Power(), err)
		}
	})
}
