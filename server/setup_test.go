package server

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// testNow is when the clock of these tests starts.
var testNow = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// allScopes are the scopes in the order of the scope matrix.
var allScopes = []experiment.Scope{
	experiment.ScopeEvaluate, experiment.ScopeConfig, experiment.ScopeIngest, experiment.ScopeRead, experiment.ScopeWrite, experiment.ScopeAdmin,
}

// handClock is moved by the test.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

// Now returns the time.
func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// safeBuffer is a log that many goroutines write.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends to the log.
func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns the log so far.
func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// bench is a Server over HTTP on a PostgreSQL of its own.
type bench struct {
	db    *postgres.DB
	sql   *sql.DB // to look behind the server's back
	live  *Live
	srv   *Server
	url   string
	path  string // of the configuration on disk
	clock *handClock
	log   *safeBuffer
	// secrets are API keys, each with one scope.
	secrets map[experiment.Scope]string
	client  *http.Client
}

// benchSpecs are a running experiment and a draft.
const benchSpecs = `{"experiments":[
	{"key":"abr","name":"ABR safety","owner":"ana","unit":"viewer","design":"ab","status":"running",
	 "arms":[{"key":"control","weight":1,"value":{"safety":0.8}},{"key":"treatment","weight":1,"value":{"safety":0.75}}],
	 "plan":{"primary":["stall_ratio"],"secondary":["bitrate"]}},
	{"key":"later","unit":"viewer","design":"ab","status":"draft",
	 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],
	 "plan":{"primary":["stall_ratio"]}}]}`

// newBench returns a server on a database of the shared PostgreSQL.
func newBench(t testing.TB) *bench {
	t.Helper()
	return newBenchAt(t, pgtest.New(t))
}

// newEmptyBench returns a server on which nothing was done yet.
func newEmptyBench(t testing.TB) *bench {
	t.Helper()
	return newBenchWith(t, pgtest.New(t), "")
}

func newBenchAt(t testing.TB, dsn string) *bench {
	t.Helper()
	return newBenchWith(t, dsn, benchSpecs)
}

// newBenchWith returns a server with a document applied, if there is one.
func newBenchWith(t testing.TB, dsn, document string) *bench {
	t.Helper()
	b := &bench{
		path: filepath.Join(t.TempDir(), "config.gz"), clock: &handClock{at: testNow},
		log: &safeBuffer{}, secrets: map[experiment.Scope]string{},
	}
	var err error
	if b.db, err = postgres.Open(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	if b.sql, err = sql.Open("postgres", dsn); err != nil {
		t.Fatal(err)
	}
	if document != "" {
		b.apply(t, document)
	}
	for _, scope := range allScopes {
		b.secrets[scope] = "secret-of-" + string(scope) + "-0123456789"
		_, err := b.db.CreateKey(t.Context(), postgres.NewKey{
			Name: "test " + string(scope), Secret: b.secrets[scope], Scopes: []experiment.Scope{scope}, Actor: "test", Now: testNow,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.start(t)
	return b
}

// apply applies a document behind the server's back.
func (b *bench) apply(t testing.TB, document string) {
	t.Helper()
	doc, err := experiment.ParseApply([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.ApplyDocument(t.Context(), doc, postgres.ApplyOptions{Actor: "test", Now: testNow, KnownMetric: metrics.Known}); err != nil {
		t.Fatal(err)
	}
}

// start serves. Sessions of browsers live by the real clock: their library
// knows no other.
func (b *bench) start(t testing.TB) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(b.log, nil))
	b.live = NewLive(LiveConfig{Load: b.db.ReadConfig, Path: b.path, Now: b.clock.Now, Log: log})
	if err := b.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	b.srv, err = New(Config{DB: b.db, Live: b.live, Now: b.clock.Now, Wall: time.Now, Log: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(b.srv.Handler())
	b.url = ts.URL
	b.client = ts.Client()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		b.srv.EndStreams()
		ts.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = b.srv.Close(ctx) // tests of a database that is away end before it is back
		_ = b.sql.Close()
		_ = b.db.Close()
	})
}

// scenario is a request and what must come of it.
type scenario struct {
	name, method, path string
	as                 experiment.Scope // the key to send; empty: none
	header             map[string]string
	body               string
	status             int
	has, lacks         []string       // content of the body
	rows               map[string]int // rows more afterwards, by table; no other table may change
}

// watched are the tables that requests can change.
var watched = []string{
	"experiments", "experiment_versions", "layers", "api_keys", "audit_log", "login_links", "web_sessions", "metric_definitions",
	"exposures", "session_links", "sessions", "cmcd_records", "telemetry_stops", "broadcasts", "unit_events", "report_shares", "report_comments",
	"looks", "outcomes", "restated_outcomes", "reviews",
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// play runs scenarios one after another on the same server.
func (b *bench) play(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			before := b.rows(t)
			got := b.send(t, sc)
			if got.status != sc.status {
				t.Errorf("%s %s = %d, want %d: %s", sc.method, sc.path, got.status, sc.status, got.body)
			}
			for _, s := range sc.has {
				if !strings.Contains(got.body, s) {
					t.Errorf("%s %s lacks %q: %s", sc.method, sc.path, s, got.body)
				}
			}
			for _, s := range append([]string{"panic", "goroutine", "pq:", "SQLSTATE"}, sc.lacks...) {
				if strings.Contains(got.body, s) {
					t.Errorf("%s %s holds %q: %s", sc.method, sc.path, s, got.body)
				}
			}
			for table, n := range sc.rows {
				before[table] += n
			}
			if diff := cmp.Diff(before, b.rows(t)); diff != "" {
				t.Errorf("%s %s: rows (-want +got):\n%s", sc.method, sc.path, diff)
			}
		})
	}
}

// send sends the request of a scenario.
func (b *bench) send(t testing.TB, sc scenario) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), sc.method, b.url+sc.path, strings.NewReader(sc.body))
	if err != nil {
		t.Fatal(err)
	}
	if sc.as != "" {
		req.Header.Set("Authorization", "Bearer "+b.secrets[sc.as])
	}
	for k, v := range sc.header {
		req.Header.Set(k, v)
	}
	return b.do(t, req)
}

func (b *bench) do(t testing.TB, req *http.Request) answer {
	t.Helper()
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// rows counts the watched tables.
func (b *bench) rows(t testing.TB) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, table := range watched {
		out[table] = b.count(t, "select count(*) from "+table)
	}
	return out
}

func (b *bench) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := b.sql.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// problemIn checks that an answer is a problem of RFC 9457 and returns it.
func problemIn(t testing.TB, got answer) Problem {
	t.Helper()
	var p Problem
	if ct := got.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type = %q, want application/problem+json: %s", ct, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		t.Fatalf("the problem is not JSON: %v: %s", err, got.body)
	}
	if p.Status != got.status || p.Title == "" {
		t.Errorf("problem = %+v, want the status %d and a title", p, got.status)
	}
	return p
}

// eventually waits until check returns nil.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after 30 s: %v", err)
		case <-tick.C:
		}
	}
}
