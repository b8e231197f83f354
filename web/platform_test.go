package web

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/planning"
)

// platformSamples renders the pages about the platform, by path.
func platformSamples(r *Renderer, chrome Chrome) map[string]pageWriter {
	planner := func(query string) func(io.Writer) error {
		return func(w io.Writer) error {
			q, err := url.ParseQuery(query)
			if err != nil {
				return err
			}
			return r.Planner(w, PlannerView{Chrome: chrome, Base: "/planner", Query: q})
		}
	}
	layers := LayersView{Chrome: chrome, Layers: []LayerView{
		{Key: "player", Unit: experiment.UnitViewer, Free: 3_500, Owners: []SlotOwner{
			{"abr-buffer", experiment.StatusRunning, "/experiments/abr-buffer", experiment.SlotRange{From: 0, To: 4_000}},
			{"low-latency", experiment.StatusPaused, "/experiments/low-latency", experiment.SlotRange{From: 4_000, To: 6_000}},
			{"abr-buffer", experiment.StatusRunning, "/experiments/abr-buffer", experiment.SlotRange{From: 9_500, To: 10_000}},
		}},
		{Key: strings.Repeat("long-", 12), Unit: experiment.UnitBroadcaster, Free: experiment.TotalSlots},
	}}
	audit := AuditView{Chrome: chrome, Older: "/audit?before=7", Entries: []AuditEntry{
		{
			ID: 8, At: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC), Actor: "ana", Action: "experiment.update", Subject: "abr-buffer",
			URL: "/experiments/abr-buffer", Detail: json.RawMessage(`{"changes":[{"path":"slots","from":2000,"to":4000}]}`), Hash: strings.Repeat("0af3", 16),
		},
		{ID: 7, At: time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC), Actor: "key:<b>ci</b>", Action: "key.create", Subject: "12", Hash: strings.Repeat("9c", 32)},
	}}
	out := map[string]pageWriter{
		"/planner":        planner(""),
		"/planner/answer": planner("share=4&mde=5&per_day=200000&traffic=10"),
		"/planner/nodays": planner("mean=0.62&sd=1.4&mde=2&weights=9,1&alpha=1"),
		"/planner/faults": planner("share=400&mde=x&weights=1%3B2&alpha=70&primary=1.5&cluster=0.5"),
		"/launch": func(w io.Writer) error {
			return r.Launch(w, LaunchView{Chrome: chrome, Base: "/launch", Step: launch.StepChange})
		},
		"/catalogue": func(w io.Writer) error {
			return r.Catalogue(w, CatalogueView{Chrome: chrome, Define: "/define-metric", Metrics: metrics.All(), Conclusions: sampleConclusions()})
		},
		"/layers":             func(w io.Writer) error { return r.Layers(w, layers) },
		"/layers/none":        func(w io.Writer) error { return r.Layers(w, LayersView{Chrome: chrome}) },
		"/telemetry":          bind(r.Telemetry, sampleTelemetry(chrome)),
		"/telemetry/none":     bind(r.Telemetry, TelemetryView{Chrome: chrome, Base: "/telemetry", At: telemetryNow, Minutes: 60, Keys: "/settings"}),
		"/learn":              bind(r.Learn, LearnView{Chrome: chrome}),
		"/learn/unit":         bind(r.Learn, LearnView{chrome, LearnUnit}),
		"/learn/peeking":      bind(r.Learn, LearnView{chrome, LearnPeeking}),
		"/learn/guardrails":   bind(r.Learn, LearnView{chrome, LearnGuardrails}),
		"/learn/interference": bind(r.Learn, LearnView{chrome, LearnInterference}),
		"/learn/interval":     bind(r.Learn, LearnView{chrome, LearnInterval}),
		"/conclusions":        bind(r.Conclusions, ConclusionsView{Chrome: chrome, Base: "/conclusions", Conclusions: sampleConclusions(), Programme: "/programme"}),
		"/conclusions/none":   bind(r.Conclusions, ConclusionsView{Chrome: chrome, Base: "/conclusions", Programme: "/programme"}),
		"/programme":          bind(r.Programme, sampleProgramme(chrome)),
		"/programme/none":     bind(r.Programme, ProgrammeView{Chrome: chrome, Library: "/conclusions"}),
		"/timeline":           bind(r.Timeline, sampleTimeline(chrome, TimelineChoice{groupLayer, 365})),
		"/timeline/owner":     bind(r.Timeline, sampleTimeline(chrome, TimelineChoice{groupOwner, 90})),
		"/timeline/none":      bind(r.Timeline, TimelineView{Chrome: chrome, Base: "/experiments", Now: telemetryNow, Total: 3, Choice: TimelineChoice{groupLayer, 90}}),
		"/settings":           bind(r.Settings, SettingsView{Chrome: chrome, Base: "/settings"}),
		"/settings/made":      bind(r.Settings, sampleSettings(chrome)),
		"/settings/faults":    bind(r.Settings, faultySettings(chrome)),
		"/audit":              func(w io.Writer) error { return r.Audit(w, audit) },
		"/audit/none":         func(w io.Writer) error { return r.Audit(w, AuditView{Chrome: chrome}) },
	}
	maps.Copy(out, launchSamples(r, chrome))
	maps.Copy(out, reviewSamples(r, chrome))
	maps.Copy(out, metricSamples(r, chrome))
	maps.Copy(out, defineSamples(r, chrome))
	return out
}

