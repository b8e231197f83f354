package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// newKey describes a key with a secret made of its name.
func newKey(name string, scopes ...experiment.Scope) NewKey {
	return NewKey{Name: name, Secret: name + strings.Repeat("x", MinSecretBytes), Scopes: scopes, Actor: "ana", Now: testNow}
}

func TestCreateKeyRefuses(t *testing.T) {
	t.Parallel()
	db := open(t)
	admin := []experiment.Scope{experiment.ScopeAdmin}
	for name, tc := range map[string]struct {
		change func(*NewKey)
		field  string
	}{
		"no name":         {func(k *NewKey) { k.Name = "" }, "name"},
		"long name":       {func(k *NewKey) { k.Name = strings.Repeat("n", experiment.MaxNameBytes+1) }, "name"},
		"short secret":    {func(k *NewKey) { k.Secret = strings.Repeat("s", MinSecretBytes-1) }, "secret"},
		"no scopes":       {func(k *NewKey) { k.Scopes = nil }, "scopes"},
		"too many scopes": {func(k *NewKey) { k.Scopes = slices.Repeat(admin, maxScopes+1) }, "scopes"},
		"unknown scope":   {func(k *NewKey) { k.Scopes = []experiment.Scope{"read", "all"} }, "scopes[1]"},
	} {
		k := newKey("k", experiment.ScopeRead)
		tc.change(&k)
		_, err := db.CreateKey(t.Context(), k)
		faults := experiment.Faults(err)
		if len(faults) != 1 || faults[0].Code != experiment.CodeInvalid || faults[0].Field != tc.field {
			t.Errorf("%s: CreateKey = %v, want code invalid at %s", name, err, tc.field)
		}
	}
	limit := newKey(strings.Repeat("n", experiment.MaxNameBytes), slices.Repeat(admin, maxScopes)...)
	limit.Secret = strings.Repeat("s", MinSecretBytes)
	if _, err := db.CreateKey(t.Context(), limit); err != nil {
		t.Errorf("CreateKey at every limit: %v", err)
	}
	_, err := db.CreateKey(t.Context(), limit)
	wantCode(t, "CreateKey with a secret in use", err, experiment.CodeConflict)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	db := open(t)
	before := configVersion(t, db)
	var made []experiment.APIKey
	for _, k := range []NewKey{newKey("a", experiment.ScopeAdmin), newKey("r", experiment.ScopeRead, experiment.ScopeEvaluate)} {
		key, err := db.CreateKey(t.Context(), k)
		if err != nil {
			t.Fatalf("CreateKey: %v", err)
		}
		if key.Hash != HashSecret(k.Secret) {
			t.Errorf("the hash of %s is %s, want that of its secret", k.Name, key.Hash)
		}
		made = append(made, key)
	}
	keys, err := db.Keys(t.Context())
	if err != nil {
		t.Fatalf("Keys: %v", err)
	}
	if diff := gocmp.Diff(made, keys); diff != "" {
		t.Errorf("Keys differ (-made +got):\n%s", diff)
	}
	if err := db.RevokeKey(t.Context(), made[1].ID, "ana", testNow); err != nil {
		t.Fatalf("RevokeKey: %v", err)
	}
	wantCode(t, "revoking twice", db.RevokeKey(t.Context(), made[1].ID, "ana", testNow), experiment.CodeNotFound)
	wantCode(t, "revoking the last admin", db.RevokeKey(t.Context(), made[0].ID, "ana", testNow), experiment.CodeConflict)
	if keys, err = db.Keys(t.Context()); err != nil || len(keys) != 1 || keys[0].ID != made[0].ID {
		t.Errorf("Keys = %+v, %v, want the admin's alone", keys, err)
	}
	if got := configVersion(t, db); got != before+3 {
		t.Errorf("configuration is at %d, want %d: two keys made, one revoked", got, before+3)
	}
	entries, err := db.Audit(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(string(e.Detail), "xxxx") {
			t.Errorf("the audit log holds a secret: %s", e.Detail)
		}
	}
}

