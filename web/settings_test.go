package web

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// sampleSettings has one of everything, and what was just made.
func sampleSettings(chrome Chrome) SettingsView {
	return SettingsView{
		Chrome: chrome, Base: "/settings", Now: telemetryNow,
		Keys: []SettingsKey{
			{ID: 1, Name: "bootstrap", Scopes: []experiment.Scope{experiment.ScopeAdmin}, CreatedAt: telemetryNow},
			{ID: 12, Name: "player <tv> " + strings.Repeat("long", 20), Scopes: []experiment.Scope{experiment.ScopeEvaluate, experiment.ScopeIngest}, Public: true, Owner: "ana", CreatedAt: telemetryNow},
		},
		Freezes: []experiment.Freeze{
			{Key: "finals", From: telemetryNow.Add(-time.Hour), To: telemetryNow.Add(time.Hour), Reason: "World finals"},
			{Key: "new-year", From: telemetryNow.AddDate(0, 1, 0), To: telemetryNow.AddDate(0, 1, 3), Reason: "Nobody is here"},
		},
		People: []SettingsPerson{{"ana", 2, telemetryNow}, {"<b>" + strings.Repeat("long", 20), 1, telemetryNow}},
		Lists: []SettingsList{
			{Key: "beta-testers", Unit: experiment.UnitViewer, Count: 12_345, ChangedAt: telemetryNow, UsedBy: []Link{{Text: "abr-safety-75", URL: "/experiments/abr-safety-75"}}},
			{Key: "partners", Count: 1, ChangedAt: telemetryNow},
		},
		Kept:    []SettingsKept{{"Exposures, sessions, looks, reports, conclusions, comments, audit log", "for ever; what was looked at is never changed"}, {"Counts of records by the minute", "31 days"}},
		About:   []SettingsAbout{{"Version", "1.0", ""}, {"API", "/api/v1/openapi.json", "/api/v1/openapi.json"}},
		MadeKey: &SettingsSecret{"player <tv>", "sk_ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, Invited: &SettingsInvite{"ana", "https://splitcast.example/signin?token=ABC", 600},
	}
}

// faultySettings is a form that was not accepted.
func faultySettings(chrome Chrome) SettingsView {
	return SettingsView{
		Chrome: chrome, Base: "/settings", Now: telemetryNow,
		Rejected: &SettingsFault{
			Section: SettingsKeys, Faults: experiment.Errors{experiment.Invalidf("scopes[0]", "a public key cannot have the scope admin")},
			Form: url.Values{"name": {`a "name"`}, "scope": {"admin", "read"}, "public": {"yes"}},
		},
	}
}

func TestSettingsPage(t *testing.T) {
	t.Parallel()
	page := renderPage(t, func(r *Renderer) pageWriter { return bind(r.Settings, sampleSettings(Chrome{})) })
	for _, want := range []string{
		"sk_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "it is not shown again", `action="/settings/keys/12/revoke"`, "evaluate, ingest", "player &lt;tv&gt;", "within 10 min",
		"in force", "to come", "12,345", `action="/settings/lists/partners/remove"`, "for ever", `href="/api/v1/openapi.json"`,
		"2 browsers", `value="ana"`, "&lt;b&gt;long",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the settings lack %q", want)
		}
	}
	if strings.Contains(page, "beta-testers/remove") {
		t.Error("a list that is in use can be removed")
	}
	golden(t, "settings.html", page)
	faulty := renderPage(t, func(r *Renderer) pageWriter { return bind(r.Settings, faultySettings(Chrome{})) })
	for _, want := range []string{
		"scopes[0]: a public key cannot have the scope admin", `value="a &#34;name&#34;"`, `value="admin" checked`, `value="read" checked`, `value="yes" checked`, `<details class="add" open>`,
	} {
		if !strings.Contains(faulty, want) {
			t.Errorf("a form that was not accepted lacks %q", want)
		}
	}
	if strings.Contains(faulty, `value="write" checked`) || strings.Count(faulty, " open>") != 1 {
		t.Error("more is chosen or open than was sent")
	}
}
