package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// launchNow is when the tests fill in the form.
var launchNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// launchSamples renders the steps of the wizard, by path: with much known, with
// nothing known, and with faults and names that want to be more than names.
func launchSamples(r *Renderer, chrome Chrome) map[string]pageWriter {
	out := map[string]pageWriter{}
	for _, step := range launch.Steps() {
		for name, view := range map[string]LaunchView{"": knownLaunch(), "-bare": bareLaunch(), "-hostile": hostileLaunch()} {
			view.Chrome, view.Base, view.Draft, view.Step = chrome, "/launch", "D1", step
			view.Metrics, view.Planner, view.Catalogue, view.Experiment = metrics.All(), "/planner", "/catalogue", "/experiments"
			view.Now, view.SavedAt = launchNow, launchNow
			out["/launch/"+string(step)+name] = func(w io.Writer) error { return r.Launch(w, view) }
		}
	}
	asks := knownLaunch()
	asks.Chrome, asks.Base, asks.Draft, asks.Step, asks.Reviewed = chrome, "/launch", "D1", launch.StepReview, true
	asks.Metrics, asks.Experiment, asks.Now, asks.SavedAt = metrics.All(), "/experiments", launchNow, launchNow
	out["/launch/review-asks"] = func(w io.Writer) error { return r.Launch(w, asks) }
	return out
}

// previewOf is a metric of units with a mean and a standard deviation.
func previewOf(key string, mean, sd, tail float64) launch.MetricPreview {
	d, _ := metrics.Lookup(key)
	top := 0.21
	shape := metrics.Shape{Value: &mean, TopShare: &top, TailIndex: &tail, Arm: stats.Arm{N: 40_000, Value: mean, Variance: sd * sd}}
	variance := sd * sd
	shape.Variance = &variance
	return launch.MetricPreview{Metric: d, Preview: metrics.Preview{Units: 40_000, Shape: shape}}
}

// launchViewOf assesses the experiment of a form.
func launchViewOf(form url.Values, in launch.Input) LaunchView {
	var faults experiment.Errors
	in.Now = launchNow
	in.Spec, faults = ReadLaunch(form, launchNow)
	in.Spec.Normalize()
	in.Faults = slices.Concat(faults, experiment.Faults(in.Spec.Validate(metrics.Known)))
	return LaunchView{
		Form: form, Spec: in.Spec, Faults: in.Faults, Previews: in.Previews, Assessment: launch.Assess(in), Document: "experiments: []",
	}
}

func knownLaunch() LaunchView {
	form := NewLaunchForm(experiment.ChangeABR)
	form.Set(fieldName, "ABR safety factor 0.75")
	form.Set(fieldLayer, "player")
	form.Set(fieldShare, "20")
	form[fieldSeen] = []string{"change", "metrics"}
	return launchViewOf(form, launch.Input{
		Previews: map[string]launch.MetricPreview{"stall_ratio": previewOf("stall_ratio", 0.9, 2.1, 1.6), "bitrate": previewOf("bitrate", 4.2, 1.9, 5)},
		Audience: &launch.AudienceCount{
			Unit: experiment.UnitViewer, Since: launchNow.AddDate(0, 0, -7), Until: launchNow, Sessions: 190_000, Nameless: 1_204,
			Seen: 61_400, Eligible: 43_210, Maybe: 310, Unknown: []string{"app_version"},
		},
		Others: []experiment.Experiment{
			otherExperiment("low-latency", "player", experiment.ChangePlayer, 0, 4_000),
			otherExperiment("abr-buffer", "abr-buffer", experiment.ChangeABR, 0, 10_000),
			otherExperiment(strings.Repeat("long-", 12), "other", "", 0, 2_000),
		},
	})
}

func otherExperiment(key, layer string, change experiment.ChangeKind, from, to int) experiment.Experiment {
	return experiment.Experiment{
		Spec:       experiment.Spec{Key: key, Name: "The " + key, Unit: experiment.UnitViewer, Layer: layer, Change: change, Status: experiment.StatusRunning},
		SlotRanges: []experiment.SlotRange{{From: from, To: to}},
	}
}

