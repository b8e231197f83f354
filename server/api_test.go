package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// yamlSpec is an experiment as a person writes it.
const yamlSpec = `experiments:
  - key: %s
    unit: viewer
    design: ab
    arms:
      - {key: control, weight: 1, value: false}
      - {key: treatment, weight: 1, value: true}
    plan: {primary: [%s]}
    status: %s
`

func yamlOf(key, metric, status string) string { return fmt.Sprintf(yamlSpec, key, metric, status) }

var asYAML = map[string]string{"Content-Type": "application/yaml"}

func TestApply(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = apiPath + "/experiments"
	one := `{"key":"one","unit":"viewer","design":"ab","status":"draft","arms":[{"key":"control","weight":1,"value":1},{"key":"treatment","weight":1,"value":2}],"plan":{"primary":["stall_ratio"]}}`
	made := map[string]int{"experiments": 1, "experiment_versions": 1, "layers": 1, "audit_log": 1}
	atLimit := one + strings.Repeat(" ", experiment.MaxDocumentBytes-len(one))
	b.play(t, []scenario{
		{name: "dry run", method: "POST", path: path + "?dry_run=true", as: "write", body: one, status: 200, has: []string{`"dry_run":true`, `"created"`}},
		{name: "JSON", method: "POST", path: path, as: "write", body: one, status: 200, has: []string{`"created"`, `"key":"one"`}, lacks: []string{"$schema"}, rows: made},
		{name: "again, at the limit of size", method: "POST", path: path, as: "write", body: atLimit, status: 200, has: []string{`"unchanged"`}},
		{name: "one byte too large", method: "POST", path: path, as: "write", body: atLimit + " ", status: 413},
		{name: "much too large", method: "POST", path: path, as: "write", body: atLimit + atLimit, status: 413},
		{name: "YAML", method: "POST", path: path, as: "write", header: asYAML, body: yamlOf("two", "bitrate", "running"), status: 200, has: []string{`"created"`}, rows: made},
		{name: "YAML with a key twice", method: "POST", path: path, as: "write", header: asYAML, body: yamlOf("x", "bitrate", "draft") + "experiments: []\n", status: 400},
		{name: "not YAML", method: "POST", path: path, as: "write", header: asYAML, body: "a: [", status: 400},
		{name: "not JSON", method: "POST", path: path, as: "write", body: `{"key":`, status: 400},
		{name: "empty", method: "POST", path: path, as: "write", status: 400},
		{name: "unknown field", method: "POST", path: path, as: "write", body: strings.Replace(one, `"unit"`, `"unitt"`, 1), status: 400, has: []string{"unitt"}},
		{
			name: "unknown metric", method: "POST", path: path, as: "write", header: asYAML, body: yamlOf("three", "happiness", "draft"),
			status: 400, has: []string{`"location":"`, "plan.primary", "happiness"},
		},
		{
			name: "planned looks without an end", method: "POST", path: path, as: "write", header: asYAML,
			body:   strings.Replace(yamlOf("three", "bitrate", "draft"), "[bitrate]", "[bitrate], method: group_sequential, looks: 5", 1),
			status: 400, has: []string{`"plan.end"`, "planned end"},
		},
		{
			name: "planned looks that are over", method: "POST", path: path, as: "write", header: asYAML,
			body:   strings.Replace(yamlOf("three", "bitrate", "running"), "[bitrate]", "[bitrate], method: group_sequential, looks: 5, end: 2026-11-02", 1),
			status: 409, has: []string{`"plan.end"`},
		},
		{
			name: "one of two is bad: none is stored", method: "POST", path: path, as: "write", status: 400,
			body: `{"experiments":[` + strings.Replace(one, `"one"`, `"four"`, 1) + `,` + strings.Replace(one, `"one"`, `"no key!"`, 1) + `]}`,
			has:  []string{"experiments[1].key"},
		},
		{
			name: "conflict: another unit while it runs", method: "POST", path: path, as: "write", header: asYAML,
			body: strings.Replace(yamlOf("two", "bitrate", "running"), "unit: viewer", "unit: device", 1), status: 409,
		},
		{name: "unknown query parameter", method: "POST", path: path + "?dryrun=true", as: "write", body: one, status: 422, has: []string{"dryrun"}},
		{name: "bad query parameter", method: "POST", path: path + "?dry_run=perhaps", as: "write", body: one, status: 422, has: []string{"dry_run"}},
		{name: "read may not", method: "POST", path: path, as: "read", body: one, status: 403, has: []string{"write"}},
		{name: "no key", method: "POST", path: path, body: one, status: 401},
	})
}

func TestAppliedIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	evaluate := scenario{method: "POST", path: "/ofrep/v1/evaluate/flags/two", as: "evaluate", body: `{"context":{"targetingKey":"v-1"}}`}
	if got := b.send(t, evaluate); got.status != http.StatusNotFound {
		t.Fatalf("before: %d", got.status)
	}
	b.send(t, scenario{method: "POST", path: apiPath + "/experiments", as: "write", header: asYAML, body: yamlOf("two", "bitrate", "running")})
	if got := b.send(t, evaluate); got.status != http.StatusOK {
		t.Errorf("the evaluation after apply = %d: %s", got.status, got.body)
	}
}

func TestReadExperiments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = apiPath + "/experiments"
	b.play(t, []scenario{
		{name: "list", method: "GET", path: path, as: "read", status: 200, has: []string{`"key":"abr"`, `"key":"later"`}},
		{name: "get", method: "GET", path: path + "/abr", as: "read", status: 200, has: []string{`"key":"abr"`}, lacks: []string{"later"}},
		{name: "get none", method: "GET", path: path + "/nothing", as: "read", status: 404, has: []string{"nothing"}},
		{name: "versions", method: "GET", path: path + "/abr/versions", as: "read", status: 200, has: []string{`"revision":1`, `"changed_by":"test"`}},
		{name: "versions of none", method: "GET", path: path + "/nothing/versions", as: "read", status: 404},
		{name: "metrics", method: "GET", path: apiPath + "/metrics", as: "read", status: 200, has: []string{"stall_ratio"}},
		{name: "report without looks", method: "GET", path: path + "/abr/report", as: "read", status: 200, has: []string{`"abr"`}},
		{name: "report of none", method: "GET", path: path + "/nothing/report", as: "read", status: 404},
		{name: "look that is not there", method: "GET", path: path + "/abr/report?look=1", as: "read", status: 404, has: []string{`"location":"look"`}},
		{name: "look below 0", method: "GET", path: path + "/abr/report?look=-1", as: "read", status: 422, has: []string{"look"}},
		{name: "look of words", method: "GET", path: path + "/abr/report?look=new", as: "read", status: 422, has: []string{"look"}},
		{name: "unknown parameter", method: "GET", path: path + "/abr/report?lok=1", as: "read", status: 422, has: []string{"lok"}},
		{name: "csv", method: "GET", path: path + "/abr/report.csv", as: "read", status: 200, has: []string{"metric"}},
		{name: "csv of a look that is not there", method: "GET", path: path + "/abr/report.csv?look=9", as: "read", status: 404},
		{name: "wrong method", method: "PUT", path: path, as: "admin", status: 405},
		{name: "nothing there", method: "GET", path: apiPath + "/nothing", as: "admin", status: 404},
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = apiPath + "/keys"
	b.play(t, []scenario{
		{name: "list shows no secret", method: "GET", path: path, as: "admin", status: 200, has: []string{"test ingest"}, lacks: []string{"secret", "hash"}},
		{name: "no name", method: "POST", path: path, as: "admin", body: `{"name":"","scopes":["read"]}`, status: 422, has: []string{"name"}},
		{name: "longest name", method: "POST", path: path, as: "admin", body: `{"name":"` + strings.Repeat("n", 200) + `","scopes":["read"]}`, status: 200, rows: map[string]int{"api_keys": 1, "audit_log": 1}},
		{name: "name too long", method: "POST", path: path, as: "admin", body: `{"name":"` + strings.Repeat("n", 201) + `","scopes":["read"]}`, status: 422, has: []string{"name"}},
		{name: "no scope", method: "POST", path: path, as: "admin", body: `{"name":"n","scopes":[]}`, status: 422, has: []string{"scopes"}},
		{name: "unknown scope", method: "POST", path: path, as: "admin", body: `{"name":"n","scopes":["root"]}`, status: 400, has: []string{"scopes"}},
		{name: "unknown field", method: "POST", path: path, as: "admin", body: `{"name":"n","scopes":["read"],"secret":"mine"}`, status: 422, has: []string{"secret"}},
		{name: "revoke none", method: "DELETE", path: path + "/999999", as: "admin", status: 404},
		{name: "revoke a word", method: "DELETE", path: path + "/all", as: "admin", status: 422, has: []string{"id"}},
		{name: "login link", method: "POST", path: apiPath + "/login-links", as: "admin", status: 200, has: []string{"/signin?token="}, rows: map[string]int{"login_links": 1, "audit_log": 1}},
		{name: "audit", method: "GET", path: apiPath + "/audit?limit=2", as: "admin", status: 200, has: []string{`"entries":[`, "key"}, lacks: []string{"secret-of"}},
		{name: "audit at its limit", method: "GET", path: apiPath + "/audit?limit=500", as: "admin", status: 200},
		{name: "audit beyond its limit", method: "GET", path: apiPath + "/audit?limit=501", as: "admin", status: 422, has: []string{"limit"}},
	})
}

func TestKeyLivesFromCreateToRevoke(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	made := b.send(t, scenario{method: "POST", path: apiPath + "/keys", as: "admin", body: `{"name":"player","scopes":["evaluate"]}`})
	var key keyView
	if err := json.Unmarshal([]byte(made.body), &key); err != nil || key.Secret == "" {
		t.Fatalf("create = %d %s", made.status, made.body)
	}
	if cc := made.header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control of a new secret = %q, want no-store", cc)
	}
	b.secrets["player"] = key.Secret
	evaluate := scenario{method: "POST", path: "/ofrep/v1/evaluate/flags/abr", as: "player", body: `{"context":{"targetingKey":"v-1","splitcast.expose":false}}`}
	if got := b.send(t, evaluate); got.status != http.StatusOK {
		t.Errorf("with the new key = %d: %s", got.status, got.body)
	}
	for _, path := range []string{"/keys", "/audit"} {
		if got := b.send(t, scenario{method: "GET", path: apiPath + path, as: "admin"}); strings.Contains(got.body, key.Secret) {
			t.Errorf("%s shows the secret again", path)
		}
	}
	revoke := scenario{method: "DELETE", path: fmt.Sprintf("%s/keys/%d", apiPath, key.ID), as: "admin"}
	if got := b.send(t, revoke); got.status != http.StatusNoContent {
		t.Errorf("revoke = %d: %s", got.status, got.body)
	}
	if got := b.send(t, evaluate); got.status != http.StatusUnauthorized {
		t.Errorf("with the revoked key = %d", got.status)
	}
	if got := b.send(t, revoke); got.status != http.StatusNotFound {
		t.Errorf("revoke again = %d: %s", got.status, got.body)
	}
	if strings.Contains(b.log.String(), key.Secret) {
		t.Error("the log holds the secret")
	}
}

