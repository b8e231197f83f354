package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// exposureOfUnit is an exposure that is right but for what the test changes.
func exposureOfUnit(unit string) string {
	return `{"experiment":"abr","unit":"` + unit + `","arm":"control","session":"s-` + unit + `"}`
}

// beat is a heartbeat of a session.
func beat(session string, seq int) string {
	return fmt.Sprintf(`{"session_id":%q,"seq":%d,"viewer_id":"v-1","mono_ms":%d,"play_requested":true,"first_frame_ms":400,"play_ms":%d,"schema":1}`,
		session, seq, 1000+seq*10_000, seq*10_000)
}

// record is a CMCD event record.
func record(session string, sn int) string {
	return fmt.Sprintf(`e=ps,sid=%q,sn=%d,sta=p,ts=%d,v=2`, session, sn, testNow.UnixMilli()+int64(sn))
}

// repeat joins n texts.
func repeat(n int, separator string, of func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = of(i)
	}
	return strings.Join(parts, separator)
}

func gzipped(text string) string {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return buf.String()
}

var inGzip = map[string]string{"Content-Encoding": "gzip"}

func TestPostExposures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/v1/exposures"
	two := "[" + exposureOfUnit("v-1") + "," + exposureOfUnit("v-2") + "]"
	full := "[" + repeat(experiment.MaxExposureBatch, ",", func(int) string { return exposureOfUnit("v-1") }) + "]"
	atLimit := two + strings.Repeat(" ", maxExposureBody-len(two))
	with := func(members string) string {
		return `[{"experiment":"abr","unit":"v-9","arm":"control",` + members + `}]`
	}
	b.play(t, []scenario{
		{name: "two", method: "POST", path: path, as: "ingest", body: two, status: 200, has: []string{`{"accepted":2}`}, rows: map[string]int{"exposures": 2, "session_links": 2}},
		{name: "again", method: "POST", path: path, as: "ingest", body: two, status: 200, has: []string{`{"accepted":2}`}},
		{name: "gzip", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(two), status: 200, has: []string{`{"accepted":2}`}},
		{name: "none", method: "POST", path: path, as: "ingest", body: `[]`, status: 200, has: []string{`{"accepted":0}`}},
		{
			name: "the good part is kept", method: "POST", path: path, as: "ingest", status: 200,
			body: `[{"experiment":"nothing","unit":"v-3","arm":"control"},` + exposureOfUnit("v-3") + `,{"experiment":"abr","unit":"","arm":"control"},7,null,
				{"experiment":"abr","unit":"v-4","arm":"nobody"},{"experiment":"abr","unit":"v-4","arm":"control","version":99}]`,
			has: []string{
				`"accepted":1`, `{"index":0,"field":"experiment"`, `{"index":2,"field":"unit"`, `{"index":3,`, `{"index":4,"field":"experiment"`,
				`{"index":5,"field":"arm"`, `{"index":6,"field":"version"`,
			},
			lacks: []string{`"index":1,`}, rows: map[string]int{"exposures": 1, "session_links": 1},
		},
		{
			name: "nothing good", method: "POST", path: path, as: "ingest", body: `[{"experiment":"abr","arm":"control"}]`,
			status: 400, has: []string{`"location":"[0].unit"`},
		},
		{name: "the byte zero in a unit", method: "POST", path: path, as: "ingest", body: `[{"experiment":"abr","unit":"a\u0000","arm":"control"}]`, status: 400, has: []string{"[0].unit"}},
		{name: "the byte zero in an attribute", method: "POST", path: path, as: "ingest", body: with(`"attributes":{"a":"\u0000"}`), status: 400, has: []string{"[0].attributes"}},
		{name: "a time that is none", method: "POST", path: path, as: "ingest", body: with(`"at":"yesterday"`), status: 400, has: []string{`"location":"[0]`}},
		{name: "a time before time", method: "POST", path: path, as: "ingest", body: with(`"at":"0000-01-01T00:00:00Z"`), status: 400, has: []string{"[0].at"}},
		{name: "a time before any experiment", method: "POST", path: path, as: "ingest", body: with(`"at":"1999-12-31T23:59:59Z"`), status: 400, has: []string{"[0].at"}},
		{name: "the earliest time", method: "POST", path: path, as: "ingest", body: with(`"at":"2000-01-01T00:00:00Z"`), status: 200, rows: map[string]int{"exposures": 1}},
		{name: "a time of the future is now", method: "POST", path: path, as: "ingest", body: strings.Replace(with(`"at":"9999-12-31T23:59:59Z"`), "v-9", "v-8", 1), status: 200, rows: map[string]int{"exposures": 1}},
		{name: "an object", method: "POST", path: path, as: "ingest", body: exposureOfUnit("v"), status: 400, has: []string{"array"}},
		{name: "half an array", method: "POST", path: path, as: "ingest", body: two[:len(two)-1], status: 400},
		{name: "empty body", method: "POST", path: path, as: "ingest", status: 400},
		{name: "no gzip", method: "POST", path: path, as: "ingest", header: inGzip, body: two, status: 400, has: []string{"gzip"}},
		{name: "half gzip", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(two)[:30], status: 400},
		{name: "another encoding", method: "POST", path: path, as: "ingest", header: map[string]string{"Content-Encoding": "br"}, body: two, status: 415, has: []string{"br"}},
		{name: "a full batch", method: "POST", path: path, as: "ingest", body: full, status: 200, has: []string{`{"accepted":10000}`}},
		{name: "one more", method: "POST", path: path, as: "ingest", body: full[:len(full)-1] + "," + exposureOfUnit("v-7") + "]", status: 413, has: []string{"10000", "10001"}},
		{name: "the largest body", method: "POST", path: path, as: "ingest", body: atLimit, status: 200},
		{name: "one byte more", method: "POST", path: path, as: "ingest", body: atLimit + " ", status: 413},
		{name: "one byte more, packed", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(atLimit + " "), status: 413},
		{name: "wrong key", method: "POST", path: path, header: map[string]string{"X-API-Key": "nobody"}, body: two, status: 401},
		{name: "wrong method", method: "GET", path: path, as: "ingest", status: 405},
	})
}

