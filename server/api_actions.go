package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// ActionReasons is the part of an action's body that says why; exported,
// because huma sees no other embedded fields.
type ActionReasons struct {
	Reason      string `json:"reason,omitempty" maxLength:"1000" doc:"why, for the audit log"`
	BreakFreeze string `json:"break_freeze,omitempty" maxLength:"1000" doc:"why the action must not wait for the end of a freeze window; administrators only"`
}

type actionInput struct {
	KeyInPath
	Body ActionReasons
}

type shipInput struct {
	KeyInPath
	Body struct {
		ActionReasons
		Arm string `json:"arm" doc:"key of the arm that everyone gets"`
	}
}

type actionOutput struct{ Body postgres.Applied }

// actionAPI are the things done to one experiment that no document can say.
func (s *Server) actionAPI(api huma.API) {
	const scope = experiment.ScopeWrite
	serve(s, api, operation(http.MethodPost, "/experiments/{key}/ship", "ship-arm", "Stop an experiment and serve one arm to every unit that is not held out", scope), scope,
		func(ctx context.Context, who string, in *shipInput) (*actionOutput, error) {
			return s.act(ctx, who, in.Body.ActionReasons, func(opts postgres.ApplyOptions) (postgres.Applied, error) {
				return s.db.Ship(ctx, in.Key, in.Body.Arm, opts)
			})
		})
	serve(s, api, operation(http.MethodPost, "/experiments/{key}/remove", "remove-arm", "Serve control again instead of the shipped arm", scope), scope,
		func(ctx context.Context, who string, in *actionInput) (*actionOutput, error) {
			return s.act(ctx, who, in.Body, func(opts postgres.ApplyOptions) (postgres.Applied, error) {
				return s.db.Unship(ctx, in.Key, opts)
			})
		})
	serve(s, api, operation(http.MethodPost, "/experiments/{key}/restart", "restart-experiment", "Draw every unit again: a new salt and a new version; what was learnt stays under the old one", scope), scope,
		func(ctx context.Context, who string, in *actionInput) (*actionOutput, error) {
			return s.act(ctx, who, in.Body, func(opts postgres.ApplyOptions) (postgres.Applied, error) {
				return s.db.Restart(ctx, in.Key, opts)
			})
		})
}

func (s *Server) act(ctx context.Context, who string, why ActionReasons, do func(postgres.ApplyOptions) (postgres.Applied, error)) (*actionOutput, error) {
	opts := s.applyOptions(ctx, who)
	opts.Reason, opts.BreakFreeze = why.Reason, why.BreakFreeze
	out, err := do(opts)
	if err == nil {
		s.published(ctx)
	}
	return &actionOutput{out}, err
}
