package server

import (
	"strings"
	"testing"
)

// A form of the report that is not accepted comes back in the page with what was
// written and what is wrong with it, at the look and with the choices that it was
// made at; nothing is stored.
func TestRejectedForms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	const at = "/experiments/abr"
	from := map[string]string{
		"Cookie": b.signIn(t), "Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "Referer": b.url + at + "?look=1&metric=stall_ratio",
	}
	long := strings.Repeat("y", 2_001)
	b.play(t, []scenario{
		{
			name: "no reason", method: "POST", path: at, header: from, body: "action=ship&arm=control&reason=", status: 422,
			has: []string{`id="panel-decide" open`, `href="#why-ship"`, `<p class="hint error" id="h-why-ship">say why`, `<option value="control" selected>`}, lacks: []string{"Replay of look"},
		},
		{
			name: "an arm that is not there", method: "POST", path: at, header: from, body: "action=ship&arm=none&reason=because+%3Cb%3E", status: 422,
			has: []string{`value="because &lt;b&gt;"`, "Nothing was changed"},
		},
		{
			name: "a comment too long", method: "POST", path: at + "/comments", header: from, body: "look=1&row=stall_ratio+treatment&text=" + long, status: 422,
			has: []string{"Replay of look 1", `aria-describedby="h-comment-text" autofocus`, long + "</textarea>", `<option value="stall_ratio treatment" selected>`, `<option value="stall_ratio" selected>`},
		},
		{
			name: "no comment", method: "POST", path: at + "/comments", header: from, body: "look=2&row=&text=", status: 422,
			has: []string{"must have 1 to", `action="/experiments/abr/comments"`}, lacks: []string{"data-live="},
		},
		{
			name: "a link for no number of days", method: "POST", path: at + "/shares", header: from, body: "look=2&days=soon", status: 422,
			has: []string{`value="soon" aria-invalid="true"`, `id="h-share-days">must be a number of days`},
		},
		{name: "a link for too long", method: "POST", path: at + "/shares", header: from, body: "look=2&days=91", status: 422, has: []string{`value="91" aria-invalid="true"`}},
		{name: "of nothing", method: "POST", path: "/experiments/none/comments", header: from, body: "look=2&text=x", status: 404, has: []string{"There is nothing here"}},
	})
	for _, table := range []string{"report_comments", "report_shares"} {
		if n := b.count(t, "select count(*) from "+table); n != 0 {
			t.Errorf("%s has %d rows, want none", table, n)
		}
	}
	for _, part := range []string{"/comments", "/shares"} {
		got := b.send(t, scenario{method: "GET", path: at + part + "?look=1", header: from})
		if to := got.header.Get("Location"); got.status != 303 || to != at+"?look=1" {
			t.Errorf("GET %s = %d to %q, want the report", part, got.status, to)
		}
	}
}
