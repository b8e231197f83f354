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
	rep := sampleReport(37)
	v := ReportView{
		Chrome: Chrome{Nav: []Link{{Text: "Experiments", URL: "/", Current: true}, {Text: "Planner", URL: "/plan"}}, User: "mira@example.com", SignOut: "/sign-out"},
		Report: &rep, Base: "/r", Latest: 37, JSON: "/j", CSV: "/c", Experiments: "/",
	}
	url := site(t, map[string]func(http.ResponseWriter) error{
		"/r": func(w http.ResponseWriter) error { return r.Report(w, v) },
	})
	b := webtest.Start(t)
	p := b.Open(t, url+"/r", webtest.View{Width: 1280, Height: 800})
	shoot(t, p, "report-light")
	t.Log(p.Problems())
	p = b.Open(t, url+"/r", webtest.View{Width: 360, Height: 800, Dark: true})
	shoot(t, p, "report-360")
	t.Log(webtest.Eval[int](t, p, "document.documentElement.scrollWidth"))
}
