package server

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// settingsBench is a bench with a browser that signed in.
type settingsBench struct {
	*bench
	header map[string]string
}

func newSettingsBench(t *testing.T) settingsBench {
	b := newBench(t)
	return settingsBench{b, map[string]string{"Cookie": b.signIn(t), "Content-Type": "application/x-www-form-urlencoded"}}
}

func (b settingsBench) post(t *testing.T, place string, form url.Values) answer {
	t.Helper()
	return b.send(t, scenario{method: "POST", path: pathSettings + "/" + place, header: b.header, body: form.Encode()})
}

// A key made by the form works, is shown once, and stops working when it is
// revoked.
func TestSettingsKeys(t *testing.T) {
	t.Parallel()
	b := newSettingsBench(t)
	made := b.post(t, web.SettingsKeys, url.Values{"name": {"reader"}, "scope": {"read"}})
	m := regexp.MustCompile(`<pre id="made-key" tabindex="0">(sk_[A-Z0-9]+)</pre>`).FindStringSubmatch(made.body)
	if made.status != http.StatusOK || m == nil || made.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("make a key = %d, %q: %s", made.status, m, made.body)
	}
	b.secrets["reader"] = m[1]
	use := scenario{method: "GET", path: apiPath + "/experiments", as: "reader"}
	if got := b.send(t, use); got.status != http.StatusOK {
		t.Errorf("the new key = %d", got.status)
	}
	page := b.send(t, scenario{method: "GET", path: pathSettings, header: b.header})
	if strings.Contains(page.body, m[1]) || !strings.Contains(page.body, "reader") {
		t.Error("the secret is shown a second time, or the key is not listed")
	}
	id := b.count(t, "select id from api_keys where name = 'reader'")
	revoke := regexp.MustCompile(`action="/settings/keys/(\d+)/revoke"`).FindAllStringSubmatch(page.body, -1)
	if len(revoke) != len(allScopes)+1 {
		t.Errorf("%d keys can be revoked, want %d", len(revoke), len(allScopes)+1)
	}
	if got := b.post(t, web.SettingsKeys+"/"+revoke[len(revoke)-1][1]+"/revoke", nil); got.status != http.StatusSeeOther || got.header.Get("Location") != "/settings#keys" {
		t.Errorf("revoke key %d = %d to %q: %s", id, got.status, got.header.Get("Location"), got.body)
	}
	if got := b.send(t, use); got.status != http.StatusUnauthorized {
		t.Errorf("a revoked key = %d, want 401", got.status)
	}
	for place, form := range map[string]url.Values{
		web.SettingsKeys: {"name": {"a <b>"}, "scope": {"admin"}, "public": {"yes"}},
		"keys/x/revoke":  nil,
	} {
		if got := b.post(t, place, form); got.status != http.StatusBadRequest || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s = %d: %s", place, got.status, got.body)
		}
	}
	if got := b.post(t, "keys/4711/revoke", nil); got.status != http.StatusNotFound {
		t.Errorf("revoke an unknown key = %d", got.status)
	}
	if got := b.post(t, web.SettingsKeys, url.Values{"name": {"none"}}); got.status != http.StatusBadRequest || !strings.Contains(got.body, `value="none"`) {
		t.Errorf("a key without scopes = %d, and the name is to stay", got.status)
	}
}

// A link for somebody signs them in under their name, and the log says who made it.
func TestSettingsInvite(t *testing.T) {
	t.Parallel()
	b := newSettingsBench(t)
	got := b.post(t, web.SettingsPeople, url.Values{"name": {"mira"}})
	m := regexp.MustCompile(`<pre id="invite" tabindex="0">([^<]+)</pre>`).FindStringSubmatch(got.body)
	if m == nil {
		t.Fatalf("invite = %d: %s", got.status, got.body)
	}
	link := html.UnescapeString(m[1])
	in := b.openLink(t, strings.TrimPrefix(link, b.url))
	if in.status != http.StatusSeeOther {
		t.Errorf("the link = %d: %s", in.status, in.body)
	}
	if n := b.count(t, "select count(*) from audit_log where action = 'login.link' and subject = 'mira' and actor = 'ana'"); n != 1 {
		t.Errorf("%d entries of the log tell of the link, want 1", n)
	}
	if bad, err := b.db.VerifyAudit(t.Context()); err != nil || bad != 0 {
		t.Errorf("VerifyAudit = %d, %v", bad, err)
	}
	if got := b.post(t, web.SettingsPeople, url.Values{"name": {""}}); got.status != http.StatusBadRequest {
		t.Errorf("nobody invited = %d", got.status)
	}
}

