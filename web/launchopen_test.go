package web

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
)

// storedDraft reads a draft as `splitcast apply` would.
func storedDraft(t *testing.T, document string) experiment.Experiment {
	t.Helper()
	spec, err := experiment.ParseSpec([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return experiment.Experiment{Spec: spec, Version: 1}
}

const plainDraft = `{"key":"plain","unit":"viewer","change":"ui","arms":[{"key":"a","weight":1,"value":1},{"key":"b","weight":2,"value":{"x":2}}],
	"plan":{"primary":["bitrate"],"mde":0.07,"units":70000},`

// Opening a draft and storing it again changes nothing, whether the form has
// fields for all of it or not.
func TestOpenLaunchLosesNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ document, kept string }{
		"plain":               {plainDraft + `"name":"Plain","hypothesis":"why","owner":"ana"}`, ""},
		"a share of a layer":  {plainDraft + `"layer":"player","slots":1234}`, ""},
		"rules that all hold": {plainDraft + `"audience":{"all":[{"attr":"os","op":"in","values":["ios","tvos"]},{"attr":"app","op":"semver_ge","value":"5.2.0"},{"attr":"kids","op":"eq","value":false}]}}`, ""},
		"times":               {plainDraft + `"start_at":"2026-12-01T08:00:30Z","stop_at":"2026-12-24T00:00:00Z"}`, ""},
		"planned looks":       {strings.Replace(plainDraft, `"mde":0.07`, `"method":"group_sequential","looks":5,"end":"2026-12-20","spending":"pocock"`, 1) + `"name":"n"}`, ""},
		"a ramp of its own":   {plainDraft + `"slots":100,"ramp":[{"at":"2026-12-02T08:00:00Z","slots":777}]}`, "traffic"},
		"rules of which some": {plainDraft + `"audience":{"any":[{"attr":"os","op":"eq","value":"ios"},{"attr":"os","op":"eq","value":"tvos"}]}}`, "audience"},
		"one rule alone":      {plainDraft + `"audience":{"attr":"os","op":"eq","value":"ios"}}`, "audience"},
		"a number as text":    {plainDraft + `"audience":{"all":[{"attr":"os","op":"eq","value":"10"}]}}`, "audience"},
		"a list":              {plainDraft + `"audience":{"all":[{"op":"in_list","list":"beta"}]}}`, "audience"},
		"two primary metrics": {strings.Replace(plainDraft, `["bitrate"]`, `["bitrate","stall_ratio"]`, 1) + `"name":"n"}`, "primary"},
		"five arms": {`{"key":"five","unit":"viewer","arms":[{"key":"a","weight":1,"value":1},{"key":"b","weight":1,"value":2},{"key":"c","weight":1,"value":3},
			{"key":"d","weight":1,"value":4},{"key":"e","weight":1,"value":5}],"plan":{"primary":["bitrate"]}}`, "arms"},
		"what has no field": {plainDraft + `"requires":[{"experiment":"x","arms":["y"]}],"ignore_holdouts":"because","overrides":{"v":"a"},"on_pause":"keep"}`, ""},
		"a holdout":         {`{"key":"m","unit":"viewer","measures_holdout":"year","arms":[{"key":"a","weight":200,"value":1},{"key":"b","weight":9800,"value":2}],"plan":{"primary":["bitrate"],"alpha":0.01,"power":0.9,"covariates":"off","suspects":"exclude"}}`, ""},
	} {
		stored := storedDraft(t, tt.document)
		form := OpenLaunch(&stored.Spec, launchNow)
		spec, faults := ReadLaunch(form, launchNow)
		faults = append(faults, KeepStored(form, &spec, &stored)...)
		spec.Normalize()
		if diff := cmp.Diff(plainJSON(t, stored.Spec), plainJSON(t, spec)); diff != "" || len(faults) > 0 {
			t.Errorf("%s comes back changed, faults %v (-want +got):\n%s", name, faults, diff)
		}
		if got := strings.Join(form[fieldKept], " "); got != tt.kept {
			t.Errorf("%s: kept %q, want %q", name, got, tt.kept)
		}
	}
}

func plainJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A ramp that the wizard made is the same choice again, and begins when it is
// stored anew.
func TestOpenLaunchKnowsItsRamps(t *testing.T) {
	t.Parallel()
	for _, r := range launchRamps() {
		form := NewLaunchForm(experiment.ChangeUI)
		form.Set(fieldName, "Ramped")
		form.Set(fieldShare, "40")
		form.Set(fieldRamp, r.Name)
		spec, _ := ReadLaunch(form, launchNow)
		spec.Normalize()
		opened := OpenLaunch(&spec, launchNow.Add(time.Hour))
		if got := opened.Get(fieldRamp); got != r.Name || opened.Get(fieldShare) != "40" || len(opened[fieldKept]) > 0 {
			t.Errorf("ramp %q is opened as %q of %s %%, kept %v", r.Name, got, opened.Get(fieldShare), opened[fieldKept])
		}
	}
}

// The form cannot be turned to another experiment, and what changed meanwhile is
// not undone.
func TestKeepStoredRefuses(t *testing.T) {
	t.Parallel()
	stored := storedDraft(t, plainDraft+`"name":"Plain"}`)
	form := OpenLaunch(&stored.Spec, launchNow)
	form = MergeLaunch(form, launch.StepChange, url.Values{fieldKey: {"another"}, fieldOf: {"another"}, fieldWas: {"x"}, fieldName: {"New name"}, fieldKept: {"arms"}})
	spec, _ := ReadLaunch(form, launchNow)
	if faults := KeepStored(form, &spec, &stored); len(faults) > 0 || spec.Key != "plain" || spec.Name != "New name" {
		t.Errorf("after another name: %q named %q, %v", spec.Key, spec.Name, faults)
	}
	changed, launched := stored, stored
	changed.Owner, launched.Status = "ben", experiment.StatusRunning
	for name, now := range map[string]experiment.Experiment{"changed elsewhere": changed, "was launched": launched} {
		faults := KeepStored(form, &spec, &now)
		if len(faults) != 1 || faults[0].Code != experiment.CodeConflict || !strings.Contains(faults[0].Message, name) {
			t.Errorf("a draft that %s: %v", name, faults)
		}
	}
}
