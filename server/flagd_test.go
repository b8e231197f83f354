package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

func getFlagd(t *testing.T, f *Flagd, ifNoneMatch string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, FlagdPath, nil)
	if ifNoneMatch != "" {
		r.Header.Set("If-None-Match", ifNoneMatch)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestFlagdDocumentOverHTTP(t *testing.T) {
	t.Parallel()
	var snap *assignment.Snapshot
	c := newFlagdChecker(&snap, &safeBuffer{})
	f := c.flagd
	if w := getFlagd(t, f, ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("before the first configuration: %d, %v", w.Code, w.Header())
	}
	snap = ofrepCompile(t, *ofrepConfig())
	c.check(nil, snap)
	w := getFlagd(t, f, "")
	etag := w.Header().Get("ETag")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || etag == "" {
		t.Fatalf("answer %d, %v", w.Code, w.Header())
	}
	if again := getFlagd(t, f, etag); again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("ETag") != etag {
		t.Errorf("with the tag: %d, body %q, %v", again.Code, again.Body, again.Header())
	}
	cfg := ofrepConfig()
	cfg.Experiments[0].Salt = "another"
	snap = ofrepCompile(t, *cfg)
	c.check(nil, snap)
	if changed := getFlagd(t, f, etag); changed.Code != 200 || changed.Header().Get("ETag") == etag {
		t.Errorf("after a change, with the old tag: %d, %v", changed.Code, changed.Header())
	}
}

// The document keeps flagd's published JSON schema, for the configurations of
// this package and for that of assignment's vectors, which has every operator.
func TestFlagdDocumentKeepsItsSchema(t *testing.T) {
	t.Parallel()
	s := jsonSchemas{}
	for _, name := range []string{"flags.json", "targeting.json"} {
		s.load(t, name, sharedFile(t, "conformance", "flagd-schemas", name))
	}
	text, err := os.ReadFile(filepath.Join("..", "assignment", "testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Config experiment.Config }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []experiment.Config{*ofrepConfig(), vectors.Config, {Version: 1}} {
		snap := ofrepCompile(t, cfg)
		c := newFlagdChecker(&snap, &safeBuffer{})
		c.check(nil, snap)
		w := getFlagd(t, c.flagd, "")
		var doc map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if err := s.check("flags.json#/definitions/providerConfig", doc); err != nil {
			t.Errorf("the document breaks the schema: %v\n%s", err, w.Body)
		}
		remote := 0
		for name := range doc["metadata"].(map[string]any) {
			if strings.HasPrefix(name, "remote-only.") {
				remote++
			}
		}
		if n := len(doc["flags"].(map[string]any)) + remote; n != len(cfg.Experiments) {
			t.Errorf("%d flags and experiments that are left out, want %d", n, len(cfg.Experiments))
		}
		doc["flags"] = map[string]any{"x": map[string]any{"state": "ON", "variants": map[string]any{"a": true}}}
		if s.check("flags.json#/definitions/providerConfig", doc) == nil {
			t.Error("the schema accepts a state that does not exist")
		}
	}
}
