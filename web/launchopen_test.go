package web

import (
	"encoding/json"
	"net/url"
	"strconv"
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
		"a ramp of its own":   {plainDraft + `"slots":100,"ramp":[{"at":"2026-12-02T08:00:00Z","slots":777}]}`, ""},
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

// A stored ramp does not begin anew when its draft is opened later; another share
// takes its steps at the same times, and another choice begins now.
func TestOpenLaunchKeepsItsRamp(t *testing.T) {
	t.Parallel()
	form := NewLaunchForm(experiment.ChangeUI)
	form.Set(fieldName, "Ramped")
	form.Set(fieldShare, "40")
	stored := experiment.Experiment{Version: 1}
	stored.Spec, _ = ReadLaunch(form, launchNow)
	stored.Normalize()
	later := launchNow.Add(30 * time.Hour)
	opened := OpenLaunch(&stored.Spec, later)
	if opened.Get(fieldShare) != "40" || !strings.HasPrefix(opened.Get(fieldStoredRamp), "0.4 % of the layer, then 2 %") {
		t.Errorf("opened with a share of %s %% and the ramp %q", opened.Get(fieldShare), opened.Get(fieldStoredRamp))
	}
	day := func(from time.Time, n int) string { return from.AddDate(0, 0, n).Format(time.RFC3339) }
	for name, tt := range map[string]struct{ share, ramp, want string }{
		"as stored":    {"40", rampStored, "40 200@" + day(launchNow, 1) + " 1000@" + day(launchNow, 2) + " 2000@" + day(launchNow, 3) + " 4000@" + day(launchNow, 4)},
		"another half": {"20", rampStored, "20 100@" + day(launchNow, 1) + " 500@" + day(launchNow, 2) + " 1000@" + day(launchNow, 3) + " 2000@" + day(launchNow, 4)},
		"a tiny share": {"0.02", rampStored, "1 2@" + day(launchNow, 4)},
		"begun anew":   {"40", rampDaily, "40 200@" + day(later, 1) + " 1000@" + day(later, 2) + " 2000@" + day(later, 3) + " 4000@" + day(later, 4)},
		"at once":      {"40", rampNone, "4000"},
	} {
		sent := MergeLaunch(opened, launch.StepTraffic, url.Values{fieldShare: {tt.share}, fieldRamp: {tt.ramp}, fieldStoredRamp: {"forged"}})
		spec, faults := ReadLaunch(sent, later)
		faults = append(faults, KeepStored(sent, &spec, &stored)...)
		got := strconv.Itoa(spec.Slots)
		for _, step := range spec.Ramp {
			got += " " + strconv.Itoa(step.Slots) + "@" + step.At.Format(time.RFC3339)
		}
		if got != tt.want || len(faults) > 0 || sent.Get(fieldStoredRamp) == "forged" {
			t.Errorf("%s: %s, want %s; faults %v", name, got, tt.want, faults)
		}
	}
	delete(opened, fieldShare) // as drafts of before the form could show a ramp of one's own
	spec, _ := ReadLaunch(opened, later)
	if faults := KeepStored(opened, &spec, &stored); len(faults) > 0 || spec.Slots != 40 || len(spec.Ramp) != 4 {
		t.Errorf("without a share: %d slots, %v, %v", spec.Slots, spec.Ramp, faults)
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
