package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/splitcast/splitcast/experiment"
)

type configInput struct {
	IfNoneMatch string `header:"If-None-Match" doc:"entity tags that the caller has"`
	AtLeast     int64  `query:"at_least" doc:"a version that the caller has or heard of; a replica that is behind answers when it has it too, at most 3 s later"`
}

type configOutput struct {
	Body func(huma.Context)
}

// configAPI mounts GET /config: what services need that evaluate by themselves.
func (s *Server) configAPI(api huma.API) {
	op := operation(http.MethodGet, "/config", "get-config", "The configuration in force, for evaluation in process", experiment.ScopeConfig)
	op.Responses = map[string]*huma.Response{
		"200": {Description: "the configuration, without API keys", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}}},
		"304": {Description: "the caller has it"},
	}
	serve(s, api, op, experiment.ScopeConfig, func(ctx context.Context, _ string, in *configInput) (*configOutput, error) {
		st := s.live.await(ctx, in.AtLeast, s.done)
		if st == nil {
			return nil, experiment.Errorf(experiment.CodeUnavailable, "", "no configuration has been loaded yet")
		}
		return &configOutput{func(ctx huma.Context) {
			r, w := humachi.Unwrap(ctx)
			st.document.serve(w, r)
		}}, nil
	})
}

// await returns the configuration in force once it is of version wanted or
// newer; after maxVersionWait whichever it is, nil when there is none.
func (l *Live) await(ctx context.Context, wanted int64, done <-chan struct{}) *liveState {
	st := l.state.Load()
	if st == nil || st.snapshot.Version() >= wanted {
		return st
	}
	awaitVersion(ctx, wanted, func() int64 {
		st = l.state.Load()
		return st.snapshot.Version()
	}, l.subscribe, done)
	return st
}
