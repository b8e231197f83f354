package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const modulePath = "github.com/splitcast/splitcast"

// allowed lists for each package which packages of ours it may import. The
// arrows go one way; a new one needs a reason in the change that adds it.
var allowed = map[string][]string{
	".":                    {"*"}, // main wires everything
	"experiment":           {},
	"stats":                {},
	"assignment":           {"experiment"},
	"assignment/flagdtest": {"experiment"},
	"telemetry":            {"experiment"},
	"metrics":              {"experiment", "stats", "telemetry"},
	"report":               {"experiment", "metrics", "stats"},
	"planning":             {"stats"},
	"launch":               {"experiment", "metrics", "planning", "stats"}, // what is known before a launch: a plan's cost and its checklist
	"migrations":           {},
	"postgres":             {"assignment", "experiment", "metrics", "migrations", "stats", "telemetry"}, // assignment: an exposure is stored by what the snapshot says of its experiment
	"postgres/private":     {},
	"web":                  {"experiment", "launch", "metrics", "planning", "report", "stats", "web/chart"},
	"web/chart":            {},
	"server":               {"assignment", "client/browser", "experiment", "extract", "launch", "metrics", "planning", "postgres", "report", "telemetry", "web"}, // postgres: docs/adr/0001; planning: the sample size of a metric
	"client":               {"assignment", "experiment"},
	"client/browser":       {},
	"client/openfeature":   {"assignment", "client", "experiment"},
	"simulate":             {"experiment"}, // it speaks HTTP like any client
	"internal/pgtest":      {"migrations", "postgres/private"},
	"internal/servertest":  {"experiment", "metrics", "postgres", "server"},
	"internal/webtest":     {},
	"report/reporttest":    {"experiment", "metrics", "report", "stats"},
	"metrics/storetest":    {"experiment", "metrics", "stats", "telemetry"},
	"scorecard":            {"stats"}, // rows that someone else collected
	"extract":              {"experiment", "metrics"},
	"intake":               {"metrics"}, // it speaks to no server
}

// testOnly packages may be imported by tests alone.
var testOnly = []string{"assignment/flagdtest", "internal/pgtest", "internal/servertest", "internal/webtest", "report/reporttest", "metrics/storetest"}

// bannedNames are folders that say nothing about what they provide.
var bannedNames = []string{"util", "utils", "common", "helpers", "types", "models", "pkg", "misc", "shared"}

// Sizes above which a file or function must not grow (STYLE: one concept a
// file). The ratchet holds the few that are larger.
const (
	maxFileLines     = 500
	maxTestFileLines = 800
	maxFuncLines     = 70
)

type goFile struct {
	path   string // slash-separated, relative to the module's root
	pkg    string // folder
	isTest bool
	lines  int
	ast    *ast.File
	fset   *token.FileSet
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var out []goFile
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p = filepath.ToSlash(p)
		if d.IsDir() {
			name := d.Name()
			if p != "." && (strings.HasPrefix(name, ".") || name == "testdata" || p == "bench" || p == "tools") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, src, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, goFile{
			path: p, pkg: path.Dir(p), isTest: strings.HasSuffix(p, "_test.go"),
			lines: strings.Count(string(src), "\n"), ast: f, fset: fset,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		rule, ok := allowed[f.pkg]
		if !ok {
			t.Errorf("%s: package %s is not in the list of packages", f.path, f.pkg)
			continue
		}
		for _, imp := range f.ast.Imports {
			target, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), modulePath+"/")
			if !ours || target == f.pkg {
				continue
			}
			if slices.Contains(testOnly, target) {
				if !f.isTest && !slices.Contains(testOnly, f.pkg) {
					t.Errorf("%s imports %s, which is for tests", f.path, target)
				}
				continue
			}
			if f.isTest || slices.Contains(rule, "*") || slices.Contains(rule, target) {
				continue
			}
			t.Errorf("%s imports %s: package %s may import %v", f.path, target, f.pkg, rule)
		}
	}
}

func TestPackagesAreDocumentedAndNamed(t *testing.T) {
	t.Parallel()
	comments := map[string]int{}
	for _, f := range goFiles(t) {
		if f.isTest {
			continue
		}
		if slices.Contains(bannedNames, path.Base(f.pkg)) {
			t.Errorf("%s: a folder named %s says nothing about what it provides", f.path, path.Base(f.pkg))
		}
		comments[f.pkg] += 0
		if f.ast.Doc != nil {
			comments[f.pkg]++
		}
	}
	for pkg, n := range comments {
		if n != 1 {
			t.Errorf("package %s has %d package comments, want 1", pkg, n)
		}
	}
}

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		limit := maxFileLines
		if f.isTest {
			limit = maxTestFileLines
		}
		if f.lines > limit {
			t.Errorf("%s has %d lines, the limit is %d", f.path, f.lines, limit)
		}
		if f.isTest {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
			if n > maxFuncLines {
				t.Errorf("%s: %s has %d lines, the limit is %d", f.path, fn.Name.Name, n, maxFuncLines)
			}
		}
	}
}

