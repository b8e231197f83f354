package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// A day is computed again by an administrator, with a reason; the report tells of it
// from then on, and that of the look before reads as it did.
func TestRestateOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const viewers = 300
	b.measure(t, viewers)
	path := apiPath + "/experiments/abr/restatements"
	admin := experiment.ScopeAdmin
	day := b.clock.Now().UTC().Add(-time.Minute).Format(time.DateOnly)
	before := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/abr/report.csv?look=2", as: "read"})
	b.play(t, []scenario{
		{name: "not an administrator", method: "POST", path: path, as: experiment.ScopeWrite, body: `{"day":"` + day + `","reason":"x"}`, status: 403},
		{name: "no reason", method: "POST", path: path, as: admin, body: `{"day":"` + day + `"}`, status: 422},
		{name: "no day", method: "POST", path: path, as: admin, body: `{"day":"yesterday","reason":"x"}`, status: 422},
		{name: "a day without windows", method: "POST", path: path, as: admin, body: `{"day":"2020-01-01","reason":"x"}`, status: 400, has: []string{"no window of abr has closed on 2020-01-01"}},
		{name: "no experiment", method: "POST", path: apiPath + "/experiments/none/restatements", as: admin, body: `{"day":"` + day + `","reason":"x"}`, status: 404},
		{
			name: "restate", method: "POST", path: path, as: admin, body: `{"day":"` + day + `","reason":"a collector was late"}`, status: 200,
			has: []string{`"look":3`, `"reason":"a collector was late"`}, rows: map[string]int{"audit_log": 1, "looks": 1, "restated_outcomes": viewers},
		},
		{name: "report", method: "GET", path: apiPath + "/experiments/abr/report", as: "read", status: 200, has: []string{`"key":"restated"`, "a collector was late", `"look":3`}},
		{name: "report before", method: "GET", path: apiPath + "/experiments/abr/report?look=2", as: "read", status: 200, lacks: []string{`"key":"restated"`}},
		{name: "audit", method: "GET", path: apiPath + "/audit?limit=1", as: admin, status: 200, has: []string{"experiment.restate", "a collector was late", day}},
	})
	after := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/abr/report.csv?look=2", as: "read"})
	// Of past looks there are no segments.
	rows := func(a answer) string { return strings.Join(strings.SplitN(a.body, "\n", 4)[:3], "\n") }
	if before.status != http.StatusOK || rows(after) != rows(before) {
		t.Errorf("the look before changed:\n%s\n%s", before.body, after.body)
	}
}
