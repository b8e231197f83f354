package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

func TestAddressLimiter(t *testing.T) {
	t.Parallel()
	now := testNow
	l := &addressLimiter{now: func() time.Time { return now }}
	allowed := func(key int64, address string) int {
		n := 0
		for l.allow(key, address) {
			n++
		}
		return n
	}
	if n := allowed(1, "a"); n != publicBurst {
		t.Errorf("%d requests at once, want %d", n, publicBurst)
	}
	if n := allowed(2, "a") + allowed(1, "b"); n != 2*publicBurst {
		t.Errorf("%d requests with another key and from another address, want %d", n, 2*publicBurst)
	}
	now = now.Add(time.Second)
	if n := allowed(1, "a"); n != publicRate {
		t.Errorf("%d requests a second later, want %d", n, publicRate)
	}
	for i := range 2*limitedGeneration + 1 {
		l.allow(1, fmt.Sprint(i))
	}
	if n := len(l.young) + len(l.old); n > 2*limitedGeneration {
		t.Errorf("%d addresses are remembered", n)
	}
	if !l.allow(1, "a") {
		t.Error("an address that was forgotten does not start anew")
	}
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const secret = "pk_of_a_page_0123456789"
	if _, err := b.db.CreateKey(t.Context(), postgres.NewKey{
		Name: "page", Secret: secret, Scopes: []experiment.Scope{experiment.ScopeEvaluate, experiment.ScopeIngest}, Public: true, Actor: "test", Now: testNow,
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.srv.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	send := func(secret string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ofrep/v1/evaluate/flags/abr", strings.NewReader(`{"context":{"targetingKey":"v-1"}}`))
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		b.srv.Handler().ServeHTTP(w, req)
		return w
	}
	b.srv.limits.now = func() time.Time { return testNow } // a slow machine would earn more meanwhile
	limited := false
	for range publicBurst + 1 {
		if w := send(secret); w.Code == http.StatusTooManyRequests {
			limited = w.Header().Get("Retry-After") != ""
			break
		} else if w.Code != http.StatusOK {
			t.Fatalf("evaluate = %d: %s", w.Code, w.Body)
		}
	}
	if !limited {
		t.Error("a public key is not limited")
	}
	if w := send(b.secrets[experiment.ScopeEvaluate]); w.Code != http.StatusOK {
		t.Errorf("a key of a service is limited beside it: %d", w.Code)
	}
}

func TestPublicKeysCannotRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	admin := map[string]string{"X-API-Key": b.secrets[experiment.ScopeAdmin], "Content-Type": "application/json"}
	b.play(t, []scenario{
		{name: "public", method: "POST", path: apiPath + "/keys", header: admin, body: `{"name":"page","scopes":["evaluate"],"public":true}`, status: 200, has: []string{`"public":true`}, rows: map[string]int{"api_keys": 1, "audit_log": 1}},
		{name: "public and read", method: "POST", path: apiPath + "/keys", header: admin, body: `{"name":"page","scopes":["evaluate","read"],"public":true}`, status: 400, has: []string{"scopes[1]", "anybody may read it"}},
	})
	if _, err := b.sql.ExecContext(t.Context(), `update api_keys set public = true where 'admin' = any (scopes)`); err == nil {
		t.Error("the database takes a public key that administrates")
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	const forwarded = "X-Forwarded-For"
	for _, tt := range []struct {
		name, header, remote string
		lines                []string
		want                 string
	}{
		{"no proxy is known", "", "10.0.0.1:4711", []string{"198.51.100.7"}, "10.0.0.1"},
		{"another header", "X-Real-IP", "10.0.0.1:4711", []string{"198.51.100.7"}, "10.0.0.1"},
		{"the proxy appends to the line", forwarded, "10.0.0.1:4711", []string{"198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		{"the proxy adds a line", forwarded, "10.0.0.1:4711", []string{"198.51.100.7", "203.0.113.9"}, "203.0.113.9"},
		{"nothing after the comma", forwarded, "10.0.0.1:4711", []string{"198.51.100.7, "}, "10.0.0.1"},
		{"an address with a port", forwarded, "10.0.0.1:4711", []string{"203.0.113.9:50123"}, "203.0.113.9"},
		{"no address", forwarded, "10.0.0.1:4711", []string{"unknown"}, "unknown"},
		{"IPv6 counts by network", "", "[2001:db8:1:2:3:4:5:6]:4711", nil, "2001:db8:1:2::/64"},
		{"IPv6 with a zone", "", "[fe80::1%eth0]:4711", nil, "fe80::/64"},
		{"IPv6 behind a proxy", forwarded, "10.0.0.1:4711", []string{"2001:db8:1:2:ffff::1"}, "2001:db8:1:2::/64"},
		{"IPv6 in brackets", forwarded, "10.0.0.1:4711", []string{"[2001:db8:1:2:ffff::1]"}, "2001:db8:1:2::/64"},
		{"IPv4 in IPv6", "", "[::ffff:203.0.113.9]:4711", nil, "203.0.113.9"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		req.RemoteAddr = tt.remote
		for _, line := range tt.lines {
			req.Header.Add(forwarded, line)
		}
		s := &Server{addressHeader: tt.header}
		if got := s.clientAddress(req); got != tt.want {
			t.Errorf("%s: the client is %s, want %s", tt.name, got, tt.want)
		}
	}
}
