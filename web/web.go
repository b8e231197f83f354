// Package web renders the pages of Splitcast: typed views in, HTML out.
//
// The pages are html/template with charts from package chart, one style sheet
// and one small script, all embedded. They hold under the content policy
// [Policy], work without JavaScript, at 360 px, in the dark, from the keyboard,
// on paper and for a screen reader. The package does no routing, no SQL and no
// statistics, and it reads no clock: the numbers and their words are those of
// package report.
//
//	pages, err := web.New()
//	mux.Handle(web.StaticPath, pages.Static())
//	err = pages.Report(w, web.ReportView{Report: &r, Latest: r.Head.Look})
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"sync"
)

// Policy is the Content-Security-Policy that every page holds under: nothing
// inline, nothing from elsewhere.
const Policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

//go:embed templates
var templateFiles embed.FS

// pageNames are the pages: each is templates/<name>.html, which defines "title"
// and "main" for templates/layout.html; templates/parts.html is shared.
var pageNames = [...]string{"experiments", "timeline", "report", "launch", "planner", "catalogue", "metric", "define", "layers", "audit", "telemetry", "learn", "conclusions", "programme", "settings", "signin", "problem"}

// Renderer holds the parsed pages and the static files. It is safe for
// concurrent use.
type Renderer struct {
	pages  map[string]*template.Template
	assets assets
	// figures computes those of the pages of good practice when the first is asked for.
	figures func() (map[string]learnFigure, error)
}

// New parses the embedded pages and hashes the embedded files.
func New() (*Renderer, error) {
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	r := &Renderer{pages: make(map[string]*template.Template, len(pageNames)), assets: files, figures: sync.OnceValues(learnFigures)}
	for _, name := range pageNames {
		t := template.New("layout.html").Option("missingkey=error").Funcs(template.FuncMap{"asset": files.url})
		t, err = t.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/distribution.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		r.pages[name] = t
	}
	return r, nil
}

// Experiments writes the list of experiments.
func (r *Renderer) Experiments(w io.Writer, v ExperimentsView) error {
	page, err := newExperimentsPage(v)
	if err != nil {
		return fmt.Errorf("prepare experiments page: %w", err)
	}
	return r.write(w, "experiments", page)
}

// Timeline writes the experiments by when they run.
func (r *Renderer) Timeline(w io.Writer, v TimelineView) error {
	page, err := newTimelinePage(v)
	if err != nil {
		return fmt.Errorf("prepare timeline page: %w", err)
	}
	return r.write(w, "timeline", page)
}

// Report writes the report of one experiment.
func (r *Renderer) Report(w io.Writer, v ReportView) error {
	page, err := newReportPage(v)
	if err != nil {
		return fmt.Errorf("prepare report page: %w", err)
	}
	return r.write(w, "report", page)
}

// Launch writes a step of the launch wizard.
func (r *Renderer) Launch(w io.Writer, v LaunchView) error {
	return r.write(w, "launch", newLaunchPage(v))
}

// Planner writes the planner.
func (r *Renderer) Planner(w io.Writer, v PlannerView) error {
	return r.write(w, "planner", newPlannerPage(v))
}

// Catalogue writes the catalogue of metrics.
func (r *Renderer) Catalogue(w io.Writer, v CatalogueView) error {
	return r.write(w, "catalogue", newCataloguePage(v))
}

// Metric writes the page of one metric.
func (r *Renderer) Metric(w io.Writer, v MetricView) error {
	return r.write(w, "metric", newMetricPage(v))
}

// Define writes the page on which a metric is defined.
func (r *Renderer) Define(w io.Writer, v DefineView) error {
	return r.write(w, "define", newDefinePage(v))
}

// Layers writes the map of layers.
func (r *Renderer) Layers(w io.Writer, v LayersView) error {
	return r.write(w, "layers", newLayersPage(v))
}

// Audit writes a page of the audit log.
func (r *Renderer) Audit(w io.Writer, v AuditView) error {
	return r.write(w, "audit", newAuditPage(v))
}

// Telemetry writes the page about what comes in.
func (r *Renderer) Telemetry(w io.Writer, v TelemetryView) error {
	page, err := newTelemetryPage(v)
	if err != nil {
		return fmt.Errorf("prepare telemetry page: %w", err)
	}
	return r.write(w, "telemetry", page)
}

// Conclusions writes the library of what was learnt.
func (r *Renderer) Conclusions(w io.Writer, v ConclusionsView) error {
	page, err := newConclusionsPage(v)
	if err != nil {
		return fmt.Errorf("prepare conclusions page: %w", err)
	}
	return r.write(w, "conclusions", page)
}

// Programme writes the page about experimenting as a whole.
func (r *Renderer) Programme(w io.Writer, v ProgrammeView) error {
	page, err := newProgrammePage(v)
	if err != nil {
		return fmt.Errorf("prepare programme page: %w", err)
	}
	return r.write(w, "programme", page)
}

// Settings writes what an installation is set to.
func (r *Renderer) Settings(w io.Writer, v SettingsView) error {
	return r.write(w, "settings", newSettingsPage(v))
}

// Learn writes a page of good practice.
func (r *Renderer) Learn(w io.Writer, v LearnView) error {
	figures, err := r.figures()
	if err != nil {
		return fmt.Errorf("prepare page of good practice: %w", err)
	}
	return r.write(w, "learn", newLearnPage(v, figures))
}

// SignIn writes the sign-in page.
func (r *Renderer) SignIn(w io.Writer, v SignInView) error {
	return r.write(w, "signin", v)
}

// Problem writes a page that says what went wrong.
func (r *Renderer) Problem(w io.Writer, v ProblemView) error {
	return r.write(w, "problem", v)
}

// write renders a page as a whole before the first byte leaves, so that a fault
// never shows as half a page.
func (r *Renderer) write(w io.Writer, name string, page any) error {
	var buf bytes.Buffer
	if err := r.pages[name].Execute(&buf, page); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	if _, err := buf.WriteTo(w); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	return nil
}
