package report_test

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/report"
)

// TestVerdictOfAProgramme goes through what a measured holdout can say, with the numbers
// of TestVerdictTable. Of none is anything shipped, rolled back or held.
func TestVerdictOfAProgramme(t *testing.T) {
	t.Parallel()
	const n, control, sd = 10_000, 10.0, 3.0
	for _, test := range []struct {
		name           string
		primary, guard float64 // lifts
		want           report.VerdictState
		says           string
	}{
		{"better", 0.03, 0, report.VerdictProgrammeGain, "What ran and shipped brought watch time per viewer +3.00 %"},
		{"better, a guardrail is open", 0.03, -0.045, report.VerdictProgrammeMixed, "But it costs: "},
		{"better, a guardrail is breached", 0.03, -0.1, report.VerdictProgrammeMixed, "worse than its margin of 5 %"},
		{"worse", -0.03, 0, report.VerdictProgrammeLoss, "What ran and shipped costs, against the units that year holds out: "},
		{"a guardrail is breached", 0, -0.1, report.VerdictProgrammeLoss, "worse than its margin of 5 %"},
		{"nothing", 0, 0, report.VerdictProgrammeNoGain, "What ran and shipped does not help enough to matter"},
		{"not proven", 0.012, 0, report.VerdictKeepRunning, "What the programme brought is not decided yet."},
	} {
		in := newSynthetic(2).at(n,
			cell(primaryKey, 0, pair(n, control, sd)), cell(primaryKey, 1, pair(n, control*(1+test.primary), sd)),
			cell(guardKey, 0, pair(n, control, sd)), cell(guardKey, 1, pair(n, control*(1+test.guard), sd)),
		).input()
		in.Experiment.MeasuresHoldout = "year"
		v := report.Build(in).Verdict
		if v.State != test.want || !strings.Contains(v.Sentence, test.says) || v.State.OfProgramme() == (test.want == report.VerdictKeepRunning) {
			t.Errorf("%s: %s, %q; want %s, %q", test.name, v.State, v.Sentence, test.want, test.says)
		}
		for _, never := range []string{"Ship ", "Roll back", "may ship", "Do not ship"} {
			if strings.Contains(v.Sentence+v.Action, never) {
				t.Errorf("%s: %q of a programme: %s %s", test.name, never, v.Sentence, v.Action)
			}
		}
	}
	in := newSynthetic(2).input()
	in.Experiment.MeasuresHoldout = "year"
	if v := report.Build(in).Verdict; v.State != report.VerdictCollecting || !strings.HasPrefix(v.Sentence, "What the programme brought is not known yet.") {
		t.Errorf("without a look: %s, %s", v.State, v.Sentence)
	}
}

// TestProgrammeHarmsASegment tells of a part that lost while the whole gained.
func TestProgrammeHarmsASegment(t *testing.T) {
	t.Parallel()
	const n = 40_000
	in := newSynthetic(2).at(n,
		cell(primaryKey, 0, pair(n, 10, 3)), cell(primaryKey, 1, pair(n, 10.3, 3)),
		cell(guardKey, 0, pair(n, 10, 3)), cell(guardKey, 1, pair(n, 10, 3)),
		segmentCell(primaryKey, 0, "os", "ios", pair(n/2, 10, 3)), segmentCell(primaryKey, 1, "os", "ios", pair(n/2, 9.3, 3)),
		segmentCell(primaryKey, 0, "os", "web", pair(n/2, 10, 3)), segmentCell(primaryKey, 1, "os", "web", pair(n/2, 11.3, 3)),
	).input()
	in.Experiment.MeasuresHoldout = "year"
	if v := report.Build(in).Verdict; v.State != report.VerdictProgrammeMixed || !strings.Contains(v.Sentence, "But it costs: os ios") {
		t.Errorf("verdict %s: %s", v.State, v.Sentence)
	}
}
