package experiment_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	old := parseABR(t)
	now := parseABR(t)
	now.Slots = 3000
	now.Arms[1].Value = json.RawMessage(`{ "safety" : 0.75 }`) // the same value, written otherwise
	now.Plan.Guardrails = nil
	got := experiment.Diff(&old, now)
	want := []experiment.Change{
		{Path: "plan.guardrails[0].margin", From: json.RawMessage("0.005")},
		{Path: "plan.guardrails[0].metric", From: json.RawMessage(`"start_success"`)},
		{Path: "slots", From: json.RawMessage("2000"), To: json.RawMessage("3000")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Diff() (-want +got):\n%s", diff)
	}
}

func running(t *testing.T) *experiment.Experiment {
	t.Helper()
	e, err := experiment.Revise(nil, parseABR(t))
	if err != nil {
		t.Fatal(err)
	}
	e.Salt = "s"
	return &e
}

func TestReviseVersions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		edit    func(*experiment.Spec)
		version int
	}{
		{"nothing", func(*experiment.Spec) {}, 1},
		{"slots grow", func(s *experiment.Spec) { s.Slots = 4000 }, 1},
		{"words", func(s *experiment.Spec) { s.Name, s.Hypothesis, s.Owner = "a", "b", "c" }, 1},
		{"override", func(s *experiment.Spec) { s.Overrides = map[string]string{"qa": "control"} }, 1},
		{"pause", func(s *experiment.Spec) { s.Status = experiment.StatusPaused }, 1},
		{"margin", func(s *experiment.Spec) { s.Plan.Guardrails[0].Margin = 0.01 }, 2},
		{"planned units", func(s *experiment.Spec) { s.Plan.Units *= 2 }, 2},
		{"weight", func(s *experiment.Spec) { s.Arms[0].Weight = 3 }, 2},
		{"value", func(s *experiment.Spec) { s.Arms[1].Value = json.RawMessage(`{"safety":0.7}`) }, 2},
		{"audience", func(s *experiment.Spec) { s.Audience = nil }, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec := parseABR(t)
			tt.edit(&spec)
			got, err := experiment.Revise(running(t), spec)
			if err != nil || got.Version != tt.version || got.Salt != "s" || got.PlanHash != got.Plan.Hash() {
				t.Errorf("Revise() = version %d, salt %q, %v; want version %d and the same salt", got.Version, got.Salt, err, tt.version)
			}
		})
	}
}

func TestReviseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		from  experiment.Status
		edit  func(*experiment.Spec)
		field string
	}{
		{"running to draft", experiment.StatusRunning, func(s *experiment.Spec) { s.Status = experiment.StatusDraft }, "status"},
		{"stopped to running", experiment.StatusStopped, func(s *experiment.Spec) { s.Status = experiment.StatusRunning }, "status"},
		{"unit after launch", experiment.StatusRunning, func(s *experiment.Spec) { s.Unit = experiment.UnitDevice }, "unit"},
		{"layer after launch", experiment.StatusPaused, func(s *experiment.Spec) { s.Layer = "other" }, "layer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cur := running(t)
			cur.Status = tt.from
			spec := parseABR(t)
			tt.edit(&spec)
			_, err := experiment.Revise(cur, spec)
			faults := experiment.Faults(err)
			if len(faults) != 1 || faults[0].Code != experiment.CodeConflict || faults[0].Field != tt.field {
				t.Errorf("Revise() = %v, want a conflict on %s", err, tt.field)
			}
		})
	}
}

func TestReviseDraftKeepsVersion(t *testing.T) {
	t.Parallel()
	cur := running(t)
	cur.Status = experiment.StatusDraft
	spec := parseABR(t)
	spec.Plan.Alpha = 0.01
	got, err := experiment.Revise(cur, spec)
	if err != nil || got.Version != 1 {
		t.Errorf("Revise() of a draft = version %d, %v; want 1: nobody was compared yet", got.Version, err)
	}
}
