package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

func TestTelemetryHealth(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cmcd := "/v1/cmcd/" + b.secrets[experiment.ScopeIngest]
	beats := strings.ReplaceAll("["+beat("s-1", 0)+","+beat("s-2", 0)+","+beat("", 0)+"]", `"viewer_id"`, `"player":"app","player_version":"2","viewer_id"`)
	for _, sc := range []scenario{
		{method: "POST", path: "/v1/heartbeats", as: "ingest", body: beats},
		{method: "POST", path: cmcd + "?player=hls.js&player_version=1.7.4", body: record("s-3", 0) + ",br=fast\n" + record("s-3", 1) + ",br=fast"},
		{method: "POST", path: cmcd + "?player=%00", body: record("s-4", 0)},
		{method: "POST", path: "/v1/request-logs", as: "ingest", body: logLine("s-5", 0, "br=1,ot=v")},
	} {
		if got := b.send(t, sc); got.status >= 300 {
			t.Fatalf("%s = %d: %s", sc.path, got.status, got.body)
		}
	}
	b.clock.advance(time.Minute)
	b.srv.ingest.flush(t.Context())
	var h telemetryHealth
	got := b.send(t, scenario{method: "GET", path: apiPath + "/telemetry/health?minutes=10", as: "read"})
	if err := json.Unmarshal([]byte(got.body), &h); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	minute := testNow.Truncate(time.Minute)
	want := telemetryHealth{
		At: testNow.Add(time.Minute), Minutes: 10, RecordsPerSec: 6.0 / 60,
		Rates: []postgres.IngestRate{
			{Minute: minute, Source: sourceCMCD, Accepted: 3},
			{Minute: minute, Source: sourceHeartbeat, Accepted: 2, Refused: 1},
			{Minute: minute, Source: sourceLog, Accepted: 1},
		},
		Sessions: []postgres.SourceShare{{Tier: 1, Player: "app", PlayerVersion: "2", Sessions: 2, Started: 2}},
		Tiers:    map[string]int64{"A": 2}, Rejected: 4, Queued: map[string]int{"sessions": 0, "cmcd_records": 0, "broadcasts": 0, "unit_events": 0},
		Unfolded: h.Unfolded, Experiments: []postgres.Freshness{{Experiment: "abr", Version: 1, Status: "running"}},
		Rejections: []rejectionView{
			{"2026-11-02", postgres.RejectionRow{Source: sourceCMCD, Reason: "type", Field: "br", Player: "hls.js", PlayerVersion: "1.7.4"}, 2},
			{"2026-11-02", postgres.RejectionRow{Source: sourceCMCD, Reason: "range", Field: "player"}, 1},
			{"2026-11-02", postgres.RejectionRow{Source: sourceHeartbeat, Reason: "missing", Field: "session_id", Whole: true, Player: "app", PlayerVersion: "2"}, 1},
		},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	if h.Unfolded.Sessions != 3 || *h.Unfolded.OldestMs != testNow.UnixMilli()-3_600_000 {
		t.Errorf("unfolded = %+v, want the 3 CMCD sessions, the log's an hour old", h.Unfolded)
	}
	if _, err := b.db.FoldSessions(t.Context(), testNow.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got = b.send(t, scenario{method: "GET", path: apiPath + "/telemetry/health?minutes=120", as: "read"})
	for _, part := range []string{`"tiers":{"A":2,"B":2,"D":1}`, `"telemetry_tier":"B","player":"hls.js","player_version":"1.7.4","sessions":1`, `"lag_p50_ms":0`} {
		if !strings.Contains(got.body, part) {
			t.Errorf("health after the fold lacks %s: %s", part, got.body)
		}
	}
	for _, query := range []string{"minutes=0", "minutes=1441", "hours=1"} {
		if got := b.send(t, scenario{method: "GET", path: apiPath + "/telemetry/health?" + query, as: "read"}); got.status != 422 {
			t.Errorf("%s = %d, want 422", query, got.status)
		}
	}
}
