package server

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// CTA-5004-B section 6: 410 makes a player stop for the session; the other
// sessions of a body go on.
func TestStoppedSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cmcd := "/v1/cmcd/" + b.secrets[experiment.ScopeIngest]
	const stops = apiPath + "/telemetry/stops"
	b.play(t, []scenario{
		{name: "reports", method: "POST", path: cmcd, body: record("s-1", 1), status: 204, rows: map[string]int{"cmcd_records": 1}},
		{name: "readers may not stop", method: "POST", path: stops, as: "read", body: `{"session_id":"s-1"}`, status: 403},
		{name: "no session", method: "POST", path: stops, as: "admin", body: `{"session_id":"ö"}`, status: 400, has: []string{"session_id"}},
		{name: "stop", method: "POST", path: stops, as: "admin", body: `{"session_id":"s-1","note":"a bot"}`, status: 204, rows: map[string]int{"telemetry_stops": 1, "audit_log": 1}},
		{name: "again", method: "POST", path: stops, as: "admin", body: `{"session_id":"s-1","note":"a bot"}`, status: 204, rows: map[string]int{"audit_log": 1}},
		{name: "list", method: "GET", path: stops, as: "read", status: 200, has: []string{`"session_id":"s-1"`, `"reason":"asked"`, `"note":"a bot"`, `"actor":"key:test admin"`}},
		{name: "told to stop", method: "POST", path: cmcd, body: record("s-1", 2) + "\n" + record("s-1", 3), status: 410, has: []string{"stop"}},
		{name: "others go on", method: "POST", path: cmcd, body: record("s-1", 2) + "\n" + record("s-2", 1), status: 204, rows: map[string]int{"cmcd_records": 1}},
		{name: "heartbeats stop", method: "POST", path: "/v1/heartbeats", as: "ingest", body: beat("s-1", 1), status: 410},
		{
			name: "other heartbeats go on", method: "POST", path: "/v1/heartbeats", as: "ingest", body: "[" + beat("s-1", 1) + "," + beat("s-2", 1) + "]",
			status: 200, has: []string{`"accepted":1`, `{"index":0,"message":"the session was told to stop reporting"}`}, rows: map[string]int{"sessions": 1},
		},
		{
			name: "so do lines of logs", method: "POST", path: "/v1/request-logs", as: "ingest", body: logLine("s-1", 0, "br=1") + "\n" + logLine("s-3", 0, "br=1"),
			status: 200, has: []string{`"accepted":1`, `{"index":0,`}, rows: map[string]int{"cmcd_records": 1},
		},
		{name: "resume", method: "DELETE", path: stops + "/s-1", as: "admin", status: 204, rows: map[string]int{"telemetry_stops": -1, "audit_log": 1}},
		{name: "nothing to resume", method: "DELETE", path: stops + "/s-1", as: "admin", status: 404},
		{name: "reports again", method: "POST", path: cmcd, body: record("s-1", 2), status: 204, rows: map[string]int{"cmcd_records": 1}},
	})
}

// A stop is in force as long as a session may last; every server learns of it.
func TestStopsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cmcd := "/v1/cmcd/" + b.secrets[experiment.ScopeIngest]
	if err := b.db.StopSession(t.Context(), "s-1", "", "test", testNow); err != nil {
		t.Fatal(err)
	}
	b.srv.ingest.readStops(t.Context())
	b.clock.advance(postgres.StopLife - 1)
	b.srv.ingest.readStops(t.Context())
	if got := b.send(t, scenario{method: "POST", path: cmcd, body: record("s-1", 1)}); got.status != http.StatusGone {
		t.Errorf("before its end, a stop answers %d, want 410", got.status)
	}
	b.clock.advance(1)
	b.srv.ingest.readStops(t.Context())
	if got := b.send(t, scenario{method: "POST", path: cmcd, body: record("s-1", 1)}); got.status != http.StatusNoContent {
		t.Errorf("after its end, a stop answers %d, want 204", got.status)
	}
}

// A revoked ingest key ends the reports of its players; a wrong one is 401.
func TestRevokedIngestKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	keys, err := b.db.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if scope := k.Scopes[0]; scope == experiment.ScopeIngest || scope == experiment.ScopeRead {
			if err := b.db.RevokeKey(t.Context(), k.ID, "test", testNow); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	ingest := b.secrets[experiment.ScopeIngest]
	b.play(t, []scenario{
		{name: "player", method: "POST", path: "/v1/cmcd/" + ingest, body: record("s-1", 1), status: 410, lacks: []string{ingest}},
		{name: "service", method: "POST", path: "/v1/heartbeats", as: "ingest", body: beat("s-1", 1), status: 401},
		{name: "a revoked key that took no reports", method: "POST", path: "/v1/cmcd/" + b.secrets[experiment.ScopeRead], body: record("s-1", 1), status: 401},
		{name: "a wrong key", method: "POST", path: "/v1/cmcd/nobody", body: record("s-1", 1), status: 401},
	})
	reloaded := NewLive(LiveConfig{Load: b.db.ReadConfig, Path: b.path, Now: b.clock.Now, Log: b.srv.log})
	if !reloaded.revoked(postgres.HashSecret(ingest)) {
		t.Error("a start without a database forgets which keys were revoked")
	}
}

// 429 is the last resort: when no more may wait.
func TestFullQueueIs429(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begun, proceed := make(chan struct{}), make(chan error)
	full := postgres.NewGroupCommit(t.Context(), postgres.GroupCommitConfig[postgres.KeyedRecord]{
		Write: func(context.Context, []postgres.KeyedRecord) error {
			begun <- struct{}{}
			return <-proceed
		},
		MaxGroup: 1, MaxQueued: 1, Writers: 1,
	})
	rows := make([]postgres.KeyedRecord, 1)
	first := make(chan error, 1)
	go func() { first <- full.Submit(t.Context(), rows) }()
	<-begun // being written: it waits no more
	left, leave := context.WithCancel(t.Context())
	leave()
	if err := full.Submit(left, rows); !errors.Is(err, context.Canceled) { // waits on, though its sender left
		t.Fatal(err)
	}
	b.srv.ingest.events, full = full, b.srv.ingest.events
	got := b.send(t, scenario{method: "POST", path: "/v1/cmcd/" + b.secrets[experiment.ScopeIngest], body: record("s-1", 1)})
	b.srv.ingest.events, full = full, b.srv.ingest.events
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != retryAfterSec {
		t.Errorf("a full queue answers %d, Retry-After %q; want 429 and %s", got.status, got.header.Get("Retry-After"), retryAfterSec)
	}
	proceed <- nil
	<-begun
	proceed <- nil
	if err := <-first; err != nil {
		t.Error(err)
	}
	full.Close()
}
