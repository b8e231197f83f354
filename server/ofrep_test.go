package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// ofrepBench is an OFREP server over HTTP with a configuration that the test
// can replace, and the exposures that it made.
type ofrepBench struct {
	t       *testing.T
	url     string
	ofrep   *OFREP
	schemas jsonSchemas // nil: bodies are not validated
	snap    *assignment.Snapshot
	exposed chan experiment.Exposure
}

// ofrepTime is when all exposures of these tests happen.
var ofrepTime = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newOFREPBench(t *testing.T, cfg *experiment.Config) *ofrepBench {
	t.Helper()
	b := &ofrepBench{t: t, exposed: make(chan experiment.Exposure, 1000)}
	if cfg != nil {
		b.snap = ofrepCompile(t, *cfg)
	}
	b.ofrep = &OFREP{
		Snapshot: func() *assignment.Snapshot { return b.snap },
		Expose:   func(x experiment.Exposure) { b.exposed <- x },
		Now:      func() time.Time { return ofrepTime },
	}
	r := chi.NewRouter()
	r.Use(b.ofrep.CORS)
	r.Post("/ofrep/v1/evaluate/flags/{key}", b.ofrep.Single)
	r.Post("/ofrep/v1/evaluate/flags", b.ofrep.Bulk)
	r.Get("/ofrep/v1/events", b.ofrep.Events)
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	b.url = srv.URL
	return b
}

func ofrepCompile(t *testing.T, cfg experiment.Config) *assignment.Snapshot {
	t.Helper()
	s, err := assignment.Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ofrepConfig has experiments with a boolean, a number, a string and an object
// as value, one of which is open to Germans only, one paused, one with an override.
func ofrepConfig() *experiment.Config {
	cfg := &experiment.Config{Version: 5}
	for _, v := range [][3]string{
		{"abr", `{"safety":0.8}`, `{"safety":0.75}`}, {"autoplay", `true`, `false`}, {"buffer", `2.5`, `3`}, {"player", `"hls.js"`, `"native"`},
	} {
		key := v[0]
		cfg.Layers = append(cfg.Layers, experiment.Layer{Key: key, Unit: experiment.UnitViewer, Salt: "layer-" + key})
		e := experiment.Experiment{
			Spec: experiment.Spec{
				Key: key, Unit: experiment.UnitViewer, Design: experiment.DesignAB, Status: experiment.StatusRunning,
				Arms: []experiment.Arm{
					{Key: "control", Weight: 1, Value: json.RawMessage(v[1])},
					{Key: "treatment", Weight: 1, Value: json.RawMessage(v[2])},
				},
			},
			Version: 2, Salt: "salt-" + key, SlotRanges: []experiment.SlotRange{{From: 0, To: experiment.TotalSlots}},
		}
		switch key {
		case "player":
			e.Audience = &experiment.Audience{Attr: "country", Op: experiment.OpEq, Value: experiment.Scalar{V: "DE"}}
		case "buffer":
			e.Status = experiment.StatusPaused
		case "autoplay":
			e.Overrides = map[string]string{"qa-1": "treatment"}
		}
		cfg.Experiments = append(cfg.Experiments, e)
	}
	return cfg
}

// ofrepAnswer is what came back.
type ofrepAnswer struct {
	status int
	header http.Header
	text   string
	json   map[string]any // nil when the body is not an object
}

func (b *ofrepBench) post(path, body string, header ...string) ofrepAnswer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/ofrep/v1/evaluate/flags"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return b.do(r)
}

func (b *ofrepBench) do(r *http.Request) ofrepAnswer {
	b.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := ofrepAnswer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if json.Unmarshal(text, &a.json) != nil {
		a.json = nil
	}
	return a
}

// want checks the status and, when schema names one, the form of the body.
func (b *ofrepBench) want(a ofrepAnswer, status int, schema string) {
	b.t.Helper()
	if a.status != status {
		b.t.Fatalf("status %d, want %d; body %s", a.status, status, a.text)
	}
	if schema == "" {
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		b.t.Errorf("Content-Type %q", got)
	}
	if a.json == nil {
		b.t.Fatalf("body is not a JSON object: %s", a.text)
	}
	if b.schemas == nil {
		return
	}
	if err := b.schemas.check("openapi.yaml#/components/schemas/"+schema, a.json); err != nil {
		b.t.Errorf("body breaks OFREP's %s: %v\n%s", schema, err, a.text)
	}
}

// loadOFREPSchemas reads OFREP's document. Its oneOf over the types of values
// can never hold for a value that is there, because "code default" takes any
// object and every integer is a number: it is read as anyOf. Nothing else is
// loosened. Without the document the cases run all the same, and bodies are
// not validated.
func (b *ofrepBench) loadOFREPSchemas() {
	b.t.Helper()
	text, err := readShared(b.t, "ofrep", "openapi.yaml")
	if err != nil {
		b.t.Logf("answers are not validated: %v", err)
		return
	}
	b.schemas = jsonSchemas{}
	b.schemas.load(b.t, "openapi.yaml", text)
	_, s := b.schemas.resolve("", "openapi.yaml#/components/schemas/evaluationSuccess")
	values := s.(map[string]any)["allOf"].([]any)[1].(map[string]any)
	values["anyOf"] = values["oneOf"]
	delete(values, "oneOf")
}

