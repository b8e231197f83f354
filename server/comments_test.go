package server

import (
	"net/http"
	"strings"
	"testing"
)

func TestCommentsAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	const path = apiPath + "/experiments/abr/comments"
	b.play(t, []scenario{
		{name: "none", method: "GET", path: path, as: "read", status: 200, has: []string{`"comments":[]`}},
		{name: "add", method: "POST", path: path, as: "write", body: `{"look":2,"metric":"stall_ratio","arm":"treatment","text":"Why now?"}`, status: 201, has: []string{`"author":"key:test write"`, `"id":1`}, rows: map[string]int{"report_comments": 1}},
		{name: "list", method: "GET", path: path, as: "read", status: 200, has: []string{"Why now?"}},
		{name: "reader", method: "POST", path: path, as: "read", body: `{"look":2,"text":"x"}`, status: 403},
		{name: "no text", method: "POST", path: path, as: "write", body: `{"look":2,"text":""}`, status: 422},
		{name: "look to come", method: "POST", path: path, as: "write", body: `{"look":3,"text":"x"}`, status: 400},
		{name: "no experiment", method: "POST", path: apiPath + "/experiments/nothing/comments", as: "write", body: `{"look":1,"text":"x"}`, status: 404},
		{name: "of no experiment", method: "GET", path: apiPath + "/experiments/nothing/comments", as: "read", status: 404},
	})
}

func TestCommentsByForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	signedIn := map[string]string{"Cookie": b.signIn(t), "Content-Type": "application/x-www-form-urlencoded"}
	const to = "/experiments/abr/comments"
	b.play(t, []scenario{
		{name: "a stranger", method: "POST", path: to, body: "look=2&text=x", status: 303, rows: map[string]int{}},
		{name: "no look", method: "POST", path: to, body: "text=x", header: signedIn, status: 422},
		{name: "no row", method: "POST", path: to, body: "look=2&row=nothing+treatment&text=x", header: signedIn, status: 422},
	})
	got := b.send(t, scenario{method: "POST", path: to, body: "look=2&row=stall_ratio+treatment&text=%3Cscript%3Ealert(1)%3C/script%3E%0D%0Asecond", header: signedIn})
	if to := got.header.Get("Location"); got.status != http.StatusSeeOther || to != "/experiments/abr#comment-1" {
		t.Fatalf("comment = %d to %q: %s", got.status, to, got.body)
	}
	b.play(t, []scenario{
		{
			name: "the page shows it", method: "GET", path: "/experiments/abr", header: signedIn, status: 200,
			has: []string{"&lt;script&gt;alert(1)&lt;/script&gt;\nsecond", `<a class="said" href="#comment-1">1 comment</a>`, "ana"}, lacks: []string{"<script>alert"},
		},
		{name: "the past knows nothing of it", method: "GET", path: "/experiments/abr?look=1", header: signedIn, status: 200, lacks: []string{"alert(1)"}},
		{name: "the form knows the row", method: "GET", path: "/experiments/abr?about=stall_ratio+treatment", header: signedIn, status: 200, has: []string{`<option value="stall_ratio treatment" selected>`}},
	})
	link := b.linkOf(t, `{}`)
	if shared := b.send(t, scenario{method: "GET", path: link.Path}); shared.status != http.StatusOK || strings.Contains(shared.body, "alert(1)") || strings.Contains(shared.body, "Comment at look") {
		t.Errorf("a shared report shows what people said: %d", shared.status)
	}
}
