//go:build !race

package main

import (
	"testing"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/simulate"
)

// TestDemoTellsTheTruth plays the demo's two weeks through the real endpoints
// and asks the reports for what the simulator knows. It also counts: what the
// world was told is stored is stored, to the unit.
func TestDemoTellsTheTruth(t *testing.T) {
	t.Parallel()
	d := playDemo(t, demoDays)
	checkReplay(t, d)
	checkCounts(t, d)
	truths := map[string]simulate.Truth{}
	for _, truth := range d.driver.World.Truths() {
		truths[truth.Experiment] = truth
	}
	for _, e := range simulate.Document().Experiments {
		r := fetchReport(t, d, e.Key, 0)
		t.Logf("%s: %s: %s", e.Key, r.Verdict.State, r.Verdict.Sentence)
		checkVerdict(t, &r)
		if r.Verdict.State != report.VerdictUntrustworthy {
			checkIntervals(t, &r, truths[e.Key])
		}
	}
	checkSwitched(t, d)
}

// checkSwitched asserts what chat and broadcasters do, which only their switches say.
func checkSwitched(t *testing.T, d *demo) {
	t.Helper()
	on := demoSwitches()
	for _, want := range []struct {
		key, metric string
		lift        float64
	}{
		{simulate.KeyHighlights, simulate.MetricChat, on.Social.Effect},
		{simulate.KeyIngest, "ingest_starvation_ratio", -on.Broadcasts.Effect},
	} {
		r := fetchReport(t, d, want.key, 0)
		t.Logf("%s: %s: %s", want.key, r.Verdict.State, r.Verdict.Sentence)
		if r.Verdict.State != report.VerdictShip {
			t.Errorf("%s: verdict %s: %s", want.key, r.Verdict.State, r.Verdict.Sentence)
		}
		if e := rowOf(t, r.Primary, want.metric).Effect; e == nil || want.lift < e.Lower || want.lift > e.Upper {
			t.Errorf("%s: %s: %+v, want %+.2f within", want.key, want.metric, e, want.lift)
		}
	}
}

// checkVerdict asserts the five truths.
func checkVerdict(t *testing.T, r *report.Report) {
	t.Helper()
	want := map[string]report.VerdictState{
		simulate.KeyFastStart:    report.VerdictShip,
		simulate.KeyAACheck:      report.VerdictKeepRunning,
		simulate.KeyLowLatency:   report.VerdictRollBack,
		simulate.KeyTVAppRewrite: report.VerdictUntrustworthy,
		simulate.KeyABRBuffer:    report.VerdictHold,
	}[r.Head.Key]
	if r.Verdict.State != want {
		t.Errorf("%s: verdict %s, want %s: %s", r.Head.Key, r.Verdict.State, want, r.Verdict.Sentence)
	}
	switch r.Head.Key {
	case simulate.KeyAACheck:
		for _, row := range append(r.Primary, r.Secondary...) {
			if row.State != report.StateUnproven {
				t.Errorf("%s: %s is %s in an A/A test", r.Head.Key, row.Metric.Key, row.State)
			}
		}
	case simulate.KeyLowLatency:
		if s := rowOf(t, r.Guardrails, "stalled_session_rate").State; s != report.StateBreached {
			t.Errorf("%s: stalled_session_rate is %s, want breached", r.Head.Key, s)
		}
	case simulate.KeyTVAppRewrite:
		for _, c := range r.Trust {
			if c.Key == report.CheckBalance && c.State != report.CheckFail {
				t.Errorf("%s: the split of exposed units is %s, want fail", r.Head.Key, c.State)
			}
		}
	case simulate.KeyABRBuffer:
		if s := rowOf(t, r.Primary, "stalled_session_rate").State; s != report.StateBetter {
			t.Errorf("%s: stalled_session_rate is %s, want better on average", r.Head.Key, s)
		}
		harmed := false
		for _, s := range r.Segments.Rows {
			harmed = harmed || s.Dimension == "net_class" && s.Value == simulate.Net3G.String() && s.State == report.StateWorse
		}
		if !harmed {
			t.Errorf("%s: no segment net_class 3g is flagged as harmed", r.Head.Key)
		}
	}
}

// checkIntervals asserts that the intervals hold the simulator's truth. World,
// salts and looks come from the seed, so that a run which passes passes again.
func checkIntervals(t *testing.T, r *report.Report, truth simulate.Truth) {
	t.Helper()
	checked := 0
	for _, rows := range [][]report.Row{r.Guardrails, r.Primary, r.Secondary} {
		for _, row := range rows {
			want, ok := truth.Effect(row.Metric.Key, "")
			if !ok || row.Effect == nil {
				continue
			}
			checked++
			if lift := want.Lift(); lift < row.Effect.Lower || lift > row.Effect.Upper {
				t.Errorf("%s: %s is %+.4f in truth, the report says %+.4f to %+.4f", r.Head.Key, row.Metric.Key, lift, row.Effect.Lower, row.Effect.Upper)
			}
		}
	}
	if checked == 0 {
		t.Errorf("%s: no interval could be compared with the truth", r.Head.Key)
	}
}
