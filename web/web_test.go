package web

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// shared is the renderer of all tests, as it is that of all requests to a server:
// the race detector sees it used by many at once.
var shared = sync.OnceValues(New)

func renderer(t testing.TB) *Renderer {
	t.Helper()
	r, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// saidAt is when people of the samples said and shared things.
var saidAt = time.Date(2026, 11, 9, 10, 0, 0, 0, time.UTC)

// reportView is the page of a report as a server would show it.
func reportView(r report.Report) ReportView {
	base := "/experiments/" + r.Head.Key
	return ReportView{
		Chrome: Chrome{Nav: []Link{{Text: "Experiments", URL: "/experiments", Current: true}}, User: "mira"},
		Report: &r, Latest: r.Head.Look, Experiments: "/experiments", Decide: base,
		Charts: base + "/chart.svg", Notebook: "/api/v1" + base + "/notebook", Outcomes: "/api/v1" + base + "/outcomes",
		Share: base + "/shares", Shares: []ShareView{{ID: "s", URL: "/shared/s", Look: 1, By: "mira", At: saidAt, Expires: saidAt.AddDate(0, 0, 30)}},
		Comment: base + "/comments", Comments: []CommentView{
			{ID: 1, Version: 1, Look: 1, Metric: "stall_ratio", Arm: "treatment", Author: "ana", At: saidAt, Text: "Is this the new ladder?"},
			{ID: 2, Version: 1, Look: 1, Author: "mira", At: saidAt, Text: "Yes."},
		},
		JSON: "/api/v1" + base + "/report", CSV: "/api/v1" + base + "/report.csv",
	}
}

func renderReport(t testing.TB, v ReportView) string {
	t.Helper()
	var buf bytes.Buffer
	if err := renderer(t).Report(&buf, v); err != nil {
		t.Fatalf("Report: %v", err)
	}
	return buf.String()
}

// checkPage checks what must hold of every page.
func checkPage(t *testing.T, page string) {
	t.Helper()
	checkWords(t, page)
	ids := map[string]int{}
	var wanted []string // ids that something refers to
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("parse page: %v", err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		attrs := map[string]string{}
		for _, a := range el.Attr {
			attrs[a.Name.Local] = a.Value
			checkAttr(t, el.Name.Local, a)
		}
		checkElement(t, el.Name.Local, attrs)
		if id, ok := attrs["id"]; ok {
			ids[id]++
		}
		for _, name := range []string{"for", "aria-labelledby", "aria-describedby", "data-copy", "data-plot"} {
			if v, ok := attrs[name]; ok && !(name == "data-plot" && !strings.Contains(page, `id="look-table"`)) {
				wanted = append(wanted, v)
			}
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("id %q occurs %d times", id, n)
		}
	}
	for _, id := range wanted {
		if ids[id] == 0 {
			t.Errorf("something refers to id %q, which is not there", id)
		}
	}
}

// checkAttr refuses what the content policy refuses, and numbers that are none.
func checkAttr(t *testing.T, element string, a xml.Attr) {
	t.Helper()
	name := a.Name.Local
	if name == "style" || strings.HasPrefix(name, "on") {
		t.Errorf("<%s %s=%q> is inline, which the content policy refuses", element, name, a.Value)
	}
	if strings.HasPrefix(a.Value, "javascript:") || strings.Contains(a.Value, "NaN") {
		t.Errorf("<%s %s=%q>", element, name, a.Value)
	}
}

// checkElement refuses inline code and pictures without words.
func checkElement(t *testing.T, name string, attrs map[string]string) {
	t.Helper()
	_, hasAlt := attrs["alt"]
	switch {
	case name == "style":
		t.Error("a style element, which the content policy refuses")
	case name == "script" && !strings.HasPrefix(attrs["src"], StaticPath):
		t.Errorf("a script that is not a file of ours: %v", attrs)
	case name == "img" && !hasAlt:
		t.Error("an image without words")
	case (name == "a" || name == "form") && strings.Contains(attrs["href"]+attrs["action"], "ZgotmplZ"):
		t.Errorf("an address that the templates refused: %v", attrs)
	}
}

// forbidden are words that no page may show: they are a fault of formatting, or
// say that what is not proven is not there.
var forbidden = regexp.MustCompile(`(?i)significan|\bNaN\b|[+-]?\bInf\b|<nil>|&lt;nil&gt;|%!|ZgotmplZ|\bno effect was found\b`)

func checkWords(t *testing.T, page string) {
	t.Helper()
	if found := forbidden.FindString(page); found != "" {
		at := strings.Index(page, found)
		t.Errorf("page says %q: …%s…", found, page[max(0, at-80):min(len(page), at+80)])
	}
}

func TestReportRendersEveryVariant(t *testing.T) {
	t.Parallel()
	for name, r := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := renderReport(t, reportView(r))
			checkPage(t, page)
			if !strings.Contains(page, "</html>") {
				t.Error("the page is not complete")
			}
		})
	}
}

