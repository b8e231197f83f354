package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

type settingsOutput struct{ Body postgres.Settings }

type settingsInput struct{ Body postgres.Settings }

type reviewInput struct {
	KeyInPath
	Body struct {
		Action     experiment.ReviewAction `json:"action" enum:"launch,change,ship,restart" doc:"what shall be published: the draft as it is stored, a change by a document, an arm for everybody, or a restart"`
		Arm        string                  `json:"arm,omitempty" doc:"the arm that ships"`
		Experiment json.RawMessage         `json:"experiment,omitempty" doc:"for a change: the experiment as in a document"`
		Reviewer   string                  `json:"reviewer,omitempty" maxLength:"200" doc:"who is asked; any other person may answer"`
		Note       string                  `json:"note,omitempty" maxLength:"2000" doc:"to the reviewer"`
	}
}

// ReviewInPath is the part of an input that names a review; exported, because huma
// sees no other embedded fields.
type ReviewInPath struct {
	KeyInPath
	ID int64 `path:"id" doc:"number of the review"`
}

type reviewDecisionInput struct {
	ReviewInPath
	Body struct {
		Approve bool   `json:"approve" doc:"false: changes are requested"`
		Comment string `json:"comment,omitempty" maxLength:"2000" doc:"what to change; an approval may be without"`
	}
}

type reviewPublishInput struct {
	ReviewInPath
	Body ActionReasons
}

type reviewOutput struct{ Body experiment.Review }

type reviewList struct {
	Body struct {
		Reviews []experiment.Review `json:"reviews" doc:"newest first"`
	}
}

// reviewAPI are the second person before a launch, and the setting that asks for one.
func (s *Server) reviewAPI(api huma.API) {
	const read, write, admin = experiment.ScopeRead, experiment.ScopeWrite, experiment.ScopeAdmin
	serve(s, api, operation(http.MethodGet, "/settings", "get-settings", "What the installation is set to", read), read,
		func(ctx context.Context, _ string, _ *struct{}) (*settingsOutput, error) {
			set, err := s.db.Settings(ctx)
			return &settingsOutput{set}, err
		})
	serve(s, api, operation(http.MethodPut, "/settings", "put-settings", "Set the installation", admin), admin,
		func(ctx context.Context, who string, in *settingsInput) (*settingsOutput, error) {
			_, err := s.db.ChangeSettings(ctx, in.Body, s.applyOptions(ctx, who))
			return &settingsOutput{in.Body}, err
		})
	serve(s, api, operation(http.MethodGet, "/experiments/{key}/reviews", "list-reviews", "Whom one asked to approve what of an experiment, and what they said", read), read,
		func(ctx context.Context, _ string, in *KeyInPath) (*reviewList, error) {
			if _, err := s.db.Get(ctx, in.Key); err != nil {
				return nil, err
			}
			out := &reviewList{}
			var err error
			out.Body.Reviews, err = s.db.Reviews(ctx, in.Key)
			return out, err
		})
	serve(s, api, operation(http.MethodPost, "/experiments/{key}/reviews", "ask-review", "Ask a second person to approve a launch, change, ship or restart", write), write, s.askReview)
	serve(s, api, operation(http.MethodPost, "/experiments/{key}/reviews/{id}/decision", "decide-review", "Approve what a review is about, or request changes", write), write,
		func(ctx context.Context, who string, in *reviewDecisionInput) (*reviewOutput, error) {
			decided := postgres.DecidedReview{Experiment: in.Key, ID: in.ID, Approve: in.Body.Approve, Comment: in.Body.Comment}
			out, err := s.db.DecideReview(ctx, decided, s.applyOptions(ctx, who))
			return &reviewOutput{out}, err
		})
	serve(s, api, operation(http.MethodPost, "/experiments/{key}/reviews/{id}/publish", "publish-review", "Do what was approved", write), write,
		func(ctx context.Context, who string, in *reviewPublishInput) (*actionOutput, error) {
			return s.act(ctx, who, in.Body, func(opts postgres.ApplyOptions) (postgres.Applied, error) {
				return s.db.PublishReview(ctx, in.Key, in.ID, opts)
			})
		})
}

func (s *Server) askReview(ctx context.Context, who string, in *reviewInput) (*reviewOutput, error) {
	ask := postgres.AskedReview{
		Experiment: in.Key, Proposal: experiment.Proposal{Action: in.Body.Action, Arm: in.Body.Arm},
		Reviewer: in.Body.Reviewer, Note: in.Body.Note,
	}
	if len(in.Body.Experiment) > 0 {
		spec, err := experiment.ParseSpec(in.Body.Experiment)
		if err != nil {
			return nil, experiment.Within("experiment", err)
		}
		ask.Spec = &spec
	}
	out, err := s.db.AskReview(ctx, ask, s.applyOptions(ctx, who))
	return &reviewOutput{out}, err
}
