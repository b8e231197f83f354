package server

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/telemetry"
)

// logLine is a line of a log: a media request of a session that long after the
// first.
func logLine(session string, afterMs int64, cmcd string) string {
	return fmt.Sprintf(`{"query":"CMCD=%s","recv_ms":%d,"player":"hls.js","player_version":"1.7.4"}`,
		url.QueryEscape(cmcd+fmt.Sprintf(",sid=%q", session)), testNow.UnixMilli()-3_600_000+afterMs)
}

func TestPostRequestLogs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/v1/request-logs"
	two := logLine("s-1", 0, "br=600,d=2000,ot=v,sf=h,su") + "\n" + logLine("s-1", 2000, "bl=2000,br=600,d=2000,ot=v,sf=h")
	array := "[" + strings.ReplaceAll(two, "\n", ",") + "]"
	records := func(n int) map[string]int { return map[string]int{"cmcd_records": n} }
	plain := fmt.Sprintf(`{"query":"a=b","recv_ms":%d}`, testNow.UnixMilli())
	atLimit := two + strings.Repeat(" ", telemetry.MaxBodyBytes-len(two))
	b.play(t, []scenario{
		{name: "lines", method: "POST", path: path, as: "ingest", body: two, status: 200, has: []string{`"accepted":2`, `"without_cmcd":0`}, rows: records(2)},
		{name: "again, as an array", method: "POST", path: path, as: "ingest", body: array, status: 200, has: []string{`"accepted":2`}},
		{name: "gzip", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(two), status: 200},
		{
			name: "the good lines are kept", method: "POST", path: path, as: "ingest", status: 200, rows: records(1),
			body: "[" + plain + `,{"query":"CMCD=br%3D1"},` + logLine("s-2", 0, "bl=fast,br=1,ot=v") + "]",
			has:  []string{`"accepted":1`, `"without_cmcd":1`, `{"index":1,"field":"recv_ms"`, `{"index":2,"field":"bl"`},
		},
		{name: "nothing to take", method: "POST", path: path, as: "ingest", body: plain, status: 200, has: []string{`"accepted":0`, `"without_cmcd":1`}},
		{name: "nothing good", method: "POST", path: path, as: "ingest", body: `{"query":"CMCD=br%3D1"}`, status: 400, has: []string{"[0].recv_ms"}},
		{name: "the largest body", method: "POST", path: path, as: "ingest", body: atLimit, status: 200},
		{name: "one byte more", method: "POST", path: path, as: "ingest", body: atLimit + " ", status: 413},
		{name: "no JSON", method: "POST", path: path, as: "ingest", body: "hello", status: 400},
		{name: "another scope", method: "POST", path: path, as: "read", body: two, status: 403},
		{name: "no key", method: "POST", path: path, body: two, status: 401},
	})
	stalled := logLine("s-1", 9000, "bl=0,br=600,bs,d=2000,ot=v,sf=h")
	b.send(t, scenario{method: "POST", path: path, as: "ingest", body: stalled})
	if _, err := b.db.FoldSessions(t.Context(), testNow); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `select count(*) from sessions where session_id = 's-1' and telemetry_tier = 4 and player = 'hls.js' and player_version = '1.7.4'
		and rung_kbps_ms = 600 * 6000 and stall_n = 1 and stall_ms = 0 and observed & $1 = 0 and observed & $2 <> 0 and first_recv_ms = $3`,
		telemetry.ObservedStalls|telemetry.ObservedPlay|telemetry.ObservedStart, telemetry.ObservedStallBounds, testNow.UnixMilli()-3_600_000); n != 1 {
		t.Errorf("session s-1 is not of tier D with bitrate and a bound of stalls")
	}
}
