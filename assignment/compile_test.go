package assignment_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(cfg *experiment.Config)
		field  string
	}{
		{"no layer", func(c *experiment.Config) { c.Layers = nil }, "layer"},
		{"layer of another unit", func(c *experiment.Config) { c.Layers[0].Unit = experiment.UnitDevice }, "unit"},
		{"unit unknown", func(c *experiment.Config) { c.Layers[0].Unit, c.Experiments[0].Unit = "cat", "cat" }, "unit"},
		{"key", func(c *experiment.Config) { c.Experiments[0].Key, c.Experiments[0].Layer = "X y", "a" }, "key"},
		{"key twice", func(c *experiment.Config) { c.Experiments[1] = c.Experiments[0]; c.Experiments[1].SlotRanges = nil }, "key"},
		{"salt empty", func(c *experiment.Config) { c.Experiments[0].Salt = "" }, "salt"},
		{"salt of 65 bytes", func(c *experiment.Config) { c.Experiments[0].Salt = strings.Repeat("s", 65) }, "salt"},
		{"layer salt empty", func(c *experiment.Config) { c.Layers[0].Salt = "" }, "layer"},
		{"slot range reversed", func(c *experiment.Config) { c.Experiments[0].SlotRanges = []experiment.SlotRange{{From: 5, To: 5}} }, "slot_ranges"},
		{"slot range too far", func(c *experiment.Config) {
			c.Experiments[0].SlotRanges = []experiment.SlotRange{{From: 0, To: 10_001}}
		}, "slot_ranges"},
		{"slot ranges overlap", func(c *experiment.Config) {
			c.Experiments[0].SlotRanges = []experiment.SlotRange{{From: 0, To: 10}, {From: 9, To: 11}}
		}, "slot_ranges"},
		{"slots owned twice", func(c *experiment.Config) { c.Experiments[1].Layer = "a" }, "slot_ranges"},
		{"one arm", func(c *experiment.Config) { c.Experiments[0].Arms = c.Experiments[0].Arms[:1] }, "arms"},
		{"weight 0", func(c *experiment.Config) { c.Experiments[0].Arms[0].Weight = 0 }, "arms"},
		{"weights sum to 2^31", func(c *experiment.Config) { c.Experiments[0].Arms[0].Weight = math.MaxInt32 }, "arms"},
		{"value no JSON", func(c *experiment.Config) { c.Experiments[0].Arms[0].Value = json.RawMessage(`{`) }, ""},
		{"shipped arm unknown", func(c *experiment.Config) { c.Experiments[0].ShippedArm = "z" }, "shipped_arm"},
		{"override arm unknown", func(c *experiment.Config) { c.Experiments[0].Overrides = map[string]string{"u": "z"} }, "overrides"},
		{"override of no unit id", func(c *experiment.Config) { c.Experiments[0].Overrides = map[string]string{"ж": "control"} }, "overrides"},
		{"comparison unknown", func(c *experiment.Config) {
			c.Experiments[0].Audience = &experiment.Audience{Any: []experiment.Audience{{Attr: "a", Op: "like"}}}
		}, "audience"},
		{"version malformed", func(c *experiment.Config) {
			c.Experiments[0].Audience = &experiment.Audience{Attr: "v", Op: experiment.OpSemverGe, Value: experiment.Scalar{V: "five"}}
		}, "audience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := soloConfig(plainExperiment("a"), plainExperiment("b"))
			tt.change(&cfg)
			s, err := assignment.Compile(cfg)
			if err == nil || s != nil {
				t.Fatalf("Compile = %v, %v, want a refusal", s, err)
			}
			var fault *experiment.Error
			if tt.field != "" && (!errors.As(err, &fault) || fault.Field != tt.field) {
				t.Errorf("Compile: %v, want a fault of field %q", err, tt.field)
			}
		})
	}
}

// At the limits: a salt of 64 bytes with a unit id of 128, and weights that
// sum to 2^31 - 1.
func TestCompileAcceptsTheLimits(t *testing.T) {
	t.Parallel()
	e := plainExperiment("a")
	e.Salt = strings.Repeat("s", 64)
	e.Arms[0].Weight, e.Arms[1].Weight = 1, math.MaxInt32-1
	r, _ := compile(t, soloConfig(e)).Evaluate("a", assignment.NewContext(strings.Repeat("u", experiment.MaxUnitIDBytes)))
	if r.Cause != assignment.CauseSplit || r.Position >= math.MaxInt32 {
		t.Errorf("Evaluate = %+v", r)
	}
	r, _ = compile(t, soloConfig(e)).Evaluate("a", assignment.NewContext(strings.Repeat("u", experiment.MaxUnitIDBytes+1)))
	if r.Cause != assignment.CauseNoUnit {
		t.Errorf("Evaluate of an id one byte too long = %+v", r)
	}
}

