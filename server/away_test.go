package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/postgres/private"
)

// kill ends PostgreSQL as a crash does; its supervisor starts it again.
func kill(t *testing.T, pg *private.Server) {
	t.Helper()
	if err := syscall.Kill(pg.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func evaluateOf(unit string) scenario {
	return scenario{
		method: "POST", path: "/ofrep/v1/evaluate/flags/abr", as: "evaluate", status: http.StatusOK,
		body: fmt.Sprintf(`{"context":{"targetingKey":%q,"session_id":%q}}`, unit, "s-"+unit),
	}
}

// While the database is stopped for good, assignment goes on and everything
// that needs the database says when to come back.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	pg := pgtest.Server(t)
	b := newBenchAt(t, pgtest.NewOn(t, pg))
	cookie := b.signIn(t)
	awaitFlagd(t, b)
	if err := pg.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	cmcd := "/v1/cmcd/" + b.secrets[experiment.ScopeIngest]
	for _, sc := range []scenario{
		evaluateOf("v-1"),
		{method: "POST", path: "/ofrep/v1/evaluate/flags", as: "evaluate", body: `{"context":{"targetingKey":"v-1"}}`, status: 200},
		{method: "GET", path: FlagdPath, as: "config", status: 200},
		{method: "GET", path: "/healthz", status: 200},
		{method: "GET", path: "/readyz", status: 200},
		{method: "GET", path: "/metrics", status: 200},
		{method: "GET", path: apiPath + "/metrics", as: "read", status: 503},
		{method: "GET", path: "/signin", status: 200},
		{method: "POST", path: "/v1/heartbeats", as: "ingest", body: beat("s-1", 0), status: 503},
		{method: "POST", path: cmcd, body: record("s-1", 0), status: 503},
		{method: "POST", path: "/v1/exposures", as: "ingest", body: "[" + exposureOfUnit("v-2") + "]", status: 503},
		{method: "GET", path: apiPath + "/experiments", as: "read", status: 503},
		{method: "POST", path: apiPath + "/experiments", as: "write", header: asYAML, body: yamlOf("two", "bitrate", "running"), status: 503},
		{method: "POST", path: apiPath + "/keys", as: "admin", body: `{"name":"n","scopes":["read"]}`, status: 503},
		{method: "GET", path: "/experiments", header: map[string]string{"Cookie": cookie}, status: 503},
		{method: "POST", path: "/signin?token=any", status: 503},
	} {
		got := b.send(t, sc)
		if got.status != sc.status {
			t.Errorf("%s %s = %d, want %d: %s", sc.method, sc.path, got.status, sc.status, got.body)
		}
		if (got.status == http.StatusServiceUnavailable) != (got.header.Get("Retry-After") != "") {
			t.Errorf("%s %s = %d with Retry-After %q", sc.method, sc.path, got.status, got.header.Get("Retry-After"))
		}
		for _, secret := range []string{"dial", "socket", "connect", "secret-of", "/tmp"} {
			if strings.Contains(got.body, secret) {
				t.Errorf("%s %s tells %q: %s", sc.method, sc.path, secret, got.body)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := b.srv.Close(ctx); err == nil {
		t.Error("Close without a database = nil, want that an exposure was lost")
	}
	if lost := metricOf(t, b, `splitcast_exposures_lost_total{reason="write_failed"}`); lost != "1" {
		t.Errorf("lost exposures = %s, want 1", lost)
	}
}

// PostgreSQL is killed again and again under load. Every heartbeat that was
// acknowledged is there, once, and so is the exposure of every evaluation.
func TestDatabaseKilledUnderLoad(t *testing.T) {
	t.Parallel()
	pg := pgtest.Server(t)
	b := newBenchAt(t, pgtest.NewOn(t, pg))
	const senders, kills, want = 4, 2, 40 // want: acknowledged per sender after the last kill
	acked := make([][]int, senders)
	var refused sync.Map
	var group sync.WaitGroup
	lastKill := make(chan struct{})
	for s := range senders {
		group.Go(func() {
			after := 0
			for seq := 0; after < want; seq++ {
				session := fmt.Sprintf("s-%d-%d", s, seq)
				got := b.send(t, scenario{method: "POST", path: "/v1/heartbeats", as: "ingest", body: beat(session, seq)})
				b.send(t, evaluateOf(fmt.Sprintf("v-%d-%d", s, seq)))
				switch got.status {
				case http.StatusOK:
					acked[s] = append(acked[s], seq)
				case http.StatusServiceUnavailable:
					refused.Store(session, got.body)
				default:
					t.Errorf("heartbeat = %d: %s", got.status, got.body)
				}
				select {
				case <-lastKill:
					if got.status == http.StatusOK {
						after++
					}
				default:
				}
			}
		})
	}
	for n := range kills {
		kill(t, pg)
		eventually(t, func() error {
			if pg.Restarts() <= n {
				return fmt.Errorf("restarted %d times, want %d", pg.Restarts(), n+1)
			}
			return nil
		})
	}
	close(lastKill)
	group.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.srv.Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for s, seqs := range acked {
		for _, seq := range seqs {
			if b.count(t, "select count(*) from sessions where session_id = $1", fmt.Sprintf("s-%d-%d", s, seq)) != 1 {
				t.Errorf("acknowledged heartbeat %d of sender %d is lost", seq, s)
			}
		}
		sent := seqs[len(seqs)-1] + 1
		if got := b.count(t, "select count(*) from exposures where unit_id like $1", fmt.Sprintf("v-%d-%%", s)); got < sent {
			t.Errorf("sender %d: %d exposures of %d evaluations", s, got, sent)
		}
	}
}

// metricOf returns the value of a series as /metrics tells it.
func metricOf(t testing.TB, b *bench, series string) string {
	t.Helper()
	got := b.send(t, scenario{method: "GET", path: "/metrics"})
	for line := range strings.Lines(got.body) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "absent"
}

// openLink does what the button does on the page that a sign-in link opens.
func (b *bench) openLink(t testing.TB, path string) answer {
	t.Helper()
	_, query, _ := strings.Cut(path, "?")
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	return b.send(t, scenario{method: "POST", path: pathSignIn, header: form, body: query})
}

// signIn returns the cookie of a browser that signed in by a link.
func (b *bench) signIn(t testing.TB) string {
	t.Helper()
	path, err := b.srv.LoginPath(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	got := b.openLink(t, path)
	cookie, _, ok := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if !ok || got.status != http.StatusSeeOther {
		t.Fatalf("sign-in = %d, cookie %q: %s", got.status, cookie, got.body)
	}
	return cookie
}
