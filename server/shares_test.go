package server

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/report"
)

// linkOf makes a link by the API and returns its path and id.
func (b *bench) linkOf(t *testing.T, body string) ShareLink {
	t.Helper()
	got := b.send(t, scenario{method: "POST", path: apiPath + "/experiments/abr/shares", as: "write", body: body})
	var link ShareLink
	if err := json.Unmarshal([]byte(got.body), &link); err != nil || got.status != http.StatusCreated {
		t.Fatalf("share = %d: %s", got.status, got.body)
	}
	return link
}

func TestSharedReport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	link := b.linkOf(t, `{"look":1}`)
	if life := link.ExpiresAt.Sub(link.CreatedAt); life != DefaultShareDays*24*time.Hour || link.Look != 1 || link.CreatedBy != "key:test write" {
		t.Errorf("link %+v lasts %v", link, life)
	}
	b.play(t, []scenario{
		{
			name: "a stranger reads it", method: "GET", path: link.Path, status: 200,
			has: []string{"Frozen as of look 1", "ABR safety", link.Path + "/chart.svg"}, lacks: []string{"<summary>Decide", "/api/v1/", "Make a link", "Replay of"},
		},
		{name: "with a choice", method: "GET", path: link.Path + "?metric=bitrate", status: 200, has: []string{`<option value="bitrate" selected>`}},
		{name: "a chart of it", method: "GET", path: link.Path + "/chart.svg?chart=looks", status: 200, has: []string{"<svg"}},
		{name: "as JSON for a stranger", method: "GET", path: link.Path, header: map[string]string{"Accept": "application/json"}, status: 401, lacks: []string{"ABR safety"}},
		{name: "as JSON for a key", method: "GET", path: link.Path, as: "read", header: map[string]string{"Accept": "application/json"}, status: 200, has: []string{`"look":1`}},
		{name: "as JSON for a key that may not", method: "GET", path: link.Path, as: "ingest", header: map[string]string{"Accept": "application/json"}, status: 403},
		{name: "nobody posts to it", method: "POST", path: link.Path, status: 405},
		{name: "another seal", method: "GET", path: link.Path[:len(link.Path)-2] + "AA", status: 404, lacks: []string{"ABR safety"}},
		{name: "another end", method: "GET", path: strings.Replace(link.Path, ".1", ".2", 1), status: 404},
		{name: "no seal", method: "GET", path: pathShared + link.ID, status: 404},
		{name: "list", method: "GET", path: apiPath + "/experiments/abr/shares", as: "read", status: 200, has: []string{link.ID}},
		{name: "too long", method: "POST", path: apiPath + "/experiments/abr/shares", as: "write", body: `{"days":91}`, status: 422},
		{name: "of a look that is not there", method: "POST", path: apiPath + "/experiments/abr/shares", as: "write", body: `{"look":9}`, status: 404},
		{name: "before the first look", method: "POST", path: apiPath + "/experiments/later/shares", as: "write", body: `{}`, status: 400},
		{name: "by a reader", method: "POST", path: apiPath + "/experiments/abr/shares", as: "read", body: `{}`, status: 403},
		{name: "of another experiment", method: "DELETE", path: apiPath + "/experiments/later/shares/" + link.ID, as: "write", status: 404},
		{name: "revoke", method: "DELETE", path: apiPath + "/experiments/abr/shares/" + link.ID, as: "write", status: 204, rows: map[string]int{"audit_log": 1}},
		{name: "revoked", method: "GET", path: link.Path, status: 410, has: []string{"revoked"}, lacks: []string{"ABR safety"}},
		{name: "twice", method: "DELETE", path: apiPath + "/experiments/abr/shares/" + link.ID, as: "write", status: 404},
	})
}

func TestSharedReportExpires(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 1)
	exp, err := b.db.Get(t.Context(), "abr")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := packReport(&report.Report{})
	if err != nil {
		t.Fatal(err)
	}
	const life = 48 * time.Hour
	for age, want := range map[time.Duration]int{life - time.Hour: http.StatusOK, life + time.Second: http.StatusGone} {
		sh, err := b.db.CreateShare(t.Context(), postgres.NewShare{Experiment: &exp, Look: 1, Report: packed, Life: life, Actor: "ana", Now: time.Now().Add(-age)})
		if err != nil {
			t.Fatal(err)
		}
		link, err := b.srv.shareLink(t.Context(), &sh)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.send(t, scenario{method: "GET", path: link.Path}); got.status != want {
			t.Errorf("%v after it was made a link of 48 h gives %d, want %d", age, got.status, want)
		}
		list := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/abr/shares", as: "read"})
		if listed := strings.Contains(list.body, sh.ID); listed != (want == http.StatusOK) {
			t.Errorf("%v after it was made a link of 48 h is listed: %v", age, listed)
		}
		// The database says the same of what no seal protects.
		if _, _, err := b.db.SharedReport(t.Context(), sh.ID, sh.ExpiresAt); err == nil {
			t.Error("at its end a report is read")
		}
	}
}

// TestSharingByForm makes and ends a link from the page, without a script.
func TestSharingByForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 1)
	signedIn := map[string]string{"Cookie": b.signIn(t), "Content-Type": "application/x-www-form-urlencoded"}
	const to = "/experiments/abr/shares"
	b.play(t, []scenario{
		{name: "a stranger", method: "POST", path: to, body: "days=30", status: 303, rows: map[string]int{}},
		{name: "no number", method: "POST", path: to, body: "days=many", header: signedIn, status: 422},
		{name: "no day", method: "POST", path: to, body: "days=0", header: signedIn, status: 422},
		{name: "91 days", method: "POST", path: to, body: "days=91", header: signedIn, status: 422},
		{name: "make", method: "POST", path: to, body: "days=90&look=1", header: signedIn, status: 303, rows: map[string]int{"report_shares": 1, "audit_log": 1}},
	})
	page := b.send(t, scenario{method: "GET", path: "/experiments/abr", header: signedIn})
	link := regexp.MustCompile(`href="(/shared/([a-z0-9]+)[^"]+)">Look 1<`).FindStringSubmatch(page.body)
	if link == nil {
		t.Fatal("the page does not show the link")
	}
	b.play(t, []scenario{
		{name: "open", method: "GET", path: link[1], status: 200, has: []string{"Frozen as of look 1"}},
		{name: "end", method: "POST", path: to, body: "revoke=" + link[2], header: signedIn, status: 303, rows: map[string]int{"audit_log": 1}},
		{name: "ended", method: "GET", path: link[1], status: 410},
	})
}
