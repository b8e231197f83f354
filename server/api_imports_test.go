package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/postgres"
)

// What others measured is taken in bounded batches, judged record by record, and
// each batch is in the audit log: it may be of any time in the past.
func TestImportsOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const units, sessions = apiPath + "/experiments/abr/imports?with=sessions", apiPath + "/imports/sessions"
	unit := func(i int) string {
		return fmt.Sprintf(`{"unit":"v-%d","arm":"control","at":"2026-11-01T12:00:00Z"}`, i)
	}
	array := func(n int, record func(int) string) string { return "[" + repeat(n, ",", record) + "]" }
	const session = `{"session_id":"s-1","seq":1,"kind":"end","viewer_id":"v-1","mono_ms":60000,"play_ms":50000,"play_requested":true,"first_frame_ms":800,"at":"%s"}`
	at := func(time string) string { return "[" + fmt.Sprintf(session, time) + "]" }
	const events = apiPath + "/experiments/abr/imports/events"
	happened := func(time, name string) string {
		return fmt.Sprintf(`[{"unit":"v-1","name":%q,"id":"1","at":%q,"value":2.5}]`, name, time)
	}
	small := array(2, unit)
	b.play(t, []scenario{
		{
			name: "units", method: "POST", path: units, as: "write", body: small, status: 200,
			has: []string{`"accepted":2`}, rows: map[string]int{"exposures": 2, "audit_log": 1},
		},
		{name: "again", method: "POST", path: units, as: "write", body: small, status: 200, has: []string{`"accepted":0`, `"repeated":2`}},
		{name: "a unit of the future", method: "POST", path: units, as: "write", body: `[{"unit":"v-9","arm":"control","at":"2026-12-01T12:00:00Z"}]`, status: 200, has: []string{`"field":"at"`, "future"}},
		{name: "a unit without a time", method: "POST", path: units, as: "write", body: `[{"unit":"v-9","arm":"control"}]`, status: 200, has: []string{`"field":"at"`, "required"}},
		{name: "an unknown field", method: "POST", path: units, as: "write", body: `[{"unit":"v-9","arms":"control"}]`, status: 200, has: []string{"arms"}},
		{name: "a full batch", method: "POST", path: units, as: "write", body: array(postgres.MaxImportBatch, func(int) string { return unit(0) }), status: 200, has: []string{`"repeated"`}},
		{name: "one more", method: "POST", path: units, as: "write", body: array(postgres.MaxImportBatch+1, func(int) string { return unit(0) }), status: 413},
		{name: "the largest body", method: "POST", path: units, as: "write", body: small + strings.Repeat(" ", maxImportBody-len(small)), status: 200},
		{name: "one byte more", method: "POST", path: units, as: "write", body: small + strings.Repeat(" ", maxImportBody+1-len(small)), status: 413},
		{name: "a draft", method: "POST", path: apiPath + "/experiments/later/imports", as: "write", body: small, status: 409, has: []string{"plan"}},
		{
			name: "events", method: "POST", path: events, as: "write", body: happened("2026-10-01T12:00:00Z", "tip"), status: 200,
			has: []string{`"accepted":1`, `"rejected":[]`}, rows: map[string]int{"unit_events": 1, "audit_log": 1},
		},
		{name: "events again", method: "POST", path: events, as: "write", body: happened("2026-10-01T12:00:00Z", "tip"), status: 200, has: []string{`"accepted":0`, `"repeated":1`}, rows: map[string]int{"audit_log": 0}},
		{name: "an event of the future", method: "POST", path: events, as: "write", body: happened("2026-12-01T12:00:00Z", "tip"), status: 200, has: []string{`"accepted":0`, `"field":"at"`}},
		{name: "an event of another unit of time", method: "POST", path: events, as: "write", body: happened("1970-01-20T12:00:00Z", "tip"), status: 200, has: []string{`"accepted":0`, "400 days"}},
		{name: "an event of no name", method: "POST", path: events, as: "write", body: happened("2026-10-01T12:00:00Z", ""), status: 200, has: []string{`"accepted":0`, `"field":"name"`}},
		{name: "events of a draft", method: "POST", path: apiPath + "/experiments/later/imports/events", as: "write", body: happened("2026-10-01T12:00:00Z", "tip"), status: 409, has: []string{"plan"}},
		{name: "the log tells of events", method: "GET", path: apiPath + "/audit?limit=1", as: "admin", status: 200, has: []string{`"action":"import"`, `"subject":"abr"`, `"with":"events"`}},
		{
			name: "sessions", method: "POST", path: sessions, as: "write", body: at("2026-11-01T12:00:00Z"), status: 200,
			has: []string{`"accepted":1`}, rows: map[string]int{"sessions": 1, "audit_log": 1},
		},
		{name: "a session of the future", method: "POST", path: sessions, as: "write", body: at("2026-12-01T12:00:00Z"), status: 200, has: []string{`"accepted":0`, "future"}},
		{name: "a session of another unit of time", method: "POST", path: sessions, as: "write", body: at("1970-01-20T12:00:00Z"), status: 200, has: []string{`"accepted":0`, "2000"}},
		{name: "a session without a time", method: "POST", path: sessions, as: "write", body: strings.Replace(at(""), `,"at":""`, "", 1), status: 200, has: []string{`"accepted":0`, "required"}},
		{name: "the log tells", method: "GET", path: apiPath + "/audit?limit=1", as: "admin", status: 200, has: []string{`"action":"import"`, `"subject":"sessions"`, "test write"}},
	})
}
