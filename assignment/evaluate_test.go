package assignment_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// The steps and their order: override, status, shipped arm, audience, slots,
// arm. Each row differs from a plain experiment by its change.
func TestEvaluateTakesTheStepsInOrder(t *testing.T) {
	t.Parallel()
	force := map[string]string{"u-2": "treatment"} // by hash it is in control
	outside := &experiment.Audience{Attr: "country", Op: experiment.OpEq, Value: experiment.Scalar{V: "DE"}}
	type outcome struct {
		variant  string
		cause    assignment.Cause
		reason   assignment.Reason
		assigned bool
		override bool
	}
	inactive := outcome{"control", assignment.CauseInactive, assignment.ReasonDisabled, false, false}
	tests := []struct {
		name   string
		change func(e *experiment.Experiment)
		want   outcome
	}{
		{"running", func(*experiment.Experiment) {}, outcome{"control", assignment.CauseSplit, assignment.ReasonSplit, true, false}},
		{"override", func(e *experiment.Experiment) { e.Overrides = force }, outcome{"treatment", assignment.CauseOverride, assignment.ReasonTargetingMatch, true, true}},
		{"override before audience and slots", func(e *experiment.Experiment) {
			e.Overrides, e.Audience, e.SlotRanges = force, outside, nil
		}, outcome{"treatment", assignment.CauseOverride, assignment.ReasonTargetingMatch, true, true}},
		{"override before status, without exposure", func(e *experiment.Experiment) {
			e.Overrides, e.Status = force, experiment.StatusPaused
		}, outcome{"treatment", assignment.CauseOverride, assignment.ReasonTargetingMatch, false, true}},
		{"override before the shipped arm", func(e *experiment.Experiment) {
			e.Overrides, e.Status, e.ShippedArm = force, experiment.StatusStopped, "control"
		}, outcome{"treatment", assignment.CauseOverride, assignment.ReasonTargetingMatch, false, true}},
		{"paused", func(e *experiment.Experiment) { e.Status = experiment.StatusPaused }, inactive},
		{"paused before shipped", func(e *experiment.Experiment) {
			e.Status, e.ShippedArm = experiment.StatusPaused, "treatment"
		}, inactive},
		{"stopped", func(e *experiment.Experiment) { e.Status = experiment.StatusStopped }, inactive},
		{"status before audience", func(e *experiment.Experiment) {
			e.Status, e.Audience = experiment.StatusStopped, outside
		}, inactive},
		{"shipped, whatever the slots", func(e *experiment.Experiment) {
			e.Status, e.ShippedArm, e.SlotRanges = experiment.StatusStopped, "treatment", nil
		}, outcome{"treatment", assignment.CauseShipped, assignment.ReasonStatic, false, false}},
		{"shipped, outside the audience", func(e *experiment.Experiment) {
			e.Status, e.ShippedArm, e.Audience = experiment.StatusStopped, "treatment", outside
		}, outcome{"treatment", assignment.CauseShipped, assignment.ReasonStatic, false, false}},
		{"audience before slots", func(e *experiment.Experiment) {
			e.Audience, e.SlotRanges = outside, nil
		}, outcome{"control", assignment.CauseAudience, assignment.ReasonStatic, false, false}},
		{"no slots", func(e *experiment.Experiment) { e.SlotRanges = nil }, outcome{"control", assignment.CauseSlots, assignment.ReasonStatic, false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := plainExperiment("x")
			tt.change(&e)
			r, ok := compile(t, soloConfig(e)).Evaluate("x", assignment.NewContext("u-2"))
			if !ok {
				t.Fatal("Evaluate does not know the experiment")
			}
			got := outcome{r.Variant, r.Cause, r.Reason, r.Assigned, r.Override}
			if got != tt.want {
				t.Errorf("Evaluate = %+v, want %+v", got, tt.want)
			}
			if want := `"` + r.Variant + `"`; string(r.Value) != want {
				t.Errorf("Value = %s, want %s", r.Value, want)
			}
		})
	}
}

func TestDraftsAndArchivedAreUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range []experiment.Status{experiment.StatusDraft, experiment.StatusArchived} {
		e := plainExperiment("x")
		e.Status, e.Overrides = status, map[string]string{"u": "treatment"}
		s := compile(t, soloConfig(e))
		if _, ok := s.Evaluate("x", assignment.NewContext("u")); ok || s.Len() != 0 {
			t.Errorf("%s: Evaluate knows the experiment, Len = %d", status, s.Len())
		}
		if _, ok := s.Find("x"); ok {
			t.Errorf("%s: Find knows the experiment", status)
		}
	}
}

