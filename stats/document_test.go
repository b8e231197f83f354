package stats_test

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
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

// Whatever computes a statistic stands in the table of methods of docs/statistics.md,
// by its own name or that of its type; and the table has no other names.
func TestDocumentListsEveryMethod(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/statistics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "## Methods of the package")
	table, _, _ = strings.Cut(table, "\n## ")
	if !found {
		t.Fatal("docs/statistics.md has no table of methods")
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("`([A-Z]\\w*)`").FindAllStringSubmatch(table, -1) {
		listed[m[1]] = true
	}
	for name := range entries() {
		if top, _, _ := strings.Cut(name, "."); !listed[top] {
			t.Errorf("the table of methods in docs/statistics.md lacks %s", top)
		}
	}
	exported := map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				exported[n.Name.Name] = true
			case *ast.TypeSpec:
				exported[n.Name.Name] = true
			}
			return true
		})
	}
	for name := range listed {
		if !exported[name] {
			t.Errorf("the table of methods in docs/statistics.md names %s, which the package does not have", name)
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
