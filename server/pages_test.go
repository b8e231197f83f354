package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/web"
)

func TestSignInByLink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path, err := b.srv.LoginPath(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(path, "/signin?token=")
	for range 2 { // a program that previews links spends nothing
		if got := b.send(t, scenario{method: "GET", path: path}); got.status != http.StatusOK || got.header.Get("Set-Cookie") != "" ||
			!strings.Contains(got.body, `<input type="hidden" name="token" value="`+token+`">`) {
			t.Fatalf("opening the link = %d, %v: %s", got.status, got.header, got.body)
		}
	}
	elsewhere := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
	if got := b.send(t, scenario{method: "POST", path: pathSignIn, header: elsewhere, body: "token=" + token}); got.status != http.StatusForbidden {
		t.Errorf("the button of another site = %d", got.status)
	}
	first := b.openLink(t, path)
	set := first.header.Get("Set-Cookie")
	if first.status != http.StatusSeeOther || first.header.Get("Location") != pathExperiments {
		t.Fatalf("the link = %d to %q: %s", first.status, first.header.Get("Location"), first.body)
	}
	for _, want := range []string{"splitcast=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("Set-Cookie = %q lacks %q", set, want)
		}
	}
	cookie, _, _ := strings.Cut(set, ";")
	_, session, _ := strings.Cut(cookie, "=")
	if b.count(t, "select count(*) from web_sessions where token = $1", session) != 0 {
		t.Error("the database keeps the cookie itself, not its hash")
	}
	signedIn := map[string]string{"Cookie": cookie}
	b.play(t, []scenario{
		{name: "used twice", method: "POST", path: path, status: 401, has: []string{"used"}, rows: map[string]int{"audit_log": 1}},
		{name: "unknown token", method: "POST", path: "/signin?token=guess", status: 401, rows: map[string]int{"audit_log": 1}},
		{name: "markup stays text", method: "GET", path: "/signin?token=" + url.QueryEscape(`"><script>alert(1)</script>`), status: 200, lacks: []string{"<script>"}},
		{name: "list", method: "GET", path: "/experiments", header: signedIn, status: 200, has: []string{"ana", "abr", "Sign out"}},
		{name: "the API knows the session", method: "GET", path: apiPath + "/keys", header: signedIn, status: 200},
		{name: "a wrong key is not made good by a session", method: "GET", path: apiPath + "/keys", header: map[string]string{"Cookie": cookie, "X-API-Key": "nobody"}, status: 401},
		{name: "a made-up cookie", method: "GET", path: "/experiments", header: map[string]string{"Cookie": "splitcast=guess"}, status: 303},
		{name: "sign out", method: "POST", path: "/signout", header: signedIn, status: 303, rows: map[string]int{"web_sessions": -1}},
		{name: "signed out", method: "GET", path: "/experiments", header: signedIn, status: 303},
		{name: "signed out of the API", method: "GET", path: apiPath + "/keys", header: signedIn, status: 401},
	})
}

func TestAddressesThatDoNotExist(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	browser := map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
	b.play(t, []scenario{
		{name: "browser", method: "GET", path: "/nowhere", header: browser, status: 404, has: []string{"<h1>There is nothing here</h1>", "there is nothing at /nowhere"}},
		{name: "program", method: "GET", path: "/nowhere", status: 404, has: []string{`"detail":"there is nothing at /nowhere"`}},
	})
}

// A link leads to this server only, whatever stands in next.
func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for next, want := range map[string]string{
		"/experiments/abr?look=2":    "/experiments/abr?look=2",
		"":                           pathExperiments,
		"https://evil.example/":      pathExperiments,
		"//evil.example/":            pathExperiments,
		"/\\evil.example/":           pathExperiments,
		"\\\\evil.example":           pathExperiments,
		"/\t/evil.example":           pathExperiments,
		"/\n/evil.example":           pathExperiments,
		" //evil.example":            pathExperiments,
		"javascript:alert(1)":        pathExperiments,
		"evil.example":               pathExperiments,
		"http:evil.example":          pathExperiments,
		"/x\r\nSet-Cookie: a=b":      pathExperiments,
		"///evil.example":            pathExperiments,
		"/.//evil.example":           "/evil.example",
		"/experiments/../..//evil.x": "/evil.x",
	} {
		path, err := b.srv.LoginPath(t.Context(), "ana")
		if err != nil {
			t.Fatal(err)
		}
		got := b.openLink(t, path+"&next="+url.QueryEscape(next))
		if to := got.header.Get("Location"); got.status != http.StatusSeeOther || to != want {
			t.Errorf("next=%q leads to %q with %d, want %q", next, to, got.status, want)
		}
	}
}

