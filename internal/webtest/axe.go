package webtest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Axe returns the source of axe-core, the accessibility checker, or skips as Fetched
// does.
func Axe(t testing.TB) string {
	t.Helper()
	source, err := os.ReadFile(Fetched(t, "axe-core"))
	if err != nil {
		t.Fatalf("webtest: read axe-core: %v", err)
	}
	return string(source)
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
