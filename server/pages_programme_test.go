package server

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
)

// What was stopped is in the library: with its look, its verdict, the reason,
// and what became of it afterwards; and it is found by its words.
func TestConclusions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	cookie := b.signIn(t)
	signedIn := map[string]string{"Cookie": cookie}
	form := map[string]string{"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
	decide := func(body string) {
		t.Helper()
		if got := b.send(t, scenario{method: "POST", path: "/experiments/abr", header: form, body: body}); got.status != http.StatusSeeOther {
			t.Fatalf("%s = %d: %s", body, got.status, got.body)
		}
	}
	page := func(path string) string {
		t.Helper()
		got := b.send(t, scenario{method: "GET", path: path, header: signedIn})
		if got.status != http.StatusOK {
			t.Fatalf("%s = %d: %s", path, got.status, got.body)
		}
		return got.body
	}
	if empty := page(pathConclusions); !strings.Contains(empty, "No experiment is over yet") {
		t.Error("an empty library does not say so")
	}
	decide("action=ship&arm=treatment&reason=Worth+the+bits")
	b.runLooksAfter(t)
	all := page(pathConclusions)
	for _, want := range []string{"Shipped treatment", "Worth the bits", `href="/experiments/abr?look=2"`, "The verdict was: "} {
		if !strings.Contains(all, want) {
			t.Errorf("the library lacks %q: %s", want, all)
		}
	}
	decide("action=remove&reason=It+broke+on+televisions")
	for query, found := range map[string]bool{"televisions": true, "breaking": false, "television": true, "ABR safety": true, "abr": true, "ana": true, "encoder": false, "bits -abr": false, `"the bits"`: true, "'; drop": false} {
		if body := page(pathConclusions + "?q=" + url.QueryEscape(query)); strings.Contains(body, "then removed") != found {
			t.Errorf("a search for %q finds it: %v, want %v", query, !found, found)
		}
	}
	programme := page(pathProgramme)
	if !strings.Contains(programme, "1 more was shipped and removed") || !strings.Contains(programme, "There is none") {
		t.Errorf("the programme does not count it: %s", programme)
	}
	// A restart begins another version; the conclusion of the first stays.
	decide("action=restart&reason=again")
	decide("action=stop&reason=enough")
	after := page(pathConclusions)
	if strings.Count(after, "<article") != 2 || strings.Contains(after, "look=2\"") || !strings.Contains(after, "stopped before the first look") {
		t.Errorf("after a restart: %s", after)
	}
	b.play(t, []scenario{
		{name: "longest search", method: "GET", path: pathConclusions + "?q=" + strings.Repeat("a", maxSearchBytes), header: signedIn, status: 200, has: []string{"Nothing found"}},
		{name: "too long a search", method: "GET", path: pathConclusions + "?q=" + strings.Repeat("a", maxSearchBytes+1), header: signedIn, status: 413},
		{name: "catalogue", method: "GET", path: pathCatalogue, header: signedIn, status: 200},
		{name: "nobody", method: "GET", path: pathConclusions, status: 303},
		{name: "nobody counts", method: "GET", path: pathProgramme, status: 303},
	})
	if _, err := b.db.Conclusions(t.Context(), "", postgres.MaxConclusions); err != nil {
		t.Error(err)
	}
	if _, err := b.db.Conclusions(t.Context(), "", postgres.MaxConclusions+1); err == nil {
		t.Error("more than the limit is read")
	}
}

// runLooksAfter lets the windows close that were open at the stop: looks after
// it belong to no conclusion.
func (b *bench) runLooksAfter(t *testing.T) {
	t.Helper()
	before := b.count(t, "select count(*) from conclusions")
	if before != 1 {
		t.Fatalf("%d conclusions after a decision, want 1", before)
	}
	if _, err := b.sql.ExecContext(t.Context(), "update conclusions set verdict = 'ship'"); err == nil {
		t.Error("a conclusion was changed")
	}
}

// A holdout is shown with who honours it and who does not.
func TestProgrammeShowsHoldouts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(t, `{"holdouts":[{"key":"year","unit":"viewer","slots":200},{"key":"old","unit":"device","slots":100}],"experiments":[
		{"key":"hotfix","unit":"viewer","design":"ab","status":"running","ignore_holdouts":"everybody needs it",
		 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}]}`)
	b.play(t, []scenario{{
		name: "holdouts", method: "GET", path: pathProgramme, header: map[string]string{"Cookie": b.signIn(t)}, status: 200,
		has: []string{"year", "% of all viewers", `href="/experiments/abr"`, "everybody needs it", "no running experiment", "The cumulative effect is not known", "measures_holdout: year", "weight: 9800"},
	}})
}

// The document that the page proposes measures the holdout: who is held out is
// exposed to its first arm, and the page shows the effect as the report does.
func TestProgrammeMeasuresAHoldout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(t, `{"holdouts":[{"key":"year","unit":"viewer","slots":5000}]}`)
	signedIn := map[string]string{"Cookie": b.signIn(t)}
	page := b.send(t, scenario{method: "GET", path: pathProgramme, header: signedIn})
	m := regexp.MustCompile(`(?s)<pre id="measure-year" tabindex="0">(.*?)</pre>`).FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("no document is proposed: %s", page.body)
	}
	b.play(t, []scenario{{
		name: "apply", method: "POST", path: apiPath + "/experiments", as: experiment.ScopeWrite, body: html.UnescapeString(m[1]), header: map[string]string{"Content-Type": "application/yaml"},
		status: 200, rows: map[string]int{"audit_log": 1, "experiments": 1, "experiment_versions": 1, "layers": 1},
	}})
	for i := range 40 {
		viewer := fmt.Sprint("v-", i)
		got := b.send(t, scenario{
			method: "POST", path: "/ofrep/v1/evaluate/flags/year-measured", as: experiment.ScopeEvaluate, body: `{"context":{"targetingKey":"` + viewer + `"}}`,
		})
		held := strings.Contains(b.evaluated(t, viewer), `"cause":"holdout"`)
		if got.status != http.StatusOK || strings.Contains(got.body, `"variant":"held-out"`) != held || !strings.Contains(got.body, `"assigned":true`) {
			t.Errorf("%s, held out: %v, measured as %s", viewer, held, got.body)
		}
	}
	eventually(t, func() error {
		if n := b.count(t, "select count(*) from exposures"); n < 40 {
			return fmt.Errorf("%d of 40 exposures are stored", n)
		}
		return nil
	})
	if page = b.send(t, scenario{method: "GET", path: pathProgramme, header: signedIn}); !strings.Contains(page.body, "no look yet") || !strings.Contains(page.body, `href="/experiments/year-measured"`) {
		t.Errorf("a measurement that has just begun: %s", page.body)
	}
	b.clock.advance(30 * time.Hour)
	job := metrics.Job{Store: b.db, Experiments: b.db.Page, Catalogue: b.db.Catalogue}
	if sum, err := job.RunOnce(t.Context(), b.clock.Now()); err != nil || sum.Looks != 1 {
		t.Fatalf("the job = %+v, %v", sum, err)
	}
	page = b.send(t, scenario{method: "GET", path: pathProgramme, header: signedIn})
	for _, want := range []string{"The programme against", "Watch time per viewer", "40 viewers"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("a measurement with a look lacks %q: %s", want, page.body)
		}
	}
	if strings.Contains(page.body, "The cumulative effect is not known") {
		t.Error("what is measured is said not to be known")
	}
}
