package web

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

// finding is what was found of a primary metric.
func finding(metric, name string, direction int, state report.State, estimate, half float64) Finding {
	return Finding{
		Metric: metric, Name: name, Role: report.RolePrimary, Direction: direction, Arm: "treatment", ArmName: "Treatment", State: state, Known: true,
		Estimate: estimate, Lower: estimate - half, Upper: estimate + half, SE: half / 3, Units: 200_000,
		Text: fmt.Sprintf("%+.1f %%", 100*estimate), Range: fmt.Sprintf("between %+.1f %% and %+.1f %%", 100*(estimate-half), 100*(estimate+half)),
	}
}

// sampleConclusions have every outcome, and ten judged on the stall ratio.
func sampleConclusions() []Conclusion {
	at := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	one := func(key string, verdict report.VerdictState, findings ...Finding) Conclusion {
		return Conclusion{
			Key: key, Name: strings.ToUpper(key[:1]) + strings.ReplaceAll(key[1:], "-", " "), URL: "/experiments/" + key, FrozenURL: "/experiments/" + key + "?look=212",
			Version: 1, Hypothesis: "Smaller segments cut the time to the first frame.", Owner: "mira", Unit: experiment.UnitViewer, Design: experiment.DesignAB,
			Verdict: verdict, Sentence: "Treatment lowers the stall ratio by 3.1 %, between 1.8 % and 4.4 % at any look.", Look: 212, LookedAt: &at,
			DecidedAt: at.Add(time.Hour), DecidedBy: "mira", Findings: findings,
		}
	}
	bitrate := finding("bitrate", "Bitrate", 1, report.StateWorse, -0.012, 0.004)
	bitrate.Role = report.RoleGuardrail
	bitrate.State = report.StateBreached
	shipped := one("low-latency", report.VerdictShip, finding("stall_ratio", "Stall ratio", -1, report.StateBetter, -0.031, 0.013), bitrate)
	shipped.Shipped, shipped.Reasons = "treatment", []string{"The gain is worth the bits.", "<b>Agreed</b> with the network team."}
	against := one("big-buffer", report.VerdictKeepRunning, finding("startup_first_p95", "Startup, p95", -1, report.StateUnproven, -0.004, 0.02))
	against.Shipped, against.Version = "treatment", 3
	removed := one("prefetch", report.VerdictShip, finding("stall_ratio", "Stall ratio", -1, report.StateBetter, -0.09, 0.05))
	removed.Shipped, removed.Removed, removed.FrozenURL = "treatment", true, ""
	early := one("too-early", report.VerdictCollecting)
	early.Look, early.LookedAt, early.FrozenURL, early.Sentence = 0, nil, "", "It was stopped before the first look: nothing was learnt."
	out := []Conclusion{
		shipped, against, removed, early,
		one("new-encoder", report.VerdictRollBack, finding("stall_ratio", "Stall ratio", -1, report.StateWorse, 0.05, 0.02)),
		one("same-again", report.VerdictStopNoEffect, finding("stall_ratio", "Stall ratio", -1, report.StateUnproven, 0.001, 0.003)),
		one("broken-"+strings.Repeat("name-", 10), report.VerdictUntrustworthy, finding("stall_ratio", "Stall ratio", -1, report.StateBetter, -0.5, 0.01)),
	}
	for i := range 7 {
		out = append(out, one(fmt.Sprintf("idea-%d", i), report.VerdictKeepRunning, finding("stall_ratio", "Stall ratio", -1, report.StateUnproven, 0.004*float64(i-3), 0.011)))
	}
	return out
}

func TestConclusionOutcome(t *testing.T) {
	t.Parallel()
	want := []Outcome{OutcomeShipped, OutcomeShipped, OutcomeRemoved, OutcomeVoid, OutcomeHarmful, OutcomeNoEffect, OutcomeVoid, OutcomeOpen}
	for i, c := range sampleConclusions()[:len(want)] {
		if got := c.Outcome(); got != want[i] {
			t.Errorf("the outcome of %s is %s, want %s", c.Key, got, want[i])
		}
	}
}

func TestConclusionsPage(t *testing.T) {
	t.Parallel()
	page := renderPage(t, func(r *Renderer) pageWriter {
		return bind(r.Conclusions, ConclusionsView{Base: "/conclusions", Conclusions: sampleConclusions(), Programme: "/programme", Limit: 14})
	})
	for _, want := range []string{
		"The newest 14 conclusions", "Shipped treatment, then removed", "The verdict was: Keep running", "&lt;b&gt;Agreed&lt;/b&gt;", "1 more that moved",
		`href="/experiments/low-latency?look=212"`, "Stopped: nothing can be said", "version 3", "stopped before the first look",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the library lacks %q", want)
		}
	}
	if strings.Contains(page, "50.0") {
		t.Error("numbers that cannot be trusted are shown")
	}
	golden(t, "conclusions.html", page)
	found := renderPage(t, func(r *Renderer) pageWriter {
		return bind(r.Conclusions, ConclusionsView{Base: "/conclusions", Query: `"x" <y>`, Programme: "/programme"})
	})
	if !strings.Contains(found, "Nothing found") || !strings.Contains(found, `value="&#34;x&#34; &lt;y&gt;"`) {
		t.Error("a search that finds nothing does not say so, or forgets what was asked")
	}
}

