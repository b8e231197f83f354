package server

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"
	"sigs.k8s.io/yaml"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/web"
)

// pathLaunch is below the experiments, where no key can be: it is a fixed route,
// which goes before that of keys.
const pathLaunch = pathExperiments + "/new"

// maxLaunchForm bounds what a step sends: values of arms and a hypothesis.
const maxLaunchForm = 256 << 10

// launchRoutes are the launch wizard. Every step is POST, redirect, GET: going
// back and forward in the browser sends nothing twice and loses nothing.
func (s *Server) launchRoutes(r chi.Router) {
	r.Get(pathLaunch, s.launchStart)
	r.Post(pathLaunch, s.launchBegin)
	r.Get(pathLaunch+"/{draft}/{step}", s.launchStep)
	r.Post(pathLaunch+"/{draft}/{step}", s.launchSave)
	r.Post(pathLaunch+"/{draft}", s.launchDiscard)
	r.Post(pathExperiments+"/{key}"+web.EditPath, s.launchOpen)
}

// launchStart shows the first step, before anything is kept, and the drafts to go
// on with.
func (s *Server) launchStart(w http.ResponseWriter, r *http.Request) {
	s.showLaunchStart(w, r, http.StatusOK, web.LaunchView{Form: web.NewLaunchForm(experiment.ChangeKind(r.URL.Query().Get("change")))})
}