func TestPlatformPages(t *testing.T) {
	t.Parallel()
	pages := map[string]string{}
	for path, render := range platformSamples(renderer(t), Chrome{User: "mira"}) {
		var buf bytes.Buffer
		if err := render(&buf); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		checkPage(t, buf.String())
		pages[path] = buf.String()
	}
	for path, wants := range map[string][]string{
		"/planner":        {"What to put in"},
		"/planner/answer": {"577,120 units find a lift of 5 %, whenever you look: 30 days.", "--share=0.04", "× 1.91", "Takes part"},
		"/planner/nodays": {"Group-sequential", "splitcast plan --mean=0.62 --sd=1.4", "<details open>"},
		"/planner/faults": {"must be a number", "must be a whole number", "must be whole numbers with commas", `value="1;2"`},
		"/launch":         {"What changes?", "Adaptation"},
		"/catalogue":      {"Stall ratio", "lower is better", `id="start_success"`},
		"/layers":         {"35 % free", "abr-buffer 45 %", "0 to 3999, 9500 to 9999", `x="9500"`},
		"/layers/none":    {"No layers yet"},
		"/audit":          {"0af30af30af3", "&lt;b&gt;ci&lt;/b&gt;", "&#34;to&#34;: 4000", "Older entries"},
		"/audit/none":     {"Nothing has been done yet"},
	} {
		for _, want := range wants {
			if !strings.Contains(pages[path], want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
}

// The faults of planning are shown at the fields they are about.
func TestPlannerFaultsHaveFields(t *testing.T) {
	t.Parallel()
	for query, field := range map[string]string{
		"share=120": paramShare, "mean=1": paramSD, "mean=1&sd=-1": paramSD, "share=4&mde=0": paramMDE, "share=4&alpha=60": paramAlpha,
		"share=4&power=1": paramPower, "share=4&weights=1": paramWeights, "share=4&weights=1,0": paramWeights, "share=4&looks=1000": paramLooks,
		"share=4&primary=99": paramPrimary, "share=4&per_day=-1": paramPerDay, "share=4&traffic=101": paramTraffic,
		"share=4&window=-1": paramWindow, "share=4&cluster=0.5": paramCluster, "share=4&icc=2&cluster=3": paramICC, "share=4&mean=3": paramShare,
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		p := newPlannerPage(PlannerView{Query: q})
		got := ""
		for _, fields := range [][]plannerField{p.Metric, p.Design, p.Traffic, p.More} {
			for _, f := range fields {
				if f.Error != "" {
					got += f.Name
				}
			}
		}
		if got != field || p.Answered {
			t.Errorf("%s: faults at %q, want %q", query, got, field)
		}
	}
}

// The command line of the page asks the same question.
func TestPlannerCommand(t *testing.T) {
	t.Parallel()
	got := planCommand(&planning.Request{
		Baseline: planning.Baseline{Mean: 2, SD: 3}, MDE: -0.05, Alpha: 0.01, Power: 0.9, Weights: []int64{9, 1}, Primary: 2, Looks: 5,
		UnitsPerDay: 1e6, Traffic: 0.1, WindowDays: 1, ClusterSize: 40, ClusterICC: 0.02,
	})
	const want = "splitcast plan --mean=2 --sd=3 --mde=-0.05 --alpha=0.01 --power=0.9 --weights=9,1 --primary=2 --looks=5" +
		" --units-per-day=1e+06 --traffic=0.1 --window-days=1 --cluster-size=40 --cluster-icc=0.02"
	if got != want {
		t.Errorf("command %q, want %q", got, want)
	}
}
