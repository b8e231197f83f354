package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/splitcast/splitcast/internal/webtest"
)

// shoot writes a screenshot into the folder that SPLITCAST_SCREENSHOTS names, for
// people to look at.
func shoot(t *testing.T, p *webtest.Page, name string) {
	t.Helper()
	dir := os.Getenv("SPLITCAST_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), p.FullScreenshot(t), 0o600); err != nil {
		t.Fatal(err)
	}
}

// site serves pages under the content policy.
func site(t *testing.T, pages map[string]func(http.ResponseWriter) error) string {
	t.Helper()
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(StaticPath, r.Static())
	for path, render := range pages {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", Policy)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if err := render(w); err != nil {
				t.Errorf("render %s: %v", path, err)
			}
		})
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestDev(t *testing.T) {
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	chrome := Chrome{Nav: []Link{{Text: "Experiments", URL: "/", Current: true}, {Text: "Planner", URL: "/plan"}}, User: "mira@example.com", SignOut: "/sign-out"}
	url := site(t, map[string]func(http.ResponseWriter) error{
		"/list":  func(w http.ResponseWriter) error { v := sampleList(); v.Chrome = chrome; return r.Experiments(w, v) },
		"/empty": func(w http.ResponseWriter) error { return r.Experiments(w, ExperimentsView{Chrome: chrome}) },
		"/in": func(w http.ResponseWriter) error {
			return r.SignIn(w, SignInView{Error: "Name and password do not match."})
		},
		"/bad": func(w http.ResponseWriter) error {
			return r.Problem(w, ProblemView{Chrome: chrome, Status: 404, Title: "There is no such experiment", Detail: "No experiment has the key abr-safety-57.", RequestID: "01JC", Back: Link{"All experiments", "/", false}})
		},
	})
	b := webtest.Start(t)
	for _, name := range []string{"list", "empty", "in", "bad"} {
		p := b.Open(t, url+"/"+name, webtest.View{Width: 1280, Height: 800})
		shoot(t, p, name)
		t.Log(p.Problems())
	}
	p := b.Open(t, url+"/list", webtest.View{Width: 360, Height: 800})
	shoot(t, p, "list-360")
}