func (s *Server) showLaunchStart(w http.ResponseWriter, r *http.Request, status int, view web.LaunchView) {
	drafts, err := s.db.LaunchDrafts(r.Context(), s.user(r), s.wall())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	for i := range drafts {
		at := pathLaunch + "/" + drafts[i].ID
		view.Drafts = append(view.Drafts, web.LaunchDraft{
			Name: drafts[i].Form.Get("name"), URL: at + "/" + string(launch.StepReview), Discard: at, At: drafts[i].UpdatedAt,
		})
	}
	all, err := s.db.List(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	for i := range all {
		if all[i].Status == experiment.StatusDraft && len(view.Stored) < maxStoredOffered {
			view.Stored = append(view.Stored, all[i])
		}
	}
	view.Chrome, view.Base, view.Step, view.Experiment = s.chrome(r), pathLaunch, launch.StepChange, pathExperiments
	s.page(w, r, status, func(b *bytes.Buffer) error { return s.pages.Launch(b, view) })
}

// maxStoredOffered is how many stored drafts the first step offers to change; the
// list of experiments has all of them.
const maxStoredOffered = 10

// launchOpen opens a stored draft in the wizard, or goes on with it where the reader
// has opened it before.
func (s *Server) launchOpen(w http.ResponseWriter, r *http.Request) {
	stored, err := s.db.Get(r.Context(), chi.URLParam(r, "key"))
	if err == nil && stored.Status != experiment.StatusDraft {
		err = experiment.Errorf(experiment.CodeConflict, "status", "%s was launched: the wizard changes only what was not; a document changes it, by splitcast apply", stored.Key)
	}
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	drafts, err := s.db.LaunchDrafts(r.Context(), s.user(r), s.wall())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	for i := range drafts {
		if web.OpenedLaunch(drafts[i].Form) == stored.Key {
			http.Redirect(w, r, pathLaunch+"/"+drafts[i].ID+"/"+string(launch.StepReview), http.StatusSeeOther)
			return
		}
	}
	id, err := s.db.CreateLaunchDraft(r.Context(), s.user(r), web.OpenLaunch(&stored.Spec, s.now()), s.wall())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	http.Redirect(w, r, pathLaunch+"/"+id+"/"+string(launch.StepReview), http.StatusSeeOther)
}

func (s *Server) user(r *http.Request) string { return s.web.GetString(r.Context(), sessionUser) }

// launchBegin keeps the first step as a draft.
func (s *Server) launchBegin(w http.ResponseWriter, r *http.Request) {
	if !s.readLaunchForm(w, r) {
		return
	}
	form := web.MergeLaunch(web.NewLaunchForm(""), launch.StepChange, r.PostForm)
	faults, err := s.launchFaults(r.Context(), form)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	if web.LaunchStepFault(launch.StepChange, faults) {
		s.showLaunchStart(w, r, http.StatusBadRequest, web.LaunchView{Form: form, Faults: faults})
		return
	}
	id, err := s.db.CreateLaunchDraft(r.Context(), s.user(r), form, s.wall())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	s.launchGo(w, r, id, launch.StepChange, form)
}

// launchStep shows a step of a draft.
func (s *Server) launchStep(w http.ResponseWriter, r *http.Request) {
	step := launch.Step(chi.URLParam(r, "step"))
	if !slices.Contains(launch.Steps(), step) {
		s.problemPage(w, r, experiment.Errorf(experiment.CodeNotFound, "", "the wizard has no step %q", step))
		return
	}
	draft, err := s.db.LaunchDraft(r.Context(), chi.URLParam(r, "draft"), s.user(r), s.wall())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := web.LaunchView{Draft: draft.ID, Step: step, Form: draft.Form, SavedAt: draft.UpdatedAt}
	s.showLaunchStep(w, r, http.StatusOK, view)
}

func (s *Server) showLaunchStep(w http.ResponseWriter, r *http.Request, status int, view web.LaunchView) {
	prepared, err := s.prepare(r, view.Form, view.Step)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	document, err := documentOf(&prepared.input.Spec)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	set, err := s.db.Settings(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view.Reviewed = set.ReviewLaunches
	view.Chrome, view.Base, view.Experiment = s.chrome(r), pathLaunch, pathExperiments
	view.Planner, view.Catalogue = pathPlanner, pathCatalogue
	view.Now, view.Spec, view.Document = s.now(), prepared.input.Spec, document
	view.Metrics, view.Faults = prepared.catalogue.All(), append(view.Faults, prepared.input.Faults...)
	view.Previews, view.Assessment = prepared.input.Previews, prepared.assessment
	s.page(w, r, status, func(b *bytes.Buffer) error { return s.pages.Launch(b, view) })
}

// documentOf writes an experiment as people apply it.
func documentOf(spec *experiment.Spec) (string, error) {
	shown := *spec
	shown.Status = experiment.StatusRunning
	if shown.StartAt != nil {
		shown.Status = experiment.StatusDraft
	}
	b, err := yaml.Marshal(experiment.Document{Experiments: []experiment.Spec{shown}})
	return string(b), err
}

// launchSave keeps a step and goes where its button leads.
func (s *Server) launchSave(w http.ResponseWriter, r *http.Request) {
	if !s.readLaunchForm(w, r) {
		return
	}
	id, step := chi.URLParam(r, "draft"), launch.Step(chi.URLParam(r, "step"))
	draft, err := s.db.ReviseLaunchDraft(r.Context(), id, s.user(r), s.wall(), func(form url.Values) url.Values {
		return web.MergeLaunch(form, step, r.PostForm)
	})
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	switch to := r.PostForm.Get(web.ParamGo); to {
	case web.GoLaunch, web.GoDraft, web.GoAsk:
		s.launchDraft(w, r, draft.ID, draft.Form, to)
	default:
		s.launchGo(w, r, id, step, draft.Form)
	}
}

// launchGo redirects to the step that a button asks for. Only the way on is
// closed by faults; every other step can be seen at any time.
func (s *Server) launchGo(w http.ResponseWriter, r *http.Request, id string, step launch.Step, form url.Values) {
	steps := launch.Steps()
	to := launch.Step(r.PostForm.Get(web.ParamGo))
	if !slices.Contains(steps, to) {
		to = step
	}
	if at := slices.Index(steps, step); r.PostForm.Get(web.ParamGo) == web.GoNext && at >= 0 && at+1 < len(steps) {
		faults, err := s.launchFaults(r.Context(), form)
		if err != nil {
			s.problemPage(w, r, err)
			return
		}
		if !web.LaunchStepFault(step, faults) {
			to = steps[at+1]
		}
	}
	http.Redirect(w, r, pathLaunch+"/"+id+"/"+string(to), http.StatusSeeOther)
}

// launchDraft makes the experiment of a draft, and shows its report, or the
// checklist with what stands against it.
func (s *Server) launchDraft(w http.ResponseWriter, r *http.Request, id string, form url.Values, to string) {
	prepared, err := s.prepare(r, form, launch.StepReview)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	spec := prepared.input.Spec
	if to == web.GoLaunch && spec.StartAt == nil {
		spec.Status = experiment.StatusRunning
	}
	var faults experiment.Errors
	if prepared.assessment.Blockers(launch.LevelHard) == 0 {
		opts := s.applyOptions(r.Context(), s.user(r))
		opts.Reason = prepared.assessment.OpenPoints()
		_, err := s.db.Apply(r.Context(), []experiment.Spec{spec}, opts)
		if faults = experiment.Faults(err); err != nil && len(faults) == 0 {
			s.problemPage(w, r, err)
			return
		}
		if err == nil {
			s.launched(w, r, id, spec.Key, to == web.GoAsk)
			return
		}
	}
	view := web.LaunchView{Draft: id, Step: launch.StepReview, Form: form, Faults: faults}
	s.showLaunchStep(w, r, http.StatusConflict, view)
}

// launched forgets the draft, which is an experiment now. With ask, somebody else is
// asked to approve its launch.
func (s *Server) launched(w http.ResponseWriter, r *http.Request, id, key string, ask bool) {
	s.published(r.Context())
	if err := s.db.DiscardLaunchDraft(r.Context(), id, s.user(r)); err != nil {
		s.log.Warn("a draft that was launched is still there", "error", err)
	}
	if ask {
		if err := s.askLaunch(r, key); err != nil {
			s.problemPage(w, r, err)
			return
		}
	}
	http.Redirect(w, r, pathExperiments+"/"+key, http.StatusSeeOther)
}

func (s *Server) launchDiscard(w http.ResponseWriter, r *http.Request) {
	if err := s.db.DiscardLaunchDraft(r.Context(), chi.URLParam(r, "draft"), s.user(r)); err != nil {
		s.problemPage(w, r, err)
		return
	}
	http.Redirect(w, r, pathLaunch, http.StatusSeeOther)
}

// readLaunchForm reads what a step sends; it answers and returns false for what is
// no form.
func (s *Server) readLaunchForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxLaunchForm)
	if err := r.ParseForm(); err != nil {
		s.problemPage(w, r, formFault(err))
		return false
	}
	return true
}