// Whoever changes the audit log behind the server's back is found out.
func TestAuditVerification(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	verify := scenario{method: "GET", path: apiPath + "/audit/verification", as: experiment.ScopeAdmin}
	var before, after AuditVerification
	if got := b.send(t, verify); got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &before) != nil || before.Broken != 0 {
		t.Fatalf("the log as it was written = %d: %s", got.status, got.body)
	}
	if n := b.count(t, "select count(*) from audit_log"); before.Entries != int64(n) || before.Hash == "" {
		t.Errorf("verification = %+v, want %d entries and a seal", before, n)
	}
	for _, statement := range []string{
		"alter table audit_log disable trigger all", "update audit_log set actor = 'nobody' where id = 2",
	} {
		if _, err := b.sql.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.send(t, verify); got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &after) != nil || after.Broken != 2 {
		t.Errorf("the log with another actor of entry 2 = %d: %s", got.status, got.body)
	}
}

func TestLastAdminKeyStays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.count(t, "select id from api_keys where name = 'test admin'")
	got := b.send(t, scenario{method: "DELETE", path: fmt.Sprintf("%s/keys/%d", apiPath, id), as: "admin"})
	if p := problemIn(t, got); p.Status != http.StatusConflict {
		t.Errorf("revoking the last admin key = %+v", p)
	}
}

