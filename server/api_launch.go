package server

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
)

type proposalList struct {
	Body struct {
		Proposals []launch.Proposal `json:"proposals"`
	}
}

type audienceInput struct {
	Body struct {
		Unit     experiment.UnitType  `json:"unit" enum:"viewer,broadcaster,device,session" doc:"type of unit"`
		Audience *experiment.Audience `json:"audience,omitempty" doc:"as in the document of an experiment; left out: everyone"`
	}
}

type audienceOutput struct{ Body *launch.AudienceCount }

type assessmentInput struct {
	Type    string `header:"Content-Type"`
	RawBody []byte
}

type assessmentOutput struct {
	Body struct {
		launch.Assessment
		PlannedUnits int64 `json:"planned_units" doc:"what the wizard plans when nobody says how many units"`
	}
}

// launchAPI is what the launch wizard shows, for programs. What it does is
// `apply`.
func (s *Server) launchAPI(api huma.API) {
	const read = experiment.ScopeRead
	serve(s, api, operation(http.MethodGet, "/launch/proposals", "list-proposals", "Unit, design, metrics and margins that fit each kind of change", read), read,
		func(context.Context, string, *struct{}) (*proposalList, error) {
			out := &proposalList{}
			out.Body.Proposals = launch.Proposals()
			return out, nil
		})
	serve(s, api, operation(http.MethodPost, "/audiences/preview", "preview-audience", "How many units of the last seven days an audience is open to, as far as stored sessions tell", read), read,
		func(ctx context.Context, _ string, in *audienceInput) (*audienceOutput, error) {
			out, err := s.countAudience(ctx, in.Body.Unit, in.Body.Audience)
			return &audienceOutput{out}, err
		})
	assess := operation(http.MethodPost, "/launch/assessment", "assess-launch",
		"What is known about an experiment before its launch: cost, audience, place among the others, interference, and a checklist with hard and soft blockers", read)
	assess.MaxBodyBytes = experiment.MaxDocumentBytes + 1
	assess.SkipValidateBody = true // experiment.ParseApply is stricter, and names fields as people write them
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[experiment.Spec](), true, "")
	assess.RequestBody = &huma.RequestBody{
		Required: true, Description: "An experiment as in a document, alone or as the only one of a document.",
		Content: map[string]*huma.MediaType{"application/json": {Schema: schema}, "application/yaml": {Schema: schema}},
	}
	serve(s, api, assess, read, s.assessLaunch)
}

func (s *Server) assessLaunch(ctx context.Context, _ string, in *assessmentInput) (*assessmentOutput, error) {
	doc, err := readDocument(in.RawBody, in.Type)
	if err != nil {
		return nil, err
	}
	if len(doc.Experiments) != 1 {
		return nil, experiment.Invalidf("experiments", "one experiment is assessed at a time; the document holds %d", len(doc.Experiments))
	}
	p, err := s.assess(ctx, assessing{spec: doc.Experiments[0], step: launch.StepReview})
	if err != nil {
		return nil, err
	}
	out := &assessmentOutput{}
	out.Body.Assessment, out.Body.PlannedUnits = p.assessment, p.assessment.PlannedUnits()
	return out, nil
}
