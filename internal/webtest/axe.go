package webtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Axe returns the source of axe-core, the accessibility checker that
// scripts/axe.sh fetches. Without it the test is skipped with the reason; with
// CI=true it fails unless SPLITCAST_AXE_REASON says why it could not be had.
func Axe(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(moduleRoot(t), "bin", "axe-core-*.min.js"))
	if err != nil {
		t.Fatalf("webtest: look for axe-core: %v", err)
	}
	if len(found) == 0 {
		reason := os.Getenv("SPLITCAST_AXE_REASON")
		if reason == "" && os.Getenv("CI") == "true" {
			t.Fatal("webtest: axe-core is not there; run scripts/axe.sh")
		}
		t.Skipf("webtest: axe-core is not there; run scripts/axe.sh %s", reason)
	}
	source, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		t.Fatalf("webtest: read axe-core: %v", err)
	}
	return string(source)
}

// moduleRoot returns the folder of go.mod above the test's.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("webtest: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("webtest: no go.mod above the test")
		}
		dir = up
	}
}

// Violations returns what axe-core finds wrong with the page as it is shown now,
// by all its rules or the named ones, one line for each rule.
func (p *Page) Violations(t testing.TB, axe string, rules ...string) []string {
	t.Helper()
	if !Eval[bool](t, p, "typeof axe === 'object'") {
		Eval[bool](t, p, axe+"; true")
	}
	options := "{resultTypes: ['violations']}"
	if len(rules) > 0 {
		names, err := json.Marshal(rules)
		if err != nil {
			t.Fatalf("webtest: %v", err)
		}
		options = "{resultTypes: ['violations'], runOnly: " + string(names) + "}"
	}
	lines := Eval[string](t, p, `axe.run(document, `+options+`).then(r => r.violations.map(v =>
		v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " (" + (n.any[0]?.message || n.all[0]?.message || n.none[0]?.message || "") + ")").join("; ")).join("\n"))`)
	if lines == "" {
		return nil
	}
	return strings.Split(lines, "\n")
}

// Look shows the page in another way, without loading it again.
func (p *Page) Look(t testing.TB, v View) {
	t.Helper()
	p.view = v
	do(t, p, v.emulate)
}
