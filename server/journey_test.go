package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/webtest"
	"github.com/splitcast/splitcast/metrics"
)

// maxLaunchActs is how many clicks and groups of keystrokes a newcomer needs from
// an empty installation to an experiment that runs.
const maxLaunchActs = 10

// traveller is a person before a real browser. Acts are clicks and groups of
// keystrokes; looking is free.
type traveller struct {
	*webtest.Page
	b    *bench
	view webtest.View
	acts int
	keys bool // never uses a mouse
}

// travel signs a person in.
func travel(t *testing.T, b *bench, browser *webtest.Browser, v webtest.View) *traveller {
	t.Helper()
	return travelAs(t, b, browser, v, "ana")
}

// travelAs signs somebody in.
func travelAs(t *testing.T, b *bench, browser *webtest.Browser, v webtest.View, person string) *traveller {
	t.Helper()
	path, err := b.srv.LoginPath(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	p := browser.Open(t, b.url+path, v)
	p.Click(t, ".signin button")
	p.Await(t, fmt.Sprintf(`document.readyState === "complete" && location.pathname === %q`, pathExperiments))
	return &traveller{Page: p, b: b, view: v}
}

// at waits for the page at an address, and looks at it.
func (p *traveller) at(t *testing.T, path string) {
	t.Helper()
	p.Await(t, fmt.Sprintf(`document.readyState === "complete" && location.pathname.match(/^%s$/) !== null`, strings.ReplaceAll(path, "/", `\/`)))
	if got := webtest.Eval[int](t, p.Page, "document.documentElement.scrollWidth"); got > p.view.Width {
		t.Errorf("%s at %d px needs %d px", path, p.view.Width, got)
	}
}

// press clicks what matches a selector, or walks there with the tab key.
func (p *traveller) press(t *testing.T, selector string) {
	t.Helper()
	p.acts++
	if !p.keys {
		p.Click(t, selector)
		return
	}
	p.walk(t, selector)
	key := "\r"
	if webtest.Eval[bool](t, p.Page, `document.activeElement.type === "radio"`) {
		key = " "
	}
	p.Keys(t, key)
}

// walk presses the tab key until what matches the selector has the focus.
func (p *traveller) walk(t *testing.T, selector string) {
	t.Helper()
	const maxStops = 80
	for range maxStops {
		p.Keys(t, "\t")
		if webtest.Eval[bool](t, p.Page, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			if !webtest.Eval[bool](t, p.Page, `getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
				t.Errorf("%s has the focus and does not show it", selector)
			}
			return
		}
	}
	t.Fatalf("the tab key does not reach %s", selector)
}

// write types into what matches a selector.
func (p *traveller) write(t *testing.T, selector, text string) {
	t.Helper()
	if p.keys {
		p.walk(t, selector)
	} else {
		p.Click(t, selector)
	}
	p.acts++ // to go there and to type is one group
	p.Keys(t, text)
}

// The journey of a product manager: plan, launch, watch, decide.
func TestJourney(t *testing.T) {
	t.Parallel()
	browser := webtest.Start(t)
	b := newEmptyBench(t)
	for _, c := range []struct {
		name string
		view webtest.View
		keys bool
	}{
		{"empty installation", webtest.View{Width: 1280, Height: 900}, false},
		{"keyboard only", webtest.View{Width: 1280, Height: 900}, true},
		{"phone in the dark", webtest.View{Width: 360, Height: 740, Dark: true}, false},
		{"no script", webtest.View{Width: 1024, Height: 800, NoScript: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) { // one after another: each finds one experiment more
			p := travel(t, b, browser, c.view)
			p.keys = c.keys
			key := strings.ReplaceAll(c.name, " ", "-")
			p.at(t, pathExperiments)
			p.launchIt(t, c.name, key)
			if p.acts > maxLaunchActs {
				t.Errorf("%d clicks and groups of keystrokes, want at most %d", p.acts, maxLaunchActs)
			}
			p.watchIt(t, key)
			p.decideIt(t, key)
			if problems := p.Problems(); len(problems) > 0 {
				t.Errorf("the browser says %q", problems)
			}
		})
	}
}

// launchIt goes through all steps of the wizard and changes only what has no
// default.
func (p *traveller) launchIt(t *testing.T, name, key string) {
	t.Helper()
	const draft = pathLaunch + `/[A-Z0-9]+/`
	p.press(t, `a[href="`+pathLaunch+`"]`)
	p.at(t, pathLaunch)
	if p.keys { // a group of radios is one stop of the tab key
		p.walk(t, `input[name="change"]`)
		p.acts++
		p.Keys(t, " ")
	} else {
		p.press(t, `input[name="change"][value="ui"]`)
	}
	p.write(t, `[id="name"]`, name)
	for _, step := range []string{"metrics", "audience", "power", "traffic", "review"} {
		p.press(t, `.step button[name="go"][value="next"]`)
		p.at(t, draft+step)
	}
	p.press(t, `.step button[value="launch"]`)
	p.at(t, pathExperiments+"/"+key)
	if e, err := p.b.db.Get(t.Context(), key); err != nil || e.Status != experiment.StatusRunning {
		t.Fatalf("launched %q, %v", e.Status, err)
	}
}

// watchIt exposes two viewers and waits for a look.
func (p *traveller) watchIt(t *testing.T, key string) {
	t.Helper()
	batch := fmt.Sprintf(`[{"experiment":%q,"unit":"v-1-%s","arm":"control"},{"experiment":%q,"unit":"v-2-%s","arm":"treatment"}]`, key, key, key, key)
	if a := p.b.send(t, scenario{method: "POST", path: "/v1/exposures", as: "ingest", body: batch}); a.status/100 != 2 {
		t.Fatalf("exposures = %d: %s", a.status, a.body)
	}
	p.b.clock.advance(metrics.FirstSpan + metrics.FirstGrace + time.Minute)
	job := metrics.Job{Store: p.b.db, Experiments: p.b.db.Page, Catalogue: p.b.db.Catalogue}
	if sum, err := job.RunOnce(context.WithoutCancel(t.Context()), p.b.clock.Now()); err != nil || sum.Looks == 0 {
		t.Fatalf("the job = %+v, %v", sum, err)
	}
	p.Go(t, p.b.url+pathExperiments+"/"+key)
	p.at(t, pathExperiments+"/"+key)
	if body := webtest.Eval[string](t, p.Page, "document.body.textContent"); !strings.Contains(body, "Is anyone hurt?") {
		t.Errorf("the report has no harm board: %s", body)
	}
}

// decideIt stops the experiment, with a reason.
func (p *traveller) decideIt(t *testing.T, key string) {
	t.Helper()
	p.press(t, ".decide > summary")
	p.write(t, `[id="why-stop"]`, "journey")
	if p.keys {
		p.Keys(t, "\r")
	} else {
		p.press(t, `form:has([id="why-stop"]) button`)
	}
	p.Await(t, `document.readyState === "complete" && document.body.textContent.includes("Take it off the list") || document.body.textContent.includes("Takes it off the list")`)
	if e, err := p.b.db.Get(t.Context(), key); err != nil || e.Status != experiment.StatusStopped {
		t.Errorf("decided, and it is %q, %v", e.Status, err)
	}
}

// What is typed is kept without a click, what follows from it is shown at once,
// and neither way back loses anything.
func TestWizardLosesNothing(t *testing.T) {
	t.Parallel()
	browser := webtest.Start(t)
	b := newEmptyBench(t)
	w := &wizard{b, map[string]string{"Cookie": b.signIn(t), "Content-Type": "application/x-www-form-urlencoded"}}
	draft := w.begin(t, "Never lost")
	p := travel(t, b, browser, webtest.View{Width: 1280, Height: 900})
	p.Go(t, b.url+draft+"/traffic")
	p.write(t, `[id="layer"]`, "pages")
	p.Await(t, `document.querySelector("#live-traffic h2").textContent === "Layer pages"`)
	if webtest.Eval[string](t, p.Page, `document.activeElement.id`) != "layer" {
		t.Error("keeping the draft takes the focus away")
	}
	p.press(t, `.step button[name="go"][value="power"]`)
	p.at(t, draft+"/power")
	p.write(t, `[id="plan.units"]`, "77777")
	webtest.Eval[bool](t, p.Page, "history.back(), true") // nothing was sent by a button
	p.at(t, draft+"/traffic")
	p.Await(t, `document.querySelector("[id=layer]").value === "pages"`)
	webtest.Eval[bool](t, p.Page, "history.forward(), true")
	p.at(t, draft+"/power")
	p.Await(t, `document.querySelector("[id='plan.units']").value === "77777"`)
	eventually(t, func() error {
		if a := w.get(t, draft+"/review"); a.status != http.StatusOK || !strings.Contains(a.body, "77,777") {
			return fmt.Errorf("the review does not know the units: %d", a.status)
		}
		return nil
	})
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("the browser says %q", problems)
	}
}
