package server

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// preformatted finds what a page offers to copy.
var preformatted = regexp.MustCompile(`(?s)<pre id="([a-z-]+)" tabindex="0">(.*?)</pre>`)

// The page teaches how to send a first heartbeat, and what it says works; then
// it shows what came.
func TestTelemetryPage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	signedIn := map[string]string{"Cookie": b.signIn(t)}
	page := b.send(t, scenario{method: "GET", path: pathTelemetry, header: signedIn})
	if page.status != http.StatusOK || !strings.Contains(page.body, "Send the first record") || !strings.Contains(page.body, b.url+"/v1/heartbeats") {
		t.Fatalf("the empty page = %d: %s", page.status, page.body)
	}
	lines := map[string]string{}
	for _, m := range preformatted.FindAllStringSubmatch(page.body, -1) {
		lines[m[1]] = html.UnescapeString(m[2])
	}
	_, beat, _ := strings.Cut(lines["first-heartbeat"], "-d '")
	beat, _, _ = strings.Cut(beat, "'")
	got := b.send(t, scenario{method: "POST", path: "/v1/heartbeats", as: "ingest", body: beat, header: map[string]string{"Content-Type": "application/json"}})
	if got.status != http.StatusOK || !strings.Contains(got.body, `"accepted":1`) {
		t.Errorf("the heartbeat of the page = %d: %s", got.status, got.body)
	}
	cmcd := strings.ReplaceAll(strings.TrimPrefix(lines["first-cmcd"], b.url), "$KEY", b.secrets[experiment.ScopeIngest])
	if got = b.send(t, scenario{method: "POST", path: cmcd, body: record("s-2", 0)}); got.status != http.StatusNoContent {
		t.Errorf("the CMCD address of the page = %d: %s", got.status, got.body)
	}
	b.clock.advance(time.Minute)
	b.srv.ingest.flush(t.Context())
	b.play(t, []scenario{
		{name: "shown", method: "GET", path: pathTelemetry, header: signedIn, status: 200, has: []string{"my-player", "A 100", "No window has closed yet", `aria-current="page">Telemetry`}},
		{name: "a day", method: "GET", path: pathTelemetry + "?minutes=1440", header: signedIn, status: 200, has: []string{`aria-current="true">Day`}},
		{name: "too long", method: "GET", path: pathTelemetry + "?minutes=1441", header: signedIn, status: 400},
		{name: "none", method: "GET", path: pathTelemetry + "?minutes=0", header: signedIn, status: 400},
		{name: "words", method: "GET", path: pathTelemetry + "?minutes=x", header: signedIn, status: 400},
		{name: "nobody", method: "GET", path: pathTelemetry, status: 303},
	})
}

// An experiment is behind when a window closed that no look holds, and no longer
// once the job has looked.
func TestFreshnessOfResults(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 1)
	of := func() (behind *time.Time, look int) {
		fresh, err := b.db.Freshness(t.Context(), b.clock.Now())
		if err != nil || len(fresh) != 1 || fresh[0].Experiment != "abr" {
			t.Fatalf("Freshness = %+v, %v, want that of abr alone", fresh, err)
		}
		return fresh[0].Waiting, fresh[0].Look
	}
	if behind, look := of(); behind != nil || look != 1 {
		t.Errorf("after a look: waiting since %v, look %d, want nothing and look 1", behind, look)
	}
	b.send(t, scenario{method: "POST", path: "/v1/exposures", as: "ingest", body: `[{"experiment":"abr","unit":"late","arm":"control"}]`})
	if behind, _ := of(); behind != nil {
		t.Errorf("an open window is waited for since %v", behind)
	}
	exposed := b.clock.Now()
	b.clock.advance(time.Hour)
	if behind, _ := of(); behind == nil || !behind.Equal(exposed.Add(32*time.Minute)) {
		t.Errorf("waiting since %v, want since the window closed at %v", behind, exposed.Add(32*time.Minute))
	}
}
