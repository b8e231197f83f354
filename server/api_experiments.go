package server

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"sigs.k8s.io/yaml"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
)

type experimentList struct {
	Body struct {
		Experiments []experiment.Experiment `json:"experiments"`
	}
}

type experimentOne struct{ Body ExperimentView }

// ExperimentView is an experiment with what the server knows of it besides.
type ExperimentView struct {
	experiment.Experiment

	Outlook    experiment.Outlook `json:"outlook" doc:"slots owned now, those that the ramp leads to, and the next step of the schedule"`
	RemoteOnly string             `json:"remote_only,omitempty" doc:"why the flagd document leaves the experiment out; OFREP serves it"`
}

// KeyInPath is the part of an input that names an experiment; exported, because
// huma sees no other embedded fields.
type KeyInPath struct {
	Key string `path:"key" doc:"key of the experiment" example:"abr-safety-75"`
}

type applyInput struct {
	DryRun  bool   `query:"dry_run" doc:"report what would change, and change nothing"`
	Type    string `header:"Content-Type"`
	RawBody []byte
}

type applyOutput struct {
	Body struct {
		DryRun bool `json:"dry_run"`
		postgres.Published
	}
}

type revisionList struct {
	Body struct {
		Revisions []postgres.Revision `json:"revisions"`
	}
}

func (s *Server) experimentAPI(api huma.API) {
	serve(s, api, operation(http.MethodGet, "/experiments", "list-experiments", "All experiments", experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, _ *struct{}) (*experimentList, error) {
			out := &experimentList{}
			var err error
			out.Body.Experiments, err = s.db.List(ctx)
			return out, err
		})
	serve(s, api, operation(http.MethodGet, "/experiments/{key}", "get-experiment", "One experiment", experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *KeyInPath) (*experimentOne, error) {
			e, err := s.db.Get(ctx, in.Key)
			return &experimentOne{ExperimentView{e, e.Outlook(), s.flagd.remoteOnly(in.Key)}}, err
		})
	serve(s, api, operation(http.MethodGet, "/experiments/{key}/versions", "list-versions", "Everything that was ever applied to an experiment", experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *KeyInPath) (*revisionList, error) {
			out := &revisionList{}
			var err error
			out.Body.Revisions, err = s.db.Versions(ctx, in.Key)
			return out, err
		})
	apply := operation(http.MethodPost, "/experiments", "apply-experiments", "Create or update experiments, holdouts, lists and freeze windows, all or none", experiment.ScopeWrite)
	apply.MaxBodyBytes = experiment.MaxDocumentBytes + 1
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[experiment.Document](), true, "")
	apply.RequestBody = &huma.RequestBody{
		Required: true, Description: "A document, or one experiment, in JSON or YAML.",
		Content: map[string]*huma.MediaType{"application/json": {Schema: schema}, "application/yaml": {Schema: schema}},
	}
	apply.SkipValidateBody = true // experiment.ParseApply is stricter, and names fields as people write them
	serve(s, api, apply, experiment.ScopeWrite, s.apply)
	describeScalars(api.OpenAPI().Components.Schemas)
}

// describeScalars says of types that write their own JSON what they write.
func describeScalars(schemas huma.Registry) {
	own := map[reflect.Type]huma.Schema{
		reflect.TypeFor[experiment.Scalar](): {OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}}},
		reflect.TypeFor[experiment.Date]():   {Type: huma.TypeString, Format: "date"},
		reflect.TypeFor[experiment.IDSet]():  {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}},
	}
	for t, says := range own {
		if schema := schemas.SchemaFromRef(schemas.Schema(t, true, "").Ref); schema != nil {
			*schema = says
		}
	}
}

func (s *Server) apply(ctx context.Context, who string, in *applyInput) (*applyOutput, error) {
	doc, err := readDocument(in.RawBody, in.Type)
	if err != nil {
		return nil, err
	}
	opts := s.applyOptions(ctx, who)
	opts.DryRun = in.DryRun
	out := &applyOutput{}
	out.Body.DryRun = in.DryRun
	out.Body.Published, err = s.db.ApplyDocument(ctx, doc, opts)
	if err == nil && !in.DryRun {
		s.published(ctx)
	}
	return out, err
}

// applyOptions are those of a change that who asks for now.
func (s *Server) applyOptions(ctx context.Context, who string) postgres.ApplyOptions {
	_, err := actor(ctx, experiment.ScopeAdmin)
	return postgres.ApplyOptions{Actor: who, Person: personBehind(ctx, who), Now: s.now(), KnownMetric: metrics.Known, Salt: s.salt, Admin: err == nil}
}

// published puts a change in force at this server, so that its next evaluation
// knows it; others learn of it within milliseconds. When the refresh fails the
// watcher tries again. What was stopped is concluded while its newest look has
// its dimensions; when that fails, the page of conclusions tries again.
func (s *Server) published(ctx context.Context) {
	if err := s.live.Refresh(ctx); err != nil {
		s.log.Warn("configuration not refreshed after a change", "error", err)
	}
	if err := s.conclude(ctx); err != nil {
		s.log.Warn("conclusions not kept after a change", "error", err)
	}
}

// readDocument reads a document or a single experiment, in YAML when the media
// type says so.
func readDocument(body []byte, mediaType string) (experiment.Document, error) {
	if len(body) > experiment.MaxDocumentBytes {
		return experiment.Document{}, experiment.Errorf(experiment.CodeTooLarge, "", "the document is larger than %d bytes", experiment.MaxDocumentBytes)
	}
	if strings.Contains(mediaType, "yaml") {
		var err error
		if body, err = yaml.YAMLToJSONStrict(body); err != nil {
			return experiment.Document{}, experiment.Invalidf("", "%v", err)
		}
	}
	return experiment.ParseApply(body)
}
