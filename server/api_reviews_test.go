package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// cookieOf signs a person in.
func (b *bench) cookieOf(t *testing.T, person string) map[string]string {
	t.Helper()
	path, err := b.srv.LoginPath(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	got := b.send(t, scenario{method: "POST", path: path})
	cookies := (&http.Response{Header: got.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("signing %s in = %d, %d cookies", person, got.status, len(cookies))
	}
	return map[string]string{"Cookie": cookies[0].Name + "=" + cookies[0].Value}
}

// keyOf makes an API key in the name of a person who signed in.
func (b *bench) keyOf(t *testing.T, cookie map[string]string) map[string]string {
	t.Helper()
	var key keyView
	got := b.send(t, scenario{method: "POST", path: apiPath + "/keys", header: cookie, body: `{"name":"ci","scopes":["write"]}`})
	if err := json.Unmarshal([]byte(got.body), &key); err != nil || key.Secret == "" {
		t.Fatalf("making a key = %d: %s", got.status, got.body)
	}
	return map[string]string{"Authorization": "Bearer " + key.Secret}
}

// The rule holds for sessions, keys and documents alike.
func TestReviewsByAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ana, bob := b.cookieOf(t, "ana"), b.cookieOf(t, "bob")
	anasKey, bobsKey := b.keyOf(t, ana), b.keyOf(t, bob)
	const reviews, path = apiPath + "/experiments/later/reviews", apiPath + "/experiments"
	later := `{"key":"later","unit":"viewer","status":%q,"arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"],"mde":%g}}`
	launch := fmt.Sprintf(later, "running", 0.03)
	asked := map[string]int{"audit_log": 1, "reviews": 1}
	done := map[string]int{"audit_log": 1}
	b.play(t, []scenario{
		{name: "off", method: "GET", path: apiPath + "/settings", as: "read", status: 200, has: []string{`"review_launches":false`}},
		{name: "switch on", method: "PUT", path: apiPath + "/settings", header: ana, body: `{"review_launches":true}`, status: 200, has: []string{`true`}, rows: done},
		{name: "switch on again", method: "PUT", path: apiPath + "/settings", header: ana, body: `{"review_launches":true}`, status: 200},
		{name: "ana edits by her key", method: "POST", path: path, header: anasKey, body: fmt.Sprintf(later, "draft", 0.03), status: 200, rows: map[string]int{"audit_log": 1, "experiment_versions": 1}},
		{name: "launch", method: "POST", path: path, header: anasKey, body: launch, status: 409, has: []string{`"code":"approval_required"`, "ask for a review first"}},
		{name: "launch without doing it", method: "POST", path: path + "?dry_run=true", header: anasKey, body: launch, status: 409, has: []string{`"code":"approval_required"`}},
		{name: "launch by nobody's key", method: "POST", path: path, as: "admin", body: launch, status: 409, has: []string{"approval_required"}},
		{name: "nobody's key asks", method: "POST", path: reviews, as: "write", body: `{"action":"launch"}`, status: 403, has: []string{"person"}},
		{name: "an arm of a launch", method: "POST", path: reviews, header: ana, body: `{"action":"launch","arm":"x"}`, status: 400, has: []string{`"arm"`}},
		{name: "a change to another", method: "POST", path: reviews, header: ana, body: `{"action":"change","experiment":` + `{"key":"abr"}` + `}`, status: 400, has: []string{"experiment.key"}},
		{name: "an unknown field", method: "POST", path: reviews, header: ana, body: `{"action":"change","experiment":{"slotz":1}}`, status: 400, has: []string{"slotz"}},
		{name: "a note too long", method: "POST", path: reviews, header: ana, body: `{"action":"launch","note":"` + strings.Repeat("n", experiment.MaxNoteBytes+1) + `"}`, status: 422, has: []string{"note"}},
		{name: "of none", method: "POST", path: apiPath + "/experiments/none/reviews", header: ana, body: `{"action":"launch"}`, status: 404},
		{name: "ask", method: "POST", path: reviews, header: ana, body: `{"action":"launch","reviewer":"bob","note":"` + strings.Repeat("n", experiment.MaxNoteBytes) + `"}`, status: 200, has: []string{`"state":"waiting"`, `"asked_by":"ana"`, `"author":"ana"`}, rows: asked},
		{name: "launch while it waits", method: "POST", path: path, header: bobsKey, body: launch, status: 409, has: []string{"waiting for another person"}},
		{name: "ana approves", method: "POST", path: reviews + "/1/decision", header: ana, body: `{"approve":true}`, status: 403, has: []string{"another person"}},
		{name: "ana's key approves", method: "POST", path: reviews + "/1/decision", header: anasKey, body: `{"approve":true}`, status: 403, has: []string{"another person"}},
		{name: "nobody's key approves", method: "POST", path: reviews + "/1/decision", as: "admin", body: `{"approve":true}`, status: 403, has: []string{"person"}},
		{name: "bob's key approves", method: "POST", path: reviews + "/1/decision", header: bobsKey, body: `{"approve":true}`, status: 200, has: []string{`"decided_by":"bob"`}, rows: done},
		{name: "list", method: "GET", path: reviews, as: "read", status: 200, has: []string{`"state":"approved"`, `"digest":"`, `"changes":[`}},
		{name: "another launch than approved", method: "POST", path: path, header: anasKey, body: fmt.Sprintf(later, "running", 0.04), status: 409, has: []string{"approved something else"}},
		{name: "launch what was approved", method: "POST", path: path, header: anasKey, body: launch, status: 200, rows: map[string]int{"audit_log": 1, "experiment_versions": 1}},
		{name: "the same again", method: "POST", path: path, header: anasKey, body: launch, status: 200, has: []string{"unchanged"}},
		{name: "publish what is done", method: "POST", path: reviews + "/1/publish", header: ana, body: `{}`, status: 409},
		{name: "ship", method: "POST", path: path + "/later/ship", header: bob, body: `{"arm":"treatment"}`, status: 409, has: []string{"approval_required"}},
		{name: "stop", method: "POST", path: path, header: anasKey, body: fmt.Sprintf(later, "stopped", 0.03), status: 200, rows: map[string]int{"audit_log": 1, "experiment_versions": 1}},
	})
}
