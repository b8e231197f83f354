package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

func TestPublicOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "https://splitcast.example": "https://splitcast.example", "https://splitcast.example/": "https://splitcast.example",
		"http://10.0.0.1:8080": "http://10.0.0.1:8080",
	} {
		if got, err := publicOrigin(text); err != nil || got != want {
			t.Errorf("publicOrigin(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"splitcast.example", "ftp://splitcast.example", "https://", "https://splitcast.example/below", "https://splitcast.example?a=b",
		"https://splitcast.example#a", "https://ana@splitcast.example", "https://split cast.example", "https://splitcast.example//",
	} {
		if got, err := publicOrigin(text); err == nil {
			t.Errorf("publicOrigin(%q) = %q, want a refusal", text, got)
		}
	}
	if _, err := New(Config{PublicURL: "nowhere"}); err == nil {
		t.Error("a server without an address begins")
	} else if code, _ := experiment.CodeOf(err); code != experiment.CodeInvalid {
		t.Errorf("New = %v, want the code %s", err, experiment.CodeInvalid)
	}
}

// Behind a proxy that speaks TLS, links name the address that people know, and
// their session is never sent in plain text.
func TestServerBehindTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const public = "https://splitcast.example"
	srv, err := New(Config{
		DB: b.db, Live: b.live, Now: b.clock.Now, Wall: time.Now, Log: slog.New(slog.DiscardHandler), PublicURL: public + "/",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	post := func(path, cookie, origin string, form url.Values) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://internal:8080"+path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin) // of browsers that send no Sec-Fetch-Site
		req.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, req)
		return w
	}
	path, err := srv.LoginPath(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(path, pathSignIn+"?token=")
	if w := post(pathSignIn, "", "https://evil.example", url.Values{"token": {token}}); w.Code != http.StatusForbidden {
		t.Errorf("signing in from another site = %d", w.Code)
	}
	in := post(pathSignIn, "", public, url.Values{"token": {token}})
	set := in.Header().Get("Set-Cookie")
	if in.Code != http.StatusSeeOther || !strings.Contains(set, "; Secure") {
		t.Fatalf("signing in = %d with the cookie %q, want one that is Secure", in.Code, set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	made := post(pathSettings+"/"+web.SettingsPeople, cookie, public, url.Values{web.SettingsFieldName: {"mira"}})
	if made.Code != http.StatusOK || !strings.Contains(made.Body.String(), public+pathSignIn+"?token=") || strings.Contains(made.Body.String(), "internal:8080") {
		t.Errorf("inviting = %d: %s", made.Code, made.Body)
	}
}
