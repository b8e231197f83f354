//go:build !race

package main

import (
	"testing"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/simulate"
)

// firstCloses and dayCloses are when windows close after an exposure.
const (
	firstCloses = metrics.FirstSpan + metrics.FirstGrace
	dayCloses   = metrics.DaySpan + metrics.DayGrace
)

// Where a reporter loses telemetry, the report counts the units at each stage as
// they arrived, to the unit, and fails the arm that loses more.
func TestLossByStageIsSeen(t *testing.T) {
	t.Parallel()
	on := simulate.Switches{CMCD: simulate.CMCDNever, Loss: [2]simulate.Loss{
		{Exposures: 0.05, Sessions: 0.05, AfterStart: 0.05, AfterFrame: 0.06, First: 0.05},
		{Exposures: 0.1, Sessions: 0.1, AfterStart: 0.1, AfterFrame: 0.2, First: 0.1},
	}}
	w := newWorldRun(t, simulate.Options{Seed: 11, Viewers: 12_000, Switches: on})
	w.apply(on.Document())
	w.play(0, 2*24*time.Hour)

	got := w.health(simulate.KeyReporter)
	lost := w.lost()
	for arm, units := range w.units(simulate.KeyReporter, firstCloses) {
		var want metrics.Health
		for _, u := range units {
			want.Closed++
			want.Attempted += flag(u.Told >= simulate.Attempted)
			want.Started += flag(u.Told >= simulate.Started)
			want.Reported += flag(u.Told >= simulate.Reported)
		}
		h := got[arm].Health
		if have := (metrics.Health{Closed: h.Closed, Attempted: h.Attempted, Started: h.Started, Reported: h.Reported}); have != want {
			t.Errorf("arm %d: the report has %+v, what arrived is %+v", arm, have, want)
		}
		t.Logf("arm %d: %+v, lost %v", arm, want, lost[arm])
		if lost[arm][simulate.Exposed] == 0 || want.Closed-want.Attempted == 0 {
			t.Errorf("arm %d lost nothing", arm)
		}
	}
	for arm, counts := range w.counts(simulate.KeyReporter) {
		if want := int64(w.exposed(arm)); counts.Exposed != want {
			t.Errorf("arm %d: %d units exposed, %d exposures arrived", arm, counts.Exposed, want)
		}
	}
	r := w.report(simulate.KeyReporter, 0)
	if c := checkOf(t, &r, report.CheckStages); c.State != report.CheckFail {
		t.Errorf("stages: %s: %s", c.State, c.Statistic)
	}
	if r.Verdict.State != report.VerdictUntrustworthy {
		t.Errorf("verdict %s: %s", r.Verdict.State, r.Verdict.Sentence)
	}
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// lost counts the units by arm and by the stage that they reached and that never
// became known; of those whose exposure is lost, the exposure.
func (w *worldRun) lost() (out [2]map[simulate.Stage]int) {
	for arm := range out {
		out[arm] = map[simulate.Stage]int{}
	}
	for _, u := range w.ledger.Units(simulate.KeyReporter, w.settled) {
		switch arm := armIndex(u.Arm); {
		case !u.Exposed:
			out[arm][simulate.Exposed]++
		case u.Told < u.Reached:
			out[arm][u.Told+1]++
		}
	}
	return out
}

// exposed counts the units of an arm whose exposure arrived.
func (w *worldRun) exposed(arm int) (n int) {
	for _, u := range w.ledger.Units(simulate.KeyReporter, w.settled) {
		n += int(flag(u.Exposed && armIndex(u.Arm) == arm))
	}
	return n
}

// A reporter that dies in the sessions that stall makes them look rarer. The report
// must not call that a win: it says that telemetry is missing in one arm.
func TestLosingTheWorstSessionsIsNoWin(t *testing.T) {
	t.Parallel()
	on := simulate.Switches{CMCD: simulate.CMCDNever, Loss: [2]simulate.Loss{{}, {WorstSessions: 1}}}
	w := newWorldRun(t, simulate.Options{Seed: 18, Viewers: 12_000, Switches: on})
	w.apply(on.Document())
	w.play(0, 3*24*time.Hour)
	r := w.report(simulate.KeyReporter, 0)
	row := rowOf(t, r.Secondary, "stalled_session_rate")
	if row.Control.Value == nil || row.Treatment.Value == nil || *row.Treatment.Value > 0.2**row.Control.Value {
		t.Errorf("stalls are %s and %s, want hardly any told in treatment", row.Control.Text, row.Treatment.Text)
	}
	if r.Verdict.State != report.VerdictUntrustworthy {
		t.Errorf("verdict %s: %s", r.Verdict.State, r.Verdict.Sentence)
	}
	for _, c := range r.Trust {
		t.Logf("%s: %s: %s", c.Key, c.State, c.Statistic)
	}
	if c := checkOf(t, &r, report.CheckCoverage); c.State != report.CheckFail {
		t.Errorf("coverage: %s: %s", c.State, c.Statistic)
	}
}
