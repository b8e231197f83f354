//go:build !race

package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/internal/webtest"
	"github.com/splitcast/splitcast/report"
)

// maxFirstPaintMs is the promise of the report page, held against its best of as many
// tries as maxPaints (see maxRenderTime).
const (
	maxFirstPaintMs = 1000
	maxPaints       = 20
)

// shoot writes a screenshot into the folder that SPLITCAST_SCREENSHOTS names, for
// people to look at.
func shoot(t *testing.T, p *webtest.Page, name string) {
	t.Helper()
	dir := os.Getenv("SPLITCAST_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), p.FullScreenshot(t), 0o600); err != nil {
		t.Fatal(err)
	}
}

// site serves the pages of all variants under the content policy.
func site(t *testing.T) string {
	t.Helper()
	r := renderer(t)
	mux := http.NewServeMux()
	mux.Handle(StaticPath, r.Static())
	serveAsked := func(path string, render func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Security-Policy", Policy)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if err := render(w, req); err != nil {
				t.Errorf("render %s: %v", path, err)
			}
		})
	}
	serve := func(path string, render func(http.ResponseWriter) error) {
		serveAsked(path, func(w http.ResponseWriter, _ *http.Request) error { return render(w) })
	}
	for name, rep := range variants(t) {
		serveAsked("/report/"+name, func(w http.ResponseWriter, req *http.Request) error {
			v := reportView(rep)
			v.Choice = ReadChoice(req.URL.Query())
			return r.Report(w, v)
		})
	}
	mux.HandleFunc("GET /experiments/abr-safety-75/chart.svg", func(w http.ResponseWriter, req *http.Request) {
		v := reportView(sample(t, "quality"))
		v.Choice = ReadChoice(req.URL.Query())
		svg, _, err := r.ChartSVG(v, req.URL.Query().Get(ParamChart))
		if err != nil {
			t.Errorf("chart: %v", err)
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = w.Write([]byte(svg))
	})
	chrome := Chrome{
		Nav: []Link{
			{Text: "Experiments", URL: "/experiments", Current: true, Key: "e"},
			{Text: "Conclusions", URL: "/conclusions"},
			{Text: "Programme", URL: "/programme"},
			{Text: "Metrics", URL: "/catalogue", Key: "m"},
			{Text: "Planner", URL: "/planner"},
		},
		Menu: []Link{{Text: "Telemetry", URL: "/telemetry"}, {Text: "Layers", URL: "/layers"}},
		User: "mira@example.com", SignOut: "/sign-out", Find: "/find",
	}
	mux.HandleFunc("GET /find", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("q") == "buffer" {
			_, _ = io.WriteString(w, `[{"key":"abr-buffer","name":"<b>Buffer</b>","status":"running","url":"/layers"}]`)
			return
		}
		_, _ = io.WriteString(w, "[]")
	})
	serve("/experiments", func(w http.ResponseWriter) error {
		v := sampleList(t)
		v.Chrome = chrome
		return r.Experiments(w, v)
	})
	serve("/first", func(w http.ResponseWriter) error { return r.Experiments(w, ExperimentsView{Chrome: chrome}) })
	serve("/sign-in", func(w http.ResponseWriter) error {
		return r.SignIn(w, SignInView{Action: "/sign-in", Error: "That code is not known."})
	})
	serve("/problem", func(w http.ResponseWriter) error {
		return r.Problem(w, ProblemView{Chrome: chrome, Status: 404, Title: "There is no such experiment", Detail: "No experiment has the key abr-safety-57."})
	})
	for path, render := range platformSamples(r, chrome) {
		serve(path, func(w http.ResponseWriter) error { return render(w) })
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// widest finds what reaches farthest to the right, other than in what scrolls.
const widest = `(() => {
	const inside = e => e && (getComputedStyle(e).overflowX !== "visible" && e !== document.documentElement && e !== document.body || inside(e.parentElement));
	const all = [...document.body.querySelectorAll("*")].filter(e => !inside(e.parentElement));
	const end = all.reduce((a, b) => b.getBoundingClientRect().right > a.getBoundingClientRect().right ? b : a);
	return end.outerHTML.slice(0, 200);
})()`

// checkFits checks that a page needs no horizontal scroll bar and that the
// browser complained about nothing, least of all the content policy.
func checkFits(t *testing.T, p *webtest.Page, name string, width int) {
	t.Helper()
	if got := webtest.Eval[int](t, p, "document.documentElement.scrollWidth"); got > width {
		t.Errorf("%s at %d px needs %d px, because of %s", name, width, got, webtest.Eval[string](t, p, widest))
	}
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("%s: the browser says %q", name, problems)
	}
}