func TestBootstrapKey(t *testing.T) {
	t.Parallel()
	db := open(t)
	const secret = "a secret of the operator"
	_, err := db.BootstrapKey(t.Context(), "short", testNow)
	wantCode(t, "BootstrapKey with a short secret", err, experiment.CodeInvalid)

	const starters = 4
	made := make(chan bool, starters)
	for range starters {
		go func() {
			ok, err := db.BootstrapKey(t.Context(), secret, testNow)
			if err != nil {
				t.Errorf("BootstrapKey: %v", err)
			}
			made <- ok
		}()
	}
	n := 0
	for range starters {
		if <-made {
			n++
		}
	}
	keys, err := db.Keys(t.Context())
	if n != 1 || err != nil || len(keys) != 1 || keys[0].Hash != HashSecret(secret) || !keys[0].Allows(experiment.ScopeWrite) {
		t.Errorf("%d starters at once made %d keys: %+v, %v, want one admin", starters, n, keys, err)
	}
	if ok, err := db.BootstrapKey(t.Context(), "another secret, much longer", testNow); ok || err != nil {
		t.Errorf("BootstrapKey where there is an admin = %t, %v, want false", ok, err)
	}
}

func TestLoginLinks(t *testing.T) {
	t.Parallel()
	db := open(t)
	ctx := t.Context()
	_, err := db.CreateLoginLink(ctx, "", testNow)
	wantCode(t, "CreateLoginLink for nobody", err, experiment.CodeInvalid)
	link := func(now time.Time) string {
		token, err := db.CreateLoginLink(ctx, "ana", now)
		if err != nil {
			t.Fatalf("CreateLoginLink: %v", err)
		}
		return token
	}
	last := link(testNow)
	if actor, err := db.UseLoginLink(ctx, last, testNow.Add(LoginLinkLife-time.Microsecond)); actor != "ana" || err != nil {
		t.Errorf("UseLoginLink = %q, %v, want ana", actor, err)
	}
	_, err = db.UseLoginLink(ctx, last, testNow)
	wantCode(t, "using a link twice", err, experiment.CodeUnauthorized)
	_, err = db.UseLoginLink(ctx, link(testNow), testNow.Add(LoginLinkLife))
	wantCode(t, "using an expired link", err, experiment.CodeUnauthorized)
	_, err = db.UseLoginLink(ctx, "made up", testNow)
	wantCode(t, "using an unknown link", err, experiment.CodeUnauthorized)

	once := link(testNow)
	if got := count(t, db, `select count(*) from login_links where token_hash = $1`, once); got != 0 {
		t.Error("the token itself is stored")
	}
	const users = 8
	used := make(chan error, users)
	for range users {
		go func() {
			_, err := db.UseLoginLink(ctx, once, testNow)
			used <- err
		}()
	}
	won := 0
	for range users {
		if <-used == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of %d users of one link got in, want 1", won, users)
	}

	link(testNow.Add(LoginLinkLife + time.Second))
	if got := count(t, db, `select count(*) from login_links`); got != 1 {
		t.Errorf("%d links are kept, want the new one: the others expired", got)
	}
}

func TestWebSessions(t *testing.T) {
	t.Parallel()
	db := open(t)
	ctx := t.Context()
	now := testNow
	store := db.WebSessions(func() time.Time { return now })
	find := func(token string) string {
		data, found, err := store.FindCtx(ctx, token)
		if err != nil {
			t.Fatalf("FindCtx: %v", err)
		}
		return fmt.Sprintf("%q %t", data, found)
	}
	commit := func(token, data string, expiry time.Time) {
		if err := store.CommitCtx(ctx, token, []byte(data), expiry); err != nil {
			t.Fatalf("CommitCtx: %v", err)
		}
	}
	commit("a", "one", testNow.Add(time.Hour))
	commit("a", "two\x00\xff", testNow.Add(time.Hour))
	commit("b", "b", testNow.Add(time.Minute))
	if err := store.CommitCtx(ctx, "empty", nil, testNow.Add(time.Hour)); err != nil {
		t.Errorf("CommitCtx without data: %v", err)
	}
	for token, want := range map[string]string{
		"a": `"two\x00\xff" true`, "b": `"b" true`, "empty": `"" true`, "unknown": `"" false`,
	} {
		if got := find(token); got != want {
			t.Errorf("FindCtx(%s) = %s, want %s", token, got, want)
		}
	}
	now = testNow.Add(time.Minute)
	if got := find("b"); got != `"" false` {
		t.Errorf("FindCtx of an expired session = %s, want nothing", got)
	}
	commit("c", "c", testNow.Add(time.Hour))
	if got := count(t, db, `select count(*) from web_sessions where token = 'b'`); got != 0 {
		t.Error("a session that expired is still there after another one was stored")
	}
	for range 2 { // the second finds nothing, which is no error
		if err := store.DeleteCtx(ctx, "a"); err != nil {
			t.Errorf("DeleteCtx: %v", err)
		}
	}
	if got := count(t, db, `select count(*) from web_sessions`); got != 2 {
		t.Errorf("%d sessions are left, want 2", got)
	}
}
