package server

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/assignment"
)

// versionSource hands out subscriptions and remembers how many are open.
type versionSource struct {
	mu   sync.Mutex
	subs map[chan int64]bool
	news chan struct{} // one entry per change in the number of subscriptions
}

func newVersionSource() *versionSource {
	return &versionSource{subs: map[chan int64]bool{}, news: make(chan struct{}, 100)}
}

func (v *versionSource) subscribe() (<-chan int64, func()) {
	c := make(chan int64, 1)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.subs[c] = true
	v.news <- struct{}{}
	return c, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.subs, c)
		v.news <- struct{}{}
	}
}

func (v *versionSource) publish(version int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for c := range v.subs {
		c <- version
	}
}

// await waits until n subscriptions are open.
func (v *versionSource) await(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		v.mu.Lock()
		have := len(v.subs)
		v.mu.Unlock()
		if have == n {
			return
		}
		select {
		case <-v.news:
		case <-deadline:
			t.Fatalf("%d subscriptions are open, want %d", have, n)
		}
	}
}

// eventBench is an OFREP server with an event stream.
func eventBench(t *testing.T, change func(o *OFREP)) (*ofrepBench, *versionSource) {
	t.Helper()
	b, v := newOFREPBench(t, ofrepConfig()), newVersionSource()
	b.ofrep.Subscribe = v.subscribe
	change(b.ofrep)
	return b, v
}

// open connects to the event stream. The reader yields lines; end closes the
// connection.
func (b *ofrepBench) open(query string, header ...string) (head answer, lines *bufio.Scanner, end func()) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/ofrep/v1/events"+query, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	end = func() {
		cancel()
		_ = resp.Body.Close() // a second time is no harm
	}
	b.t.Cleanup(end)
	return answer{status: resp.StatusCode, header: resp.Header}, bufio.NewScanner(resp.Body), end
}

// nextEvent reads until the blank line that ends an event or comment.
func nextEvent(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	var out []string
	for lines.Scan() {
		if lines.Text() == "" {
			return strings.Join(out, "|")
		}
		out = append(out, lines.Text())
	}
	t.Fatalf("the stream ended after %v: %v", out, lines.Err())
	return ""
}

const notice6 = `id: 6|event: message|data: {"type":"refetchEvaluation","etag":"6"}`

func TestEventsAnnounceNewVersions(t *testing.T) {
	t.Parallel()
	b, v := eventBench(t, func(*OFREP) {})
	head, lines, end := b.open("?since=5")
	if head.status != 200 || head.header.Get("Content-Type") != "text/event-stream" || head.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("status %d, header %v", head.status, head.header)
	}
	if got := nextEvent(t, lines); got != "retry: 5000" {
		t.Errorf("the stream begins with %q", got)
	}
	v.publish(6)
	got := nextEvent(t, lines)
	if got != notice6 {
		t.Errorf("event %q, want %q", got, notice6)
	}
	s := jsonSchemas{}
	s.load(t, "openapi.yaml", sharedFile(t, "ofrep", "openapi.yaml"))
	event := map[string]any{"id": "6", "event": "message", "data": strings.TrimPrefix(got, "id: 6|event: message|data: ")}
	if err := s.check("openapi.yaml#/components/schemas/sseEvent", event); err != nil {
		t.Error(err)
	}
	var data any
	if err := json.Unmarshal([]byte(event["data"].(string)), &data); err != nil {
		t.Fatal(err)
	}
	if err := s.check("openapi.yaml#/components/schemas/sseEventData", data); err != nil {
		t.Error(err)
	}
	end()
	v.await(t, 0)
}

// Whoever knows another version than the present one hears of it at once; the
// header of a reconnection wins over the address of the first connection.
func TestEventsCatchUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		header      []string
		caughtUp    bool
	}{
		{"up to date", "?since=6", nil, true},
		{"says nothing", "", nil, true},
		{"says nonsense", "?since=x", nil, true},
		{"behind", "?since=5", nil, false},
		{"ahead, after a restore", "?since=7", nil, false},
		{"reconnects up to date", "?since=5", []string{"Last-Event-ID", "6"}, true},
		{"reconnects behind", "?since=6", []string{"Last-Event-ID", "5"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, v := eventBench(t, func(*OFREP) {})
			cfg := ofrepConfig()
			cfg.Version = 6
			b.snap = ofrepCompile(t, *cfg)
			_, lines, _ := b.open(tt.query, tt.header...)
			nextEvent(t, lines) // retry
			if !tt.caughtUp {
				if got := nextEvent(t, lines); got != notice6 {
					t.Errorf("first event %q, want %q", got, notice6)
				}
			}
			v.publish(9)
			if got := nextEvent(t, lines); !strings.HasPrefix(got, "id: 9|") {
				t.Errorf("next event %q, want that of version 9", got)
			}
		})
	}
}