// bareLaunch is a form without anything, on a platform without anything.
func bareLaunch() LaunchView { return launchViewOf(url.Values{}, launch.Input{}) }

// hostileLaunch has faults everywhere, and names that are markup or too long.
func hostileLaunch() LaunchView {
	form := NewLaunchForm(experiment.ChangeEncoder)
	for name, value := range map[string]string{
		fieldName: `"><script>alert(1)</script>`, fieldWhy: strings.Repeat("unbreakable", 40) + " ذراع العلاج", armField(1, "value"): "{",
		fieldUnits: "many", fieldSuspects: "exclude", fieldShare: "0", fieldLayer: "<b>", fieldStartAt: "soon", fieldUnit: "viewer",
		guardField(0, "margin"): "0", guardField(1, "margin"): "-1e400", ruleField(0, "attr"): "x", ruleField(0, "op"): "semver_ge", ruleField(0, "value"): "new",
	} {
		form.Set(name, value)
	}
	for _, step := range launch.Steps() {
		form.Add(fieldSeen, string(step))
	}
	unknown := previewOf("stall_ratio", 0, 0, 0)
	unknown.Preview = metrics.Preview{Shape: metrics.Shape{Refusal: "no unit has a value"}}
	full := otherExperiment("full", "<b>", experiment.ChangeEncoder, 0, 10_000)
	return launchViewOf(form, launch.Input{
		Previews: map[string]launch.MetricPreview{"stall_ratio": unknown},
		Audience: &launch.AudienceCount{Unit: experiment.UnitViewer, Since: launchNow, Until: launchNow, Truncated: true},
		Others:   []experiment.Experiment{full},
	})
}

