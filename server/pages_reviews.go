package server

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// reviewOfAction are the actions of the report's form that a review can be about.
var reviewOfAction = map[string]experiment.ReviewAction{
	web.ActionLaunch: experiment.ReviewLaunch, web.ActionShip: experiment.ReviewShip, web.ActionRestart: experiment.ReviewRestart,
}

func (s *Server) reviewRoutes(r chi.Router) {
	r.Post(pathExperiments+"/{key}/reviews", s.reviewForm(func(ctx context.Context, r *http.Request, opts postgres.ApplyOptions) error {
		ask := postgres.AskedReview{
			Experiment: chi.URLParam(r, "key"), Note: r.PostForm.Get(web.ParamReason), Reviewer: r.PostForm.Get(web.ParamReviewer),
			Proposal: experiment.Proposal{Action: reviewOfAction[r.PostForm.Get(web.ParamAction)]},
		}
		if ask.Action == experiment.ReviewShip {
			ask.Arm = r.PostForm.Get(web.ParamArm)
		}
		_, err := s.db.AskReview(ctx, ask, opts)
		return err
	}))
	r.Post(pathExperiments+"/{key}/reviews/{id}", s.reviewForm(s.decideReview))
}

// reviewForm does what a form of a review asks for, and shows the experiment again.
func (s *Server) reviewForm(do func(context.Context, *http.Request, postgres.ApplyOptions) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
		if err := r.ParseForm(); err != nil {
			s.problemPage(w, r, formFault(err))
			return
		}
		if err := do(r.Context(), r, s.applyOptions(r.Context(), s.user(r))); err != nil {
			s.problemPage(w, r, err)
			return
		}
		s.published(r.Context())
		http.Redirect(w, r, pathExperiments+"/"+chi.URLParam(r, "key"), http.StatusSeeOther)
	}
}

func (s *Server) decideReview(ctx context.Context, r *http.Request, opts postgres.ApplyOptions) error {
	key := chi.URLParam(r, "key")
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return experiment.Errorf(experiment.CodeNotFound, "id", "%s has no such review", key)
	}
	decision, comment := r.PostForm.Get(web.ParamDecision), r.PostForm.Get(web.ParamComment)
	switch decision {
	case web.DecisionApprove, web.DecisionRefuse:
		decided := postgres.DecidedReview{Experiment: key, ID: id, Approve: decision == web.DecisionApprove, Comment: comment}
		_, err = s.db.DecideReview(ctx, decided, opts)
	case web.DecisionPublish:
		_, err = s.db.PublishReview(ctx, key, id, opts)
	default:
		err = experiment.Invalidf(web.ParamDecision, "%q is nothing that can be said of a review", decision)
	}
	return err
}

// reviewView is what a page says of the second person that an experiment needs; nil
// where launches need none and nobody is asked.
func (s *Server) reviewView(r *http.Request, exp *experiment.Experiment) (*web.ReviewView, error) {
	set, err := s.db.Settings(r.Context())
	if err != nil || !set.ReviewLaunches {
		return nil, err
	}
	view := &web.ReviewView{Base: pathExperiments + "/" + exp.Key + "/reviews", Person: personBehind(r.Context(), s.user(r))}
	if view.Reviews, err = s.db.Reviews(r.Context(), exp.Key); err != nil || len(view.Reviews) == 0 {
		return view, err
	}
	catalogue, err := s.db.Catalogue(r.Context())
	if err != nil {
		return nil, err
	}
	view.Metrics = catalogue.All()
	return view, nil
}

// askLaunch asks for a review of a draft that the wizard has stored.
func (s *Server) askLaunch(r *http.Request, key string) error {
	ask := postgres.AskedReview{
		Experiment: key, Proposal: experiment.Proposal{Action: experiment.ReviewLaunch},
		Reviewer: r.PostForm.Get(web.ParamReviewer), Note: r.PostForm.Get(web.ParamNote),
	}
	_, err := s.db.AskReview(r.Context(), ask, s.applyOptions(r.Context(), s.user(r)))
	return err
}
