package web

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// The page of a measured holdout offers nothing to ship, and no word of it speaks of
// shipping or rolling back, whatever came of it.
func TestMeasuredHoldoutIsNotShipped(t *testing.T) {
	t.Parallel()
	for fixture, word := range map[string]string{"ship": "↑ The programme gained", "guardrail_breach": "The programme lost", "stop_no_effect": "gained nothing worth having", "segment_harm": "gained and lost"} {
		in := reporttest.Fixtures()[fixture]
		in.Experiment.MeasuresHoldout = "year-2027"
		r := report.Build(in)
		if !r.Verdict.State.OfProgramme() {
			t.Errorf("%s: the verdict is %s", fixture, r.Verdict.State)
		}
		for _, status := range []experiment.Status{experiment.StatusRunning, experiment.StatusPaused, experiment.StatusStopped} {
			r.Head.Status = status
			page := renderReport(t, reportView(r))
			checkPage(t, page)
			if !strings.Contains(page, word) {
				t.Errorf("%s: the page lacks %q", fixture, word)
			}
			for _, never := range []string{`value="ship"`, `value="restart"`, "Ship to everyone", "↑ Ship", "↓ Roll back", "the rule speaks for it", "Roll back to", "Everyone gets control"} {
				if strings.Contains(page, never) {
					t.Errorf("%s, %s: the page says %q", fixture, status, never)
				}
			}
			if want := status != experiment.StatusStopped; strings.Contains(page, `value="stop"`) != want {
				t.Errorf("%s, %s: stopping is offered: %v", fixture, status, !want)
			}
		}
	}
	c := Conclusion{Look: 3, Verdict: report.VerdictProgrammeGain}
	if got := c.Outcome(); got != OutcomeMeasured {
		t.Errorf("what became of a measurement is %s", got)
	}
}
