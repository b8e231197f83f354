package server

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// openRoutes are all that answer without key and session, with the reason. What is
// not in this list refuses strangers, or TestRoutesRefuseStrangers fails: that holds
// for routes that are added later.
var openRoutes = map[string]string{
	"GET /healthz":                            "probes have no key",
	"GET /readyz":                             "probes have no key",
	"* /metrics":                              "scrapers have no key; it tells counts of this server, no names",
	"GET /ofrep/v1/events":                    "EventSource can send no header; it tells version numbers",
	"OPTIONS /ofrep/*":                        "browsers send no key with a preflight",
	"OPTIONS /v1/*":                           "browsers send no key with a preflight",
	"GET " + SDKPath:                          "a script of pages",
	"HEAD " + SDKPath:                         "a script of pages",
	"GET " + apiPath + "/openapi.json":        "the description of the API is no secret",
	"GET " + apiPath + "/openapi.yaml":        "the same",
	"GET " + apiPath + "/openapi-3.0.json":    "the same",
	"GET " + apiPath + "/openapi-3.0.yaml":    "the same",
	"* " + web.StaticPath + "*":               "the sign-in page needs its style",
	"GET /":                                   "leads to the list, which needs a session",
	"GET " + pathSignIn:                       "who signs in has no session yet",
	"POST " + pathSignIn:                      "who signs in has no session yet",
	"POST " + pathSignOut:                     "ends the session that it comes with",
	"GET " + pathShared + "{token}":           "the token is the credential",
	"GET " + pathShared + "{token}/chart.svg": "the token is the credential",
}

// keyRoutes take the key in the path, with the scopes that suffice.
var keyRoutes = map[string][]experiment.Scope{
	"/v1/exposures/{key}": {experiment.ScopeIngest, experiment.ScopeEvaluate},
	"/v1/cmcd/{key}":      {experiment.ScopeIngest},
}

// route is one route of the server.
type route struct{ method, pattern string }

var pathParameter = regexp.MustCompile(`\{[a-z]+\}`)

// path is an address of the route.
func (r route) path(parameter string) string {
	return strings.ReplaceAll(pathParameter.ReplaceAllString(r.pattern, parameter), "*", "x")
}

func (r route) open() bool {
	return openRoutes[r.method+" "+r.pattern] != "" || openRoutes["* "+r.pattern] != ""
}

// routesOf asks the router itself for all routes.
func routesOf(t *testing.T, b *bench) []route {
	t.Helper()
	router, ok := b.srv.Handler().(chi.Routes)
	if !ok {
		t.Fatalf("the handler is a %T, which tells no routes", b.srv.Handler())
	}
	var out []route
	err := chi.Walk(router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		out = append(out, route{method, pattern})
		return nil
	})
	if err != nil || len(out) < 100 {
		t.Fatalf("%d routes, %v", len(out), err)
	}
	return out
}

func TestRoutesRefuseStrangers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	awaitFlagd(t, b)
	before := b.rows(t)
	seen := map[string]bool{}
	for _, r := range routesOf(t, b) {
		seen[r.method+" "+r.pattern], seen["* "+r.pattern] = true, true
		if r.open() {
			continue
		}
		got := b.send(t, scenario{method: r.method, path: r.path("abr")})
		toSignIn := got.status == http.StatusSeeOther && strings.HasPrefix(got.header.Get("Location"), pathSignIn+"?next=")
		if got.status != http.StatusUnauthorized && !toSignIn {
			t.Errorf("%s %s without a key = %d: %s", r.method, r.pattern, got.status, got.body)
		}
		if !toSignIn {
			continue
		}
		got = b.send(t, scenario{method: r.method, path: r.path("abr"), as: experiment.ScopeAdmin}) // a key is for programs
		if got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), pathSignIn) {
			t.Errorf("%s %s with a key = %d: %s", r.method, r.pattern, got.status, got.body)
		}
	}
	for r := range openRoutes {
		if !seen[r] {
			t.Errorf("%s is in the list of open routes and is no route", r)
		}
	}
	if diff := cmp.Diff(before, b.rows(t)); diff != "" {
		t.Errorf("strangers changed rows (-want +got):\n%s", diff)
	}
}

// Every route for programs stands in the matrix of scopes, which tries it with
// every scope, or takes its key in the path.
func TestEveryRouteIsInTheScopeMatrix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	router := b.srv.Handler().(chi.Routes)
	tried := map[route]bool{}
	for _, r := range routes {
		at := chi.NewRouteContext()
		if !router.Match(at, r.method, r.path) {
			t.Errorf("%s %s of the matrix is no route", r.method, r.path)
		}
		tried[route{r.method, at.RoutePattern()}] = true
	}
	for _, r := range routesOf(t, b) {
		if r.open() || tried[r] || keyRoutes[r.pattern] != nil {
			continue
		}
		if got := b.send(t, scenario{method: r.method, path: r.path("abr")}); got.status == http.StatusUnauthorized {
			t.Errorf("%s %s is not in the matrix of scopes", r.method, r.pattern)
		}
	}
}

func TestKeysInPathsNeedTheirScope(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for pattern, allowed := range keyRoutes {
		r := route{http.MethodPost, pattern}
		if got := b.send(t, scenario{method: r.method, path: r.path("nobody-knows-this-key"), body: "[]"}); got.status != http.StatusUnauthorized {
			t.Errorf("%s with a wrong key = %d: %s", pattern, got.status, got.body)
		}
		for _, scope := range allScopes {
			got := b.send(t, scenario{method: r.method, path: r.path(b.secrets[scope]), body: "[]"})
			want := slices.Contains(allowed, scope) || scope == experiment.ScopeAdmin
			if passed := got.status != http.StatusForbidden; passed != want {
				t.Errorf("%s with a key of scope %s = %d: %s", pattern, scope, got.status, got.body)
			}
		}
	}
}

// Whatever changes something refuses what a browser sends on behalf of another
// site, session or not. Routes that keys alone open do not see the session.
func TestRoutesRefuseOtherSites(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie := b.signIn(t)
	before := b.rows(t)
	from := map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
	form := maps.Clone(from)
	form["Content-Type"] = "application/x-www-form-urlencoded"
	for _, r := range routesOf(t, b) {
		safe := slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}, r.method)
		if safe || openRoutes["* "+r.pattern] != "" {
			continue
		}
		body := url.Values{"reason": {"x"}, "action": {"stop"}, "name": {"x"}, "key": {"x"}}.Encode()
		got := b.send(t, scenario{method: r.method, path: r.path("abr"), header: form, body: body})
		byKey := keyRoutes[r.pattern] != nil || strings.HasPrefix(r.pattern, "/v1/") || strings.HasPrefix(r.pattern, "/ofrep/")
		want := http.StatusForbidden
		if byKey {
			want = http.StatusUnauthorized
		}
		if got.status != want {
			t.Errorf("%s %s from another site = %d, want %d: %s", r.method, r.pattern, got.status, want, got.body)
		}
	}
	if diff := cmp.Diff(before, b.rows(t)); diff != "" {
		t.Errorf("another site changed rows (-want +got):\n%s", diff)
	}
}