func TestPagesNeedSignIn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range []string{"/experiments", "/experiments?q=abr&status=running", "/experiments/abr?look=1"} {
		got := b.send(t, scenario{method: "GET", path: path, as: "admin"}) // a key is for programs
		if want := pathSignIn + "?next=" + url.QueryEscape(path); got.status != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("%s = %d to %q, want 303 to %q", path, got.status, got.header.Get("Location"), want)
		}
		if strings.Contains(got.body, "ABR") {
			t.Errorf("%s shows an experiment to a stranger", path)
		}
	}
	if got := b.send(t, scenario{method: "GET", path: "/"}); got.header.Get("Location") != pathExperiments {
		t.Errorf("/ leads to %q", got.header.Get("Location"))
	}
}

func TestPageHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie := b.signIn(t)
	for path, status := range map[string]int{
		"/signin": 200, "/signin?token=guess": 200, "/experiments": 200, "/experiments/abr": 200,
		"/experiments/nothing": 404, "/experiments/abr?look=0": 400, "/": 303,
	} {
		got := b.send(t, scenario{method: "GET", path: path, header: map[string]string{"Cookie": cookie}})
		if got.status != status {
			t.Errorf("%s = %d, want %d", path, got.status, status)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": web.Policy, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		} {
			if have := got.header.Values(name); len(have) != 1 || have[0] != want {
				t.Errorf("%s: %s = %q, want exactly %q", path, name, have, want)
			}
		}
		if ct := got.header.Get("Content-Type"); !strings.HasPrefix(ct, "text/html; charset=utf-8") {
			t.Errorf("%s: Content-Type = %q", path, ct)
		}
		if strings.Contains(got.body, "<script>") || strings.Contains(got.body, " style=") || strings.Contains(got.body, " onclick=") {
			t.Errorf("%s holds what its policy forbids", path)
		}
	}
}

func TestOtherSitesCanPostNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie := b.signIn(t)
	var scenarios []scenario
	for _, from := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
	} {
		from["Cookie"] = cookie
		for _, path := range []string{"/signout", "/signin", apiPath + "/login-links", apiPath + "/experiments"} {
			scenarios = append(scenarios, scenario{name: path, method: "POST", path: path, header: from, status: 403, has: []string{`"status":403`}})
		}
		scenarios = append(scenarios, scenario{name: "delete", method: "DELETE", path: apiPath + "/keys/1", header: from, status: 403})
	}
	b.play(t, scenarios)
	if got := b.send(t, scenario{method: "GET", path: "/experiments", header: map[string]string{"Cookie": cookie}}); got.status != http.StatusOK {
		t.Errorf("after all that the session is gone: %d", got.status)
	}
}

func TestSignInFormIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	b.play(t, []scenario{
		{name: "no token", method: "POST", path: "/signin", header: form, body: "next=/experiments&name=ana&password=x", status: 401, has: []string{"by link"}},
		{name: "no form", method: "POST", path: "/signin", header: form, body: "%zz", status: 400},
		{name: "the largest", method: "POST", path: "/signin", header: form, body: "next=" + strings.Repeat("a", maxFormBody-len("next=")), status: 401},
		{name: "too large", method: "POST", path: "/signin", header: form, body: "next=" + strings.Repeat("a", maxFormBody-len("next=")+1), status: 413},
		{name: "markup stays text", method: "GET", path: "/signin?next=" + url.QueryEscape(`/"><script>alert(1)</script>`), status: 200, lacks: []string{"<script>"}},
	})
}

// runJob moves the clock and takes looks until n are there.
func (b *bench) runJob(t *testing.T, looks int) {
	t.Helper()
	job := metrics.Job{Store: b.db, Experiments: b.db.Page, Catalogue: b.db.Catalogue}
	for n := range looks {
		unit := fmt.Sprintf("v-%d", b.clock.Now().Unix()) // one that no earlier run exposed
		batch := fmt.Sprintf(`[{"experiment":"abr","unit":%q,"arm":"control"},{"experiment":"abr","unit":%q,"arm":"treatment"}]`, unit, unit+"-t")
		b.send(t, scenario{method: "POST", path: "/v1/exposures", as: "ingest", body: batch})
		b.clock.advance(metrics.FirstSpan + metrics.FirstGrace + time.Minute)
		sum, err := job.RunOnce(context.WithoutCancel(t.Context()), b.clock.Now())
		if err != nil || sum.Looks != 1 {
			t.Fatalf("run %d of the job = %+v, %v", n, sum, err)
		}
		b.srv.Ran(sum, nil)
	}
	b.srv.Ran(metrics.Summary{}, errors.New("the job failed"))
}

func TestReportPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 3)
	signedIn := map[string]string{"Cookie": b.signIn(t)}
	api := apiPath + "/experiments/abr/report"
	b.play(t, []scenario{
		{name: "newest", method: "GET", path: "/experiments/abr", header: signedIn, status: 200, has: []string{"ABR safety", "<svg", api}},
		{name: "replay", method: "GET", path: "/experiments/abr?look=2", header: signedIn, status: 200, has: []string{"look=2"}},
		{name: "look that is not there", method: "GET", path: "/experiments/abr?look=4", header: signedIn, status: 404, has: []string{"4"}},
		{name: "look 0", method: "GET", path: "/experiments/abr?look=0", header: signedIn, status: 400},
		{name: "look of words", method: "GET", path: "/experiments/abr?look=new", header: signedIn, status: 400, lacks: []string{"strconv"}},
		{name: "huge look", method: "GET", path: "/experiments/abr?look=99999999999999999999", header: signedIn, status: 400},
		{name: "no experiment", method: "GET", path: "/experiments/nothing", header: signedIn, status: 404, has: []string{"nothing"}},
		{name: "JSON", method: "GET", path: api, as: "read", status: 200, has: []string{`"look":3`}},
		{name: "JSON of a look", method: "GET", path: api + "?look=2", as: "read", status: 200, has: []string{`"look":2`}},
		{name: "CSV of a look", method: "GET", path: api + ".csv?look=2", as: "read", status: 200, has: []string{"stall_ratio"}},
	})
	csv := b.send(t, scenario{method: "GET", path: api + ".csv", as: "read"})
	if csv.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(csv.header.Get("Content-Disposition"), `"abr.csv"`) {
		t.Errorf("CSV headers = %v", csv.header)
	}
	asJSON := b.send(t, scenario{method: "GET", path: "/experiments/abr?look=2&metric=bitrate", header: map[string]string{"Cookie": signedIn["Cookie"], "Accept": "application/json"}})
	if to := asJSON.header.Get("Location"); to != api+"?look=2" {
		t.Errorf("the page as JSON leads to %q", to)
	}
	for series, want := range map[string]string{
		`splitcast_job_runs_total{result="ok"}`: "3", `splitcast_job_runs_total{result="error"}`: "1", `splitcast_job_looks_total`: "3",
	} {
		if got := metricOf(t, b, series); got != want {
			t.Errorf("%s = %s, want %s", series, got, want)
		}
	}
}

// A look, once shown, is shown the same for ever, whatever came after.
func TestReplayDoesNotChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	look := scenario{method: "GET", path: apiPath + "/experiments/abr/report.csv?look=1", as: "read"}
	before := b.send(t, look)
	b.runJob(t, 2)
	if after := b.send(t, look); after.body != before.body || before.status != http.StatusOK {
		t.Errorf("look 1 changed from\n%s\nto\n%s", before.body, after.body)
	}
}

var rowLink = regexp.MustCompile(`href="/experiments/(e-\d+)"`)

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var specs strings.Builder
	for i := range maxListed + 1 {
		fmt.Fprintf(&specs, `,{"key":"e-%03d","unit":"viewer","design":"ab","status":"draft","arms":[{"key":"control","weight":1,"value":1},{"key":"treatment","weight":1,"value":2}],"plan":{"primary":["bitrate"]}}`, i)
	}
	b.apply(t, `{"experiments":[`+specs.String()[1:]+`]}`)
	signedIn := map[string]string{"Cookie": b.signIn(t)}
	keys := func(path string) (out []string, body string) {
		got := b.send(t, scenario{method: "GET", path: path, header: signedIn})
		seen := map[string]bool{}
		for _, m := range rowLink.FindAllStringSubmatch(got.body, -1) {
			if !seen[m[1]] {
				seen[m[1]] = true
				out = append(out, m[1])
			}
		}
		return out, got.body
	}
	first, body := keys("/experiments?q=e-")
	if len(first) != maxListed || !strings.Contains(body, "after=e-049") || !strings.Contains(body, "q=e-") {
		t.Errorf("the first page has %d rows, want %d and a link to the next", len(first), maxListed)
	}
	second, body := keys("/experiments?q=e-&after=e-049")
	if len(second) != 1 || second[0] != "e-050" || strings.Contains(body, "after=e-05") {
		t.Errorf("the second page = %v, want e-050 alone", second)
	}
	if running, body := keys("/experiments?status=running"); len(running) != 0 || !strings.Contains(body, "/experiments/abr") {
		t.Errorf("of the running ones: %v", running)
	}
	if found, body := keys("/experiments?q=e-007"); len(found) != 1 || strings.Contains(body, "/experiments/abr\"") {
		t.Errorf("of e-007: %v", found)
	}
}

