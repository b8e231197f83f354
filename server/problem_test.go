package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
)

func TestStatusOfEachCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[experiment.Code]int{
		experiment.CodeInvalid: 400, experiment.CodeNotFound: 404, experiment.CodeConflict: 409, experiment.CodeUnauthorized: 401,
		experiment.CodeForbidden: 403, experiment.CodeTooLarge: 413, experiment.CodeUnavailable: 503,
		experiment.CodeOverloaded: 429, experiment.CodeGone: 410, "other": 500,
	} {
		err := fmt.Errorf("doing something: %w", experiment.Errorf(code, "plan.alpha", "must be below 1"))
		p, ok := problemOf(err)
		if !ok || p.Status != want || len(p.Errors) != 1 || p.Errors[0] != (ProblemFault{"plan.alpha", "must be below 1"}) {
			t.Errorf("problemOf(%s) = %+v, %t; want %d", code, p, ok, want)
		}
		if strings.Contains(p.Detail, "doing something") {
			t.Errorf("the detail tells what the server was doing: %q", p.Detail)
		}
	}
}

func TestProblemListsFaultsUpToALimit(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{1: 1, maxProblemErrors: maxProblemErrors, maxProblemErrors + 1: maxProblemErrors} {
		var faults experiment.Errors
		for i := range n {
			faults = append(faults, experiment.Invalidf(fmt.Sprintf("f[%d]", i), "bad"))
		}
		if p, ok := problemOf(faults); !ok || len(p.Errors) != want {
			t.Errorf("of %d faults %d are listed, want %d", n, len(p.Errors), want)
		}
	}
}

// An error of ours shows a request id and nothing else; the log has the rest.
func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.sql.ExecContext(t.Context(), "alter table experiments rename to gone"); err != nil {
		t.Fatal(err)
	}
	cookie := b.signIn(t)
	for _, sc := range []scenario{
		{method: "GET", path: apiPath + "/experiments", as: "read"},
		{method: "GET", path: "/experiments", header: map[string]string{"Cookie": cookie}},
	} {
		sc.header = map[string]string{"X-Request-Id": "req-of-the-test", "Cookie": cookie}
		got := b.send(t, sc)
		if got.status != http.StatusInternalServerError || !strings.Contains(got.body, "req-of-the-test") {
			t.Errorf("%s = %d: %s; want 500 with the request's id", sc.path, got.status, got.body)
		}
		for _, inside := range []string{"gone", "relation", "select", "pq"} {
			told := strings.ReplaceAll(strings.ToLower(got.body), "aria-selected", "") // of the palette
			if strings.Contains(told, inside) {
				t.Errorf("%s tells %q", sc.path, inside)
			}
		}
	}
	if log := b.log.String(); !strings.Contains(log, "req-of-the-test") || !strings.Contains(log, "relation") {
		t.Errorf("the log lacks the cause: %s", log)
	}
}

func TestRequestIDOfACallerIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.sql.ExecContext(t.Context(), "alter table experiments rename to gone"); err != nil {
		t.Fatal(err)
	}
	for n, kept := range map[int]bool{maxRequestID: true, maxRequestID + 1: false} {
		id := strings.Repeat("i", n)
		got := b.send(t, scenario{method: "GET", path: apiPath + "/experiments", as: "read", header: map[string]string{"X-Request-Id": id}})
		if p := problemIn(t, got); p.RequestID == "" || (p.RequestID == id) != kept {
			t.Errorf("of an id of %d bytes the answer has %q", n, p.RequestID)
		}
	}
}

