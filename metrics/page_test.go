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
  24 hours of it. ` + "`return_d1`, `return_d7`" + `: the second day, and the seven days after the first;
  ` + "`return_K_L`" + `: day K up to day L, where day 0 is the first and L at most 28. An outcome is fixed when its
  window has closed, and an hour (of ` + "`first`" + `, two minutes) has passed for late records. Return windows are read only for
  experiments whose plan asks for them.
- **Units.** Most metrics can be measured whatever was randomised; those that are *of a broadcaster* only where broadcasters were. Their
  windows hold the broadcasts that began in them, ` + "`first`" + ` the first one, each the sum of its parts.
- **Kinds.** A *ratio* is the sum of the numerator over the sum of the denominator; a *mean* and a *count* are per unit; a
  *proportion* and a *retention* are shares of units; a *quantile* is over units; a *mean of ratios* gives every unit the same weight,
  from its unit floor on. A *funnel* is the ratio of its last step to its first.
  A funnel with custom steps is of units: the share that reached the last step of those who reached the first, where a unit reaches a
  step when it reached all before and, at or after that, did what the step counts: the steps are in the order of time. What a session or
  a broadcast tells, a counter too, is of the moment at which the server first heard of it, so that an event says more of the order within
  a session. ` + "`\"order\": \"any\"`" + ` lets all that happened in the window count, whatever came first, as do definitions from before there was a choice.
- **The past.** Where the plan has covariates, what a unit did in the days before its exposure is fixed with its outcome: the newest
  64 sessions that were over by then, in the quantities of the primary and secondary metrics.
- **Late and lost.** What comes after an outcome was fixed changes nothing. A day later the job counts, by arm, the units of which a record, or an
  event that metrics of the day need, came late, or a record contradicted another (of the last ones by a look that adds no unit), and with
  each look those that were exposed, tried to play, saw a picture and were heard of after it.
- **Suspected programs** have outcomes like all others, and are marked: units that call themselves a bot at the exposure, and those that in the
  days before it (of the plan's covariates) ran more than 8 sessions at once, or mostly played hidden, for 16 hours, or without a frame. The
  rule is the same in all arms and asks nothing that an arm could change. The report compares their number. Effects hold all units, and
  beside them stand those without suspected ones; a plan with ` + "`suspects: exclude`" + ` has it the other way around.
- **Restating.** ` + "`splitcast restate KEY --day D --reason R`" + ` makes the outcomes of windows that closed on a day again, as a new look.
  The first ones stay, and with them every look before; the report names the day from then on.
- **Caps** are constants. The value without the cap stands beside the one with it.
- **Tiers** are the sources that can observe it: A our heartbeat, B CMCD v2 with player states, C CMCD v2 without, D media requests.
- **Versions.** A definition never changes; a change is another version. A plan fixes the versions of its metrics at launch, and its
  hash covers them. ` + "`POST /api/v1/metrics`" + ` defines a metric; ` + "`/api/v1/metrics/{key}/preview`" + ` shows what it would be like.
  Without the API: *Define a metric* on the page of metrics (` + "`/define-metric`" + `) asks for what a kind needs, shows the same preview and stores the
  same definition; *Edit as a new version* on the page of a metric opens it there, and *Define one like it* a built-in one.
- **Companions.** For every ratio of a plan the mean of the units' own ratios is added up, too. Where the two move in different
  directions, heavy and light viewers fare differently, and the report says so. Of a funnel of three steps or more the share that
  goes on from each step to the next is added up as ` + "`KEY.step2`, `KEY.step3`" + ` and so on.

## Custom quantities

Definitions of people's own may be made of counters and events that an application sends, without any change here:

| quantity | meaning |
| --- | --- |
| ` + "`measure:NAME`" + ` | sum of the counter ` + "`NAME`" + ` in the ` + "`measures`" + ` of heartbeats, over the unit's sessions in the window. Known when every session that started reports it, so send it from 0 on; of a unit without sessions it is 0 |
| ` + "`stream_measure:NAME`" + ` | the same of the broadcasts of a broadcaster |
| ` + "`event:NAME`" + ` | how many events ` + "`NAME`" + ` of the unit happened in the window and were received before it closed; 0 when none was sent |
| ` + "`value:NAME`" + ` | sum of the values of those events |

One may be divided by another, or by %s. As the numerator of a proportion or a
retention it counts units that have it above 0. A name need not have been seen yet: a metric can be planned before the first counter
is sent. ` + "`POST /api/v1/metrics/preview`" + ` tells what there was in the last seven days. An outcome keeps the custom quantities that the
metrics of its experiment need, and as ` + "`funnel:KEY`" + ` how many steps of a funnel in order the unit reached (` + "`funnel_open:KEY`" + ` is 1 where it is
not known whether it reached the next one).

    {"key": "follows", "name": "Viewers who follow", "description": "Share of viewers who follow someone within a day.",
     "kind": "proportion", "numerator": "event:follow", "denominator": "units", "direction": 1, "unit": "%%", "scale": 100}

    {"key": "path", "name": "From watching to following", "description": "Of viewers who started, those who chat and then follow.",
     "kind": "funnel", "steps": ["starts", "measure:chat", "event:follow"], "direction": 1, "unit": "%%", "scale": 100}

    {"key": "week_two", "name": "Return in the second week", "description": "Tried to play on days 7 to 13 after the exposure.",
     "kind": "retention", "numerator": "returned", "denominator": "units", "window": "return_7_13", "direction": 1, "unit": "%%", "scale": 100}
`

// pageOf writes the page.
func pageOf(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	var over []string
	for _, q := range (metrics.Term{Custom: metrics.SourceEvent}).Over() {
		over = append(over, "`"+q.String()+"`")
	}
	fmt.Fprintf(&b, pageHead, strings.Join(over, ", "))
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
	"StallExitMs":         inSeconds(metrics.StallExitMs),
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