func TestPagesFit(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	paths := append(everyPage(t), reportPaths()...)
	for _, width := range []int{360, 768, 1280} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			p := browser.Open(t, url+paths[0], webtest.View{Width: width, Height: 800, Dark: width == 360})
			for _, path := range paths {
				p.Go(t, url+path)
				checkFits(t, p, path, width)
				shoot(t, p, fmt.Sprintf("%s-%d", strings.NewReplacer("/", "-", "?", "-", ":", "-").Replace(path[1:]), width))
			}
		})
	}
}

// Also the drawer of decisions, once it is open.
func TestDecisionsFit(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	for _, name := range []string{"typical", "srm", "status_draft"} {
		for _, width := range []int{360, 768, 1280} {
			p := browser.Open(t, url+"/report/"+name, webtest.View{Width: width, Height: 800})
			webtest.Eval[bool](t, p, `document.querySelector(".decide").open = true`)
			checkFits(t, p, name, width)
			shoot(t, p, fmt.Sprintf("decide-%s-%d", name, width))
		}
	}
}

func TestReportSpeaksToAScreenReader(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	var names []webtest.Name
	for _, fixture := range []string{"six_arms", "rtl", "negative", "unknown_metric", "quality", "ship"} { // the words of the last are looked at below
		p := browser.Open(t, url+"/report/"+fixture, webtest.View{Width: 1280, Height: 800})
		names = p.Names(t)
		if unnamed := webtest.Eval[string](t, p, unnamedPictures); unnamed != "" {
			t.Errorf("%s: pictures without a name: %s", fixture, unnamed)
		}
		r := variants(t)[fixture]
		for _, rows := range [][]report.Row{r.Guardrails, r.Primary, r.Secondary} {
			for _, row := range rows {
				if row.Effect == nil && row.Control.N+row.Treatment.N == 0 {
					continue // nothing is drawn; the refusal is text
				}
				if !slices.Contains(names, webtest.Name{Role: "image", Name: row.Words}) {
					t.Errorf("%s: no picture says %q", fixture, row.Words)
				}
			}
		}
	}
	for _, want := range []webtest.Name{
		{Role: "heading", Name: "ABR safety factor 0.75"},
		{Role: "heading", Name: "Can I trust it?"},
		{Role: "heading", Name: "Is anyone hurt?"},
		{Role: "heading", Name: "Did it help?"},
		{Role: "rowheader", Name: "Stall ratio %"},
		{Role: "columnheader", Name: "Control"},
		{Role: "link", Name: "Skip to the content"},
		{Role: "combobox", Name: "Metric"},
	} {
		if !slices.Contains(names, want) {
			t.Errorf("the accessibility tree lacks %v", want)
		}
	}
}

// unnamedPictures finds drawings that a screen reader meets and that say nothing.
const unnamedPictures = `[...document.querySelectorAll("main svg")]
	.filter(s => !s.parentElement.closest("svg") && !s.closest("[aria-hidden]") && !(s.getAttribute("role") === "img" && s.querySelector("title")?.textContent.trim()))
	.map(s => s.outerHTML.slice(0, 100)).join("; ")`

