package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Who is signed out everywhere is so at once, with links that were not used; others
// stay.
func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	ana := newWizard(t)
	bob := []*wizard{ana.as(t, "bob"), ana.as(t, "bob")}
	link, err := ana.srv.LoginPath(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	ana.shows(t, pathSettings, []string{"2 browsers", `value="bob"`, "Sign out everywhere"}, nil)
	ana.done(t, pathSettings+"/people/signout", url.Values{"name": {"bob"}}, pathSettings+"#people")
	for _, b := range bob {
		if a := b.get(t, pathExperiments); a.status != http.StatusSeeOther {
			t.Errorf("bob still reads pages: %d", a.status)
		}
		if a := b.get(t, apiPath+"/experiments"); a.status != http.StatusUnauthorized {
			t.Errorf("bob still uses the API: %d", a.status)
		}
	}
	if a := ana.send(t, scenario{method: "POST", path: link}); a.status != http.StatusUnauthorized {
		t.Errorf("a link of before = %d", a.status)
	}
	ana.shows(t, pathSettings, []string{"1 browser"}, []string{`value="bob"`})
	if _, a := ana.post(t, pathSettings+"/people/signout", url.Values{"name": {"bob"}}); a.status != http.StatusNotFound || !strings.Contains(a.body, "not signed in anywhere") {
		t.Errorf("signing out who is out = %d: %s", a.status, a.body)
	}
	ana.shows(t, pathAudit, []string{"login.end", "login.use", "&#34;sessions&#34;: 2"}, nil)
	carol := ana.as(t, "carol@example.com")
	if a := ana.send(t, scenario{method: "DELETE", path: apiPath + "/people/carol%40example.com/sessions", as: "admin"}); a.status != http.StatusOK || !strings.Contains(a.body, `"ended":1`) {
		t.Errorf("by API = %d: %s", a.status, a.body)
	}
	if a := carol.get(t, pathExperiments); a.status != http.StatusSeeOther {
		t.Errorf("carol still reads pages: %d", a.status)
	}
}

// Sign-ins are in the audit log, failed ones as far as guessing does not fill it.
func TestSignInsAreAudited(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cookieOf(t, "ana")
	if n := b.count(t, `select count(*) from audit_log where action = $1 and actor = 'ana' and detail->>'from' = '127.0.0.1'`, actionSignIn); n != 1 {
		t.Errorf("%d entries of the sign-in, want 1", n)
	}
	failed := func() int {
		return b.count(t, `select count(*) from audit_log where action = $1 and actor = 'unknown'`, actionSignInFail)
	}
	for i := range signInFailsBurst + 1 {
		guess := fmt.Sprintf("secret-guess-%d", i)
		if a := b.send(t, scenario{method: "POST", path: pathSignIn + "?token=" + guess}); a.status != http.StatusUnauthorized {
			t.Errorf("a guess = %d", a.status)
		}
		if got, want := failed(), min(i+1, signInFailsBurst); got != want {
			t.Errorf("after %d guesses %d entries, want %d", i+1, got, want)
		}
	}
	if n := b.count(t, `select count(*) from audit_log where detail::text like '%secret-guess%'`); n > 0 {
		t.Error("the log holds what was guessed")
	}
	var f signInFails
	for range signInFailsBurst {
		f.take(testNow)
	}
	_, first := f.take(testNow)
	_, second := f.take(testNow)
	if skipped, ok := f.take(testNow.Add(signInFailsEvery)); first || second || !ok || skipped != 2 {
		t.Errorf("a minute later: %d skipped, %v, after %v, %v", skipped, ok, first, second)
	}
}
