package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// evaluated returns what OFREP answers for the experiment abr to a viewer.
func (b *bench) evaluated(t *testing.T, viewer string) string {
	t.Helper()
	got := b.send(t, scenario{
		method: "POST", path: "/ofrep/v1/evaluate/flags/abr", as: experiment.ScopeEvaluate,
		body: `{"context":{"targetingKey":"` + viewer + `","splitcast.expose":false}}`,
	})
	if got.status != http.StatusOK {
		t.Fatalf("evaluate = %d: %s", got.status, got.body)
	}
	return got.body
}

// An arm is shipped to everyone, removed, and the experiment restarted; each is
// in force with the answer, and in the audit log.
func TestActionsOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	write := experiment.ScopeWrite
	change := map[string]int{"audit_log": 1, "experiment_versions": 1}
	b.play(t, []scenario{
		{name: "no such arm", method: "POST", path: apiPath + "/experiments/abr/ship", as: write, body: `{"arm":"none"}`, status: 400, has: []string{`no arm \"none\"`}},
		{name: "no such experiment", method: "POST", path: apiPath + "/experiments/none/ship", as: write, body: `{"arm":"control"}`, status: 404},
		{name: "a draft", method: "POST", path: apiPath + "/experiments/later/ship", as: write, body: `{"arm":"control"}`, status: 409},
		{name: "unknown field", method: "POST", path: apiPath + "/experiments/abr/ship", as: write, body: `{"arm":"control","why":"x"}`, status: 422},
		{
			name: "ship", method: "POST", path: apiPath + "/experiments/abr/ship", as: write, body: `{"arm":"treatment","reason":"less stalling"}`, status: 200, rows: change,
			has: []string{`"shipped_arm":"treatment"`, `"status":"stopped"`},
		},
	})
	for i := range 8 {
		if body := b.evaluated(t, fmt.Sprint("v-", i)); !strings.Contains(body, `"variant":"treatment"`) || !strings.Contains(body, `"cause":"shipped","assigned":false},"reason":"STATIC"`) {
			t.Errorf("after shipping: %s", body)
		}
	}
	b.play(t, []scenario{
		{name: "remove", method: "POST", path: apiPath + "/experiments/abr/remove", as: write, body: `{}`, status: 200, rows: change, lacks: []string{"shipped_arm\":\"treatment"}},
		{name: "remove again", method: "POST", path: apiPath + "/experiments/abr/remove", as: write, body: `{}`, status: 409},
	})
	if body := b.evaluated(t, "v-1"); !strings.Contains(body, `"cause":"inactive"`) {
		t.Errorf("after removing: %s", body)
	}
	b.play(t, []scenario{
		{name: "restart", method: "POST", path: apiPath + "/experiments/abr/restart", as: write, body: `{}`, status: 200, rows: change, has: []string{`"version":2`, `"status":"running"`}},
		{
			name: "audit", method: "GET", path: apiPath + "/audit?limit=3", as: experiment.ScopeAdmin, status: 200,
			has: []string{"experiment.ship", "experiment.remove", "experiment.restart", "less stalling"},
		},
	})
	if body := b.evaluated(t, "v-1"); !strings.Contains(body, `"version":2`) || !strings.Contains(body, `"cause":"split"`) {
		t.Errorf("after the restart: %s", body)
	}
}

func TestListsOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	text := map[string]string{"Content-Type": "text/plain"}
	json := map[string]string{"Content-Type": "application/json"}
	put := func(name, body string, header map[string]string, status int, rows map[string]int, has ...string) scenario {
		return scenario{name: name, method: "PUT", path: apiPath + "/lists/beta", as: experiment.ScopeWrite, header: header, body: body, status: status, rows: rows, has: has}
	}
	audited := map[string]int{"audit_log": 1}
	b.play(t, []scenario{
		put("text", "v-2\r\nv-1\n\nv-2\n", text, 200, audited, `"result":"created"`, `"count":2`),
		put("the same in JSON", `{"ids":["v-1","v-2"]}`, json, 200, nil, `"result":"unchanged"`),
		put("of a unit", `{"unit":"viewer","ids":["v-1","v-2"]}`, json, 200, audited, `"unit":"viewer"`),
		put("empty", "\n", text, 400, nil, "at least one id"),
		put("not ASCII", "v-1\nжук\n", text, 400, nil, "id 2"),
		put("unknown field", `{"ids":["a"],"name":"x"}`, json, 400, nil, "name"),
		put("ids that are numbers", `{"ids":[1]}`, json, 400, nil),
		put("one id too many", strings.Repeat("a\n", experiment.MaxListIDs+1), text, 413, nil, "at most 100000"),
		{name: "read", method: "GET", path: apiPath + "/lists/beta", as: experiment.ScopeRead, status: 200, has: []string{"v-1\nv-2\n"}},
		{name: "describe", method: "GET", path: apiPath + "/lists", as: experiment.ScopeRead, status: 200, has: []string{`"key":"beta"`, `"count":2`}, lacks: []string{"v-1"}},
	})
	b.apply(t, `{"experiments":[{"key":"listed","unit":"viewer","status":"running","audience":{"op":"in_list","list":"beta"},
		"arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}]}`)
	b.play(t, []scenario{
		{name: "in use", method: "DELETE", path: apiPath + "/lists/beta", as: experiment.ScopeWrite, status: 409, has: []string{"listed"}},
		put("replaced", "v-9", text, 200, audited, `"result":"updated"`, `"used_by":["listed"]`),
	})
	for viewer, cause := range map[string]string{"v-9": "split", "v-1": "audience"} {
		got := b.send(t, scenario{method: "POST", path: "/ofrep/v1/evaluate/flags/listed", as: experiment.ScopeEvaluate, body: `{"context":{"targetingKey":"` + viewer + `","splitcast.expose":false}}`})
		if !strings.Contains(got.body, `"cause":"`+cause+`"`) {
			t.Errorf("%s: %s, want cause %s", viewer, got.body, cause)
		}
	}
}

