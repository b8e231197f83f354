package server

import (
	"context"
	"net/http"
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
)

// apiPath is where the API stands; its document is at apiPath/openapi.json.
const apiPath = "/api/v1"

// apiRoutes mounts /api/v1. Its OpenAPI document is derived from the types of
// the handlers, so that it cannot drift from them.
func (s *Server) apiRoutes(r chi.Router, version string) {
	r.Route(apiPath, func(r chi.Router) {
		r.Use(s.sameOrigin, apiHeaders, s.web.LoadAndSave, s.identify)
		cfg := huma.DefaultConfig("Splitcast", version)
		cfg.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
		cfg.Info.Description = "Experiments, reports, keys and the audit log. Errors are RFC 9457 problem details."
		cfg.DocsPath, cfg.SchemasPath = "", ""
		cfg.CreateHooks = nil // no $schema members in answers
		cfg.Servers = []*huma.Server{{URL: apiPath}}
		cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
			"key": {Type: "http", Scheme: "bearer", Description: "an API key with the scope that the operation names"},
		}
		api := humachi.New(r, cfg)
		s.experimentAPI(api)
		s.launchAPI(api)
		s.metricAPI(api)
		s.actionAPI(api)
		s.reviewAPI(api)
		s.programmeAPI(api)
		s.exposureAuditAPI(api)
		s.restateAPI(api)
		s.reportAPI(api)
		s.extractAPI(api)
		s.shareAPI(api)
		s.commentAPI(api)
		s.accountAPI(api)
		s.peopleAPI(api)
		s.configAPI(api)
		s.telemetryAPI(api)
		s.importAPI(api)
	})
}

// apiHeaders keeps answers out of caches: reports change, and a new key is shown
// to its maker only. Browsers take them for what they say they are.
func apiHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// schemaName names a schema by package and type: Row of report is ReportRow.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	pkg := path.Base(t.PkgPath())
	if pkg == "." || pkg == "server" || strings.EqualFold(pkg, name) {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// operation describes one operation of the API.
func operation(method, pattern, id, summary string, scope experiment.Scope) huma.Operation {
	return huma.Operation{
		Method: method, Path: pattern, OperationID: id, Summary: summary,
		Description:                  "Needs the scope `" + string(scope) + "`.",
		Security:                     []map[string][]string{{"key": {string(scope)}}},
		RejectUnknownQueryParameters: true,
	}
}

// serve registers an operation: it checks the scope before it reads the input,
// calls do with who asks, and turns errors into problems.
func serve[I, O any](s *Server, api huma.API, op huma.Operation, scope experiment.Scope, do func(ctx context.Context, who string, in *I) (*O, error)) {
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if _, err := actor(ctx.Context(), scope); err != nil {
			r, w := humachi.Unwrap(ctx)
			s.problem(w, r, err)
			return
		}
		next(ctx)
	}}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		who, err := actor(ctx, scope)
		if err == nil {
			var out *O
			if out, err = do(ctx, who, in); err == nil {
				return out, nil
			}
		}
		p := s.describeContext(ctx, op.Method+" "+op.Path, err)
		p.fill()
		if retryLater(p.Status) {
			return nil, huma.ErrorWithHeaders(p, http.Header{"Retry-After": {retryAfterSec}})
		}
		return nil, p
	})
}
