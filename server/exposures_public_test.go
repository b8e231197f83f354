package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// A key of a public page can say of a unit what an evaluation could, and no
// more: no arm that is not its own, and no override.
func TestExposuresOfAPublicKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	arms := map[string]string{}
	for i := range 20 {
		unit := fmt.Sprint("v-", i)
		arm, _, ok := b.live.Snapshot().ArmOf("abr", unit)
		if !ok {
			t.Fatalf("%s has no arm", unit)
		}
		arms[arm] = unit
	}
	right := func(unit, arm, more string) string {
		return fmt.Sprintf(`[{"experiment":"abr","unit":%q,"arm":%q%s}]`, unit, arm, more)
	}
	control, treatment := arms["control"], arms["treatment"]
	one := map[string]int{"exposures": 1}
	b.play(t, []scenario{
		{name: "its arm", method: "POST", path: "/v1/exposures", as: "evaluate", body: right(control, "control", ""), status: 200, has: []string{`"accepted":1`}, rows: one},
		{name: "another's arm", method: "POST", path: "/v1/exposures", as: "evaluate", body: right(treatment, "control", ""), status: 400, has: []string{"[0].arm"}},
		{name: "this version", method: "POST", path: "/v1/exposures", as: "evaluate", body: right(treatment, "control", `,"version":1`), status: 400},
		{name: "no such arm", method: "POST", path: "/v1/exposures", as: "evaluate", body: right(treatment, "other", ""), status: 400},
		{name: "a claim of an override", method: "POST", path: "/v1/exposures", as: "evaluate", body: right(treatment, "treatment", `,"override":true`), status: 200, rows: one},
		{name: "a draft", method: "POST", path: "/v1/exposures", as: "evaluate", body: `[{"experiment":"later","unit":"v","arm":"control"}]`, status: 400},
		{name: "as a beacon", method: "POST", path: "/v1/exposures/" + b.secrets["evaluate"], header: map[string]string{"Content-Type": "text/plain;charset=UTF-8"}, body: right("v-100", armOf(t, b, "v-100"), ""), status: 200, rows: one},
		{name: "a beacon with a wrong key", method: "POST", path: "/v1/exposures/nobody", body: `[]`, status: 401, lacks: []string{"nobody"}},
		{name: "a beacon with another scope", method: "POST", path: "/v1/exposures/" + b.secrets["read"], body: `[]`, status: 403, lacks: []string{"secret-of"}},
		{name: "a service may", method: "POST", path: "/v1/exposures", as: "ingest", body: right("v-200", "control", `,"override":true`), status: 200, rows: one},
	})
	at := func(ago time.Duration) string { return `,"at":"` + testNow.Add(-ago).Format(time.RFC3339) + `"` }
	b.play(t, []scenario{
		{name: "a day late", method: "POST", path: "/v1/exposures", as: "evaluate", body: right("v-300", armOf(t, b, "v-300"), at(maxPublicDelay)), status: 200, rows: one},
		{name: "later", method: "POST", path: "/v1/exposures", as: "evaluate", body: right("v-301", armOf(t, b, "v-301"), at(maxPublicDelay+time.Second)), status: 400, has: []string{"[0].at"}},
		{name: "a service may be later", method: "POST", path: "/v1/exposures", as: "ingest", body: right("v-302", "control", at(maxPublicDelay+time.Second)), status: 200, rows: one},
	})
	if n := b.count(t, "select count(*) from exposures where override"); n != 1 {
		t.Errorf("%d exposures are marked as forced, want that of the service alone", n)
	}
	if strings.Contains(b.log.String(), "secret-of") {
		t.Error("the log holds a secret")
	}
}

// The key of a player stands in a page as well: with the scope ingest it may send
// telemetry, but say no more of exposures than any public key.
func TestExposuresOfAPublicIngestKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const secret = "pk_of_a_player_0123456789"
	if _, err := b.db.CreateKey(t.Context(), postgres.NewKey{
		Name: "player", Secret: secret, Scopes: []experiment.Scope{experiment.ScopeIngest}, Public: true, Actor: "test", Now: testNow,
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	own := armOf(t, b, "v-1")
	other := map[string]string{"control": "treatment", "treatment": "control"}[own]
	of := func(arm string) string {
		return fmt.Sprintf(`[{"experiment":"abr","unit":"v-1","arm":%q,"override":true}]`, arm)
	}
	key := map[string]string{"X-API-Key": secret}
	b.play(t, []scenario{
		{name: "another arm", method: "POST", path: "/v1/exposures", header: key, body: of(other), status: 400, has: []string{"[0].arm"}},
		{name: "another arm by a beacon", method: "POST", path: "/v1/exposures/" + secret, body: of(other), status: 400, has: []string{"[0].arm"}},
		{name: "its own arm", method: "POST", path: "/v1/exposures", header: key, body: of(own), status: 200, rows: map[string]int{"exposures": 1}},
	})
	if n := b.count(t, "select count(*) from exposures where override or crossed_at is not null"); n != 0 {
		t.Errorf("%d units are marked as forced or crossed by a public key", n)
	}
}

func armOf(t *testing.T, b *bench, unit string) string {
	t.Helper()
	arm, _, ok := b.live.Snapshot().ArmOf("abr", unit)
	if !ok {
		t.Fatalf("%s has no arm", unit)
	}
	return arm
}

func TestScriptForPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.send(t, scenario{method: "GET", path: SDKPath})
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": sdkCache, "Access-Control-Allow-Origin": "*",
		"Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff",
	} {
		if have := got.header.Get(name); have != want {
			t.Errorf("%s = %q, want %q", name, have, want)
		}
	}
	etag := got.header.Get("ETag")
	if got.status != http.StatusOK || !strings.Contains(got.body, "globalThis.Splitcast") || len(etag) < 20 {
		t.Errorf("script = %d, tag %s, %d bytes", got.status, etag, len(got.body))
	}
	again := b.send(t, scenario{method: "GET", path: SDKPath, header: map[string]string{"If-None-Match": etag}})
	if again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("with the tag = %d, %d bytes", again.status, len(again.body))
	}
	head := b.send(t, scenario{method: "HEAD", path: SDKPath})
	if head.status != http.StatusOK || head.body != "" || head.header.Get("ETag") != etag {
		t.Errorf("HEAD = %d, %v", head.status, head.header)
	}
}
