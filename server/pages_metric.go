package server

import (
	"bytes"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// metricLifts are the lifts whose cost the page of a metric shows: a half of one
// needs four times the units.
var metricLifts = [...]float64{0.005, 0.01, 0.02, 0.05, 0.1}

// metricPage shows a metric of the catalogue with a preview of the last days.
func (s *Server) metricPage(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	known, err := s.getMetric(r.Context(), key)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	d := known.Body.Metric
	view := web.MetricView{
		Chrome: s.chrome(r), Base: pathCatalogue + "/" + key, Catalogue: pathCatalogue, Edit: editLink(key), Metric: d,
	}
	if unit := experiment.UnitType(r.URL.Query().Get("unit")); experiment.ValidUnitType(unit) {
		view.Unit = unit
	}
	for _, version := range known.Body.Versions {
		v := web.MetricVersion{Version: version.Version}
		for _, a := range known.Body.Authors {
			if a.Version == version.Version {
				v.At, v.By = a.CreatedAt, a.CreatedBy
			}
		}
		view.Versions = append(view.Versions, v)
	}
	if err := s.fillPreview(r.Context(), &view); err != nil {
		s.problemPage(w, r, err)
		return
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Metric(b, view) })
}
