package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
)

// actionRestate is the audit log's name of a restatement.
const actionRestate = "experiment.restate"

type restateInput struct {
	KeyInPath
	Body struct {
		Day    string `json:"day" format:"date" doc:"day in UTC on which the windows closed whose outcomes are made again"`
		Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"why, for the report and the audit log"`
	}
}

type restateOutput struct{ Body metrics.Restatement }

// restateAPI computes a day of an experiment again.
func (s *Server) restateAPI(api huma.API) {
	const scope = experiment.ScopeAdmin
	serve(s, api, operation(http.MethodPost, "/experiments/{key}/restatements", "restate-day",
		"Make the outcomes of a day again from what is known now, as a new look; the looks before stay as they are", scope), scope, s.restate)
}

func (s *Server) restate(ctx context.Context, who string, in *restateInput) (*restateOutput, error) {
	day, err := time.Parse(time.DateOnly, in.Body.Day)
	if err != nil {
		return nil, experiment.Invalidf("day", "must be a day of the form 2006-01-02")
	}
	exp, err := s.db.Get(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	if err := s.db.CheckRestatable(ctx, day); err != nil {
		return nil, err
	}
	now := s.now()
	job := metrics.Job{Store: s.db, Catalogue: s.db.Catalogue}
	look, err := job.Restate(ctx, &exp, metrics.Restatement{Day: day, Actor: who, Reason: in.Body.Reason}, now)
	if err != nil {
		return nil, err
	}
	made := look.Restated[len(look.Restated)-1]
	detail, err := json.Marshal(struct {
		Version int `json:"version"`
		metrics.Restatement
	}{exp.Version, made})
	if err != nil {
		return nil, err
	}
	// The look itself names who took it and why; the log is for those who look there.
	err = s.db.RecordAudit(ctx, postgres.AuditEntry{At: now, Actor: who, Action: actionRestate, Subject: in.Key, Detail: detail})
	return &restateOutput{made}, err
}