// builtReport is the report of a fixture.
func builtReport(fixture string) *report.Report {
	r := reports()[fixture]
	return &r
}

func sampleProgramme(chrome Chrome) ProgrammeView {
	return ProgrammeView{
		Chrome: chrome, Conclusions: sampleConclusions(), Running: 7, Library: "/conclusions", Metrics: "/catalogue",
		Holdouts: []HoldoutView{
			{
				Key: "year-2026", Unit: experiment.UnitViewer, Slots: 200, Honours: []Link{{Text: "abr-safety-75", URL: "/experiments/abr-safety-75"}, {Text: "low-latency", URL: "/experiments/low-latency"}},
				Ignores: []HoldoutIgnored{{Link{Text: "hotfix", URL: "/experiments/hotfix"}, "A repair that everybody needs."}},
				Measures: []HoldoutMeasure{
					{Link{Text: "year-2026-autumn", URL: "/experiments/year-2026-autumn"}, builtReport("ship")},
					{Link{Text: strings.Repeat("long-", 12), URL: "/experiments/long"}, builtReport("srm")},
					{Link{Text: "year-2026-winter", URL: "/experiments/year-2026-winter"}, builtReport("no_data")},
				},
			},
			{Key: "year-2025", Unit: experiment.UnitBroadcaster, Slots: 50, Ended: true},
			{Key: "year-2027", Unit: experiment.UnitViewer, Slots: 100},
		},
	}
}

// The page shows that the wins are drawn towards the mean, and a total only where
// somebody measured it, unless it cannot be believed.
func TestProgrammePage(t *testing.T) {
	t.Parallel()
	page := renderPage(t, func(r *Renderer) pageWriter { return bind(r.Programme, sampleProgramme(Chrome{})) })
	for _, want := range []string{
		"2 of 12 with a primary metric proven better", "17\u00a0%", "The cumulative effect is not known", "weight: 9900", "% of all viewers", "ended", "Effect of the programme", "Withheld", "no look yet", "A repair that everybody needs.",
		"Shipped, then removed: 1", "To be expected", "3.10\u00a0%", "11 experiments were judged on it", "no running experiment",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the programme lacks %q", want)
		}
	}
	golden(t, "programme.html", page)
	p, err := newProgrammePage(sampleProgramme(Chrome{}))
	if err != nil || len(p.Shrunk) != 1 || len(p.Shrunk[0].Rows) != 1 {
		t.Fatalf("shrunk %+v, %v, want the one shipped experiment judged on the stall ratio", p.Shrunk, err)
	}
	row := p.Shrunk[0].Rows[0]
	if row.Measured <= row.Expected || !strings.HasPrefix(row.Expected, "+") {
		t.Errorf("measured %s, expected %s: want less, but a gain", row.Measured, row.Expected)
	}
	// What measures the whole is no part of it: every number stays as it is.
	measured := sampleProgramme(Chrome{})
	again := measured.Conclusions[0]
	again.Shipped, again.Removed, again.Verdict, again.Look = "", false, report.VerdictProgrammeGain, 3
	measured.Conclusions = append(measured.Conclusions, again)
	if got := renderPage(t, func(r *Renderer) pageWriter { return bind(r.Programme, measured) }); got != page {
		t.Error("a measured holdout counts as an experiment of the programme")
	}
	few := sampleProgramme(Chrome{})
	few.Conclusions = few.Conclusions[:6]
	if p, err := newProgrammePage(few); err != nil || len(p.Shrunk) != 0 || !strings.Contains(p.Unshrunk, "10 past effects") {
		t.Errorf("with few experiments: %+v, %q, %v; want a refusal", p.Shrunk, p.Unshrunk, err)
	}
}

func TestEffectWidth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ size, want float64 }{{0, 1e-6}, {0.04, 0.005}, {0.08, 0.01}, {0.081, 0.02}, {3, 0.5}, {1e6, 2e5}} {
		if got := effectWidth(tt.size); math.Abs(got-tt.want) > 1e-9*tt.want {
			t.Errorf("effectWidth(%v) = %v, want %v", tt.size, got, tt.want)
		}
	}
}

// A metric tells who moved it and how narrow its intervals were.
func TestCatalogueHistory(t *testing.T) {
	t.Parallel()
	m := catalogueMetric{Key: "stall_ratio"}
	m.history(sampleConclusions())
	if len(m.Moved) != 3 || m.Moved[0].Name != "Low latency" || m.Moved[2].State.Word != "Worse" {
		t.Errorf("moved by %+v, want low latency, prefetch and new encoder", m.Moved)
	}
	if m.Sensitivity != "±1.1\u00a0% half the time when experiments were stopped, ±0.3\u00a0% at best (11 comparisons)" {
		t.Errorf("sensitivity %q", m.Sensitivity)
	}
	var none catalogueMetric
	if none.history(sampleConclusions()); none.Sensitivity != "" || none.Moved != nil {
		t.Errorf("a metric that nobody used has %+v", none)
	}
}
