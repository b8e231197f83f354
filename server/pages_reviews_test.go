package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// as is another person with a browser without JavaScript.
func (w *wizard) as(t *testing.T, person string) *wizard {
	t.Helper()
	header := w.cookieOf(t, person)
	header["Content-Type"] = "application/x-www-form-urlencoded"
	return &wizard{w.bench, header}
}

// done posts a form that must lead to a path.
func (w *wizard) done(t *testing.T, path string, form url.Values, to string) {
	t.Helper()
	if got, a := w.post(t, path, form); a.status != http.StatusSeeOther || got != to {
		t.Fatalf("%s %v = %d to %q, want %q: %s", path, form, a.status, got, to, a.body)
	}
}

// shows checks what a page says and does not say.
func (w *wizard) shows(t *testing.T, path string, has, lacks []string) {
	t.Helper()
	page := w.get(t, path)
	for _, want := range has {
		if !strings.Contains(page.body, want) {
			t.Errorf("%s = %d lacks %q: %s", path, page.status, want, page.body)
		}
	}
	for _, not := range lacks {
		if strings.Contains(page.body, not) {
			t.Errorf("%s holds %q", path, not)
		}
	}
}

// The wizard asks, another person sees what will be, requests changes, approves,
// and it is launched.
func TestReviewByPages(t *testing.T) {
	t.Parallel()
	ana := newWizard(t)
	bob := ana.as(t, "bob")
	const page, list = pathExperiments + "/looked-at", pathExperiments
	ana.done(t, pathSettings+"/reviews", url.Values{web.SettingsFieldReview: {"yes"}}, pathSettings+"#reviews")
	ana.shows(t, pathSettings, []string{"need a second person", "Let one person launch"}, nil)
	draft := ana.begin(t, "Looked at")
	ana.shows(t, draft+"/review", []string{`value="ask"`, "Ask for a review with", `name="reviewer"`}, []string{`value="launch"`})
	if _, a := ana.post(t, draft+"/review", url.Values{"go": {"launch"}}); a.status != http.StatusConflict || !strings.Contains(a.body, "second person") {
		t.Errorf("launching past the button = %d: %s", a.status, a.body)
	}
	ana.done(t, draft+"/review", url.Values{"go": {"ask"}, "reviewer": {"bob"}, "note": {"Look at <the> arms"}}, page)
	ana.shows(t, page, []string{"ana asked bob", "Look at &lt;the&gt; arms", "waiting for review", "it takes another person", "weight 1, value 2"}, []string{`value="approve"`, `value="publish"`})
	bob.shows(t, page, []string{`value="approve"`, `value="changes"`, "as soon as somebody launches it"}, []string{"it takes another person"})
	bob.shows(t, list, []string{"waiting for review"}, nil)

	if _, a := bob.post(t, page+"/reviews/1", url.Values{"decision": {"changes"}}); a.status != http.StatusBadRequest {
		t.Errorf("requesting changes without a word = %d", a.status)
	}
	bob.done(t, page+"/reviews/1", url.Values{"decision": {"changes"}, "comment": {"Which arms?"}}, page)
	ana.shows(t, page, []string{"changes requested", "Which arms?", "Ask for a review", `action="` + page + `/reviews"`}, []string{`value="approve"`})
	ana.done(t, page+"/reviews", url.Values{"action": {"launch"}, "reason": {"All of them"}}, page)
	if _, a := ana.post(t, page+"/reviews/2", url.Values{"decision": {"approve"}}); a.status != http.StatusForbidden {
		t.Errorf("approving one's own = %d", a.status)
	}
	bob.done(t, page+"/reviews/2", url.Values{"decision": {"approve"}, "comment": {"Good"}}, page)
	ana.shows(t, page, []string{"approved it", `value="publish"`, "Earlier reviews"}, []string{`id="why-launch"`})
	ana.done(t, page+"/reviews/2", url.Values{"decision": {"publish"}}, page)
	if e, err := ana.db.Get(t.Context(), "looked-at"); err != nil || e.Status != experiment.StatusRunning {
		t.Fatalf("it is %s, %v", e.Status, err)
	}
	ana.shows(t, pathAudit, []string{"review.ask", "review.approve", "review.refuse", "settings.update"}, nil)

	ana.shows(t, page, []string{"approved and published", `action="` + page + `/reviews"`}, []string{`value="publish"`})
	if _, a := ana.post(t, page, url.Values{"action": {"ship"}, "arm": {"treatment"}, "reason": {"x"}}); a.status != http.StatusConflict {
		t.Errorf("shipping alone = %d", a.status)
	}
	ana.done(t, page+"/reviews", url.Values{"action": {"ship"}, "arm": {"treatment"}, "reason": {"x"}}, page)
	bob.shows(t, page, []string{"Ship treatment", "whatever the audience"}, nil)
	ana.done(t, page, url.Values{"action": {"stop"}, "reason": {"harm"}}, page)
	if _, a := bob.post(t, page+"/reviews/3", url.Values{"decision": {"approve"}}); a.status != http.StatusConflict {
		t.Errorf("approving what is void = %d", a.status)
	}
	for _, id := range []string{"x", "99"} {
		if _, a := bob.post(t, page+"/reviews/"+id, url.Values{"decision": {"approve"}}); a.status != http.StatusNotFound {
			t.Errorf("approving review %s = %d", id, a.status)
		}
	}
	if _, a := bob.post(t, page+"/reviews/3", url.Values{"decision": {"perhaps"}}); a.status != http.StatusBadRequest {
		t.Errorf("deciding perhaps = %d", a.status)
	}
}
