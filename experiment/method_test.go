package experiment_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// storedPlans are plans as databases hold them from before there was a method,
// with the SHA-256 of exactly that text (sha256sum).
var storedPlans = map[string]string{
	`{"primary":["stall_ratio"],"secondary":["bitrate"],"guardrails":[{"metric":"start_success","margin":0.005}],"alpha":0.05,"power":0.8,"mde":0.02,"units":400000,"end":"2026-12-20"}`: "ff98828f7e6f0c75fc89390b5fa0250e4e6aee67abbd45bd204b2ae7e1c5da0e",
	`{"primary":["bitrate"],"alpha":0.05,"power":0.8,"mde":0.02,"units":5000,"versions":{"bitrate":2}}`:                                                                                  "7d3eca20fc4b44eb037454d578fb7b35639e845e33bf02431134f0f84847f5d0",
}

func TestStoredPlansKeepTheirHash(t *testing.T) {
	t.Parallel()
	for stored, want := range storedPlans {
		var p experiment.Plan
		if err := json.Unmarshal([]byte(stored), &p); err != nil {
			t.Fatal(err)
		}
		p = p.WithDefaults()
		if got := p.Hash(); got != want {
			t.Errorf("Hash() of %s = %s, want %s", stored, got, want)
		}
		p.Method = experiment.MethodSequential // said instead of left out
		if got := p.WithDefaults().Hash(); got != want {
			t.Errorf("Hash() with the method said = %s, want %s", got, want)
		}
	}
}

// groupSequential is the example with planned looks.
func groupSequential(t *testing.T) experiment.Spec {
	t.Helper()
	body := strings.Replace(abrDocument, `"end":"2026-12-20"`, `"end":"2026-12-20","method":"group_sequential","looks":5`, 1)
	doc, err := experiment.ParseDocument([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Experiments[0]
}

func TestGroupSequentialPlan(t *testing.T) {
	t.Parallel()
	s := groupSequential(t)
	if err := s.Validate(knownMetric); err != nil {
		t.Fatalf("Validate() = %v, want nil", err)
	}
	if s.Plan.Spending != experiment.SpendingOBrienFleming {
		t.Errorf("spending = %q, want the default", s.Plan.Spending)
	}
	before := parseABR(t)
	if s.Plan.Hash() == before.Plan.Hash() {
		t.Error("the method is not in the hash")
	}
	want := []experiment.Change{
		{Path: "plan.looks", To: json.RawMessage("5")},
		{Path: "plan.method", To: json.RawMessage(`"group_sequential"`)},
		{Path: "plan.spending", To: json.RawMessage(`"obrien_fleming"`)},
	}
	if diff := cmp.Diff(want, experiment.Diff(&before, s)); diff != "" {
		t.Errorf("Diff() (-want +got):\n%s", diff)
	}
	s.Plan.Looks = 0
	s.Normalize()
	if s.Plan.Looks != experiment.DefaultLooks {
		t.Errorf("looks left out = %d, want %d", s.Plan.Looks, experiment.DefaultLooks)
	}
}

// Any change of the method after launch begins a new version.
func TestMethodChangesMakeVersions(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(p *experiment.Plan){
		"method":   func(p *experiment.Plan) { p.Method, p.Looks, p.Spending = "", 0, "" },
		"looks":    func(p *experiment.Plan) { p.Looks = 6 },
		"spending": func(p *experiment.Plan) { p.Spending = experiment.SpendingPocock },
		"end":      func(p *experiment.Plan) { p.End = &experiment.Date{Time: p.End.AddDate(0, 0, 1)} },
	} {
		cur, err := experiment.Revise(nil, groupSequential(t))
		if err != nil {
			t.Fatal(err)
		}
		spec := groupSequential(t)
		edit(&spec.Plan)
		if got, err := experiment.Revise(&cur, spec); err != nil || got.Version != 2 {
			t.Errorf("%s: version %d, %v; want 2", name, got.Version, err)
		}
	}
}

func TestMethodFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, field string
		edit        func(*experiment.Spec)
	}{
		{"unknown method", "plan.method", func(s *experiment.Spec) { s.Plan.Method = "peeking" }},
		{"looks at limit", "", func(s *experiment.Spec) { s.Plan.Looks = experiment.MaxLooks }},
		{"looks at limit + 1", "plan.looks", func(s *experiment.Spec) { s.Plan.Looks = experiment.MaxLooks + 1 }},
		{"looks at the lower limit", "", func(s *experiment.Spec) { s.Plan.Looks = experiment.MinLooks }},
		{"looks below it", "plan.looks", func(s *experiment.Spec) { s.Plan.Looks = experiment.MinLooks - 1 }},
		{"no end", "plan.end", func(s *experiment.Spec) { s.Plan.End = nil }},
		{"unknown spending", "plan.spending", func(s *experiment.Spec) { s.Plan.Spending = "all" }},
		{"pocock", "", func(s *experiment.Spec) { s.Plan.Spending = experiment.SpendingPocock }},
		{"kim_demets", "", func(s *experiment.Spec) { s.Plan.Spending = experiment.SpendingKimDeMets }},
		{"looks of a sequential plan", "plan.looks", func(s *experiment.Spec) { s.Plan.Method, s.Plan.Spending = "", "" }},
		{"spending of a sequential plan", "plan.spending", func(s *experiment.Spec) { s.Plan.Method, s.Plan.Looks = experiment.MethodSequential, 0 }},
		{"ends before it starts", "plan.end", func(s *experiment.Spec) { at := s.Plan.End.Time; s.StartAt = &at }},
	}
	for _, tt := range tests {
		s := groupSequential(t)
		tt.edit(&s)
		faults := experiment.Faults(s.Validate(knownMetric))
		if tt.field == "" {
			if len(faults) != 0 {
				t.Errorf("%s: %v, want none", tt.name, faults)
			}
			continue
		}
		if len(faults) != 1 || faults[0].Field != tt.field || faults[0].Code != experiment.CodeInvalid {
			t.Errorf("%s: %v, want one fault of %s", tt.name, faults, tt.field)
		}
	}
}

