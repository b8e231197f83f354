package server

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// statusOfAction are the actions that are a status to go to.
var statusOfAction = map[string]experiment.Status{
	web.ActionLaunch: experiment.StatusRunning, web.ActionResume: experiment.StatusRunning,
	web.ActionPause: experiment.StatusPaused, web.ActionStop: experiment.StatusStopped, web.ActionArchive: experiment.StatusArchived,
}

// decide does what the report's form asks for, and shows the report again.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
	if err := r.ParseForm(); err != nil {
		s.problemPage(w, r, formFault(err))
		return
	}
	key := chi.URLParam(r, "key")
	// Who signed in may do anything, but a freeze window is broken only by the API,
	// where one has to say so.
	opts := s.applyOptions(r.Context(), s.web.GetString(r.Context(), sessionUser))
	opts.Reason = r.PostForm.Get(web.ParamReason)
	if opts.Reason == "" || len(opts.Reason) > experiment.MaxReasonBytes {
		s.rejectForm(w, r, web.FormDecide, experiment.Invalidf(web.ParamReason, "say why, in 1 to %d bytes", experiment.MaxReasonBytes))
		return
	}
	if err := s.doAction(r.Context(), key, r.PostForm.Get(web.ParamAction), r.PostForm.Get(web.ParamArm), opts); err != nil {
		s.rejectForm(w, r, web.FormDecide, err)
		return
	}
	s.published(r.Context())
	http.Redirect(w, r, pathExperiments+"/"+key, http.StatusSeeOther)
}

func (s *Server) doAction(ctx context.Context, key, action, arm string, opts postgres.ApplyOptions) error {
	var err error
	switch action {
	case web.ActionShip:
		_, err = s.db.Ship(ctx, key, arm, opts)
		return err
	case web.ActionRemove:
		_, err = s.db.Unship(ctx, key, opts)
		return err
	case web.ActionRestart:
		_, err = s.db.Restart(ctx, key, opts)
		return err
	}
	status, ok := statusOfAction[action]
	if !ok {
		return experiment.Invalidf(web.ParamAction, "%q is nothing that can be done", action)
	}
	_, err = s.db.SetStatus(ctx, key, status, opts)
	return err
}
