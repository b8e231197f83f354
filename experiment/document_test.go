package experiment_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// abrDocument is the example of the design document in JSON.
const abrDocument = `{"experiments":[{
  "key":"abr-safety-75","name":"ABR safety factor 0.75",
  "hypothesis":"A smaller safety factor raises bitrate without more stalls.",
  "unit":"viewer","design":"ab","layer":"player","slots":2000,
  "audience":{"all":[{"attr":"player","op":"in","values":["hls.js","dash.js"]},{"attr":"app_version","op":"semver_ge","value":"5.2.0"}]},
  "arms":[{"key":"control","weight":1,"value":{"safety":0.8}},{"key":"treatment","weight":1,"value":{"safety":0.75}}],
  "plan":{"primary":["stall_ratio"],"secondary":["bitrate"],"guardrails":[{"metric":"start_success","margin":0.005}],
    "alpha":0.05,"power":0.8,"mde":0.02,"units":400000,"end":"2026-12-20"},
  "status":"running"}]}`

func knownMetric(m string) bool {
	switch m {
	case "stall_ratio", "bitrate", "start_success":
		return true
	}
	return false
}

func parseABR(t *testing.T) experiment.Spec {
	t.Helper()
	doc, err := experiment.ParseDocument([]byte(abrDocument))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Experiments[0]
}

func TestParseDocument(t *testing.T) {
	t.Parallel()
	s := parseABR(t)
	if err := s.Validate(knownMetric); err != nil {
		t.Fatalf("Validate() = %v, want nil", err)
	}
	if got, want := s.Plan.End.Format("2006-01-02"), "2026-12-20"; got != want {
		t.Errorf("plan.end = %s, want %s", got, want)
	}
	b, err := json.Marshal(experiment.Document{Experiments: []experiment.Spec{s}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := experiment.ParseDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, again.Experiments[0]); diff != "" {
		t.Errorf("document changed in a round trip (-before +after):\n%s", diff)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		edit  func(*experiment.Spec)
		field string
	}{
		{"empty key", func(s *experiment.Spec) { s.Key = "" }, "key"},
		{"capital key", func(s *experiment.Spec) { s.Key = "Abr" }, "key"},
		{"key at limit + 1", func(s *experiment.Spec) { s.Key = strings.Repeat("a", experiment.MaxKeyBytes+1) }, "key"},
		{"name too long", func(s *experiment.Spec) { s.Name = strings.Repeat("a", experiment.MaxNameBytes+1) }, "name"},
		{"unit", func(s *experiment.Spec) { s.Unit = "channel" }, "unit"},
		{"design not analysed", func(s *experiment.Spec) { s.Design = experiment.DesignSwitchback }, "design"},
		{"no design", func(s *experiment.Spec) { s.Design = "abc" }, "design"},
		{"no slots in a shared layer", func(s *experiment.Spec) { s.Slots = 0 }, "slots"},
		{"slots at limit + 1", func(s *experiment.Spec) { s.Slots = experiment.TotalSlots + 1 }, "slots"},
		{"status", func(s *experiment.Spec) { s.Status = "live" }, "status"},
		{"one arm", func(s *experiment.Spec) { s.Arms = s.Arms[:1] }, "arms"},
		{"arm twice", func(s *experiment.Spec) { s.Arms[1].Key = "control" }, "arms[1].key"},
		{"weight 0", func(s *experiment.Spec) { s.Arms[0].Weight = 0 }, "arms[0].weight"},
		{"value types differ", func(s *experiment.Spec) { s.Arms[1].Value = json.RawMessage(`true`) }, "arms[1].value"},
		{"value null", func(s *experiment.Spec) { s.Arms[0].Value = json.RawMessage(`null`) }, "arms[0].value"},
		{"override without arm", func(s *experiment.Spec) { s.Overrides = map[string]string{"v1": "blue"} }, "overrides.v1"},
		{"override id not ASCII", func(s *experiment.Spec) { s.Overrides = map[string]string{"ж": "control"} }, "overrides"},
		{"unknown op", func(s *experiment.Spec) { s.Audience.All[0].Op = "like" }, "audience.all[0].op"},
		{"no values", func(s *experiment.Spec) { s.Audience.All[0].Values = nil }, "audience.all[0].values"},
		{"not a version", func(s *experiment.Spec) { s.Audience.All[1].Value.V = "five" }, "audience.all[1].value"},
		{"two forms", func(s *experiment.Spec) { s.Audience.Attr = "os" }, "audience"},
		{"no primary", func(s *experiment.Spec) { s.Plan.Primary = nil }, "plan.primary"},
		{"unknown metric", func(s *experiment.Spec) { s.Plan.Secondary = []string{"joy"} }, "plan.secondary[0]"},
		{"margin 0", func(s *experiment.Spec) { s.Plan.Guardrails[0].Margin = 0 }, "plan.guardrails[0].margin"},
		{"alpha 1", func(s *experiment.Spec) { s.Plan.Alpha = 1 }, "plan.alpha"},
		{"power", func(s *experiment.Spec) { s.Plan.Power = 1 }, "plan.power"},
		{"mde", func(s *experiment.Spec) { s.Plan.MDE = -0.1 }, "plan.mde"},
		{"units below the floor", func(s *experiment.Spec) { s.Plan.Units = experiment.MinPlannedUnits - 1 }, "plan.units"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := parseABR(t)
			tt.edit(&s)
			faults := experiment.Faults(s.Validate(knownMetric))
			if len(faults) != 1 || faults[0].Field != tt.field || faults[0].Code != experiment.CodeInvalid {
				t.Errorf("Validate() = %v, want one fault of %q", faults, tt.field)
			}
		})
	}
}