// A sender must learn of every record that was not taken, however many.
func TestEveryRejectedRecordIsReported(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const bad = 3 * maxProblemErrors
	for _, tt := range []struct {
		path, good string
		bad        func(i int) string
	}{
		{"/v1/exposures", exposureOfUnit("v-1"), func(int) string { return `{"experiment":"abr","unit":"","arm":"control"}` }},
		{"/v1/heartbeats", beat("s-1", 1), func(i int) string { return beat("", i) }},
	} {
		body := tt.good + "," + repeat(bad, ",", tt.bad)
		got := b.send(t, scenario{method: "POST", path: tt.path, as: "ingest", body: "[" + body + "]"})
		var a ingestAnswer
		if err := json.Unmarshal([]byte(got.body), &a); err != nil || got.status != http.StatusOK || a.Accepted != 1 {
			t.Fatalf("%s = %d, %v: %.300s", tt.path, got.status, err, got.body)
		}
		seen := map[int]bool{}
		for _, r := range a.Rejected {
			seen[r.Index] = r.Field != "" && r.Message != ""
		}
		for i := 1; i <= bad; i++ {
			if !seen[i] {
				t.Fatalf("%s does not report record %d; it reports %d", tt.path, i, len(seen))
			}
		}
		got = b.send(t, scenario{method: "POST", path: tt.path, as: "ingest", body: "[" + repeat(bad, ",", tt.bad) + "]"})
		if p := problemIn(t, got); got.status != http.StatusBadRequest || len(p.Errors) < bad {
			t.Errorf("%s with nothing good = %d with %d faults, want 400 with %d", tt.path, got.status, len(p.Errors), bad)
		}
	}
}

func TestPostHeartbeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/v1/heartbeats"
	one := map[string]int{"sessions": 1}
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	array := "[" + beat("s-1", 0) + "," + beat("s-1", 1) + "]"
	atLimit := array + strings.Repeat(" ", maxHeartbeatBody-len(array))
	full := "[" + repeat(telemetry.MaxBatch, ",", func(i int) string { return fmt.Sprintf(`{"session_id":"a","seq":%d}`, i) }) + "]"
	b.play(t, []scenario{
		{name: "array", method: "POST", path: path, as: "ingest", body: array, status: 200, has: []string{`{"accepted":2}`}, rows: one},
		{name: "again", method: "POST", path: path, as: "ingest", body: array, status: 200, has: []string{`{"accepted":2}`}},
		{name: "one object", method: "POST", path: path, as: "ingest", body: beat("s-2", 0), status: 200, has: []string{`{"accepted":1}`}, rows: one},
		{name: "NDJSON", method: "POST", path: path, as: "ingest", header: ndjson, body: beat("s-3", 0) + "\n" + beat("s-4", 0) + "\n", status: 200, has: []string{`{"accepted":2}`}, rows: map[string]int{"sessions": 2}},
		{name: "sendBeacon", method: "POST", path: path, as: "ingest", header: map[string]string{"Content-Type": "text/plain;charset=UTF-8"}, body: beat("s-5", 0), status: 200, rows: one},
		{name: "gzip", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(array), status: 200, has: []string{`{"accepted":2}`}},
		{name: "none", method: "POST", path: path, as: "ingest", body: `[]`, status: 200, has: []string{`{"accepted":0}`}},
		{
			name: "the good part is kept", method: "POST", path: path, as: "ingest", status: 200,
			body: "[" + beat("", 0) + "," + beat("s-6", 0) + `,7,` + strings.Replace(beat("s-7", 1), `"play_ms":10000`, `"play_ms":-1`, 1) + "]",
			has:  []string{`"accepted":1`, `{"index":0,"field":"session_id"`, `{"index":2,`, `{"index":3,"field":"play_ms"`}, lacks: []string{`"index":1,`}, rows: one,
		},
		{
			name: "the good lines are kept", method: "POST", path: path, as: "ingest", header: ndjson, status: 200,
			body: beat("s-8", 0) + "\n{\"session_id\":\n" + beat("s-9", 0), has: []string{`"accepted":2`, `{"index":1,`}, rows: map[string]int{"sessions": 2},
		},
		{name: "the byte zero", method: "POST", path: path, as: "ingest", body: `[{"session_id":"s\u0000","seq":0}]`, status: 400, has: []string{"[0].session_id"}},
		{name: "nothing good", method: "POST", path: path, as: "ingest", body: beat("", 0), status: 400, has: []string{"[0].session_id"}},
		{name: "not JSON", method: "POST", path: path, as: "ingest", body: `hello`, status: 400},
		{name: "a full batch", method: "POST", path: path, as: "ingest", body: full, status: 200, has: []string{`{"accepted":10000}`}, rows: one},
		{name: "one more", method: "POST", path: path, as: "ingest", body: full[:len(full)-1] + `,{"session_id":"b","seq":1}]`, status: 413},
		{name: "the largest body", method: "POST", path: path, as: "ingest", body: atLimit, status: 200},
		{name: "one byte more", method: "POST", path: path, as: "ingest", body: atLimit + " ", status: 413},
		{name: "one byte more, packed", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(atLimit + " "), status: 413},
		{name: "a bomb", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(strings.Repeat(" ", 64<<20)), status: 413},
		{name: "wrong key", method: "POST", path: path, header: map[string]string{"X-API-Key": "nobody"}, body: array, status: 401},
	})
}