func TestLookTimes(t *testing.T) {
	t.Parallel()
	p := groupSequential(t).Plan
	start := time.Date(2026, 12, 10, 12, 0, 0, 0, time.UTC)
	day := func(day, hour, minute int) time.Time { return time.Date(2026, 12, day, hour, minute, 0, 0, time.UTC) }
	// Nine and a half days are 228 hours: a look every 45 h 36 min.
	want := []time.Time{day(12, 9, 36), day(14, 7, 12), day(16, 4, 48), day(18, 2, 24), day(20, 0, 0)}
	if diff := cmp.Diff(want, p.LookTimes(start)); diff != "" {
		t.Errorf("LookTimes() (-want +got):\n%s", diff)
	}
	for _, at := range p.LookTimes(day(21, 0, 0)) {
		if !at.Equal(p.End.Time) {
			t.Errorf("a plan that ends before it starts has a look at %v, want the end", at)
		}
	}
	p.Method = ""
	if got := p.LookTimes(start); got != nil {
		t.Errorf("LookTimes() of a sequential plan = %v, want none", got)
	}
}

func TestRunsBeginBeforeTheirEnd(t *testing.T) {
	t.Parallel()
	running := experiment.Experiment{Spec: groupSequential(t), Version: 1}
	draft := running
	draft.Status = experiment.StatusDraft
	second := running
	second.Version = 2
	end := running.Plan.End.Time
	for name, tt := range map[string]struct {
		cur  *experiment.Experiment
		next experiment.Experiment
		ok   bool
	}{
		"launch of a draft":       {&draft, running, false},
		"launch at once":          {nil, running, false},
		"draft":                   {nil, draft, true},
		"a new version":           {&running, second, false},
		"the same version, later": {&running, running, true},
	} {
		if err := experiment.CheckRun(tt.cur, &tt.next, end); (err == nil) != tt.ok {
			t.Errorf("%s at the end: %v, want ok %v", name, err, tt.ok)
		}
		if err := experiment.CheckRun(tt.cur, &tt.next, end.Add(-time.Second)); err != nil {
			t.Errorf("%s before the end: %v", name, err)
		}
	}
	if _, err := experiment.Restart(running, "salt", end); err == nil {
		t.Error("an experiment whose looks are over restarts")
	}
}