func TestOtherPages(t *testing.T) {
	t.Parallel()
	r := renderer(t)
	list := sampleList(t)
	filtered := sampleList(t)
	filtered.Filter = Filter{Status: experiment.StatusDraft, Query: `a"b`}
	for name, render := range map[string]func(io.Writer) error{
		"list":     func(w io.Writer) error { return r.Experiments(w, list) },
		"filtered": func(w io.Writer) error { return r.Experiments(w, filtered) },
		"first":    func(w io.Writer) error { return r.Experiments(w, ExperimentsView{Server: "https://splitcast.example"}) },
		"nothing matches": func(w io.Writer) error {
			return r.Experiments(w, ExperimentsView{Base: "/experiments", Total: 3, Filter: Filter{Query: "x"}})
		},
		"sign in by link": func(w io.Writer) error {
			return r.SignIn(w, SignInView{Action: "/sign-in", Next: "/x", Token: "ABC"})
		},
		"sign in": func(w io.Writer) error { return r.SignIn(w, SignInView{Action: "/sign-in"}) },
		"wrong": func(w io.Writer) error {
			return r.SignIn(w, SignInView{Action: "/sign-in", Next: "/x", Name: "mira", Error: "Try again."})
		},
		"problem": func(w io.Writer) error { return r.Problem(w, ProblemView{Status: 404, Title: "Not here"}) },
		"long answer": func(w io.Writer) error {
			return r.Problem(w, ProblemView{Status: 500, Title: "Our fault", Detail: "A detail.", RequestID: "01J", Back: Link{Text: "Home", URL: "/"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			if err := render(&buf); err != nil {
				t.Fatal(err)
			}
			checkPage(t, buf.String())
		})
	}
}

func TestVerdictIsWithheld(t *testing.T) {
	t.Parallel()
	r := sample(t, "srm")
	if r.Verdict.State != report.VerdictUntrustworthy {
		t.Fatalf("fixture srm has the verdict %q, want untrustworthy", r.Verdict.State)
	}
	page := renderReport(t, reportView(r))
	for _, want := range []string{"Verdict withheld", `class="is-trust" open`, "Withheld"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	_, main, _ := strings.Cut(page, "<main")
	body := legend.ReplaceAllString(main, "")
	for _, absent := range []string{"is-better", "is-worse", ">Better<", "odds "} {
		if strings.Contains(body, absent) {
			t.Errorf("a report that cannot be trusted claims %q", absent)
		}
	}
}

// legend matches the explanation of the marks, which shows all of them.
var legend = regexp.MustCompile(`(?s)<ul class="legend".*?</ul>`)

func TestReplayKeepsChoices(t *testing.T) {
	t.Parallel()
	past, ok := reporttest.Fixtures()["typical"].At(12)
	if !ok {
		t.Fatal("fixture typical has no look 12")
	}
	v := reportView(report.Build(past))
	v.Latest = 28
	v.Choice = Choice{Metric: "bitrate", Arm: "treatment-1", Where: "stall_ratio", Dimension: "country"}
	page := renderReport(t, v)
	for _, want := range []string{
		"Replay of look 12",
		`href="?arm=treatment-1&amp;dimension=country&amp;look=11&amp;metric=bitrate&amp;where=stall_ratio" rel="prev"`,
		`look=13&amp;metric=bitrate`,
		`<option value="bitrate" selected>`,
		`href="/api/v1/experiments/abr-safety-75/report?look=12"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestUnknownChoiceFallsBack(t *testing.T) {
	t.Parallel()
	v := reportView(sample(t, "typical"))
	v.Choice = Choice{Metric: "nothing", Arm: "nobody", Where: "nowhere", Dimension: "none"}
	page := renderReport(t, v)
	if !strings.Contains(page, `<option value="stall_ratio" selected>`) {
		t.Error("the funnel does not fall back to the first primary metric")
	}
}

func TestGoldenPages(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one_look", "srm"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "report-"+name+".html", renderReport(t, reportView(sample(t, name))))
		})
	}
}

// normal makes a page comparable: one element a line, no hashes of files.
func normal(page string) string {
	page = regexp.MustCompile(`\.[0-9a-f]{10}\.`).ReplaceAllString(page, ".HASH.")
	page = regexp.MustCompile(`\s+`).ReplaceAllString(page, " ")
	return strings.ReplaceAll(strings.ReplaceAll(page, "><", ">\n<"), "> <", ">\n<") + "\n"
}

func golden(t *testing.T, name, page string) {
	t.Helper()
	path, got := filepath.Join("testdata", name), normal(page)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run with -update and review (-want +got):\n%s", name, diff)
	}
}

// TestGoldenPanels holds the panels of a report with every kind of number.
func TestGoldenPanels(t *testing.T) {
	t.Parallel()
	for name, view := range map[string]string{"quality": ViewShift, "quality_six_arms": ViewTail} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := reportView(sample(t, name))
			v.Choice.View = view
			page := renderReport(t, v)
			checkPage(t, page)
			golden(t, "panels-"+name+".html", panels(page))
		})
	}
}

// panels returns the parts of a page between the interval funnel and the segments.
func panels(page string) string {
	from, to := strings.Index(page, `<section aria-labelledby="values"`), strings.Index(page, `<section aria-labelledby="where"`)
	return page[from:to]
}

func TestViewsOfADistribution(t *testing.T) {
	t.Parallel()
	for view, want := range map[string]string{
		ViewShift: "Change of each quantile: ", ViewShares: "Shares by value: ", ViewTail: "share beyond the value", "nonsense": "Change of each quantile: ",
	} {
		v := reportView(sample(t, "quality"))
		v.Choice = Choice{Values: "startup_imputed_p50", View: view}
		if page := renderReport(t, v); !strings.Contains(page, want) || !strings.Contains(page, `<option value="startup_imputed_p50" selected>`) {
			t.Errorf("view %q lacks %q, or the metric chosen", view, want)
		}
	}
	page := renderReport(t, reportView(sample(t, "srm")))
	if !strings.Contains(page, "nothing is claimed here") {
		t.Error("a distribution of data that are not trusted claims something")
	}
}