// A stopped experiment keeps its slots on record, but they may have a new owner.
func TestStoppedExperimentsFreeTheirSlots(t *testing.T) {
	t.Parallel()
	a, b := plainExperiment("a"), plainExperiment("b")
	b.Layer, a.Status = "a", experiment.StatusStopped
	compile(t, soloConfig(a, b))
}

// The snapshot must not be reachable from outside: a caller that goes on
// using its configuration changes nothing.
func TestSnapshotDoesNotFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	cfg := workloadConfig(3)
	s, ctx := compile(t, cfg), workloadContexts(1)[0]
	before, _ := s.Evaluate("exp_0000", ctx)
	answer := string(before.AppendAnswer(nil))
	for i := range cfg.Experiments {
		e := &cfg.Experiments[i]
		e.SlotRanges[0] = experiment.SlotRange{}
		e.Arms[0], e.Arms[1] = e.Arms[1], e.Arms[0]
		copy(e.Arms[0].Value, "XXXXXXXX")
		for j := range e.Audience.Any {
			e.Audience.Any[j] = experiment.Audience{Attr: "nobody", Op: experiment.OpPresent}
		}
	}
	after, _ := s.Evaluate("exp_0000", ctx)
	if got := string(after.AppendAnswer(nil)); got != answer {
		t.Errorf("after a change of the configuration the answer is %s, was %s", got, answer)
	}
}

// Compiling beside an earlier snapshot gives what compiling alone does, whatever
// changed in between.
func TestCompilerTakesWhatDidNotChange(t *testing.T) {
	t.Parallel()
	a, b, c := plainExperiment("a"), plainExperiment("b"), plainExperiment("c")
	a.Audience = &experiment.Audience{All: []experiment.Audience{is("country", "DE"), is("player", "hls.js")}}
	c.Requires = []experiment.Requirement{{Experiment: "b", Arms: []string{"treatment"}}}
	before := soloConfig(a, b, c)
	for name, change := range map[string]func(*experiment.Config){
		"nothing":            func(*experiment.Config) {},
		"an audience":        func(cfg *experiment.Config) { cfg.Experiments[0].Audience = new(is("city", "Paris")) },
		"what c requires":    func(cfg *experiment.Config) { cfg.Experiments[1].Salt = "another" },
		"what c requires, 2": func(cfg *experiment.Config) { cfg.Experiments[1].Status = experiment.StatusStopped },
		"one less":           func(cfg *experiment.Config) { cfg.Experiments = cfg.Experiments[:1] },
		"a layer":            func(cfg *experiment.Config) { cfg.Layers[0].Salt = "another" },
		"a holdout": func(cfg *experiment.Config) {
			cfg.Holdouts = []experiment.Holdout{{HoldoutSpec: experiment.HoldoutSpec{Key: "h", Unit: experiment.UnitViewer, Slots: 5000}, Salt: "h"}}
		},
	} {
		after := before
		after.Version++
		after.Layers, after.Experiments = slices.Clone(before.Layers), slices.Clone(before.Experiments)
		change(&after)
		want, got := compile(t, after), compileAfter(t, compile(t, before), after)
		if want.Fingerprint() != got.Fingerprint() || !bytes.Equal(want.FlagdDocument(), got.FlagdDocument()) {
			t.Errorf("%s: the snapshots differ", name)
		}
		for i := range 2000 {
			ctx := assignment.NewContext(fmt.Sprintf("unit-%d", i))
			ctx.SetString("country", "DE")
			ctx.SetString("player", "hls.js")
			ctx.SetString("city", []string{"Paris", "Rome"}[i%2])
			if w, g := want.AppendETag(nil, ctx), got.AppendETag(nil, ctx); !bytes.Equal(w, g) {
				t.Fatalf("%s: ETag %s, want %s", name, g, w)
			}
			for k := range want.Len() {
				w, g := want.EvaluateAt(k, ctx), got.EvaluateAt(k, ctx)
				if w.Variant != g.Variant || w.Cause != g.Cause || w.Version != g.Version {
					t.Fatalf("%s: %s of unit %d is %s (%s), want %s (%s)", name, w.Experiment, i, g.Variant, g.Cause, w.Variant, w.Cause)
				}
			}
		}
	}
}

func compileAfter(t *testing.T, before *assignment.Snapshot, cfg experiment.Config) *assignment.Snapshot {
	t.Helper()
	c, err := assignment.NewCompiler(cfg, before)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.Experiments {
		text, err := json.Marshal(&cfg.Experiments[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(&cfg.Experiments[i], text); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