func TestEventsBeat(t *testing.T) {
	t.Parallel()
	b, _ := eventBench(t, func(o *OFREP) { o.Heartbeat = time.Millisecond })
	_, lines, _ := b.open("")
	nextEvent(t, lines)
	if got := nextEvent(t, lines); got != ": alive" {
		t.Errorf("heartbeat %q, want a comment", got)
	}
}

func TestEventsLimit(t *testing.T) {
	t.Parallel()
	b, v := eventBench(t, func(o *OFREP) { o.MaxStreams = 2 })
	_, first, endFirst := b.open("")
	nextEvent(t, first)
	_, second, _ := b.open("")
	nextEvent(t, second)
	head, _, _ := b.open("")
	if head.status != http.StatusServiceUnavailable || head.header.Get("Retry-After") != "5" {
		t.Errorf("beyond the limit: status %d, Retry-After %q", head.status, head.header.Get("Retry-After"))
	}
	endFirst()
	v.await(t, 1)
	for deadline := time.Now().Add(10 * time.Second); ; {
		head, lines, _ := b.open("") // the place is free once the handler has returned
		if head.status == 200 {
			nextEvent(t, lines)
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a place that became free is not given out")
		}
	}
}

func TestEventsEndWithTheServer(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	b, v := eventBench(t, func(o *OFREP) { o.Done = done })
	_, lines, _ := b.open("")
	nextEvent(t, lines)
	close(done)
	v.await(t, 0)
	if lines.Scan() {
		t.Errorf("after the end the stream says %q", lines.Text())
	}
}

func TestEventsAreAnnouncedWhenThereAreAny(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	if a := b.post("", ofrepBody("v")); a.json["eventStreams"] != nil {
		t.Errorf("eventStreams without a source: %v", a.json["eventStreams"])
	}
	if head, _, _ := b.open(""); head.status != http.StatusNotFound {
		t.Errorf("events without a source: status %d, want 404", head.status)
	}
	b, _ = eventBench(t, func(*OFREP) {})
	b.loadOFREPSchemas()
	a := b.post("", ofrepBody("v"))
	b.want(a, 200, bulkSchema)
	streams, _ := json.Marshal(a.json["eventStreams"])
	if want := `[{"endpoint":{"requestUri":"/ofrep/v1/events?since=5"},"inactivityDelaySec":120,"type":"sse"}]`; string(streams) != want {
		t.Errorf("eventStreams %s, want %s", streams, want)
	}
}

// A refetch that names a version which this replica does not have yet waits
// for it; other requests never wait.
func TestRefetchWaitsForTheVersionOfItsNotice(t *testing.T) {
	t.Parallel()
	b, v := eventBench(t, func(*OFREP) {})
	var mu sync.Mutex
	snap := b.snap
	b.ofrep.Snapshot = func() *assignment.Snapshot {
		mu.Lock()
		defer mu.Unlock()
		return snap
	}
	answered := make(chan ofrepAnswer)
	go func() { answered <- b.post("?flagConfigEtag=6", ofrepBody("v")) }()
	v.await(t, 1)
	cfg := ofrepConfig()
	cfg.Version = 6
	next := ofrepCompile(t, *cfg)
	mu.Lock()
	snap = next
	mu.Unlock()
	v.publish(6)
	a := <-answered
	if got := a.json["metadata"].(map[string]any)["config"]; got != 6.0 {
		t.Errorf("the refetch got version %v, want 6", got)
	}
	for _, query := range []string{"?flagConfigEtag=6", "?flagConfigEtag=5", "?flagConfigEtag=abc", "?x=1"} {
		b.want(b.post(query, ofrepBody("v")), 200, "")
	}
	v.await(t, 0)
}