// clocks are the files that may read the wall clock or ask for a timer of it:
// main, the clock, what talks to the operating system, and the default of
// package client, which lives in the mains of others.
var clocks = regexp.MustCompile(`^(main|clock|demo|platform|serve)[a-z_]*\.go$|^postgres/private/|^internal/|^postgres/(watch|groupcommit)\.go$|^client/config\.go$`)

func TestOnlyClocksReadTheClock(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if f.isTest || clocks.MatchString(f.path) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Since") {
				t.Errorf("%s reads the wall clock: take now as a function", f.fset.Position(sel.Pos()))
			}
			return true
		})
	}
}

func TestArchitecturePageNamesEveryPackage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed[strings.TrimSuffix(m[1], "/")] = true
	}
	present := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.pkg != "." {
			present[f.pkg] = true
		}
	}
	for pkg := range present {
		if !listed[pkg] {
			t.Errorf("ARCHITECTURE.md does not list package %s", pkg)
		}
	}
	for pkg := range listed {
		if !present[pkg] && pkg != "main.go" {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", pkg)
		}
	}
}

// notUnderRace is the first line of the test files that `make race` does not build.
const notUnderRace = "//go:build !race"

// TestNothingIsLeftOutOfBothRuns holds that every test is run by `make check`: those
// that are not built for the race detector are those that scripts/truth.sh runs
// without it, and no test asks for the detector in another way.
func TestNothingIsLeftOutOfBothRuns(t *testing.T) {
	t.Parallel()
	var want []string
	for _, f := range goFiles(t) {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:build") && strings.Contains(c.Text, "race") && (c.Text != notUnderRace || !f.isTest) {
					t.Errorf("%s is built by %q; the race detector may only be asked for by %q, in tests", f.path, c.Text, notUnderRace)
				}
			}
		}
		if len(f.ast.Comments) == 0 || f.ast.Comments[0].List[0].Text != notUnderRace {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if name := fn.Name.Name; strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example") {
				t.Errorf("%s: scripts/truth.sh does not run %s", f.path, name)
			} else if strings.HasPrefix(name, "Test") {
				want = append(want, name)
			}
		}
	}
	slices.Sort(want)
	list, err := exec.CommandContext(t.Context(), "scripts/truth.sh", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Compact(want), strings.Fields(string(list))); diff != "" {
		t.Errorf("what scripts/truth.sh runs differs from what the race detector does not (-tests +script):\n%s", diff)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ncheck: lint race truth fuzz ", "\n\tscripts/truth.sh\n"} {
		if !strings.Contains(string(makefile), want) {
			t.Errorf("the Makefile lacks %q", want)
		}
	}
}

// maxDirectModules is the budget of direct dependencies (STYLE 10).
const maxDirectModules = 20

// directModules reads the modules that go.mod requires directly.
func directModules(t *testing.T) []string {
	t.Helper()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(mod)) {
		if strings.HasPrefix(line, "\t") && !strings.Contains(line, "// indirect") {
			out = append(out, strings.Fields(line)[0])
		}
	}
	return out
}

func TestDirectModulesStayWithinBudget(t *testing.T) {
	t.Parallel()
	if n := len(directModules(t)); n > maxDirectModules {
		t.Errorf("go.mod has %d direct modules, the budget is %d", n, maxDirectModules)
	}
}

func TestDirectModulesAreExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/adr/0005-modules.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		explained = append(explained, m[1])
	}
	required := directModules(t)
	for _, m := range required {
		if !slices.Contains(explained, m) {
			t.Errorf("docs/adr/0005-modules.md does not say what %s is for", m)
		}
	}
	for _, m := range explained {
		if !slices.Contains(required, m) {
			t.Errorf("docs/adr/0005-modules.md lists %s, which go.mod does not require", m)
		}
	}
}

// foreign matches what must not stand in the tree: paths of the machine that
// someone worked on, and hosts of package registries.
var foreign = regexp.MustCompile(`(^|[^.\w])/(work|root|home/[a-z]+)/[a-z]|(proxy|registry|deb)\.[a-z]+\.org`)

func TestNoMachinePathsInTheTree(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != "." && (name == ".git" || name == "testdata" || name == ".splitcast" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(name) {
		case ".go", ".md", ".sql", ".html", ".css", ".js", ".yaml", ".yml", ".json", "":
		default:
			return nil
		}
		if name == "layout_test.go" || name == "splitcast" {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if m := foreign.Find(b); m != nil {
			t.Errorf("%s holds %q", p, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