// routes are all that need a scope, with the status of whoever has it.
var routes = []struct {
	scenario
	scope experiment.Scope
}{
	{scenario{method: "POST", path: "/ofrep/v1/evaluate/flags", body: `{"context":{"targetingKey":"v"}}`, status: 200}, experiment.ScopeEvaluate},
	{scenario{method: "POST", path: "/ofrep/v1/evaluate/flags/abr", body: `{"context":{"targetingKey":"v","splitcast.expose":false}}`, status: 200}, experiment.ScopeEvaluate},
	{scenario{method: "GET", path: FlagdPath, status: 200}, experiment.ScopeConfig},
	{scenario{method: "POST", path: "/v1/exposures", body: `[]`, status: 200}, experiment.ScopeIngest},
	{scenario{method: "POST", path: "/v1/heartbeats", body: `[]`, status: 200}, experiment.ScopeIngest},
	{scenario{method: "GET", path: apiPath + "/experiments", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/experiments/abr", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/versions", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/report", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/report.csv", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/shares", status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/shares", body: `{}`, status: 400}, experiment.ScopeWrite},
	{scenario{method: "DELETE", path: apiPath + "/experiments/abr/shares/none", status: 404}, experiment.ScopeWrite},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/comments", status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/comments", body: `{"look":1,"text":"x"}`, status: 400}, experiment.ScopeWrite},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/outcomes", status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/imports", body: "[]", status: 200}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/imports/close", status: 200}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/imports/events", body: "[]", status: 200}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/imports/sessions", body: "[]", status: 200}, experiment.ScopeWrite},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/cells", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/looks", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/notebook", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/metrics", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/metrics/stall_ratio", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/metrics/stall_ratio/preview", status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/metrics", body: ownMetric, status: 200}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/metrics/preview", body: ownMetric, status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/config", status: 200}, experiment.ScopeConfig},
	{scenario{method: "POST", path: apiPath + "/experiments", body: `{`, status: 400}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/ship", body: `{}`, status: 422}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/remove", body: `{}`, status: 409}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/restart", body: `[]`, status: 422}, experiment.ScopeWrite},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/reviews", status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/reviews", body: `{}`, status: 422}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/reviews/1/decision", body: `{"approve":true}`, status: 404}, experiment.ScopeWrite},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/reviews/1/publish", body: `{}`, status: 404}, experiment.ScopeWrite},
	{scenario{method: "GET", path: apiPath + "/settings", status: 200}, experiment.ScopeRead},
	{scenario{method: "PUT", path: apiPath + "/settings", body: `[]`, status: 422}, experiment.ScopeAdmin},
	{scenario{method: "POST", path: apiPath + "/experiments/abr/restatements", body: `[]`, status: 422}, experiment.ScopeAdmin},
	{scenario{method: "GET", path: apiPath + "/layers", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/holdouts", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/freezes", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/lists", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/lists/none", status: 404}, experiment.ScopeRead},
	{scenario{method: "PUT", path: apiPath + "/lists/none", status: 400}, experiment.ScopeWrite},
	{scenario{method: "DELETE", path: apiPath + "/lists/none", status: 404}, experiment.ScopeWrite},
	{scenario{method: "GET", path: apiPath + "/experiments/abr/exposures/audit", status: 200}, experiment.ScopeAdmin},
	{scenario{method: "GET", path: apiPath + "/keys", status: 200}, experiment.ScopeAdmin},
	{scenario{method: "POST", path: apiPath + "/keys", body: `{}`, status: 422}, experiment.ScopeAdmin},
	{scenario{method: "DELETE", path: apiPath + "/keys/0", status: 404}, experiment.ScopeAdmin},
	{scenario{method: "POST", path: apiPath + "/login-links", status: 200}, experiment.ScopeAdmin},
	{scenario{method: "GET", path: apiPath + "/people", status: 200}, experiment.ScopeAdmin},
	{scenario{method: "DELETE", path: apiPath + "/people/nobody/sessions", status: 404}, experiment.ScopeAdmin},
	{scenario{method: "GET", path: apiPath + "/audit", status: 200}, experiment.ScopeAdmin},
	{scenario{method: "GET", path: apiPath + "/audit/verification", status: 200}, experiment.ScopeAdmin},
	{scenario{method: "POST", path: "/v1/broadcasts", body: `[]`, status: 200}, experiment.ScopeIngest},
	{scenario{method: "POST", path: "/v1/events", body: `[]`, status: 200}, experiment.ScopeIngest},
	{scenario{method: "POST", path: "/v1/request-logs", body: `[]`, status: 200}, experiment.ScopeIngest},
	{scenario{method: "GET", path: apiPath + "/telemetry/health", status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/launch/proposals", status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/launch/assessment", body: `{}`, status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/audiences/preview", body: `{"unit":"viewer"}`, status: 200}, experiment.ScopeRead},
	{scenario{method: "GET", path: apiPath + "/telemetry/stops", status: 200}, experiment.ScopeRead},
	{scenario{method: "POST", path: apiPath + "/telemetry/stops", body: `{}`, status: 422}, experiment.ScopeAdmin},
	{scenario{method: "DELETE", path: apiPath + "/telemetry/stops/none", status: 404}, experiment.ScopeAdmin},
}

// Every route is tried with every scope: the one it names and admin pass, the
// others are forbidden, and without a key, or with a wrong one, nobody learns
// more than that.
func TestScopeMatrix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	awaitFlagd(t, b)
	b.secrets["wrong"] = "secret-of-nobody-0123456789"
	for _, r := range routes {
		want := map[experiment.Scope]int{"": 401, "wrong": 401}
		for _, scope := range allScopes {
			want[scope] = 403
		}
		want[r.scope], want[experiment.ScopeAdmin] = r.status, r.status
		if r.path == "/v1/exposures" {
			want[experiment.ScopeEvaluate] = r.status // see checkPublic
		}
		for as, status := range want {
			sc := r.scenario
			sc.as = as
			got := b.send(t, sc)
			if got.status != status {
				t.Errorf("%s %s as %q = %d, want %d: %s", sc.method, sc.path, as, got.status, status, got.body)
			}
			if refused := status == http.StatusUnauthorized; refused != (got.header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s %s as %q: WWW-Authenticate = %q", sc.method, sc.path, as, got.header.Get("WWW-Authenticate"))
			}
			if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
				problemIn(t, got)
			}
		}
	}
}

func TestKeyIsTakenInEachForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret := b.secrets[experiment.ScopeRead]
	for _, tt := range []struct {
		header, value string
		status        int
	}{
		{"Authorization", "Bearer " + secret, 200},
		{"Authorization", "bearer " + secret, 200},
		{"X-API-Key", secret, 200},
		{"Authorization", "Basic " + secret, 401},
		{"Authorization", secret, 401},
		{"Authorization", "Bearer ", 401},
	} {
		got := b.send(t, scenario{method: "GET", path: apiPath + "/metrics", header: map[string]string{tt.header: tt.value}})
		if got.status != tt.status {
			t.Errorf("%s: %.8s = %d, want %d", tt.header, tt.value, got.status, tt.status)
		}
	}
}

// The document describes every operation of the matrix with its scope.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.send(t, scenario{method: "GET", path: apiPath + "/openapi.json"})
	var doc struct {
		OpenAPI string `json:"openapi"`
		Info    struct{ Title, Version string }
		Servers []struct{ URL string }
		Paths   map[string]map[string]struct {
			OperationID string                `json:"operationId"`
			Security    []map[string][]string `json:"security"`
			Responses   map[string]any        `json:"responses"`
		}
		Components struct {
			SecuritySchemes map[string]any `json:"securitySchemes"`
			Schemas         map[string]any `json:"schemas"`
		}
	}
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil || got.status != http.StatusOK {
		t.Fatalf("openapi.json = %d, %v", got.status, err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version != "test" || doc.Components.SecuritySchemes["key"] == nil {
		t.Errorf("the document is %q of %+v", doc.OpenAPI, doc.Info)
	}
	if len(doc.Servers) != 1 || doc.Servers[0].URL != apiPath {
		t.Errorf("servers = %+v, want %s", doc.Servers, apiPath)
	}
	described := 0
	for _, operations := range doc.Paths {
		described += len(operations)
	}
	wanted := 0
	for _, r := range routes {
		path, ok := strings.CutPrefix(r.path, apiPath)
		if !ok {
			continue
		}
		wanted++
		path = strings.NewReplacer("/abr", "/{key}", "/stall_ratio", "/{key}", "/lists/none", "/lists/{key}", "/stops/none", "/stops/{session}", "/keys/0", "/keys/{id}", "/shares/none", "/shares/{id}", "/reviews/1", "/reviews/{id}", "/people/nobody", "/people/{name}").Replace(path)
		op, ok := doc.Paths[path][strings.ToLower(r.method)]
		if !ok || op.OperationID == "" || len(op.Responses) < 2 {
			t.Errorf("%s %s is not described: %+v", r.method, path, op)
			continue
		}
		if len(op.Security) != 1 || len(op.Security[0]["key"]) != 1 || op.Security[0]["key"][0] != string(r.scope) {
			t.Errorf("security of %s %s = %v, want the scope %s", r.method, path, op.Security, r.scope)
		}
	}
	if described != wanted {
		t.Errorf("the document has %d operations, the matrix %d", described, wanted)
	}
	for _, ref := range refsOf(got.body) {
		if doc.Components.Schemas[ref] == nil {
			t.Errorf("the document refers to the schema %s, which is not there", ref)
		}
	}
}

// refsOf returns the names of schemas that a document refers to.
func refsOf(document string) []string {
	var out []string
	for _, part := range strings.Split(document, `"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		out = append(out, name)
	}
	return out
}
