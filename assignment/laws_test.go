package assignment_test

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// layerUnits is how many units each drawn layer is observed with.
const layerUnits = 400

// drawLayer draws a layer whose experiments own slots given out by
// experiment.ResizeSlots, as the platform does.
func drawLayer(t *rapid.T) experiment.Config {
	salt := rapid.StringMatching(`[a-z0-9-]{1,64}`)
	cfg := experiment.Config{Version: 1, Layers: []experiment.Layer{{Key: "l", Unit: experiment.UnitViewer, Salt: salt.Draw(t, "layer salt")}}}
	var taken []experiment.SlotRange
	for i := range rapid.IntRange(1, 5).Draw(t, "experiments") {
		e := plainExperiment(fmt.Sprintf("e%d", i))
		e.Layer, e.Salt = "l", salt.Draw(t, "salt")
		for j := range e.Arms {
			e.Arms[j].Weight = int64(rapid.IntRange(1, 1000).Draw(t, "weight"))
		}
		var err error
		e.SlotRanges, err = experiment.ResizeSlots(nil, taken, rapid.IntRange(0, 2000).Draw(t, "slots"))
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, e.SlotRanges...)
		cfg.Experiments = append(cfg.Experiments, e)
	}
	return cfg
}

// resize returns cfg with experiment i at the given number of slots.
func resize(t *rapid.T, cfg experiment.Config, i, slots int) experiment.Config {
	es := append([]experiment.Experiment(nil), cfg.Experiments...)
	var others []experiment.SlotRange
	for j := range es {
		if j != i {
			others = append(others, es[j].SlotRanges...)
		}
	}
	var err error
	es[i].SlotRanges, err = experiment.ResizeSlots(es[i].SlotRanges, others, slots)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Experiments = es
	return cfg
}

func mustCompile(t *rapid.T, cfg experiment.Config) *assignment.Snapshot {
	s, err := assignment.Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// No unit is in two experiments of a layer.
func TestExperimentsOfALayerExcludeEachOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := mustCompile(t, drawLayer(t))
		for u := range layerUnits {
			ctx, in := assignment.NewContext(fmt.Sprint("unit-", u)), 0
			for i := range s.Len() {
				if r := s.EvaluateAt(i, ctx); r.Assigned {
					in++
				}
			}
			if in > 1 {
				t.Fatalf("unit-%d is in %d experiments of one layer", u, in)
			}
		}
	})
}

// Ramping one experiment up keeps every unit that was in, in its arm, and
// touches no other experiment; ramping down lets units out and moves none.
func TestRampMovesNobodyBetweenArms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawLayer(t)
		i := rapid.IntRange(0, len(cfg.Experiments)-1).Draw(t, "ramped")
		have := experiment.CountSlots(cfg.Experiments[i].SlotRanges)
		small := mustCompile(t, resize(t, cfg, i, rapid.IntRange(0, have).Draw(t, "fewer")))
		big := mustCompile(t, resize(t, cfg, i, have+rapid.IntRange(0, 2000).Draw(t, "more")))
		now := mustCompile(t, cfg)
		for u := range layerUnits {
			ctx := assignment.NewContext(fmt.Sprint("unit-", u))
			for k := range now.Len() {
				down, mid, up := small.EvaluateAt(k, ctx), now.EvaluateAt(k, ctx), big.EvaluateAt(k, ctx)
				if k != i && (down.Variant != mid.Variant || up.Variant != mid.Variant || down.Assigned != mid.Assigned || up.Assigned != mid.Assigned) {
					t.Fatalf("unit-%d moved in experiment %d, which was not ramped", u, k)
				}
				if down.Assigned && (!mid.Assigned || down.Arm != mid.Arm) || mid.Assigned && (!up.Assigned || mid.Arm != up.Arm) {
					t.Fatalf("unit-%d: %+v, then %+v, then %+v", u, down, mid, up)
				}
			}
		}
	})
}

// Two snapshots of one configuration give the same answers and tags, whatever
// the context holds besides.
func TestEvaluationIsAPureFunction(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawLayer(t)
		a, b := mustCompile(t, cfg), mustCompile(t, cfg)
		id := rapid.StringMatching(`[ -~]{1,128}`).Draw(t, "unit")
		x, y := assignment.NewContext(id), assignment.NewContext(id)
		y.SetString("unused", "attribute")
		for i := range a.Len() {
			p, q := a.EvaluateAt(i, x), b.EvaluateAt(i, y)
			if !bytes.Equal(p.AppendAnswer(nil), q.AppendAnswer(nil)) || p.Unit != q.Unit {
				t.Fatalf("%+v, then %+v", p, q)
			}
		}
		if !bytes.Equal(a.AppendETag(nil, x), b.AppendETag(nil, y)) {
			t.Fatal("an attribute that no audience reads changes the tag")
		}
	})
}
