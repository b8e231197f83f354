package report_test

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

// TestWhatIsLeftToDo says of an experiment that is over what may still be done, and of
// one that has not begun that there is nothing to judge.
func TestWhatIsLeftToDo(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for _, test := range []struct {
		name     string
		lift     float64
		status   experiment.Status
		shipped  string
		measures string
		want     string
	}{
		{"helped, not shipped", 0.03, experiment.StatusStopped, "", "", "It is stopped, and b is not shipped: ship it, or archive this."},
		{"helped and shipped", 0.03, experiment.StatusStopped, "b", "", "Nothing: b is shipped."},
		{"hurts and shipped", -0.03, experiment.StatusStopped, "b", "", "Take b back: it is shipped, and it hurts."},
		{"hurt", -0.03, experiment.StatusArchived, "", "", "Nothing: it is stopped."},
		{"not decided", 0.012, experiment.StatusStopped, "", "", "It was stopped before this was decided. To learn more, run it again."},
		{"not decided, shipped control", 0.012, experiment.StatusStopped, "a", "", "It was stopped before this was decided."},
		{"no effect", 0, experiment.StatusStopped, "", "", "Nothing: it is stopped."},
		{"a programme", 0.03, experiment.StatusStopped, "", "year", "There is nothing to ship or to take back here"},
		{"a programme, not decided", 0.012, experiment.StatusStopped, "", "year", "measure the holdout by another experiment"},
		{"running", 0.03, experiment.StatusRunning, "", "", "Ship b."},
	} {
		in := newSynthetic(2).at(n,
			cell(primaryKey, 0, pair(n, 10, 3)), cell(primaryKey, 1, pair(n, 10*(1+test.lift), 3)),
			cell(guardKey, 0, pair(n, 10, 3)), cell(guardKey, 1, pair(n, 10, 3)),
		).input()
		in.Experiment.Status, in.Experiment.ShippedArm, in.Experiment.MeasuresHoldout = test.status, test.shipped, test.measures
		if v := report.Build(in).Verdict; !strings.HasPrefix(v.Action, test.want) && !strings.HasSuffix(v.Action, test.want+".") {
			t.Errorf("%s: %s, %q; want %q", test.name, v.State, v.Action, test.want)
		}
	}
	draft := newSynthetic(2).input()
	draft.Experiment.Status, draft.Experiment.StartedAt, draft.Experiment.PlanHash = experiment.StatusDraft, nil, ""
	r := report.Build(draft)
	if v := r.Verdict; v.State != report.VerdictCollecting || !strings.HasPrefix(v.Sentence, "Not launched yet") || len(v.Reasons) == 0 {
		t.Errorf("draft: %+v", v)
	}
	for _, c := range r.Trust {
		if c.Key == report.CheckPlan && c.State != report.CheckUnknown {
			t.Errorf("the plan of a draft is %s: %s", c.State, c.Detail)
		}
	}
}