// Windows and lists made by forms are those of the API.
func TestSettingsWindowsAndLists(t *testing.T) {
	t.Parallel()
	b := newSettingsBench(t)
	window := url.Values{"key": {"finals"}, "from": {"2026-12-01T08:00"}, "to": {"2026-12-02T08:00"}, "reason": {"World finals"}}
	if got := b.post(t, web.SettingsFreezes, window); got.status != http.StatusSeeOther {
		t.Fatalf("a window = %d: %s", got.status, got.body)
	}
	freezes, err := b.db.Freezes(t.Context(), testNow)
	if err != nil || len(freezes) != 1 || !freezes[0].From.Equal(time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("Freezes = %+v, %v", freezes, err)
	}
	for field, value := range map[string]string{"from": "soon", "to": "2026-11-30T08:00", "reason": "", "key": "A B"} {
		form := maps.Clone(window)
		form.Set(field, value)
		if got := b.post(t, web.SettingsFreezes, form); got.status != http.StatusBadRequest || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("a window with %s %q = %d", field, value, got.status)
		}
	}
	if got := b.post(t, web.SettingsLists, url.Values{"key": {"testers"}, "unit": {"viewer"}, "ids": {"v-1\r\nv-2\n"}}); got.status != http.StatusSeeOther {
		t.Fatalf("a list = %d: %s", got.status, got.body)
	}
	if text, err := b.db.ListText(t.Context(), "testers"); err != nil || text != "v-1\nv-2\n" && text != "v-1\nv-2" {
		t.Errorf("ListText = %q, %v", text, err)
	}
	if got := b.post(t, web.SettingsLists, url.Values{"key": {"testers"}, "ids": {"not an id ☃"}}); got.status != http.StatusBadRequest {
		t.Errorf("a list of something else = %d", got.status)
	}
	if got := b.post(t, "lists/testers/remove", nil); got.status != http.StatusSeeOther {
		t.Errorf("remove the list = %d: %s", got.status, got.body)
	}
	if got := b.post(t, "lists/testers/remove", nil); got.status != http.StatusNotFound {
		t.Errorf("remove it again = %d", got.status)
	}
}

// What the page says of retention is what the job was told, and what it did last.
func TestSettingsSayHowLongFactsAreKept(t *testing.T) {
	t.Parallel()
	b := newSettingsBench(t)
	for name, tt := range map[string]struct {
		retention Retention
		last      *postgres.LastRetained
		has       []string
	}{
		"nothing is dropped": {Retention{}, nil, []string{"for ever; the job drops them from an age of --retain-days"}},
		"after 60 days":      {Retention{Days: 60}, nil, []string{"60 days, and as long as an open window needs them", "until 60 days after their experiment has ended"}},
		"by another process": {Retention{Days: 60, Elsewhere: true}, nil, []string{"as the process with the job says"}},
		"by hand":            {Retention{}, &postgres.LastRetained{At: testNow, Days: 50}, []string{"last dropped on 2 November 2026, from an age of 50 days"}},
	} {
		said := fmt.Sprint(settingsKept(tt.retention, tt.last))
		for _, want := range tt.has {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %s, want it to say %q", name, said, want)
			}
		}
		if tt.retention.Days == 0 && strings.Contains(said, "until ") {
			t.Errorf("%s: %s", name, said)
		}
	}
	if last, err := b.db.LastRetained(t.Context()); err != nil || last != nil {
		t.Errorf("LastRetained = %v, %v, want nothing", last, err)
	}
	old := testNow.AddDate(0, 0, -100).Format("20060102")
	if _, err := b.sql.ExecContext(t.Context(), "create table unit_events_"+old+" partition of unit_events for values from ('"+
		testNow.AddDate(0, 0, -100).Format(time.DateOnly)+"') to ('"+testNow.AddDate(0, 0, -99).Format(time.DateOnly)+"')"); err != nil {
		t.Fatal(err)
	}
	gone, err := b.db.Retain(t.Context(), testNow, postgres.RetainOptions{Days: 77, Actor: "operator"})
	if err != nil || len(gone) == 0 {
		t.Fatalf("Retain = %v, %v", gone, err)
	}
	if page := b.send(t, scenario{method: "GET", path: pathSettings, header: b.header}); !strings.Contains(page.body, "last dropped on 2 November 2026, from an age of 77 days") {
		t.Errorf("the page does not tell what was dropped: %s", page.body)
	}
}

// Nobody else can use the forms, not even through somebody's browser.
func TestSettingsAreForThoseWhoSignedIn(t *testing.T) {
	t.Parallel()
	b := newSettingsBench(t)
	before := b.rows(t)
	for _, place := range []string{"keys", "keys/1/revoke", "people", "freezes", "lists", "lists/x/remove"} {
		stranger := b.send(t, scenario{method: "POST", path: pathSettings + "/" + place, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: "name=x&scope=admin"})
		if stranger.status != http.StatusSeeOther || !strings.HasPrefix(stranger.header.Get("Location"), pathSignIn) {
			t.Errorf("a stranger's %s = %d", place, stranger.status)
		}
		from := maps.Clone(b.header)
		from["Sec-Fetch-Site"] = "cross-site"
		if got := b.send(t, scenario{method: "POST", path: pathSettings + "/" + place, header: from, body: "name=x&scope=admin"}); got.status != http.StatusForbidden {
			t.Errorf("another site's %s = %d", place, got.status)
		}
	}
	after := b.rows(t)
	for table, n := range before {
		if after[table] != n {
			t.Errorf("%s has %d rows, had %d", table, after[table], n)
		}
	}
}
