package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What goes wrong is told to people in a page that says it in plain words, names
// the field, and leads back; programs get a problem.
func TestProblemPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie := b.signIn(t)
	browser := map[string]string{"Cookie": cookie, "Accept": "text/html,application/xhtml+xml"}
	from := map[string]string{
		"Cookie": cookie, "Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "Referer": b.url + "/experiments/abr?look=1",
	}
	page := []string{"<!doctype html>", "Splitcast"}
	b.play(t, []scenario{
		{
			name: "no experiment", method: "GET", path: "/experiments/none", header: browser, status: 404,
			has: append(page, "<h1>There is nothing here</h1>", "there is no experiment", "All experiments"), lacks: []string{"<code>key</code>", "quote the request"},
		},
		{name: "no page", method: "GET", path: "/nowhere", header: browser, status: 404, has: append(page, "there is nothing at /nowhere")},
		{name: "only a form", method: "GET", path: "/settings/keys", header: browser, status: 405, has: append(page, "This page takes only its form")},
		{name: "a bad choice", method: "GET", path: "/audit?before=x", header: browser, status: 400, has: append(page, "<code>before</code>: must be")},
		{
			name: "a form without its reason", method: "POST", path: "/experiments/abr", header: from, body: "action=stop", status: 422,
			has: append(page, `role="alert"`, "Nothing was changed", `href="#why-stop"`, `aria-describedby="h-why-stop" autofocus`, "say why, in 1 to"),
		},
		{name: "not as things are", method: "POST", path: "/experiments/abr", header: from, body: "action=remove&reason=it+broke", status: 409, has: append(page, "You wrote: <bdi>it broke</bdi>")},
		{
			name: "from another site", method: "POST", path: "/experiments/abr", header: map[string]string{"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Cookie": cookie},
			body: "action=stop&reason=x", status: 403, has: append(page, "<h1>Not allowed</h1>", "requests from other sites"), lacks: []string{"mira"},
		},
		{name: "a program from another site", method: "POST", path: "/experiments/abr", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, status: 403, has: []string{`"status":403`}},
		{name: "the same for programs", method: "GET", path: apiPath + "/experiments/none", as: "read", status: 404, has: []string{`"status":404`, `"location":"key"`}, lacks: []string{"<html"}},
		{name: "no page for programs", method: "GET", path: "/nowhere", status: 404, has: []string{`"status":404`}},
		{name: "another method for programs", method: "DELETE", path: "/settings", status: 405, has: []string{`"status":405`}},
	})
}

// A form that is sent after the session ended leads to the page it was on, not to an
// address that takes only forms.
func TestFormAfterTheSessionEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for referer, want := range map[string]string{
		b.url + "/settings?x=1": "/settings?x=1", "https://elsewhere.example/settings": "", "": "",
	} {
		got := b.send(t, scenario{method: "POST", path: "/settings/keys", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Referer": referer}, body: "name=x"})
		at, ok := strings.CutPrefix(got.header.Get("Location"), pathSignIn+"?next=")
		next, err := url.QueryUnescape(at)
		if got.status != http.StatusSeeOther || !ok || err != nil || next != want {
			t.Errorf("from %q: %d to %q, want to come back to %q", referer, got.status, got.header.Get("Location"), want)
		}
	}
}
