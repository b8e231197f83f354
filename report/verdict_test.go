package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// TestVerdictTable goes through the rule. Each arm has 10,000 units and a
// coefficient of variation of 0.3, so that the intervals reach about 1 % to
// either side of the lift.
func TestVerdictTable(t *testing.T) {
	t.Parallel()
	const n, control, sd = 10_000, 10.0, 3.0
	for _, test := range []struct {
		name           string
		primary, guard float64 // lifts
		want           report.VerdictState
	}{
		{"better, guardrail safe", 0.03, 0, report.VerdictShip},
		{"better, guardrail proven worse but within its margin", 0.03, -0.025, report.VerdictShip},
		{"better, guardrail worse, perhaps beyond its margin", 0.03, -0.045, report.VerdictRollBack},
		{"better, guardrail breached", 0.03, -0.1, report.VerdictRollBack},
		{"worse", -0.03, 0, report.VerdictRollBack},
		{"nothing, and no room for the smallest effect worth having", 0, 0, report.VerdictStopNoEffect},
		{"nothing proven, with room", 0.012, 0, report.VerdictKeepRunning},
		{"nothing, guardrail breached", 0, -0.1, report.VerdictRollBack},
	} {
		in := newSynthetic(2).at(n,
			cell(primaryKey, 0, pair(n, control, sd)), cell(primaryKey, 1, pair(n, control*(1+test.primary), sd)),
			cell(guardKey, 0, pair(n, control, sd)), cell(guardKey, 1, pair(n, control*(1+test.guard), sd)),
		).input()
		v := report.Build(in).Verdict
		if v.State != test.want || v.Sentence == "" || v.Action == "" || len(v.Reasons) != 4 || v.Arm != "b" {
			t.Errorf("%s: verdict %+v, want %s", test.name, v, test.want)
		}
	}
}

func TestGuardrailNotYetSafe(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s := newSynthetic(2)
	s.plan.Guardrails[0].Margin = 0.005
	v := report.Build(s.at(n,
		cell(primaryKey, 0, pair(n, 10, 3)), cell(primaryKey, 1, pair(n, 10.3, 3)),
		cell(guardKey, 0, pair(n, 10, 3)), cell(guardKey, 1, pair(n, 10, 3)),
	).input()).Verdict
	if v.State != report.VerdictKeepRunning || !strings.Contains(v.Sentence, "Not yet proven within the margin: bitrate") {
		t.Errorf("verdict %s: %s", v.State, v.Sentence)
	}
}

// TestVerdictOfArms checks which arm leads.
func TestVerdictOfArms(t *testing.T) {
	t.Parallel()
	const n = 20_000
	build := func(lifts ...float64) report.Verdict {
		s := newSynthetic(len(lifts) + 1)
		cells := []metrics.Cell{cell(primaryKey, 0, pair(n, 10, 3)), cell(guardKey, 0, pair(n, 10, 3))}
		for i, lift := range lifts {
			cells = append(cells, cell(primaryKey, i+1, pair(n, 10*(1+lift), 3)), cell(guardKey, i+1, pair(n, 10, 3)))
		}
		return report.Build(s.at(n, cells...).input()).Verdict
	}
	for _, test := range []struct {
		name  string
		lifts []float64
		want  report.VerdictState
		arm   string
	}{
		{"harm comes first", []float64{0.05, -0.05, 0}, report.VerdictRollBack, "c"},
		{"the better of two", []float64{0.03, 0.05, 0}, report.VerdictShip, "c"},
		{"one may still help", []float64{0, 0.01, 0}, report.VerdictKeepRunning, "c"},
		{"none helps", []float64{0, 0, -0.001}, report.VerdictStopNoEffect, "b"},
		{"as many as there can be", []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.06}, report.VerdictShip, "l"},
	} {
		v := build(test.lifts...)
		if v.State != test.want || v.Arm != test.arm || len(v.Arms) != len(test.lifts) {
			t.Errorf("%s: verdict %s of arm %s, want %s of %s (%s)", test.name, v.State, v.Arm, test.want, test.arm, v.Sentence)
		}
	}
	if v := build(0.05, -0.05); !strings.Contains(v.Sentence, "Meanwhile b may ship") {
		t.Errorf("the arm that may ship is not named: %s", v.Sentence)
	}
}

// TestHold harms one segment of two by as much as the other gains.
func TestHold(t *testing.T) {
	t.Parallel()
	const n = 40_000
	s := newSynthetic(2)
	in := s.at(n,
		cell(primaryKey, 0, pair(n, 10, 3)), cell(primaryKey, 1, pair(n, 10.3, 3)),
		cell(guardKey, 0, pair(n, 10, 3)), cell(guardKey, 1, pair(n, 10, 3)),
		segmentCell(primaryKey, 0, "os", "ios", pair(n/2, 10, 3)), segmentCell(primaryKey, 1, "os", "ios", pair(n/2, 9.3, 3)),
		segmentCell(primaryKey, 0, "os", "web", pair(n/2, 10, 3)), segmentCell(primaryKey, 1, "os", "web", pair(n/2, 11.3, 3)),
	).input()
	r := report.Build(in)
	if r.Verdict.State != report.VerdictHold || !strings.Contains(r.Verdict.Sentence, "os ios") {
		t.Errorf("verdict %s: %s", r.Verdict.State, r.Verdict.Sentence)
	}
	first := r.Segments.Rows[0]
	if first.Value != "ios" || first.State != report.StateWorse || !first.Flagged || r.Segments.Tested != 2 {
		t.Errorf("first segment %+v of %d tested", first, r.Segments.Tested)
	}
	want := 0.05 / (metrics.MaxSegments * 2 * 1) // two metrics, one treatment
	if r.Segments.Alpha != want {
		t.Errorf("alpha of a segment = %v, want %v", r.Segments.Alpha, want)
	}
}

