package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/telemetry"
)

// viewers stores sessions of n viewers of a country and player that began a day
// ago.
func (b *bench) viewers(t *testing.T, prefix string, n int, country, player string) {
	t.Helper()
	var sessions []telemetry.Session
	for i := range n {
		id := prefix + string(rune('a'+i))
		s := telemetry.Session{SessionID: "s-" + id, FirstRecvMs: testNow.Add(-24 * time.Hour).UnixMilli(), Tier: 1}
		s.ViewerID, s.Country, s.Player = "v-"+id, country, player
		sessions = append(sessions, s)
	}
	if err := b.db.MergeSessions(t.Context(), sessions); err != nil {
		t.Fatal(err)
	}
}

func TestPreviewAudience(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.viewers(t, "de", 5, "DE", "hls.js")
	b.viewers(t, "fr", 3, "FR", "")
	for body, want := range map[string][3]int64{ // seen, eligible, maybe
		`{"unit":"viewer"}`: {8, 8, 0},
		`{"unit":"viewer","audience":{"attr":"country","op":"eq","value":"DE"}}`:                                                           {8, 5, 0},
		`{"unit":"viewer","audience":{"attr":"player","op":"in","values":["hls.js"]}}`:                                                     {8, 5, 3},
		`{"unit":"viewer","audience":{"all":[{"attr":"app","op":"semver_ge","value":"5.2.0"},{"attr":"country","op":"eq","value":"FR"}]}}`: {8, 0, 3},
		`{"unit":"viewer","audience":{"any":[{"attr":"app","op":"present"},{"attr":"country","op":"eq","value":"FR"}]}}`:                   {8, 3, 5},
		`{"unit":"session","audience":{"not":{"attr":"country","op":"eq","value":"FR"}}}`:                                                  {8, 5, 0},
		`{"unit":"device"}`: {0, 0, 0},
	} {
		got := b.send(t, scenario{method: "POST", path: apiPath + "/audiences/preview", as: "read", body: body, header: map[string]string{"Content-Type": "application/json"}})
		var c launch.AudienceCount
		if err := json.Unmarshal([]byte(got.body), &c); err != nil || got.status != 200 {
			t.Fatalf("%s = %d %s, %v", body, got.status, got.body, err)
		}
		if have := [3]int64{c.Seen, c.Eligible, c.Maybe}; have != want {
			t.Errorf("%s = %v, want %v: %s", body, have, want, got.body)
		}
		if unknown := strings.Join(c.Unknown, ","); (unknown == "app") != strings.Contains(body, `"app"`) {
			t.Errorf("%s: attributes not known: %q", body, unknown)
		}
	}
	b.play(t, []scenario{
		{name: "blocks", method: "POST", path: apiPath + "/audiences/preview", as: "read", body: `{"unit":"block"}`, status: 422},
		{name: "no list", method: "POST", path: apiPath + "/audiences/preview", as: "read", body: `{"unit":"viewer","audience":{"op":"in_list","list":"none"}}`, status: 404},
		{name: "no comparison", method: "POST", path: apiPath + "/audiences/preview", as: "read", body: `{"unit":"viewer","audience":{"attr":"x","op":"like"}}`, status: 400},
		{name: "a service", method: "POST", path: apiPath + "/audiences/preview", as: "evaluate", body: `{"unit":"viewer"}`, status: 403},
	})
}

// The API says what the wizard shows.
func TestAssessLaunch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.viewers(t, "v", 4, "DE", "hls.js")
	const doc = `{"key":"new","change":"abr","unit":"viewer","slots":10000,"arms":[{"key":"c","weight":1,"value":1},{"key":"t","weight":1,"value":2}],
		"plan":{"primary":["stall_ratio"],"guardrails":[{"metric":"start_success","margin":0.005}]}}`
	path := apiPath + "/launch/assessment"
	b.play(t, []scenario{
		{name: "assessed", method: "POST", path: path, as: "read", body: doc, status: 200, has: []string{
			`"verdict":"needs_switchback"`, `"eligible_units":4`, `"planned_units":100000`, `"title":"It begins with 100 % of the traffic"`, `"title":"The layer has room"`,
		}},
		{name: "as YAML", method: "POST", path: path, as: "read", header: map[string]string{"Content-Type": "application/yaml"}, body: doc, status: 200},
		{name: "the key is taken", method: "POST", path: path, as: "read", body: strings.Replace(doc, `"new"`, `"abr"`, 1), status: 200, has: []string{`"title":"The key is taken"`}},
		{name: "faults are points of the list", method: "POST", path: path, as: "read", body: strings.Replace(doc, `"stall_ratio"`, `"no_such"`, 1), status: 200, has: []string{
			`{"level":"hard","ok":false,"step":"metrics"`, "no_such",
		}},
		{name: "what only a launch finds", method: "POST", path: path, as: "read", body: strings.Replace(doc, `"slots":10000`, `"requires":[{"experiment":"none","arms":["a"]}]`, 1), status: 200, has: []string{
			"which does not exist",
		}},
		{name: "one arm", method: "POST", path: path, as: "read", body: `{"key":"x","unit":"viewer","arms":[],"plan":{"primary":[]}}`, status: 200, has: []string{`"step":"change"`}},
		{name: "unknown field", method: "POST", path: path, as: "read", body: `{"key":"x","guardrail":1}`, status: 400},
		{name: "two", method: "POST", path: path, as: "read", body: `{"experiments":[` + doc + "," + doc + `]}`, status: 400},
		{name: "nobody", method: "POST", path: path, body: doc, status: 401},
		{name: "proposals", method: "GET", path: apiPath + "/launch/proposals", as: "read", status: 200, has: []string{`"change":"encoder"`, `"unit":"broadcaster"`}},
	})
}