// A holdout keeps control and says so; its units make no exposure.
func TestHoldoutOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.play(t, []scenario{
		{name: "nobody left", method: "POST", path: apiPath + "/experiments", as: experiment.ScopeWrite, body: `{"holdouts":[{"key":"h","unit":"viewer","slots":10000}]}`, status: 400, has: []string{"holdouts[0].slots"}},
		{
			name: "create", method: "POST", path: apiPath + "/experiments", as: experiment.ScopeWrite, body: `{"holdouts":[{"key":"h","unit":"viewer","slots":5000}]}`, status: 200,
			rows: map[string]int{"audit_log": 1}, has: []string{`"applied":[]`, `"holdouts":[{"result":"created"`},
		},
		{name: "list", method: "GET", path: apiPath + "/holdouts", as: experiment.ScopeRead, status: 200, has: []string{`"slots":5000`}},
	})
	held := 0
	for i := range 40 {
		body := b.evaluated(t, fmt.Sprint("v-", i))
		if !strings.Contains(body, `"cause":"holdout"`) {
			continue
		}
		held++
		if !strings.Contains(body, `"variant":"control"`) || !strings.Contains(body, `"holdout":"h"`) || !strings.Contains(body, `"assigned":false`) {
			t.Errorf("a held-out unit gets %s", body)
		}
	}
	if held < 5 || held > 35 {
		t.Errorf("%d of 40 units are held out, want about half", held)
	}
}

// During a window the API refuses by its name; an administrator may stop.
func TestFreezeOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	window := fmt.Sprintf(`{"freezes":[{"key":"cup","from":%q,"to":%q,"reason":"the final"}]}`,
		testNow.Format(time.RFC3339), testNow.Add(time.Hour).Format(time.RFC3339))
	const ship = `{"arm":"treatment","break_freeze":"now"}`
	stop := strings.Replace(strings.Split(benchSpecs, `{"key":"later"`)[0], `"status":"running"`, `"status":"stopped"`, 1)
	stop = strings.TrimSuffix(strings.TrimSpace(stop), ",") + `],"break_freeze":"it stalls"}`
	write := experiment.ScopeWrite
	b.play(t, []scenario{
		{name: "the window", method: "POST", path: apiPath + "/experiments", as: write, body: window, status: 200, rows: map[string]int{"audit_log": 1}},
		{name: "listed", method: "GET", path: apiPath + "/freezes", as: experiment.ScopeRead, status: 200, has: []string{`"key":"cup"`}},
		{name: "ship", method: "POST", path: apiPath + "/experiments/abr/ship", as: write, body: ship, status: 409, has: []string{"cup (the final)", testNow.Add(time.Hour).Format(time.RFC3339)}},
		{name: "ship as administrator", method: "POST", path: apiPath + "/experiments/abr/ship", as: experiment.ScopeAdmin, body: ship, status: 409},
		{name: "stop", method: "POST", path: apiPath + "/experiments", as: write, body: stop, status: 403, has: []string{"only an administrator"}},
		{
			name: "stop as administrator", method: "POST", path: apiPath + "/experiments", as: experiment.ScopeAdmin, body: stop, status: 200,
			rows: map[string]int{"audit_log": 1, "experiment_versions": 1}, has: []string{`"status":"stopped"`},
		},
	})
}

// A layer shows who owns what, and a conflict names the owners.
func TestLayerMapOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	spec := func(key string, slots int) string {
		return fmt.Sprintf(`{"key":%q,"unit":"viewer","status":"running","layer":"player","slots":%d,
			"arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}`, key, slots)
	}
	b.apply(t, spec("owner", 7000))
	b.play(t, []scenario{
		{name: "full", method: "POST", path: apiPath + "/experiments", as: experiment.ScopeWrite, body: spec("late", 4000), status: 409, has: []string{"owner owns 7000"}},
		{
			name: "map", method: "GET", path: apiPath + "/layers", as: experiment.ScopeRead, status: 200,
			has: []string{`{"key":"player","unit":"viewer","owners":[{"experiment":"owner","status":"running","from":0,"to":7000}],"free":3000}`},
		},
	})
}