// What the form of the first visit says, with a name, is valid as it stands; and
// every field comes out where it belongs.
func TestReadLaunch(t *testing.T) {
	t.Parallel()
	form := NewLaunchForm(experiment.ChangeABR)
	form.Set(fieldRamp, rampNone)
	form.Set(fieldName, "ABR safety 0.75!")
	spec, faults := ReadLaunch(form, launchNow)
	spec.Normalize()
	if err := spec.Validate(metrics.Known); err != nil || len(faults) > 0 {
		t.Fatalf("the form of the first visit: %v, %v", err, faults)
	}
	if spec.Key != "abr-safety-0.75" || spec.Slots != experiment.TotalSlots || spec.Plan.MDE != 0.02 || spec.Plan.Guardrails[1].Margin != 0.005 {
		t.Errorf("read %+v", spec)
	}
	for name, value := range map[string]string{
		fieldKey: "k", fieldLayer: "player", fieldShare: "12.5", fieldEnd: "2026-12-24", ParamStatus: "running",
		ruleField(0, "attr"): "player", ruleField(0, "op"): "in", ruleField(0, "value"): "hls.js, dash.js",
		ruleField(1, "attr"): "app", ruleField(1, "op"): "semver_ge", ruleField(1, "value"): "5.2.0",
		ruleField(2, "attr"): "kids", ruleField(2, "op"): "eq", ruleField(2, "value"): "false",
		armField(2, "key"): "c", armField(2, "weight"): "2", armField(2, "value"): `{"safety": 0.7}`,
	} {
		form.Set(name, value)
	}
	form[fieldSecondary] = []string{"bitrate", "stalls_per_hour"}
	form.Set(fieldSuspects, "exclude")
	spec, faults = ReadLaunch(form, launchNow)
	encoded, err := json.Marshal(spec)
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	for _, want := range []string{
		`"key":"k"`, `"layer":"player"`, `"slots":1250`, `"end":"2026-12-24"`, `"status":"running"`,
		`{"all":[{"attr":"player","op":"in","values":["hls.js","dash.js"]},{"attr":"app","op":"semver_ge","value":"5.2.0"},{"attr":"kids","op":"eq","value":false}]}`,
		`{"key":"c","weight":2,"value":{"safety":0.7}}`, `"secondary":["bitrate","stalls_per_hour"]`, `"suspects":"exclude"`,
	} {
		if !strings.Contains(string(encoded), want) {
			t.Errorf("%s lacks %s", encoded, want)
		}
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "", "--- !": "", "ABR safety 0.75": "abr-safety-0.75", "Über 2.": "ber-2", ".x": "x",
		strings.Repeat("a", 80): strings.Repeat("a", 60),
	} {
		if got := keyOf(name); got != want || got != "" && !experiment.ValidKey(got) {
			t.Errorf("keyOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func renderLaunch(t *testing.T, path string) string {
	t.Helper()
	var buf bytes.Buffer
	if err := launchSamples(renderer(t), Chrome{User: "mira"})[path](&buf); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestLaunchStepsSay(t *testing.T) {
	t.Parallel()
	for path, wants := range map[string][]string{
		"/launch/change":          {"Needs a switchback", `value="abr" checked`, "Bitrate, by no more than 2 %"},
		"/launch/change-bare":     {"Not known"},
		"/launch/change-hostile":  {"must be JSON", "Needs broadcasters", "&lt;script&gt;"},
		"/launch/metrics":         {"Top 1 % hold", "1.6", "to exclude 2 %", `<option value="stall_ratio" selected>`},
		"/launch/metrics-hostile": {"must be a number", "must lie between 0 and 1"},
		"/launch/audience":        {"43,210 to 43,520", "app_version", "of 61,400 viewers", "a day, each counted once"},
		"/launch/audience-bare":   {"nobody can be counted"},
		"/launch/power":           {"units find a lift of 2 %, whenever you look", "with 20 % of the traffic", "Group-sequential"},
		"/launch/power-bare":      {"Choose a primary metric first"},
		"/launch/power-hostile":   {"must be a number", "no unit of the control arm", `<details open><summary>Who counts`, `<option value="exclude" selected>`},
		"/launch/traffic":         {"strip-new", "changes the same thing", "60 % free before this one", "low-latency"},
		"/launch/traffic-hostile": {"must be a time such as", "must be a key as of experiments"},
		"/launch/review":          {"Launch with", "The arms share links", "abr-buffer changes the same thing"},
		"/launch/review-bare":     {"must be mended first", "At least one primary metric", "disabled"},
		"/launch/review-hostile":  {"must be mended first", "Go to Metrics"},
	} {
		page := renderLaunch(t, path)
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
}

// Where planned looks decide the rest, the preview of a quantile says that they do not
// decide it, and so does the choice of the method.
func TestLaunchPowerOfAQuantile(t *testing.T) {
	t.Parallel()
	form := NewLaunchForm(experiment.ChangeUI)
	form[fieldPrimary] = []string{"startup_first_p95"}
	form.Set(fieldMethod, string(experiment.MethodGroupSequential))
	form.Set(fieldEnd, "2026-12-24")
	view := launchViewOf(form, launch.Input{Previews: map[string]launch.MetricPreview{"startup_first_p95": previewOf("startup_first_p95", 2, 3, 5)}})
	view.Base, view.Draft, view.Step, view.Metrics, view.Now = "/launch", "D1", launch.StepPower, metrics.All(), launchNow
	var buf bytes.Buffer
	if err := renderer(t).Launch(&buf, view); err != nil {
		t.Fatal(err)
	}
	page := buf.String()
	for _, want := range []string{"whenever you look", "Planned looks do not decide quantiles", "guardrails and quantiles are decided at any look"} {
		if !strings.Contains(page, want) {
			t.Errorf("the power preview of a quantile lacks %q", want)
		}
	}
	if strings.Contains(page, "Group-sequential") {
		t.Error("it offers what planned looks would cost")
	}
}

// A step replaces its own fields and no others, keeps nothing that is no field,
// and another kind of change brings its proposals but for what somebody wrote.
func TestMergeLaunch(t *testing.T) {
	t.Parallel()
	form := MergeLaunch(NewLaunchForm(""), launch.StepChange, url.Values{
		fieldChange: {"abr"}, fieldName: {"N"}, fieldKey: {"k"}, "go": {"next"}, "token": {"secret"}, fieldShare: {"1"},
	})
	if form.Get(fieldPrimary) != "stall_ratio" || form.Get(guardField(0, "metric")) != "bitrate" || form.Get(fieldShare) != "100" || form.Has("token") || form.Has("go") {
		t.Errorf("begun: %v", form)
	}
	form = MergeLaunch(form, launch.StepMetrics, url.Values{fieldPrimary: {"bitrate"}, guardField(0, "metric"): {"start_success"}, guardField(0, "margin"): {"3"}})
	if form.Has(fieldSecondary) || form.Has(guardField(1, "metric")) || form.Get(fieldName) != "N" {
		t.Errorf("what was unticked is still there, or another step's field is not: %v", form)
	}
	form = MergeLaunch(form, launch.StepChange, url.Values{fieldChange: {"encoder"}, fieldName: {"N"}})
	if form.Get(fieldUnit) != "broadcaster" || form.Get(fieldPrimary) != "bitrate" || form.Get(guardField(0, "margin")) != "3" {
		t.Errorf("another kind of change: %v", form)
	}
	form = MergeLaunch(form, launch.StepChange, url.Values{fieldChange: {"ui"}})
	if form.Get(fieldUnit) != "viewer" {
		t.Errorf("a proposal that nobody changed is not replaced: %v", form)
	}
	if diff := cmp.Diff([]string{"change", "metrics"}, form[fieldSeen]); diff != "" {
		t.Errorf("steps seen (-want +got):\n%s", diff)
	}
	if got := MergeLaunch(form, launch.StepReview, url.Values{fieldName: {"other"}, "status": {"running"}}); got.Has(fieldName) != form.Has(fieldName) || got.Has("status") {
		t.Errorf("the review changes fields: %v", got)
	}
}

// Every proposal with a name is a plan that can be launched as it stands.
func TestProposalsAreValid(t *testing.T) {
	t.Parallel()
	for _, kind := range experiment.ChangeKinds() {
		form := NewLaunchForm(kind)
		form.Set(fieldName, "Named")
		spec, faults := ReadLaunch(form, launchNow)
		spec.Normalize()
		if err := spec.Validate(metrics.Known); err != nil || len(faults) > 0 {
			t.Errorf("%s: %v, %v", kind, err, faults)
		}
		if spec.Slots != 100 || len(spec.Ramp) != 4 || spec.Ramp[3].Slots != experiment.TotalSlots || !spec.Ramp[0].At.Equal(launchNow.AddDate(0, 0, 1)) {
			t.Errorf("%s begins with %d slots and grows %v", kind, spec.Slots, spec.Ramp)
		}
	}
}

// A ramp of a small share skips the steps that are less than a slot, and begins
// at the planned start.
func TestRamp(t *testing.T) {
	t.Parallel()
	form := NewLaunchForm(experiment.ChangeUI)
	form.Set(fieldShare, "0.1") // ten slots
	form.Set(fieldStartAt, "2026-12-01T08:00")
	spec, faults := ReadLaunch(form, launchNow)
	if len(faults) > 0 || spec.Slots != 1 || len(spec.Ramp) != 3 {
		t.Fatalf("%d slots, %v, %v", spec.Slots, spec.Ramp, faults)
	}
	if want := time.Date(2026, 12, 3, 8, 0, 0, 0, time.UTC); !spec.Ramp[0].At.Equal(want) || spec.Ramp[0].Slots != 3 {
		t.Errorf("the first step is %+v, want 3 slots at %v", spec.Ramp[0], want)
	}
	if err := spec.Validate(metrics.Known); err != nil && !slices.ContainsFunc(experiment.Faults(err), func(f *experiment.Error) bool { return f.Field == "key" }) {
		t.Error(err)
	}
}
