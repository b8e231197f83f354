package server

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// TestReportEvents tells an open page of a look that comes while it is open, and at
// once when it shows an old one.
func TestReportEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 1)
	cookie := b.signIn(t)
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	one := web.LiveMark(1, 1, experiment.StatusRunning)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/experiments/abr/events?since="+web.LiveMark(1, 0, experiment.StatusRunning), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if ct := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || ct != "text/event-stream" {
		t.Fatalf("events = %d, %q", res.StatusCode, ct)
	}
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
	if got := next(); got != one {
		t.Errorf("a page that shows no look is told %q, want %q", got, one)
	}
	if _, err := b.sql.ExecContext(ctx, `insert into looks (experiment_id, version, number, at, watermark, arms)
		select experiment_id, version, 2, at + interval '1 min', watermark + interval '1 min', arms from looks where number = 1`); err != nil {
		t.Fatal(err)
	}
	if got, want := next(), web.LiveMark(1, 2, experiment.StatusRunning); got != want {
		t.Errorf("a page that is open is told %q, want %q", got, want)
	}
}

func TestReportEventsNeedSignIn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	signedIn := map[string]string{"Cookie": b.signIn(t)}
	b.play(t, []scenario{
		{name: "stranger", method: "GET", path: "/experiments/abr/events", status: 303},
		{name: "no experiment", method: "GET", path: "/experiments/nothing/events", header: signedIn, status: 404},
	})
	b.srv.reportStreams.Store(maxReportStreams)
	b.play(t, []scenario{{name: "too many", method: "GET", path: "/experiments/abr/events", header: signedIn, status: 503}})
	if n := b.srv.reportStreams.Load(); n != maxReportStreams {
		t.Errorf("a refused stream leaves %d open", n)
	}
}
