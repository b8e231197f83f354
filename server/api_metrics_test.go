package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/metrics"
)

// ownMetric is a metric as a person writes it.
const ownMetric = `{"key":"first_minute","name":"First minute","description":"Share of plays of a minute.","kind":"ratio",
	"numerator":"engaged_attempts","denominator":"play_attempts","direction":1,"unit":"%","scale":100}`

func TestDefineMetric(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = apiPath + "/metrics"
	made := map[string]int{"metric_definitions": 1, "audit_log": 1}
	with := func(from, to string) string { return strings.Replace(ownMetric, from, to, 1) }
	atLimit := ownMetric + strings.Repeat(" ", metrics.MaxDefinitionBytes-len(ownMetric))
	b.play(t, []scenario{
		{name: "dry run", method: "POST", path: path + "?dry_run=true", as: "write", body: ownMetric, status: 200, has: []string{`"dry_run":true`, `"created"`}},
		{name: "create", method: "POST", path: path, as: "write", body: ownMetric, status: 200, has: []string{`"created"`, `"version":1`, `"tiers":"AB"`}, rows: made},
		{name: "again, at the limit of size", method: "POST", path: path, as: "write", body: atLimit, status: 200, has: []string{`"unchanged"`}},
		{name: "one byte too large", method: "POST", path: path, as: "write", body: atLimit + " ", status: 413},
		{name: "a new version", method: "POST", path: path, as: "write", body: with("Share", "The share"), status: 200, has: []string{`"updated"`, `"version":2`}, rows: made},
		{name: "read both", method: "GET", path: path + "/first_minute", as: "read", status: 200, has: []string{`"builtin":false`, `"created_by"`, `"version":1`, `"version":2`, "The share"}},
		{name: "it is in the list", method: "GET", path: path, as: "read", status: 200, has: []string{`"first_minute"`, `"stall_ratio"`, `"over":["stall_base_ms"`}},
		{name: "built in", method: "GET", path: path + "/stall_ratio", as: "read", status: 200, has: []string{`"builtin":true`, `"authors":[]`}},
		{name: "unknown", method: "GET", path: path + "/happiness", as: "read", status: 404, has: []string{"happiness"}},
		{name: "a plan may ask for it", method: "POST", path: apiPath + "/experiments", as: "write", header: asYAML, body: yamlOf("own", "first_minute", "running"), status: 200, has: []string{`"versions":{"first_minute":2}`}, rows: map[string]int{"experiments": 1, "experiment_versions": 1, "layers": 1, "audit_log": 1}},
		{name: "the key of a built-in one", method: "POST", path: path, as: "write", body: with("first_minute", "bitrate"), status: 409, has: []string{"built in"}},
		{name: "no such quantity", method: "POST", path: path, as: "write", body: with("play_attempts", "plays"), status: 400, has: []string{`"location":"denominator"`, "plays"}},
		{name: "a pair that is not observed together", method: "POST", path: path, as: "write", body: with("play_attempts", "rung_ms"), status: 400, has: []string{"denominator", "engaged_attempts is not observed where rung_ms is"}},
		{
			name: "in a document, with an experiment that asks for it", method: "POST", path: apiPath + "/experiments", as: "write",
			body: `{"metrics":[` + with("first_minute", "of_document") + `],"experiments":[{"key":"doc","unit":"viewer","design":"ab","status":"running","arms":[
				{"key":"control","weight":1,"value":1},{"key":"treatment","weight":1,"value":2}],"plan":{"primary":["of_document"]}}]}`,
			status: 200, has: []string{`"versions":{"of_document":1}`, `"result":"created"`},
			rows: map[string]int{"metric_definitions": 1, "experiments": 1, "experiment_versions": 1, "layers": 1, "audit_log": 2},
		},
		{
			name: "a fault in a document names its place", method: "POST", path: apiPath + "/experiments", as: "write",
			body: `{"metrics":[` + ownMetric + `,` + ownMetric + `,` + with("ratio", "sum") + `]}`, status: 400, has: []string{"metrics[1].key", "metrics[2].kind"},
		},
		{name: "read may not", method: "POST", path: path, as: "read", body: ownMetric, status: 403, has: []string{"write"}},
		{name: "no key", method: "POST", path: path, body: ownMetric, status: 401},
		{name: "unknown parameter", method: "POST", path: path + "?dryrun=1", as: "write", body: ownMetric, status: 422},
	})
}

// TestPreviewMetric previews metrics over outcomes that the job made.
func TestPreviewMetric(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	b.clock.advance(30 * time.Hour)
	b.runJob(t, 1)
	read := func(s scenario) (out struct {
		Preview metrics.Preview
		From    struct{ Experiments []string }
		Cost    []struct{ Units int64 }
		Refusal string `json:"cost_refusal"`
	},
	) {
		t.Helper()
		got := b.send(t, s)
		if got.status != http.StatusOK {
			t.Fatalf("%s %s = %d: %s", s.method, s.path, got.status, got.body)
		}
		if err := json.Unmarshal([]byte(got.body), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	stored := read(scenario{method: "GET", path: apiPath + "/metrics/telemetry_coverage/preview?mde=0.05", as: "read"})
	if stored.Preview.Units == 0 || len(stored.From.Experiments) != 1 {
		t.Errorf("the preview rests on %d units of %v", stored.Preview.Units, stored.From.Experiments)
	}
	body := `{"key":"h","name":"H","description":"d","kind":"mean","numerator":"watch_ms_uncapped","denominator":"watch_units","direction":1,"unit":"ms"}`
	fresh := read(scenario{method: "POST", path: apiPath + "/metrics/preview", as: "read", body: body})
	if fresh.Preview.Units+fresh.Preview.Missing == 0 {
		t.Errorf("the preview of a definition rests on nothing: %+v", fresh)
	}
	if (len(fresh.Cost) == 0) == (fresh.Refusal == "") {
		t.Errorf("neither a cost nor a reason: %+v", fresh)
	}
	b.play(t, []scenario{
		{name: "unknown", method: "GET", path: apiPath + "/metrics/happiness/preview", as: "read", status: 404},
		{name: "no unit type", method: "GET", path: apiPath + "/metrics/bitrate/preview?unit=cat", as: "read", status: 422},
		{name: "invalid", method: "POST", path: apiPath + "/metrics/preview", as: "read", body: `{"key":"h"}`, status: 400, has: []string{"numerator"}},
	})
}
