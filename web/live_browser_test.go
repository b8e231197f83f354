//go:build !race

package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/splitcast/splitcast/internal/webtest"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// liveSite serves a report of look 27 until tell is closed, and then tells of look
// 28 and serves that.
func liveSite(t *testing.T, tell <-chan struct{}) string {
	t.Helper()
	in := reporttest.Fixtures()["typical"]
	past, ok := in.At(27)
	if !ok {
		t.Fatal("fixture typical has no look 27")
	}
	pages := renderer(t)
	views := [2]ReportView{reportView(report.Build(past)), reportView(report.Build(in))}
	var newest atomic.Int32
	mux := http.NewServeMux()
	mux.Handle(StaticPath, pages.Static())
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		v := views[newest.Load()]
		v.Events, v.Comment = "/events", "/comments"
		w.Header().Set("Content-Security-Policy", Policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := pages.Report(w, v); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, ": begin\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tell:
		}
		newest.Store(1)
		_, _ = fmt.Fprint(w, "event: look\ndata: 1.28.running\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL + "/report"
}

// TestLiveKeepsTheReadersPlace swaps the panels under a reader who has scrolled,
// opened a part, put the focus on a link and begun to write.
func TestLiveKeepsTheReadersPlace(t *testing.T) {
	t.Parallel()
	browser, tell := webtest.Start(t), make(chan struct{})
	url := liveSite(t, tell)
	p := browser.Open(t, url, webtest.View{Width: 1000, Height: 700})
	const row = `document.querySelectorAll("#panel-benefit tbody")[2]`
	webtest.Eval[bool](t, p, `(() => {
		`+row+`.querySelector("details").open = true;
		document.getElementById("comment-text").value = "half a thought";
		document.getElementById("panel-influences").dataset.mine = "kept";
		window.scrollTo(0, `+row+`.getBoundingClientRect().top + scrollY - 40);
		`+row+`.querySelector("th a").focus({preventScroll: true});
		return true;
	})()`)
	top := webtest.Eval[float64](t, p, row+".getBoundingClientRect().top")
	close(tell)
	if got := webtest.Eval[string](t, p, `new Promise((done) => {
		const check = () => { const said = document.querySelector("[data-live]").textContent; said ? done(said) : requestAnimationFrame(check); };
		check();
	})`); got != "The report has been updated." {
		t.Errorf("the screen reader is told %q", got)
	}
	if got := webtest.Eval[string](t, p, `document.getElementById("look").value`); got != "28" {
		t.Errorf("the page shows look %s, want 28", got)
	}
	if got := webtest.Eval[float64](t, p, row+".getBoundingClientRect().top"); got < top-2 || got > top+2 {
		t.Errorf("the row that was read stood at %v px and stands at %v", top, got)
	}
	for what, expression := range map[string]string{
		"an opened part":    row + `.querySelector("details").open`,
		"the focus":         row + `.querySelector("th a") === document.activeElement`,
		"a half comment":    `document.getElementById("comment-text").value === "half a thought"`,
		"what is as it was": `document.getElementById("panel-influences").dataset.mine === "kept"`,
		"no inline style":   `!document.querySelector("main [style]")`,
		"the tooltips":      `!!document.querySelector(".plot .tip")`,
		"buttons for PNGs":  `!document.querySelector("#panel-looks [data-png]").hidden`,
	} {
		if !webtest.Eval[bool](t, p, expression) {
			t.Errorf("%s is lost", what)
		}
	}
	checkFits(t, p, "after an update", 1000)
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("the browser says %q", problems)
	}
}
