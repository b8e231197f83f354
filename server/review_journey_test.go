package server

import (
	"net/url"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/webtest"
	"github.com/splitcast/splitcast/web"
)

// One person asks in the wizard, another approves on a phone without script and by
// keyboard alone, and the first launches.
func TestReviewJourney(t *testing.T) {
	t.Parallel()
	browser := webtest.Start(t)
	b := newEmptyBench(t)
	w := &wizard{b, map[string]string{"Cookie": b.signIn(t), "Content-Type": "application/x-www-form-urlencoded"}}
	w.done(t, pathSettings+"/reviews", url.Values{web.SettingsFieldReview: {"yes"}}, pathSettings+"#reviews")
	draft := w.begin(t, "Two people")
	const page = pathExperiments + "/two-people"

	ana := travel(t, b, browser, webtest.View{Width: 1280, Height: 900})
	ana.Go(t, b.url+draft+"/review")
	ana.write(t, "#note", "Are the values right?")
	ana.press(t, `.step button[value="ask"]`)
	ana.at(t, page)
	ana.Await(t, `document.querySelector(".review .tag").textContent === "waiting for review" && document.querySelector(".review blockquote").textContent === "Are the values right?"`)
	if webtest.Eval[bool](t, ana.Page, `document.querySelector('[value="approve"]') !== null`) {
		t.Error("who asked is offered to approve")
	}

	bob := travelAs(t, b, browser, webtest.View{Width: 360, Height: 740, NoScript: true}, "bob")
	bob.keys = true
	bob.at(t, pathExperiments)
	bob.press(t, `a[href="`+page+`"]`)
	bob.at(t, page)
	bob.write(t, "#review-comment", "They are.")
	bob.press(t, `button[value="approve"]`)
	bob.Await(t, `document.readyState === "complete" && document.querySelector(".review .tag").textContent === "approved"`)
	bob.at(t, page)

	ana = travel(t, b, browser, webtest.View{Width: 360, Height: 740, Dark: true})
	ana.press(t, `a[href="`+page+`"]`)
	ana.at(t, page)
	ana.press(t, `button[value="publish"]`)
	ana.Await(t, `document.readyState === "complete" && document.querySelector(".review .tag").textContent === "approved and published"`)
	if e, err := b.db.Get(t.Context(), "two-people"); err != nil || e.Status != experiment.StatusRunning {
		t.Errorf("it is %q, %v", e.Status, err)
	}
	for _, p := range []*traveller{ana, bob} {
		if problems := p.Problems(); len(problems) > 0 {
			t.Errorf("the browser says %q", problems)
		}
	}
}
