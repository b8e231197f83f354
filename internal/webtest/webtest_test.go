package webtest

import (
	"bytes"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const html = `<!doctype html><html lang="en"><title>A page</title>
<meta name="viewport" content="width=device-width">
<h1>Startup is faster</h1><button>Copy</button><p id="n">off</p>
<script>document.getElementById("n").textContent = "on"</script>
<div style="height: 2000px"></div></html>`

func serve(t *testing.T, policy string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		if _, err := w.Write([]byte(html)); err != nil {
			t.Errorf("write: %v", err)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	browser := Start(t)
	url := serve(t, "")
	phone := browser.Open(t, url, View{Width: 360, Height: 640, Dark: true})

	if got := Eval[int](t, phone, "innerWidth"); got != 360 {
		t.Errorf("innerWidth = %d, want 360", got)
	}
	if !Eval[bool](t, phone, `matchMedia("(prefers-color-scheme: dark)").matches`) {
		t.Error("dark view is not dark")
	}
	names := phone.Names(t)
	for _, want := range []Name{{"heading", "Startup is faster"}, {"button", "Copy"}} {
		if !slices.Contains(names, want) {
			t.Errorf("Names() = %v, want %v among them", names, want)
		}
	}
	visible := size(t, phone.Screenshot(t))
	if visible != [2]int{360, 640} {
		t.Errorf("Screenshot is %v, want 360 x 640", visible)
	}
	if full := size(t, phone.FullScreenshot(t)); full[0] != 360 || full[1] < 2000 {
		t.Errorf("FullScreenshot is %v, want 360 x more than 2000", full)
	}
	if got := phone.Problems(); len(got) > 0 {
		t.Errorf("Problems() = %q, want none", got)
	}
}

func TestNoScript(t *testing.T) {
	t.Parallel()
	browser := Start(t)
	p := browser.Open(t, serve(t, ""), View{Width: 800, Height: 600, NoScript: true, Print: true})
	if got := Eval[string](t, p, `document.getElementById("n").textContent`); got != "off" {
		t.Errorf("script ran: %q", got)
	}
	if !Eval[bool](t, p, `matchMedia("print").matches`) {
		t.Error("print view does not print")
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	browser := Start(t)
	p := browser.Open(t, serve(t, "default-src 'self'"), View{Width: 800, Height: 600})
	// The style attribute and the inline script are both refused.
	var policy int
	for _, problem := range p.Problems() {
		if strings.Contains(problem, "Content Security Policy") {
			policy++
		}
	}
	if policy < 2 {
		t.Errorf("Problems() = %q, want two breaches of the policy", p.Problems())
	}
}

func size(t *testing.T, shot []byte) [2]int {
	t.Helper()
	img, err := png.DecodeConfig(bytes.NewReader(shot))
	if err != nil {
		t.Fatalf("decode screenshot: %v", err)
	}
	return [2]int{img.Width, img.Height}
}
