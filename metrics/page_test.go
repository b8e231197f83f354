package metrics_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

var update = flag.Bool("update", false, "rewrite the pages made from the catalogue")

// cataloguePage is docs/metrics.md.
const cataloguePage = "../docs/metrics.md"

// TestCataloguePage keeps the page of the catalogue equal to the catalogue.
func TestCataloguePage(t *testing.T) {
	t.Parallel()
	want := pageOf(t)
	if *update {
		if err := os.WriteFile(cataloguePage, want, 0o644); err != nil { //nolint:gosec // a page for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(cataloguePage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/metrics.md is not that of the catalogue; go test ./metrics -run CataloguePage -update rewrites it (-want +got):\n%s", diff)
	}
}

const pageHead = `# Metrics

Made from ` + "`metrics/catalogue.json`" + ` by ` + "`go test ./metrics -run CataloguePage -update`" + `; do not edit.

A metric is a quotient of two base quantities, summed over a unit's sessions in the metric's window. The unit is what was
randomised, so the uncertainty is that of viewers, not of sessions or minutes. **Not observed is not zero:** a numerator and its
denominator are summed over the same sessions, those whose player reports both; a unit without any is no part of the metric.

- **Windows.** ` + "`first`" + `: the first play attempt, if within 30 minutes of the exposure. ` + "`day`" + `: sessions that began within
  24 hours of it. ` + "`return_d1`, `return_d7`" + `: the second day, and the seven days after the first. An outcome is fixed when its
  window has closed, and an hour (of ` + "`first`" + `, two minutes) has passed for late records. Return windows are read only for
  experiments whose plan asks for them.
- **Units.** Most metrics can be measured whatever was randomised; those that are *of a broadcaster* only where broadcasters were. Their
  windows hold the broadcasts that began in them, ` + "`first`" + ` the first one, each the sum of its parts.
- **Kinds.** A *ratio* is the sum of the numerator over the sum of the denominator; a *mean* and a *count* are per unit; a
  *proportion* and a *retention* are shares of units; a *quantile* is over units; a *mean of ratios* gives every unit the same weight,
  from its unit floor on. A *funnel* is the ratio of its last step to its first.
- **Caps** are constants. The value without the cap stands beside the one with it.
- **Tiers** are the sources that can observe it: A our heartbeat, B CMCD v2 with player states, C CMCD v2 without, D media requests.
- **Versions.** A definition never changes; a change is another version. A plan fixes the versions of its metrics at launch, and its
  hash covers them. ` + "`POST /api/v1/metrics`" + ` defines a metric; ` + "`/api/v1/metrics/{key}/preview`" + ` shows what it would be like.
- **Companions.** For every ratio of a plan the mean of the units' own ratios is added up, too. Where the two move in different
  directions, heavy and light viewers fare differently, and the report says so.
`

// pageOf writes the page.
func pageOf(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(pageHead)
	for _, role := range []metrics.Role{metrics.RoleGoal, metrics.RoleGuardrail, metrics.RoleDiagnostic, metrics.RoleTrust} {
		fmt.Fprintf(&b, "\n## %s\n", map[metrics.Role]string{
			metrics.RoleGoal: "Goals", metrics.RoleGuardrail: "Guardrails", metrics.RoleDiagnostic: "Diagnostics", metrics.RoleTrust: "Trust",
		}[role])
		for _, d := range metrics.All() {
			if d.Role == role {
				writeMetric(&b, &d)
			}
		}
	}
	b.WriteString("\n## Base quantities\n\nWhat metrics are made of, in the order of storage.\n\n| quantity | meaning | over |\n| --- | --- | --- |\n")
	says := quantityComments(t)
	for q := range metrics.Quantity(metrics.QuantityCount) {
		var over []string
		for _, o := range q.Over() {
			over = append(over, "`"+o.String()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", q, says[q], strings.Join(over, ", "))
	}
	return b.Bytes()
}

func writeMetric(b *bytes.Buffer, d *metrics.Definition) {
	fmt.Fprintf(b, "\n### %s\n\n`%s` version %d. %s\n\n", d.Name, d.Key, d.Version, d.Description)
	made := "`" + d.Numerator.String() + "` / `" + d.Denominator.String() + "`"
	if d.Of != "" {
		fmt.Fprintf(b, "Of a %s.\n\n", d.Of)
	}
	if d.Kind == metrics.KindQuantile {
		made += fmt.Sprintf(" at %g", d.Level)
	}
	if d.UnitFloor > 0 {
		made += fmt.Sprintf(", units from %g on", d.UnitFloor)
	}
	better := map[int]string{1: "more is better", -1: "less is better", 0: "neither side is better"}[d.Direction]
	fmt.Fprintf(b, "| kind | made of | unit | window | tiers | cap |\n| --- | --- | --- | --- | --- | --- |\n| %s | %s | %s, %s | `%s` | %s | %s |\n",
		strings.ReplaceAll(string(d.Kind), "_", " "), made, d.Unit, better, d.Window, d.Tiers, d.Cap)
	if d.Pitfalls != "" {
		fmt.Fprintf(b, "\nBeware: %s\n", d.Pitfalls)
	}
}

// constantWords are the values of constants that comments name.
var constantWords = map[string]string{
	"MinWaitMs": inSeconds(metrics.MinWaitMs), "QuickStartMs": inSeconds(metrics.QuickStartMs),
	"StalledMs": inSeconds(metrics.StalledMs), "StallCapMs": inSeconds(metrics.StallCapMs),
	"WatchCapMs": inSeconds(metrics.WatchCapMs), "LatencyCapMs": inSeconds(metrics.LatencyCapMs),
	"RetryGapMs": inSeconds(metrics.RetryGapMs), "StartupCapMs": inSeconds(metrics.StartupCapMs),
	"EngagedMs": inSeconds(metrics.EngagedMs), "SessionCapMs": inSeconds(metrics.SessionCapMs),
	"SevereStallMs": inSeconds(metrics.SevereStallMs), "SeverePct": fmt.Sprint(metrics.SeverePct, " %"),
	"StallsCap": fmt.Sprint(metrics.StallsCap), "SwitchesCap": fmt.Sprint(metrics.SwitchesCap),
	"StarvationCapMs": inSeconds(metrics.StarvationCapMs), "StarvedMs": inSeconds(metrics.StarvedMs),
	"DisconnectsCap": fmt.Sprint(metrics.DisconnectsCap), "BitrateCvCapPpm": fmt.Sprint(metrics.BitrateCvCapPpm),
	"AudienceCap":         fmt.Sprint(metrics.AudienceCap),
	"telemetry.LowHeight": fmt.Sprint(telemetry.LowHeight, " lines"),
	"NeverStartedMs":      "a time beyond all others",
}

func inSeconds(ms float64) string { return fmt.Sprintf("%g s", ms/1_000) }

// quantityComments returns what the source says of each quantity.
func quantityComments(t *testing.T) map[metrics.Quantity]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "quantity.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	out := map[metrics.Quantity]string{}
	names := map[string]string{} // from Go's to the catalogue's
	for _, decl := range file.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST || len(out) > 0 {
			continue
		}
		for i, spec := range block.Specs[:metrics.QuantityCount] {
			value := spec.(*ast.ValueSpec)
			q := metrics.Quantity(i)
			names[value.Names[0].Name] = q.String()
			text := strings.Join(strings.Fields(value.Doc.Text()), " ")
			out[q] = strings.TrimPrefix(text, value.Names[0].Name+" ")
		}
	}
	word := func(s string) string {
		bare := strings.TrimRight(s, ".,:;")
		if name, ok := names[bare]; ok && bare != "Units" {
			return "`" + name + "`" + s[len(bare):]
		}
		if says, ok := constantWords[bare]; ok {
			return says + s[len(bare):]
		}
		return s
	}
	for q, text := range out {
		words := strings.Fields(text)
		for i := range words {
			words[i] = word(words[i])
		}
		out[q] = strings.Join(words, " ")
	}
	return out
}