func TestPanicIsA500WithTheRequestID(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := chi.NewRouter()
	r.Use(b.srv.stats.requests, b.srv.recoverer)
	r.Get("/panics/{key}", func(http.ResponseWriter, *http.Request) { panic("a secret of ours") })
	r.Get("/aborts", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/panics/key-in-path", nil))
	p := problemIn(t, answer{w.Code, w.Header(), w.Body.String()})
	if p.Status != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("a panic = %s", w.Body)
	}
	req, w := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/panics/key-in-path", nil), httptest.NewRecorder()
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.ServeHTTP(w, req)
	if body := w.Body.String(); w.Code != http.StatusInternalServerError || !strings.Contains(body, "<h1>Something went wrong here</h1>") || strings.Contains(body, "secret") || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("a panic in a browser = %d %s", w.Code, body)
	}
	if log := b.log.String(); !strings.Contains(log, "a secret of ours") || strings.Contains(log, "key-in-path") {
		t.Errorf("the log = %s, want the panic and no path", log)
	}
	if got := metricOf(t, b, `splitcast_http_request_duration_seconds_count{method="GET",route="/panics/{key}",status="500"}`); got != "2" {
		t.Errorf("two panics are counted as 500 %s times, want 2", got)
	}
	defer func() {
		if v := recover(); !errors.Is(v.(error), http.ErrAbortHandler) {
			t.Errorf("an aborted request panics with %v, want net/http's own signal", v)
		}
	}()
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/aborts", nil))
}

// Addresses and methods that are not there are problems, too.
func TestWrongAddresses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, sc := range []scenario{
		{method: "GET", path: "/nothing", status: 404},
		{method: "GET", path: apiPath + "/nothing", status: 404},
		{method: "PUT", path: "/v1/heartbeats", status: 405},
		{method: "BREW", path: "/v1/heartbeats", status: 405},
		{method: "DELETE", path: "/experiments", status: 405},
	} {
		got := b.send(t, sc)
		problemIn(t, got)
		if got.status != sc.status || (got.status == http.StatusMethodNotAllowed) == (got.header.Get("Allow") == "") {
			t.Errorf("%s %s = %d, Allow %q; want %d", sc.method, sc.path, got.status, got.header.Values("Allow"), sc.status)
		}
	}
	if got := b.send(t, scenario{method: "PUT", path: apiPath + "/experiments"}); strings.Join(got.header.Values("Allow"), " ") != "GET HEAD POST" {
		t.Errorf("Allow = %q, want GET, HEAD and POST", got.header.Values("Allow"))
	}
}

// The series of /metrics are by route: neither keys in paths nor made-up
// addresses and methods make new ones.
func TestMetricsDoNotGrowWithAddresses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	visit := func(round string) {
		for i := range 20 {
			id := fmt.Sprintf("%s%d", round, i)
			for _, sc := range []scenario{
				{method: "GET", path: "/nothing/" + id},
				{method: "GET", path: apiPath + "/" + id},
				{method: "GET", path: "/static/" + id},
				{method: "POST", path: "/v1/cmcd/" + id},
				{method: "GET", path: apiPath + "/experiments/" + id, as: "read"},
				{method: "POST", path: "/ofrep/v1/evaluate/flags/" + id, as: "evaluate", body: `{"context":{"targetingKey":"v"}}`},
				{method: strings.ToUpper("m" + id), path: "/healthz"},
			} {
				b.send(t, sc)
			}
		}
	}
	series := func() (n int, text string) {
		got := b.send(t, scenario{method: "GET", path: "/metrics"})
		return strings.Count(got.body, "splitcast_http_request_duration_seconds_count"), got.body
	}
	visit("a")
	series() // itself makes one
	before, _ := series()
	visit("b")
	after, text := series()
	if before != after || before == 0 {
		t.Errorf("series grew from %d to %d", before, after)
	}
	for _, leak := range []string{"b13", "MB13", "secret-of"} {
		if strings.Contains(text, leak) {
			t.Errorf("/metrics holds %q", leak)
		}
	}
	for _, want := range []string{`route="none"`, `method="other"`, "splitcast_config_version ", "splitcast_exposures_queued 0", "go_goroutines"} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestReadyAfterTheFirstConfiguration(t *testing.T) {
	t.Parallel()
	source := &configSource{err: errors.New("the database is away")}
	s := &Server{live: liveOf(t, source, ""), flagd: &Flagd{}}
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ready(w, httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "/readyz", nil))
		return w
	}
	if w := get(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("before: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if _, err := s.authorize(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody), "any-secret-0123456789", experiment.ScopeEvaluate); !isCode(err, experiment.CodeUnavailable) {
		t.Errorf("a key before the first configuration = %v, want unavailable: it may be good", err)
	}
	source.set(configOf(1), nil)
	if err := s.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := get(); w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
		t.Errorf("after: %d %s", w.Code, w.Body)
	}
}