// The pages about the platform show what the database holds, to who signed in.
func TestPlatformPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie := b.signIn(t)
	signedIn := map[string]string{"Cookie": cookie}
	b.play(t, []scenario{
		{name: "planner", method: "GET", path: pathPlanner, header: signedIn, status: 200, has: []string{`aria-current="page">Planner`}},
		{name: "plan", method: "GET", path: pathPlanner + "?share=4&mde=5", header: signedIn, status: 200, has: []string{"577,120 units"}},
		{name: "catalogue", method: "GET", path: pathCatalogue, header: signedIn, status: 200, has: []string{"Stall ratio"}},
		{name: "metric", method: "GET", path: pathCatalogue + "/stall_ratio?unit=device", header: signedIn, status: 200, has: []string{"No device of the last 7 days", `value="device" selected`}},
		{name: "no metric", method: "GET", path: pathCatalogue + "/nothing", header: signedIn, status: 404},
		{name: "layers", method: "GET", path: pathLayers, header: signedIn, status: 200, has: []string{`href="/experiments/abr"`}},
		{name: "audit", method: "GET", path: pathAudit, header: signedIn, status: 200, has: []string{"key.create"}},
		{name: "older", method: "GET", path: pathAudit + "?before=2", header: signedIn, status: 200, has: []string{`<th scope="row">1<`}},
		{name: "no such place", method: "GET", path: pathAudit + "?before=x", header: signedIn, status: 400, has: []string{"must be the number of an entry"}},
		{name: "timeline", method: "GET", path: pathExperiments + "?view=timeline&group=owner&back=0", header: signedIn, status: 200, has: []string{"ABR safety", "since 2 Nov 2026", `aria-current="true">All`}, lacks: []string{"later"}},
		{name: "timeline of what matches", method: "GET", path: pathExperiments + "?view=timeline&status=draft", header: signedIn, status: 200, has: []string{"Nothing in this time"}},
		{name: "learn", method: "GET", path: pathLearn, header: signedIn, status: 200, has: []string{`href="/learn/peeking"`}},
		{name: "a topic", method: "GET", path: pathLearn + "/peeking", header: signedIn, status: 200, has: []string{"37.4", `aria-current="page">Learn`}},
		{name: "no topic", method: "GET", path: pathLearn + "/astrology", header: signedIn, status: 404, has: []string{"astrology"}},
		{name: "nobody", method: "GET", path: pathAudit, status: 303},
	})
}

// Decisions on the report page: each leads back to it, and the status follows.
func TestDecide(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie := b.signIn(t)
	header := map[string]string{"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
	do := func(form string) (status int, body string) {
		a := b.send(t, scenario{method: "POST", path: "/experiments/abr", header: header, body: form})
		return a.status, a.body
	}
	status := func() string {
		e, err := b.db.Get(t.Context(), "abr")
		if err != nil {
			t.Fatal(err)
		}
		return string(e.Status) + " " + e.ShippedArm
	}
	if page := b.send(t, scenario{method: "GET", path: "/experiments/abr", header: header}).body; !strings.Contains(page, "Ship to everyone") {
		t.Error("the report offers no decision")
	}
	for _, step := range []struct{ action, want string }{
		{"pause", "paused "},
		{"resume", "running "},
		{"ship&arm=treatment", "stopped treatment"},
		{"remove", "stopped "},
		{"restart", "running "},
		{"stop", "stopped "},
		{"archive", "archived "},
	} {
		if code, body := do("reason=test&action=" + step.action); code != http.StatusSeeOther || status() != step.want {
			t.Errorf("%s = %d, then %q, want %q: %s", step.action, code, status(), step.want, body)
		}
	}
	for form, want := range map[string]int{
		"reason=test&action=launch": http.StatusConflict, "reason=test&action=fly": http.StatusUnprocessableEntity,
		"action=stop": http.StatusUnprocessableEntity, "reason=test&action=ship&arm=none": http.StatusConflict,
	} {
		if code, body := do(form); code != want {
			t.Errorf("%s = %d, want %d: %s", form, code, want, body)
		}
	}
	header["Sec-Fetch-Site"] = "cross-site"
	if code, _ := do("reason=test&action=stop"); code != http.StatusForbidden {
		t.Errorf("a form of another site = %d, want 403", code)
	}
}
