package server

import (
	"context"
	"errors"
	"math"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/planning"
	"github.com/splitcast/splitcast/postgres"
)

type metricList struct {
	Body struct {
		Metrics    []metrics.Definition `json:"metrics"`
		Quantities []quantityInfo       `json:"quantities" doc:"what metrics can be made of"`
		Custom     []quantityInfo       `json:"custom" doc:"custom quantities: source and a name of yours; any may be divided by any other"`
	}
}

// quantityInfo describes a base quantity to who defines a metric.
type quantityInfo struct {
	Name string   `json:"name"`
	Over []string `json:"over" doc:"quantities that it can be divided by"`
}

// MetricInPath is the part of an input that names a metric.
type MetricInPath struct {
	Key string `path:"key" doc:"key of the metric" example:"stall_ratio"`
}

type metricOne struct {
	Body struct {
		Metric   metrics.Definition      `json:"metric" doc:"the newest version"`
		Builtin  bool                    `json:"builtin"`
		Versions []metrics.Definition    `json:"versions" doc:"all versions, oldest first"`
		Authors  []postgres.MetricAuthor `json:"authors" doc:"who made each version; none of a built-in metric"`
	}
}

type metricInput struct {
	DryRun  bool `query:"dry_run" doc:"check the definition, and store nothing"`
	RawBody []byte
}

type metricOutput struct {
	Body struct {
		DryRun bool `json:"dry_run"`
		postgres.DefinedMetric
	}
}

// PreviewQuery is what a preview may be told; exported, because huma sees no
// other embedded fields.
type PreviewQuery struct {
	Unit experiment.UnitType `query:"unit" enum:"viewer,broadcaster,device,session,block" default:"viewer" doc:"type of unit"`
	MDE  float64             `query:"mde" default:"0.02" doc:"smallest lift worth finding, as a fraction of control"`
}

type previewStoredInput struct {
	MetricInPath
	PreviewQuery
}

type previewInput struct {
	PreviewQuery
	RawBody []byte
}

type previewOutput struct {
	Body struct {
		Metric  metrics.Definition      `json:"metric"`
		Preview metrics.Preview         `json:"preview"`
		From    postgres.RecentOutcomes `json:"from"`
		// Cost is what an experiment of two equal arms needs.
		Cost        []planning.Cost `json:"cost" doc:"units that two equal arms need to find mde with 80 % power, by rule; empty with cost_refusal"`
		CostRefusal string          `json:"cost_refusal,omitempty"`
		MDE         float64         `json:"mde"`
	}
}

// metricAPI is the metric catalogue.
func (s *Server) metricAPI(api huma.API) {
	const read, write = experiment.ScopeRead, experiment.ScopeWrite
	serve(s, api, operation(http.MethodGet, "/metrics", "list-metrics", "The metric catalogue, and what metrics can be made of", read), read,
		func(ctx context.Context, _ string, _ *struct{}) (*metricList, error) { return s.listMetrics(ctx) })
	serve(s, api, operation(http.MethodGet, "/metrics/{key}", "get-metric", "All versions of one metric", read), read,
		func(ctx context.Context, _ string, in *MetricInPath) (*metricOne, error) {
			return s.getMetric(ctx, in.Key)
		})
	serve(s, api, operation(http.MethodGet, "/metrics/{key}/preview", "preview-metric", "A metric over the control arms of the last seven days: its spread, its tail and the sample size it needs", read), read,
		func(ctx context.Context, _ string, in *previewStoredInput) (*previewOutput, error) {
			c, err := s.db.Catalogue(ctx)
			if err != nil {
				return nil, err
			}
			d, ok := c.Lookup(in.Key)
			if !ok {
				return nil, noMetric(in.Key)
			}
			return s.preview(ctx, d, in.PreviewQuery)
		})
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[metrics.Definition](), true, "")
	takesDefinition := func(op huma.Operation) huma.Operation {
		op.MaxBodyBytes = metrics.MaxDefinitionBytes + 1
		op.SkipValidateBody = true // metrics.ParseDefinition is stricter, and names fields as people write them
		op.RequestBody = &huma.RequestBody{
			Required: true, Description: "A definition without its version.",
			Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
		}
		return op
	}
	serve(s, api, takesDefinition(operation(http.MethodPost, "/metrics", "define-metric", "Define a metric, or a new version of one; running experiments keep theirs", write)), write, s.defineMetric)
	serve(s, api, takesDefinition(operation(http.MethodPost, "/metrics/preview", "preview-definition", "The same preview of a definition that is not stored", read)), read,
		func(ctx context.Context, _ string, in *previewInput) (*previewOutput, error) {
			d, err := metrics.ParseDefinition(in.RawBody)
			if err != nil {
				return nil, err
			}
			return s.preview(ctx, d, in.PreviewQuery)
		})
}