func TestPostCMCD(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := "/v1/cmcd/" + b.secrets[experiment.ScopeIngest]
	batch := record("s-1", 1) + "\n" + record("s-1", 2) + "\n"
	atLimit := batch + strings.Repeat("\n", maxCMCDBody-len(batch))
	b.play(t, []scenario{
		{name: "two", method: "POST", path: path, body: batch, status: 204, rows: map[string]int{"cmcd_records": 2}},
		{name: "again", method: "POST", path: path, body: batch, status: 204},
		{name: "gzip", method: "POST", path: path, header: inGzip, body: gzipped(batch), status: 204},
		{name: "the good records are kept", method: "POST", path: path, body: "((\n" + record("s-1", 3) + "\nv=99,sid=\"s\",sn=1\n", status: 204, rows: map[string]int{"cmcd_records": 1}},
		{name: "a bad value is dropped alone", method: "POST", path: path, body: record("s-1", 4) + ",br=fast", status: 204, rows: map[string]int{"cmcd_records": 1}},
		{name: "nothing good", method: "POST", path: path, body: "((", status: 204},
		{name: "empty", method: "POST", path: path, status: 204},
		{name: "the largest body", method: "POST", path: path, body: atLimit, status: 204},
		{name: "one byte more", method: "POST", path: path, body: atLimit + "\n", status: 413},
		{name: "wrong key", method: "POST", path: "/v1/cmcd/nobody", body: batch, status: 401, lacks: []string{"nobody"}},
		{name: "a key without the scope", method: "POST", path: "/v1/cmcd/" + b.secrets[experiment.ScopeRead], body: batch, status: 403, has: []string{"ingest"}, lacks: []string{"secret-of"}},
		{name: "no key", method: "POST", path: "/v1/cmcd/", body: batch, status: 405},
		{name: "wrong method", method: "GET", path: path, status: 405},
	})
	if log := b.log.String(); strings.Contains(log, "secret-of") {
		t.Errorf("the log holds the ingest key: %s", log)
	}
}

// Pages of any origin may report; browsers ask first.
func TestIngestCORS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range []string{"/v1/exposures", "/v1/heartbeats", "/v1/cmcd/any-key", "/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/abr"} {
		got := b.send(t, scenario{method: "OPTIONS", path: path, header: map[string]string{
			"Origin": "https://tv.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type",
		}})
		h := got.header
		want := []string{"*", "true", "true", "7200"}
		have := []string{
			h.Get("Access-Control-Allow-Origin"),
			fmt.Sprint(strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST")),
			fmt.Sprint(strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") && strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type")),
			h.Get("Access-Control-Max-Age"),
		}
		if diff := cmp.Diff(want, have); diff != "" || got.status != http.StatusNoContent {
			t.Errorf("OPTIONS %s = %d (-want +got):\n%s", path, got.status, diff)
		}
		refused := b.send(t, scenario{method: "POST", path: path, body: "[]"})
		if refused.status != http.StatusUnauthorized || refused.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("POST %s without a key = %d, readable by %q; want 401 that the page can read", path, refused.status, refused.header.Get("Access-Control-Allow-Origin"))
		}
	}
	for _, path := range []string{apiPath + "/experiments", "/experiments", "/signin"} {
		got := b.send(t, scenario{method: "OPTIONS", path: path, header: map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}})
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("OPTIONS %s = %d, %q; want no way in from elsewhere", path, got.status, got.header.Get("Access-Control-Allow-Origin"))
		}
	}
}

// What was not taken is counted in the database, too: also by servers that end.
func TestRejectionsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.send(t, scenario{method: "POST", path: "/v1/heartbeats", as: "ingest", body: "[" + beat("", 0) + "," + beat("", 1) + "]"})
	b.send(t, scenario{method: "POST", path: "/v1/cmcd/" + b.secrets[experiment.ScopeIngest], body: "(("})
	b.srv.ingest.flush(t.Context())
	counts, err := b.db.Rejections(t.Context(), testNow)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, c := range counts {
		got[c.Source] += c.Count
	}
	if diff := cmp.Diff(map[string]int64{sourceHeartbeat: 2, sourceCMCD: 1}, got); diff != "" {
		t.Errorf("rejections (-want +got):\n%s", diff)
	}
}