func TestReportByKeyboard(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/report/ship", webtest.View{Width: 1280, Height: 800})
	p.Keys(t, "\t")
	if got := webtest.Eval[string](t, p, "document.activeElement.textContent"); got != "Skip to the content" {
		t.Errorf("the first stop of the tab key is %q", got)
	}
	if top := webtest.Eval[float64](t, p, "document.activeElement.getBoundingClientRect().top"); top < 0 {
		t.Error("the skip link is not seen when it has the focus")
	}
	if got := webtest.Eval[string](t, p, "getComputedStyle(document.activeElement).outlineStyle"); got != "solid" {
		t.Errorf("the focus has the outline %q", got)
	}
	p.Keys(t, "\r")
	if got := webtest.Eval[string](t, p, "document.activeElement.id"); got != "main" {
		t.Errorf("the skip link leads to %q", got)
	}
}

func TestReportWithoutScript(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/report/ship", webtest.View{Width: 1280, Height: 800, NoScript: true})
	checkFits(t, p, "without script", 1280)
	// What needs the script is not offered, what replaces it is.
	if got := webtest.Eval[int](t, p, "[...document.querySelectorAll('[data-theme-toggle],[data-copy]')].filter(e => e.offsetWidth).length"); got != 0 {
		t.Errorf("%d buttons are shown that do nothing", got)
	}
	p.Click(t, ".trust details:nth-child(3) summary")
	if !webtest.Eval[bool](t, p, "document.querySelector('.trust details:nth-child(3)').open") {
		t.Error("a check does not open")
	}
}

func TestReportScript(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/report/ship", webtest.View{Width: 1280, Height: 2600})
	webtest.Eval[bool](t, p, `(() => {
		const svg = document.querySelector(".funnel"), box = svg.getBoundingClientRect();
		svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.right - 1, clientY: box.top + 50, bubbles: true}));
		return true;
	})()`)
	tip := webtest.Eval[string](t, p, `document.querySelector(".tip:not([hidden])")?.textContent || ""`)
	if !strings.Contains(tip, "Look 20") || !strings.Contains(tip, "at any look") {
		t.Errorf("the tooltip at the right end says %q", tip)
	}
	// By keyboard: the last look has the tooltip, and the arrow keys walk.
	for _, figure := range []struct{ at, last, before string }{
		{"#panel-looks .plot", "Look 20", "Look 19"},
		{"#panel-values .plot", "p99.9: ", "p99.5: "},
	} {
		webtest.Eval[bool](t, p, fmt.Sprintf("document.querySelector(%q).focus({focusVisible: true}), true", figure.at))
		for i, want := range []string{figure.last, figure.before} {
			if i > 0 {
				p.Keys(t, "\u0302") // kb.ArrowLeft
			}
			tip := webtest.Eval[string](t, p, fmt.Sprintf(`document.querySelector("%s .tip:not([hidden])")?.textContent || ""`, figure.at))
			if !strings.Contains(tip, want) {
				t.Errorf("%s: the tooltip says %q, want %q", figure.at, tip, want)
			}
		}
	}
	shoot(t, p, "report-script")
	before := webtest.Eval[string](t, p, "getComputedStyle(document.body).backgroundColor")
	for range 2 { // auto, light, dark
		p.Click(t, "[data-theme-toggle]")
	}
	if after := webtest.Eval[string](t, p, "getComputedStyle(document.body).backgroundColor"); after == before {
		t.Errorf("the theme stays %s", after)
	}
	checkFits(t, p, "with theme and tooltip", 1280)
	shoot(t, p, "report-dark")
}

func TestReportPaintsFast(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	best := 1e9
	for paints := 0; best > maxFirstPaintMs && paints < maxPaints; paints++ {
		p := browser.Open(t, url+"/report/thousand_looks", webtest.View{Width: 1280, Height: 800})
		best = min(best, webtest.Eval[float64](t, p, `new Promise(done => new PerformanceObserver(list =>
			done(list.getEntriesByName("first-contentful-paint")[0].startTime)).observe({type: "paint", buffered: true}))`))
	}
	t.Logf("first contentful paint after %.0f ms", best)
	if best > maxFirstPaintMs {
		t.Errorf("first contentful paint after %.0f ms, want at most %d", best, maxFirstPaintMs)
	}
}