func noMetric(key string) error {
	return experiment.Errorf(experiment.CodeNotFound, "key", "there is no metric %q", key)
}

func (s *Server) listMetrics(ctx context.Context) (*metricList, error) {
	c, err := s.db.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	out := &metricList{}
	out.Body.Metrics = c.All()
	for q := range metrics.Quantity(metrics.QuantityCount) {
		info := quantityInfo{Name: q.String(), Over: []string{}}
		for _, o := range q.Over() {
			info.Over = append(info.Over, o.String())
		}
		out.Body.Quantities = append(out.Body.Quantities, info)
	}
	for _, source := range metrics.Sources() {
		info := quantityInfo{Name: source + "NAME", Over: []string{}}
		for _, o := range (metrics.Term{Custom: info.Name}).Over() {
			info.Over = append(info.Over, o.String())
		}
		out.Body.Custom = append(out.Body.Custom, info)
	}
	return out, nil
}

func (s *Server) getMetric(ctx context.Context, key string) (*metricOne, error) {
	c, err := s.db.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	d, ok := c.Lookup(key)
	if !ok {
		return nil, noMetric(key)
	}
	out := &metricOne{}
	out.Body.Metric, out.Body.Versions = d, c.Versions(key)
	out.Body.Authors, err = s.db.MetricAuthors(ctx, key)
	out.Body.Builtin = len(out.Body.Authors) == 0
	return out, err
}

func (s *Server) defineMetric(ctx context.Context, who string, in *metricInput) (*metricOutput, error) {
	d, err := metrics.ParseDefinition(in.RawBody)
	if err != nil {
		return nil, err
	}
	opts := s.applyOptions(ctx, who)
	opts.DryRun = in.DryRun
	out := &metricOutput{}
	out.Body.DryRun = in.DryRun
	out.Body.DefinedMetric, err = s.db.DefineMetric(ctx, d, opts)
	return out, err
}

// preview answers what a metric would be like.
func (s *Server) preview(ctx context.Context, d metrics.Definition, in PreviewQuery) (*previewOutput, error) {
	since := s.now().Add(-metrics.PreviewDays * 24 * time.Hour)
	if d.Of != "" {
		in.Unit = d.Of // no other has it
	}
	out := &previewOutput{}
	out.Body.Metric, out.Body.MDE = d, in.MDE
	var err error
	if out.Body.Preview, out.Body.From, err = s.db.PreviewMetric(ctx, d, in.Unit, since); err != nil {
		return nil, err
	}
	out.Body.Cost, out.Body.CostRefusal, err = costOf(&d, &out.Body.Preview, in.MDE)
	return out, err
}

// costOf returns what finding a lift costs two equal arms, or why that is not
// known. It returns experiment.CodeInvalid for a lift that nobody can look for.
func costOf(d *metrics.Definition, p *metrics.Preview, mde float64) (rules []planning.Cost, refusal string, err error) {
	rules = []planning.Cost{}
	if p.Shape.Refusal != "" {
		return rules, p.Shape.Refusal, nil
	}
	plan, err := planning.Plan(planning.Request{
		Baseline: planning.Baseline{Mean: p.Shape.Arm.Value, SD: math.Sqrt(p.Shape.Arm.Variance)}, MDE: mde,
		Alpha: experiment.DefaultAlpha, Power: experiment.DefaultPower, Weights: []int64{1, 1},
		Quantile: !d.AtPlannedLooks(),
	})
	if fault, ok := errors.AsType[*planning.Error](err); ok {
		if fault.Field == "mde" {
			return nil, "", experiment.Invalidf("mde", "%s", fault.Message)
		}
		return rules, fault.Error(), nil
	}
	if err != nil {
		return nil, "", err
	}
	return plan.Rules, "", nil
}
