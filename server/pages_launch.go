package server

import (
	"bytes"
	"net/http"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// pathLaunch is below the experiments, where no key can be: it is a fixed route,
// which goes before that of keys.
const pathLaunch = pathExperiments + "/new"

func (s *Server) launchPage(w http.ResponseWriter, r *http.Request) {
	s.showLaunch(w, r, http.StatusOK, web.LaunchView{})
}

func (s *Server) showLaunch(w http.ResponseWriter, r *http.Request, status int, view web.LaunchView) {
	catalogue, err := s.db.Catalogue(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view.Chrome, view.Base, view.Metrics, view.Planner = s.chrome(r), pathLaunch, catalogue.All(), pathPlanner
	s.page(w, r, status, func(b *bytes.Buffer) error { return s.pages.Launch(b, view) })
}

// launch makes the experiment of the form, and shows its report, or the form with
// what is wrong.
func (s *Server) launch(w http.ResponseWriter, r *http.Request) {
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
	spec, faults := web.ReadLaunch(r.PostForm)
	spec.Normalize()
	faults = append(faults, experiment.Faults(spec.Validate(catalogue.Known))...)
	if len(faults) == 0 {
		faults, err = s.create(r, spec)
	}
	switch {
	case len(faults) > 0:
		s.showLaunch(w, r, statusOf(faults[0].Code), web.LaunchView{Form: r.PostForm, Faults: faults})
	case err != nil:
		s.problemPage(w, r, err)
	default:
		s.published(r.Context())
		http.Redirect(w, r, pathExperiments+"/"+spec.Key, http.StatusSeeOther)
	}
}

// create makes a new experiment; one that is there is not changed by a form that
// did not show it.
func (s *Server) create(r *http.Request, spec experiment.Spec) (experiment.Errors, error) {
	if _, err := s.db.Get(r.Context(), spec.Key); err == nil {
		return experiment.Errors{experiment.Errorf(experiment.CodeConflict, "key", "there is an experiment %q already", spec.Key)}, nil
	}
	_, err := s.db.Apply(r.Context(), []experiment.Spec{spec}, s.applyOptions(r.Context(), s.web.GetString(r.Context(), sessionUser)))
	return experiment.Faults(err), err
}