func TestValidateListsEveryFault(t *testing.T) {
	t.Parallel()
	s := parseABR(t)
	s.Key, s.Unit, s.Plan.Alpha = "", "", 2
	if got := len(experiment.Faults(s.Validate(knownMetric))); got != 3 {
		t.Errorf("Validate() found %d faults, want 3", got)
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		code       experiment.Code
		says       string
	}{
		{"empty", ``, experiment.CodeInvalid, "EOF"},
		{"no experiment", `{"experiments":[]}`, experiment.CodeInvalid, "no experiment"},
		{"unknown field", `{"experiments":[{"key":"a","guardrail":[]}]}`, experiment.CodeInvalid, `"guardrail"`},
		{"wrong type", `{"experiments":[{"key":1}]}`, experiment.CodeInvalid, "experiments.key"},
		{"bad date", `{"experiments":[{"key":"a","plan":{"end":"soon"}}]}`, experiment.CodeInvalid, "soon"},
		{"text after", `{"experiments":[{"key":"a"}]} x`, experiment.CodeInvalid, "after"},
		{"value list", `{"experiments":[{"audience":{"attr":"a","op":"eq","value":[1]}}]}`, experiment.CodeInvalid, "string, number or boolean"},
		{"too large", strings.Repeat(" ", experiment.MaxDocumentBytes+1), experiment.CodeTooLarge, "larger"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := experiment.ParseDocument([]byte(tt.body))
			if code, ok := experiment.CodeOf(err); !ok || code != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("ParseDocument() = %v, want code %s and %q", err, tt.code, tt.says)
			}
		})
	}
}

func TestParseApplyTakesBothForms(t *testing.T) {
	t.Parallel()
	one, err := json.Marshal(parseABR(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{abrDocument, string(one)} {
		got, err := experiment.ParseApply([]byte(body))
		if err != nil || len(got.Experiments) != 1 || got.Experiments[0].Key != "abr-safety-75" {
			t.Errorf("ParseApply() = %v, %v, want one experiment", got, err)
		}
	}
	if _, err := experiment.ParseApply([]byte(`{"experiments":null}`)); err == nil {
		t.Error("ParseApply() of a document without experiments succeeded")
	}
}

func TestAudienceLimits(t *testing.T) {
	t.Parallel()
	nested := func(depth int) *experiment.Audience {
		a := experiment.Audience{Attr: "os", Op: experiment.OpPresent}
		for range depth - 1 {
			inner := a
			a = experiment.Audience{Not: &inner}
		}
		return &a
	}
	wide := func(rules int) *experiment.Audience {
		a := experiment.Audience{}
		for i := range rules {
			a.Any = append(a.Any, experiment.Audience{Attr: fmt.Sprintf("a%d", i), Op: experiment.OpPresent})
		}
		return &a
	}
	many := func(values int) *experiment.Audience {
		return &experiment.Audience{Attr: "os", Op: experiment.OpIn, Values: make([]experiment.Scalar, values)}
	}
	tests := []struct {
		name string
		a    *experiment.Audience
		ok   bool
	}{
		{"depth at limit", nested(experiment.MaxAudienceDepth), true},
		{"depth at limit + 1", nested(experiment.MaxAudienceDepth + 1), false},
		{"rules at limit", wide(experiment.MaxAudienceRules), true},
		{"rules at limit + 1", wide(experiment.MaxAudienceRules + 1), false},
		{"values at limit", many(experiment.MaxAudienceValues), true},
		{"values at limit + 1", many(experiment.MaxAudienceValues + 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := parseABR(t)
			s.Audience = tt.a
			if err := s.Validate(knownMetric); (err == nil) != tt.ok {
				t.Errorf("Validate() = %v, want ok %v", err, tt.ok)
			}
		})
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(abrDocument))
	f.Add([]byte(`{"experiments":[{"key":"a","arms":[{"value":{}}],"audience":{"not":{"attr":"x"}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := experiment.ParseDocument(b)
		if err != nil {
			if _, ok := experiment.CodeOf(err); !ok {
				t.Fatalf("error without a code: %v", err)
			}
			return
		}
		for i := range doc.Experiments {
			s := &doc.Experiments[i]
			if s.Validate(knownMetric) != nil {
				continue
			}
			if changes := experiment.Diff(s, *s); len(changes) != 0 {
				t.Fatalf("Diff(s, s) = %v, want none", changes)
			}
		}
	})
}
