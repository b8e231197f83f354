package stats_test

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Every reason of a refusal stands in the table of docs/statistics.md, and the table
// has no other.
func TestDocumentListsEveryRefusal(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/statistics.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed[m[1]] = true
	}
	declared := map[string]bool{}
	for _, file := range sources(t) {
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, reason := range reasons(t, g) {
					declared[reason] = true
				}
			}
		}
	}
	if len(declared) == 0 {
		t.Fatal("no reason found in the source")
	}
	for reason := range declared {
		if !listed[reason] {
			t.Errorf("docs/statistics.md does not list the reason %s", reason)
		}
	}
	for reason := range listed {
		if !declared[reason] {
			t.Errorf("docs/statistics.md lists the reason %s, which the package does not have", reason)
		}
	}
}

// reasons returns the values of the constants of type Code.
func reasons(t *testing.T, g *ast.GenDecl) []string {
	t.Helper()
	var out []string
	for _, spec := range g.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Code" {
			continue
		}
		for _, value := range v.Values {
			literal, ok := value.(*ast.BasicLit)
			if !ok {
				t.Fatalf("a Code is %T, want a literal", value)
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
	}
	return out
}
