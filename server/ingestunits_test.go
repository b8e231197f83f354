package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/telemetry"
)

func TestPostBroadcasts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/v1/broadcasts"
	cast := func(stream string, part, seq int) string {
		return fmt.Sprintf(`{"stream_id":%q,"part":%d,"seq":%d,"broadcaster_id":"bc-1","mono_ms":60000,"stream_start_ms":2000,"live_ms":58000,"encoder":"obs"}`, stream, part, seq)
	}
	two := "[" + cast("st-1", 0, 1) + "," + cast("st-1", 1, 1) + "]"
	rows := func(n int) map[string]int { return map[string]int{"broadcasts": n} }
	atLimit := two + strings.Repeat(" ", telemetry.MaxBodyBytes-len(two))
	b.play(t, []scenario{
		{name: "two parts", method: "POST", path: path, as: "ingest", body: two, status: 200, has: []string{`{"accepted":2}`}, rows: rows(2)},
		{name: "again", method: "POST", path: path, as: "ingest", body: two, status: 200, has: []string{`{"accepted":2}`}},
		{name: "NDJSON in gzip", method: "POST", path: path, as: "ingest", header: inGzip, body: gzipped(cast("st-1", 0, 2) + "\n" + cast("st-2", 0, 1)), status: 200, rows: rows(1)},
		{
			name: "the good ones are kept", method: "POST", path: path, as: "ingest", status: 200, rows: rows(1),
			body: "[" + strings.Replace(cast("st-3", 0, 1), `"seq":1,`, "", 1) + "," + cast("st-4", 0, 1) + "]", has: []string{`"accepted":1`, `{"index":0,"field":"seq"`},
		},
		{name: "nothing good", method: "POST", path: path, as: "ingest", body: `{"stream_id":"s"}`, status: 400, has: []string{"[0].seq"}},
		{name: "the largest body", method: "POST", path: path, as: "ingest", body: atLimit, status: 200},
		{name: "one byte more", method: "POST", path: path, as: "ingest", body: atLimit + " ", status: 413},
		{name: "no key", method: "POST", path: path, body: two, status: 401},
	})
}

func TestPostEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const path = "/v1/events"
	at := testNow.UnixMilli()
	event := func(id string, atMs int64) string {
		return fmt.Sprintf(`{"unit_type":"viewer","unit":"v-1","name":"purchase","id":%q,"at":%d,"value":4.99}`, id, atMs)
	}
	rows := func(n int) map[string]int { return map[string]int{"unit_events": n} }
	const day = 24 * 3_600_000
	full := repeat(telemetry.MaxBatch, "\n", func(int) string { return fmt.Sprintf(`{"at":%d}`, at) })
	with := func(changes ...string) string { return strings.NewReplacer(changes...).Replace(event("x", at)) }
	b.play(t, []scenario{
		{name: "two", method: "POST", path: path, as: "ingest", body: "[" + event("a", at) + "," + event("b", at) + "]", status: 200, has: []string{`{"accepted":2}`}, rows: rows(2)},
		{name: "again", method: "POST", path: path, as: "ingest", body: event("a", at) + "\n" + event("b", at), status: 200, has: []string{`{"accepted":2}`}},
		{name: "the same id of another name", method: "POST", path: path, as: "ingest", body: strings.Replace(event("a", at), "purchase", "refund", 1), status: 200, rows: rows(1)},
		{
			name: "a time in words", method: "POST", path: path, as: "ingest", status: 200, rows: rows(1),
			body: with(fmt.Sprint(at), `"`+testNow.Add(-time.Hour).Format(time.RFC3339)+`"`),
		},
		{name: "without a value", method: "POST", path: path, as: "ingest", body: with(`,"value":4.99`, "", `"x"`, `"y"`), status: 200, rows: rows(1)},
		{name: "oldest", method: "POST", path: path, as: "ingest", body: event("o", at-7*day), status: 200, rows: rows(1)},
		{name: "older", method: "POST", path: path, as: "ingest", body: event("p", at-7*day-1), status: 400, has: []string{"[0].at"}},
		{name: "newest", method: "POST", path: path, as: "ingest", body: event("q", at+60_000), status: 200, rows: rows(1)},
		{name: "of the future", method: "POST", path: path, as: "ingest", body: event("r", at+60_001), status: 400, has: []string{"[0].at"}},
		{
			name: "the good one is kept", method: "POST", path: path, as: "ingest", status: 200, rows: rows(1), has: []string{
				`"accepted":1`, `{"index":0,"field":"unit_type"`, `{"index":1,"field":"unit"`, `{"index":2,"field":"name"`, `{"index":3,"field":"id"`,
				`{"index":4,"field":"at"`, `{"index":5,"field":"value"`, `{"index":6,"field":"value"`, `{"index":7,"field":"at"`, `{"index":8,"field":"name"`,
			},
			body: "[" + strings.Join([]string{
				with("viewer", "person"), with(`"unit":"v-1",`, ""), with("purchase", "Purchase it"), with(`"id":"x",`, ""), with(fmt.Sprintf(`"at":%d,`, at), ""),
				with("4.99", "1e300"), with("4.99", `"much"`), with(fmt.Sprint(at), `"yesterday"`), with(`"name":"purchase",`, ""), event("z", at),
			}, ",") + "]",
		},
		{name: "a full batch", method: "POST", path: path, as: "ingest", body: full, status: 400, has: []string{"10000 faults"}},
		{name: "one more", method: "POST", path: path, as: "ingest", body: full + "\n{}", status: 413},
		{name: "no key", method: "POST", path: path, body: event("a", at), status: 401},
	})
}