// TestSegmentBurnIn holds small segments back.
func TestSegmentBurnIn(t *testing.T) {
	t.Parallel()
	build := func(n int64) report.Segment {
		r := report.Build(newSynthetic(2).at(2*n,
			segmentCell(primaryKey, 0, "os", "ios", pair(n, 10, 3)), segmentCell(primaryKey, 1, "os", "ios", pair(n, 20, 3)),
		).input())
		for _, s := range r.Segments.Rows {
			if s.Value == "ios" && s.MetricKey == primaryKey {
				return s
			}
		}
		t.Fatal("no segment")
		return report.Segment{}
	}
	if s := build(report.SegmentMinUnits - 1); s.Refusal == nil || s.Refusal.Code != string(stats.BurnIn) || s.Flagged {
		t.Errorf("a segment of %d units is judged: %+v", report.SegmentMinUnits-1, s)
	}
	if s := build(report.SegmentMinUnits); s.State != report.StateBetter || !s.Flagged {
		t.Errorf("a segment of %d units is not judged: %+v", report.SegmentMinUnits, s)
	}
}

func TestTrustGates(t *testing.T) {
	t.Parallel()
	const n = 10_000
	check := func(in report.Input, key string) report.Check {
		for _, c := range report.Build(in).Trust {
			if c.Key == key {
				return c
			}
		}
		t.Fatalf("no check %s", key)
		return report.Check{}
	}
	healthy := func() *synthetic { return newSynthetic(2).at(n) }
	for _, key := range []string{
		report.CheckBalance, report.CheckBalanceReporting, report.CheckCoverage, report.CheckCrossed,
		report.CheckStartTimes, report.CheckPlan, report.CheckFreshness,
	} {
		if c := check(healthy().input(), key); c.State != report.CheckOK || c.Fix != "" || c.Threshold == "" || c.Title == "" {
			t.Errorf("%s of a healthy experiment: %+v", key, c)
		}
	}
	t.Run("crossed at the limit", func(t *testing.T) {
		t.Parallel()
		for crossed, want := range map[int64]report.CheckState{
			20: report.CheckOK, 21: report.CheckWarn, 200: report.CheckWarn, 201: report.CheckFail,
		} {
			in := healthy().input()
			in.Counts = []metrics.ArmCounts{{Arm: 0, Exposed: 20_000 - crossed}, {Arm: 1, Crossed: crossed}}
			if c := check(in, report.CheckCrossed); c.State != want {
				t.Errorf("%d of 20,000 crossed: %s, want %s", crossed, c.State, want)
			}
		}
	})
	t.Run("an alert stays", func(t *testing.T) {
		t.Parallel()
		s := newSynthetic(2).at(n).at(n)
		s.looks[0].Arms[0].Exposed = 2 * n
		if c := check(s.input(), report.CheckBalance); c.State != report.CheckFail || c.FirstTripped != 1 {
			t.Errorf("balance after an alert at look 1: %+v", c)
		}
	})
	t.Run("units of now count", func(t *testing.T) {
		t.Parallel()
		in := healthy().input()
		in.Counts = []metrics.ArmCounts{{Arm: 0, Exposed: n}, {Arm: 1, Exposed: 2 * n}}
		if c := check(in, report.CheckBalance); c.State != report.CheckFail {
			t.Errorf("balance of 1:2 now: %+v", c)
		}
	})
	t.Run("an arm that reports nothing", func(t *testing.T) {
		t.Parallel()
		s := newSynthetic(2).at(n)
		for i, c := range s.looks[0].Cells {
			if c.Arm == 1 && c.IsTotal() {
				s.looks[0].Cells[i].Pair = pair(n, 0, 0)
			}
		}
		for _, key := range []string{report.CheckBalanceReporting, report.CheckCoverage} {
			if c := check(s.input(), key); c.State != report.CheckFail {
				t.Errorf("%s: %+v", key, c)
			}
		}
		if c := check(s.input(), report.CheckStartTimes); c.State != report.CheckWarn {
			t.Errorf("start times of a plan without them: %+v, want a warning", c)
		}
		s.plan.Secondary = []string{"startup_first_p95"}
		if c := check(s.input(), report.CheckStartTimes); c.State != report.CheckFail {
			t.Errorf("start times of a plan with them: %+v", c)
		}
	})
	t.Run("stale", func(t *testing.T) {
		t.Parallel()
		in := healthy().input()
		for after, want := range map[int]report.CheckState{0: report.CheckOK, 1: report.CheckWarn} {
			in.Now = in.Looks[0].Watermark.Add(report.StaleAfter)
			in.Now = in.Now.Add(time.Duration(after))
			if c := check(in, report.CheckFreshness); c.State != want {
				t.Errorf("%v after: %+v, want %s", report.StaleAfter, c, want)
			}
		}
		in.Experiment.Status = experiment.StatusStopped
		if c := check(in, report.CheckFreshness); c.State != report.CheckOK {
			t.Errorf("a stopped experiment is stale: %+v", c)
		}
	})
}