const (
	okSchema       = "serverEvaluationSuccess"
	failSchema     = "evaluationFailure"
	notFoundSchema = "flagNotFound"
	bulkSchema     = "bulkEvaluationSuccess"
	bulkFailSchema = "bulkEvaluationFailure"
)

func ofrepBody(unit string) string {
	return fmt.Sprintf(`{"context":{"targetingKey":%q,"country":"DE"}}`, unit)
}

// The protocol's cases for one flag.
func TestOFREPSingleKeepsTheProtocol(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	b.loadOFREPSchemas()
	tests := []struct {
		name, path, body string
		status           int
		schema           string
		code             string
	}{
		{"success", "/abr", ofrepBody("v-1"), 200, okSchema, ""},
		{"boolean", "/autoplay", ofrepBody("v-1"), 200, okSchema, ""},
		{"number, paused", "/buffer", ofrepBody("v-1"), 200, okSchema, ""},
		{"string", "/player", ofrepBody("v-1"), 200, okSchema, ""},
		{"override", "/autoplay", ofrepBody("qa-1"), 200, okSchema, ""},
		{"rich context", "/abr", `{"context":{"targetingKey":"v","n":1.5,"b":true,"a":[1,"x"],"o":{"p":null},"u":"ж😀"},"more":[{}]}`, 200, okSchema, ""},
		{"unknown flag", "/no-such-flag", ofrepBody("v-1"), 404, notFoundSchema, "FLAG_NOT_FOUND"},
		{"unknown flag that needs escapes", "/%22%2F%25", ofrepBody("v-1"), 404, notFoundSchema, "FLAG_NOT_FOUND"},
		{"no targeting key", "/abr", `{"context":{}}`, 400, failSchema, "TARGETING_KEY_MISSING"},
		{"targeting key empty", "/abr", ofrepBody(""), 400, failSchema, "TARGETING_KEY_MISSING"},
		{"targeting key null", "/abr", `{"context":{"targetingKey":null}}`, 400, failSchema, "TARGETING_KEY_MISSING"},
		{"targeting key a number", "/abr", `{"context":{"targetingKey":12}}`, 400, failSchema, "INVALID_CONTEXT"},
		{"targeting key an object", "/abr", `{"context":{"targetingKey":{}}}`, 400, failSchema, "INVALID_CONTEXT"},
		{"targeting key not ASCII", "/abr", ofrepBody("ж"), 400, failSchema, "INVALID_CONTEXT"},
		{"targeting key of 128 bytes", "/abr", ofrepBody(strings.Repeat("k", 128)), 200, okSchema, ""},
		{"targeting key of 129 bytes", "/abr", ofrepBody(strings.Repeat("k", 129)), 400, failSchema, "INVALID_CONTEXT"},
		{"viewer id a number", "/abr", `{"context":{"targetingKey":"v","viewer_id":1}}`, 400, failSchema, "INVALID_CONTEXT"},
		{"malformed JSON", "/abr", `{bad`, 400, failSchema, "PARSE_ERROR"},
		{"text after the body", "/abr", ofrepBody("v") + "x", 400, failSchema, "PARSE_ERROR"},
		{"empty body", "/abr", ``, 400, failSchema, "PARSE_ERROR"},
		{"no context", "/abr", `{}`, 400, failSchema, "INVALID_CONTEXT"},
		{"context a string", "/abr", `{"context":"x"}`, 400, failSchema, "INVALID_CONTEXT"},
		{"body an array", "/abr", `[]`, 400, failSchema, "INVALID_CONTEXT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := *b
			b.t = t
			a := b.post(tt.path, tt.body)
			b.want(a, tt.status, tt.schema)
			if code, _ := a.json["errorCode"].(string); code != tt.code {
				t.Errorf("errorCode %q, want %q", code, tt.code)
			}
			if again := b.post(tt.path, tt.body); again.text != a.text {
				t.Errorf("the same request answers %s, then %s", a.text, again.text)
			}
			if details, _ := a.json["errorDetails"].(string); tt.code != "" && details == "" {
				t.Error("the failure does not say in words what is wrong")
			}
		})
	}
	if a := b.post("/%22%2F%25", ofrepBody("v")); a.json["key"] != `"/%` {
		t.Errorf("an unknown key is echoed as %v", a.json["key"])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/ofrep/v1/evaluate/flags/abr", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	b.want(b.do(r), http.StatusMethodNotAllowed, "")
}