// An id attribute wins over the targeting key for its unit type only, and an
// id that is not valid is never replaced by another.
func TestUnitOfAnExperiment(t *testing.T) {
	t.Parallel()
	types := []experiment.UnitType{
		experiment.UnitViewer, experiment.UnitBroadcaster, experiment.UnitDevice, experiment.UnitSession, experiment.UnitBlock,
	}
	var es []experiment.Experiment
	for _, u := range types {
		e := plainExperiment(string(u))
		e.Unit = u
		es = append(es, e)
	}
	s := compile(t, soloConfig(es...))
	units := func(c *assignment.Context) (out []string) {
		for _, u := range types {
			r, _ := s.Evaluate(string(u), c)
			out = append(out, r.Unit)
		}
		return out
	}
	c := assignment.NewContext("key")
	if diff := cmp.Diff([]string{"key", "key", "key", "key", "key"}, units(c)); diff != "" {
		t.Errorf("units by targeting key (-want +got):\n%s", diff)
	}
	for _, u := range types {
		c.SetString(string(u)+"_id", "the-"+string(u))
	}
	if diff := cmp.Diff([]string{"the-viewer", "the-broadcaster", "the-device", "the-session", "the-block"}, units(c)); diff != "" {
		t.Errorf("units by attribute (-want +got):\n%s", diff)
	}
	c.SetNumber(assignment.AttrViewerID, 12)
	c.SetString(assignment.AttrDeviceID, "ж")
	c.Unset(assignment.AttrSessionID)
	if diff := cmp.Diff([]string{"", "the-broadcaster", "", "key", "the-block"}, units(c)); diff != "" {
		t.Errorf("units of bad ids (-want +got):\n%s", diff)
	}
	r, _ := s.Evaluate("viewer", c)
	if r.Cause != assignment.CauseNoUnit || r.Reason != assignment.ReasonUnknown || r.Assigned || r.Variant != "control" {
		t.Errorf("without a unit Evaluate = %+v", r)
	}
	var zero assignment.Context
	if r, _ := s.Evaluate("viewer", &zero); r.Cause != assignment.CauseNoUnit {
		t.Errorf("Evaluate of the zero Context = %+v", r)
	}
}

func TestSnapshotDescribesItsExperiments(t *testing.T) {
	t.Parallel()
	a, b := plainExperiment("a"), plainExperiment("b")
	b.Version, b.Status = 4, experiment.StatusPaused
	s := compile(t, soloConfig(b, a))
	want := []assignment.Info{
		{Key: "a", ID: a.ID, Version: 1, Unit: experiment.UnitViewer, Layer: "a", Status: experiment.StatusRunning, Arms: []string{"control", "treatment"}},
		{Key: "b", ID: b.ID, Version: 4, Unit: experiment.UnitViewer, Layer: "b", Status: experiment.StatusPaused, Arms: []string{"control", "treatment"}},
	}
	var got []assignment.Info
	for i := range s.Len() {
		got = append(got, s.At(i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("At (-want +got):\n%s", diff)
	}
	if info, ok := s.Find("b"); !ok || !cmp.Equal(info, want[1]) {
		t.Errorf("Find(b) = %+v, %t", info, ok)
	}
}

func TestAppendAnswerIsTheResult(t *testing.T) {
	t.Parallel()
	e := plainExperiment("x")
	e.Salt = `q"uote`
	e.Arms[0].Value = json.RawMessage("{ \"a\" : [1, 2] }")
	e.Arms[1].Value = json.RawMessage(`{"a": null}`)
	e.SlotRanges[0].To = 5000
	s := compile(t, soloConfig(e))
	for _, unit := range []string{"u-1", "u-2", "u-3", "u-4", "u-5", "u-6"} {
		r, _ := s.Evaluate("x", assignment.NewContext(unit))
		var got any
		if err := json.Unmarshal(r.AppendAnswer(nil), &got); err != nil {
			t.Fatalf("AppendAnswer is not JSON: %v", err)
		}
		metadata := map[string]any{
			"version": 1.0, "unit": "viewer", "layer": "x", "salt": `q"uote`,
			"slot": float64(r.Slot), "cause": r.Cause.String(), "assigned": r.Assigned,
		}
		if r.Cause == assignment.CauseSplit {
			metadata["position"] = float64(r.Position)
		}
		var value any
		if err := json.Unmarshal(r.Value, &value); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"key": "x", "variant": r.Variant, "value": value, "reason": string(r.Reason), "metadata": metadata}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("AppendAnswer for %s (-want +got):\n%s", unit, diff)
		}
	}
}

func TestEvaluationDoesNotAllocate(t *testing.T) {
	s, ctxs := compile(t, workloadConfig(200)), workloadContexts(8)
	out := make([]byte, 0, 64<<10)
	i := 0
	allocs := testing.AllocsPerRun(20, func() {
		ctx := ctxs[i%len(ctxs)]
		i++
		out = out[:0]
		for k := range s.Len() {
			r := s.EvaluateAt(k, ctx)
			out = r.AppendAnswer(out)
		}
		out = s.AppendETag(out[:0], ctx)
	})
	if allocs != 0 {
		t.Errorf("200 evaluations, answers and a tag allocate %v times, want 0", allocs)
	}
}

func ExampleSnapshot_Evaluate() {
	cfg := experiment.Config{
		Version: 1,
		Layers:  []experiment.Layer{{Key: "abr", Unit: experiment.UnitViewer, Salt: "l-52c1"}},
		Experiments: []experiment.Experiment{{
			Spec: experiment.Spec{
				Key: "abr", Unit: experiment.UnitViewer, Status: experiment.StatusRunning,
				Arms: []experiment.Arm{
					{Key: "control", Weight: 1, Value: json.RawMessage(`{"safety":0.8}`)},
					{Key: "treatment", Weight: 1, Value: json.RawMessage(`{"safety":0.75}`)},
				},
			},
			Version: 1, Salt: "e-90ab", SlotRanges: []experiment.SlotRange{{From: 0, To: 10_000}},
		}},
	}
	snap, err := assignment.Compile(cfg)
	if err != nil {
		panic(err)
	}
	r, _ := snap.Evaluate("abr", assignment.NewContext("viewer-1"))
	fmt.Println(r.Variant, string(r.Value), r.Reason)
	// Output: treatment {"safety":0.75} SPLIT
}
