package server

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// pathDefine is not below the catalogue, where any key may be that of a metric.
const pathDefine = "/define-metric"

// paramMetric is the key of the metric with which the form is filled in.
const paramMetric = "metric"

// editLink leads to the form with the definition of a metric in it: as a new version,
// or of a built-in one as a metric like it.
func editLink(key string) web.Link {
	link := web.Link{Text: "Edit as a new version", URL: pathDefine + "?" + paramMetric + "=" + url.QueryEscape(key)}
	if metrics.Known(key) {
		link.Text = "Define one like it"
	}
	return link
}

// definePage shows the form on which a metric is defined: empty, of a kind, or filled
// in with a metric.
func (s *Server) definePage(w http.ResponseWriter, r *http.Request) {
	catalogue, err := s.db.Catalogue(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	var form url.Values
	if key := r.URL.Query().Get(paramMetric); key != "" {
		d, ok := catalogue.Lookup(key)
		if !ok {
			s.problemPage(w, r, noMetric(key))
			return
		}
		form = web.NewVersionForm(&d)
		if metrics.Known(key) {
			form = web.LikeMetricForm(&d)
		}
	} else if kind := metrics.Kind(r.URL.Query().Get(web.ParamKind)); web.ValidMetricKind(kind) {
		form = web.NewMetricForm(kind)
	}
	s.showDefine(w, r, http.StatusOK, catalogue, web.DefineView{Form: form})
}

func (s *Server) showDefine(w http.ResponseWriter, r *http.Request, status int, catalogue *metrics.Catalogue, view web.DefineView) {
	view.Chrome, view.Base, view.Catalogue, view.Metrics = s.chrome(r), pathDefine, pathCatalogue, catalogue.All()
	s.page(w, r, status, func(b *bytes.Buffer) error { return s.pages.Define(b, view) })
}

// defineByForm does what a button of the form asks for: another kind, a preview, or
// to store the metric.
func (s *Server) defineByForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
	if err := r.ParseForm(); err != nil {
		s.problemPage(w, r, formFault(err))
		return
	}
	catalogue, err := s.db.Catalogue(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := web.DefineView{Form: r.PostForm}
	asked := r.PostForm.Get(web.ParamGo)
	if kind, ok := strings.CutPrefix(asked, web.GoKind); ok && web.ValidMetricKind(metrics.Kind(kind)) {
		view.Form = web.SwitchMetricKind(view.Form, metrics.Kind(kind))
		s.showDefine(w, r, http.StatusOK, catalogue, view)
		return
	}
	d, faults := web.ReadMetric(view.Form)
	if len(faults) == 0 {
		faults = experiment.Faults(clash(catalogue, &d, view.Form))
	}
	switch {
	case len(faults) > 0:
	case asked == web.GoDefine:
		stored, err := s.db.DefineMetric(r.Context(), d, s.applyOptions(r.Context(), s.user(r)))
		if err == nil && stored.Result == postgres.Unchanged {
			err = experiment.Invalidf("", "It says what version %d says already.", stored.Metric.Version)
		}
		if err == nil {
			http.Redirect(w, r, pathCatalogue+"/"+d.Key, http.StatusSeeOther)
			return
		}
		if faults = experiment.Faults(err); len(faults) == 0 {
			s.problemPage(w, r, err)
			return
		}
	default:
		view.Preview = &web.MetricView{Metric: d, Unit: experiment.UnitType(view.Form.Get(web.ParamCounted))}
		if err := s.fillPreview(r.Context(), view.Preview); err != nil {
			s.problemPage(w, r, err)
			return
		}
	}
	status := http.StatusOK
	if view.Faults = faults; len(faults) > 0 {
		status = rejectedStatus(faults)
	}
	s.showDefine(w, r, status, catalogue, view)
}

// clash tells what stands against a definition that is right in itself: by a form
// nobody makes a new version of a metric that he did not see.
func clash(catalogue *metrics.Catalogue, d *metrics.Definition, form url.Values) error {
	newest, known := catalogue.Lookup(d.Key)
	switch of := form.Get(web.ParamVersionOf); {
	case of == "" && known:
		return experiment.Errorf(experiment.CodeConflict, "key", "%s is taken: choose another key, or change that one from its page in the catalogue", d.Key)
	case of != "" && !known:
		return noMetric(d.Key)
	case of != "" && strconv.Itoa(newest.Version) != form.Get(web.ParamFromVersion):
		return experiment.Errorf(experiment.CodeConflict, "", "Version %d of %s was made meanwhile: look at it, and begin again from there.", newest.Version, d.Key)
	}
	return nil
}

// fillPreview fills in how a metric was lately, counted by the only unit that has it,
// or by that of the view.
func (s *Server) fillPreview(ctx context.Context, view *web.MetricView) error {
	d := view.Metric
	if view.Unit = cmp.Or(d.Of, view.Unit); !experiment.ValidUnitType(view.Unit) {
		view.Unit = experiment.UnitViewer
	}
	out, err := s.preview(ctx, d, PreviewQuery{Unit: view.Unit, MDE: metricLifts[0]})
	if err != nil {
		return err
	}
	view.Preview, view.CostRefusal = out.Body.Preview, out.Body.CostRefusal
	view.From, view.Since, view.Truncated = out.Body.From.Experiments, out.Body.From.Since, out.Body.From.Truncated
	for _, mde := range metricLifts {
		rules, refusal, err := costOf(&d, &view.Preview, mde)
		if err != nil {
			return err
		}
		if refusal == "" {
			view.Costs = append(view.Costs, web.MetricCost{MDE: mde, Rules: rules})
		}
	}
	return nil
}