// The protocol's cases for all flags.
func TestOFREPBulkKeepsTheProtocol(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	b.loadOFREPSchemas()
	a := b.post("", ofrepBody("v-1"))
	b.want(a, 200, bulkSchema)
	etag := a.header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) {
		t.Errorf("ETag %s is not strong", etag)
	}
	for _, f := range a.json["flags"].([]any) {
		flag := f.(map[string]any)
		single := b.post("/"+flag["key"].(string), ofrepBody("v-1"))
		if diff := cmp.Diff(single.json, flag); diff != "" {
			t.Errorf("bulk and single differ (-single +bulk):\n%s", diff)
		}
	}
	if n := len(a.json["flags"].([]any)); n != 4 {
		t.Errorf("bulk holds %d flags, want 4", n)
	}
	for _, lines := range [][]string{
		{etag}, {`"zzz", ` + etag}, {`"a,b" ,` + etag + `, "c"`}, {"W/" + etag}, {strings.Trim(etag, `"`)}, {"*"}, {`"zzz"`, etag},
	} {
		var header []string
		for _, l := range lines {
			header = append(header, "If-None-Match", l)
		}
		a := b.post("", ofrepBody("v-1"), header...)
		b.want(a, http.StatusNotModified, "")
		if a.text != "" || a.header.Get("ETag") != etag {
			t.Errorf("If-None-Match %v: body %q, ETag %s", lines, a.text, a.header.Get("ETag"))
		}
	}
	for _, none := range []string{`"zzz"`, ``, `"`, `,`, `W/`, `""`, etag[:len(etag)-2] + `"`} {
		a := b.post("", ofrepBody("v-1"), "If-None-Match", none)
		b.want(a, 200, bulkSchema)
		if a.header.Get("ETag") != etag {
			t.Errorf("ETag %s, then %s", etag, a.header.Get("ETag"))
		}
	}
	b.want(b.post("", `{"context":{}}`), 400, bulkFailSchema)
	b.want(b.post("", `{bad`), 400, bulkFailSchema)
}

// One viewer's tag never hides another's arms, and a new configuration never
// hides behind an old tag.
func TestOFREPTagsAreOfOneViewerAndConfiguration(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	etag := b.post("", ofrepBody("v")).header.Get("ETag")
	for i := range 50 {
		b.want(b.post("", ofrepBody(fmt.Sprint("v-", i)), "If-None-Match", etag), 200, "")
	}
	cfg := ofrepConfig()
	cfg.Experiments[0].Arms[0].Value = cfg.Experiments[0].Arms[1].Value // the same arm with another value
	b.snap = ofrepCompile(t, *cfg)
	b.want(b.post("", ofrepBody("v"), "If-None-Match", etag), 200, "")
}

func TestOFREPBeforeTheFirstConfiguration(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, nil)
	b.loadOFREPSchemas()
	for path, schema := range map[string]string{"": bulkFailSchema, "/abr": failSchema} {
		a := b.post(path, ofrepBody("v"))
		b.want(a, http.StatusServiceUnavailable, schema)
		if a.json["errorCode"] != "GENERAL" || a.header.Get("Retry-After") != "1" {
			t.Errorf("answer %s, Retry-After %q", a.text, a.header.Get("Retry-After"))
		}
	}
}

// A body of exactly the limit is read; one byte more is refused, whether its
// length is announced or not.
func TestOFREPBodyLimit(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	body := `{"context":{"targetingKey":"v","pad":""}}`
	full := strings.Replace(body, `"pad":"`, `"pad":"`+strings.Repeat("x", maxOFREPBody-len(body)), 1)
	for path := range map[string]bool{"": true, "/abr": true} {
		b.want(b.post(path, full), 200, "")
		b.want(b.post(path, full+" "), http.StatusRequestEntityTooLarge, failSchema)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/ofrep/v1/evaluate/flags"+path, io.MultiReader(bytes.NewReader([]byte(full)), strings.NewReader(" ")))
		if err != nil {
			t.Fatal(err)
		}
		b.want(b.do(r), http.StatusRequestEntityTooLarge, failSchema)
	}
}

func TestOFREPCORS(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, b.url+"/ofrep/v1/evaluate/flags/abr", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://player.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,if-none-match")
	a := b.do(r)
	b.want(a, http.StatusNoContent, "")
	allowed := strings.ToLower(a.header.Get("Access-Control-Allow-Headers"))
	for _, name := range []string{"authorization", "content-type", "if-none-match", "x-api-key"} {
		if !strings.Contains(allowed, name) {
			t.Errorf("preflight does not allow %s: %s", name, allowed)
		}
	}
	for _, a := range []ofrepAnswer{a, b.post("", ofrepBody("v")), b.post("/abr", `{`)} {
		if a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "ETag") {
			t.Errorf("CORS headers are missing: %v", a.header)
		}
		if a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Error("credentials are allowed to any origin")
		}
	}
	r.Header.Del("Access-Control-Request-Method") // an OPTIONS that is no preflight
	b.want(b.do(r), http.StatusMethodNotAllowed, "")
}