// On paper there are no controls, the colours are those of light, nothing is wider than
// the sheet, and what a reader would open to learn why is open.
func TestReportPrints(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/first", webtest.View{Width: paperWidth, Height: 1040, Print: true, Dark: true})
	for _, path := range reportPaths() {
		t.Run(path[1:], func(t *testing.T) {
			p.Go(t, url+path)
			if got := webtest.Eval[int](t, p, "[...document.querySelectorAll('form,button,nav')].filter(e => e.offsetWidth).length"); got != 0 {
				t.Errorf("%d controls are printed", got)
			}
			if got := webtest.Eval[string](t, p, "getComputedStyle(document.body).backgroundColor"); got != "rgb(255, 255, 255)" {
				t.Errorf("paper is %s", got)
			}
			if got := webtest.Eval[int](t, p, "[...document.querySelectorAll('.reasons')].filter(e => !e.offsetHeight).length"); got != 0 {
				t.Error("the clauses of the rule are not printed")
			}
			checkFits(t, p, path+" on paper", paperWidth)
			// What scrolls on the screen is cut on paper.
			if cut := webtest.Eval[string](t, p, `[...document.querySelectorAll("main *")].filter(e => e.offsetWidth && e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX) && !e.closest(".unseen, svg, progress")).map(e => e.outerHTML.slice(0, 120)).join("; ")`); cut != "" {
				t.Errorf("cut on paper: %s", cut)
			}
			shoot(t, p, "print-"+strings.NewReplacer("/", "-", "?", "-", ":", "-").Replace(path[1:]))
		})
	}
}

// paperWidth is that of A4 less its margins, in CSS pixels.
const paperWidth = 700

// reportPaths are the addresses that show every panel and state of a report; the other
// fixtures show the same with other numbers.
func reportPaths() []string {
	var out []string
	for _, name := range []string{
		"ship", "typical", "srm", "no_data", "collecting", "bare", "one_look", "six_arms", "segment_harm", "guardrail_breach", "rtl", "long_names",
		"quality", "quality_six_arms", "hostile", "group_sequential", "group_sequential_waiting", "imported", "unknown_metric", "thousand_looks",
		"state_scheduled", "state_no_metric", "state_late_data", "state_stale",
		"status_draft", "status_paused", "status_stopped", "status_archived", "shipped",
		"quality?view=cdf", "quality?view=tail", "segment_harm?segment=net_class:3g", "srm?segment=net_class:3g", "six_arms?segment=country:nowhere",
	} {
		out = append(out, "/report/"+name)
	}
	return out
}

// TestChartAsPNG draws each chart on a canvas under the content policy.
func TestChartAsPNG(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/report/quality", webtest.View{Width: 1280, Height: 800})
	const save = `new Promise((done) => {
		HTMLAnchorElement.prototype.click = function () { done(this.download + " " + this.href.slice(0, 5)); };
		document.querySelector("[data-name=%s]").click();
	})`
	for _, name := range []string{ChartHarm, ChartPrimary, ChartLooks, ChartValues, ChartWhere} {
		if got := webtest.Eval[string](t, p, fmt.Sprintf(save, name)); got != name+".png blob:" {
			t.Errorf("PNG of %s gives %q", name, got)
		}
	}
	checkFits(t, p, "with charts saved", 1280)
	for _, name := range []string{ChartHarm, ChartLooks, ChartValues, ChartWhere, ChartValues + "&view=tail"} {
		p.Go(t, url+"/experiments/abr-safety-75/chart.svg?chart="+name)
		if dir := os.Getenv("SPLITCAST_SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "chart-"+name+".png"), p.Screenshot(t), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
