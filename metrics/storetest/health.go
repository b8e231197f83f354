package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// minutes of the day window and its grace.
const dayCloses = float64((metrics.DaySpan + metrics.DayGrace) / time.Minute)

// beat moves the last record of a session: made and received minutes after start, by
// the client's clock, which is an hour fast, or by the monotonic one alone.
func beat(s telemetry.Session, made, received float64, clock bool) telemetry.Session {
	const fast = time.Hour
	s.Last = telemetry.Mark{Seq: 99, RecvMs: at(received).UnixMilli(), MonoMs: at(made).UnixMilli() - s.First.RecvMs}
	if clock {
		offset := -fast.Milliseconds()
		s.ClockOffsetMs = &offset
		s.Last.ClientTsMs = at(made).Add(fast).UnixMilli()
		s.Last.MonoMs = 0 // not to be looked at
	}
	return s
}

func testAftermath(t *testing.T, w *world) {
	forced := w.exposure("forced", "control", 0)
	forced.Override = true
	linked := w.exposure("linked", "control", 0) // its player does not name it
	linked.Session = "s-linked"
	w.expose(
		w.exposure("well", "control", 0), w.exposure("late", "control", 0), w.exposure("late-clock", "treatment", 0),
		w.exposure("on", "treatment", 0), w.exposure("on-clock", "treatment", 0), w.exposure("silent", "treatment", 0),
		w.exposure("next", "control", 10), w.exposure("crossed", "control", 0), forced, linked,
	)
	w.expose(w.exposure("crossed", "treatment", 1))
	w.report(
		session("s-well", "well", 1), session("s-well-2", "well", 2),
		beat(session("s-late", "late", 1), dayCloses-1, dayCloses+1, false), session("s-late-2", "late", 2),
		beat(session("s-late-clock", "late-clock", 1), dayCloses-1, dayCloses+600, true),
		beat(session("s-on", "on", 1), dayCloses+1, dayCloses+1, false),
		beat(session("s-on-clock", "on-clock", 1), dayCloses+1, dayCloses+2, true),
		beat(session("s-next", "next", 11), dayCloses+9, dayCloses+11, false),
		beat(session("s-crossed", "crossed", 1), dayCloses-1, dayCloses+1, false),
		beat(session("s-forced", "forced", 1), dayCloses-1, dayCloses+1, false),
		session("s-outside", "silent", dayCloses),
		beat(session("s-linked", "", 1), dayCloses-1, dayCloses+1, false),
	)
	late := func(e Event, received float64) Event {
		e.RecvMs = at(received).UnixMilli()
		return e
	}
	w.happen(
		event("silent", "tip", "in time", 1), late(event("silent", "tip", "at last", 2), dayCloses), // settles without a session
		late(event("well", "tip", "late", 1_439), dayCloses+1),
		late(event("late", "tip", "late", 2), dayCloses+60),      // as its sessions are
		late(event("on", "other", "late", 2), dayCloses+60),      // nobody asks for it
		late(event("on", "tip", "outside", 1_440), dayCloses+60), // not of the day
		late(event("next", "tip", "before", 9), dayCloses+60),    // before its exposure
		late(event("crossed", "tip", "late", 2), dayCloses+60),   // in no outcome
		late(event("somebody", "tip", "late", 2), dayCloses+60),  // not exposed
	)
	for _, test := range []struct {
		name        string
		after, upTo time.Time
		want        []metrics.Aftermath
		events      []string
	}{
		{"all", time.Time{}, at(dayCloses + 10), []metrics.Aftermath{{Awaited: 4, Settled: 4, Late: 3}, {Awaited: 4, Settled: 3, Late: 1}}, nil},
		{"with events", time.Time{}, at(dayCloses + 10), []metrics.Aftermath{{Awaited: 4, Settled: 4, Late: 4}, {Awaited: 4, Settled: 4, Late: 1}}, []string{"follow", "tip"}},
		{"of the first minute", time.Time{}, at(dayCloses), []metrics.Aftermath{{Awaited: 3, Settled: 3, Late: 2}, {Awaited: 4, Settled: 3, Late: 1}}, nil},
		{"of the rest", at(dayCloses), at(dayCloses + 10), []metrics.Aftermath{{Awaited: 1, Settled: 1, Late: 1}, {}}, nil},
		{"none", at(dayCloses + 10), at(dayCloses + 20), []metrics.Aftermath{{}, {}}, nil},
	} {
		w.mustLook(func(tx metrics.LookTx) error {
			got, err := tx.Aftermath(w.ctx, test.after, test.upTo, test.events)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: Aftermath differs (-want +got):\n%s", test.name, diff)
			}
			return nil
		})
	}
}

// testSuspected runs the job over people and a program, and reads the cells and the
// health of the arms.
func testSuspected(t *testing.T, w *world) {
	program := w.exposure("program", "treatment", 0)
	program.Attributes = map[string]string{"user_agent": "ExampleBot/1.0"}
	w.expose(w.exposure("ann", "control", 0), w.exposure("ben", "treatment", 0), program, w.exposure("dia", "control", 0))
	failed := session("s-ben", "ben", 1)
	failed.Started, failed.FirstFrameMs, failed.PlayMs, failed.StallMs = false, nil, 0, 0
	w.report(session("s-ann", "ann", 1), failed, session("s-program", "program", 1))
	w.runJob(at(dayCloses + 1))
	w.expose(w.exposure("eve", "control", dayCloses+2))
	w.report(session("s-eve", "eve", dayCloses+3))
	w.runJob(at(2*dayCloses + 3)) // eve's day closes, and the others have settled
	w.mustLook(func(tx metrics.LookTx) error {
		last, _, err := tx.Last(w.ctx)
		if err != nil {
			return err
		}
		want := []metrics.Health{
			{Closed: 3, Attempted: 2, Started: 2, Reported: 2, Days: 3, Aftermath: metrics.Aftermath{Awaited: 2, Settled: 1}},
			{Closed: 2, Attempted: 2, Started: 1, Reported: 1, Days: 2, Suspected: 1, Aftermath: metrics.Aftermath{Awaited: 2, Settled: 2}},
		}
		for arm, health := range want {
			if diff := cmp.Diff(health, last.Arms[arm].Health); diff != "" {
				t.Errorf("health of arm %d differs (-want +got):\n%s", arm, diff)
			}
		}
		units := map[int]int64{}
		for i := range last.Cells {
			if c := &last.Cells[i]; c.IsSuspected() && c.Metric == metrics.CoverageKey {
				units[c.Arm] = c.Pair.N
			}
		}
		if diff := cmp.Diff(map[int]int64{1: 1}, units); diff != "" {
			t.Errorf("suspected units by arm differ (-want +got):\n%s", diff)
		}
		return nil
	})
}

// testLastAftermath ends with a look that adds no unit: what came late of the last
// units is counted a day after their outcomes were fixed, once.
func testLastAftermath(t *testing.T, w *world) {
	w.exp = w.launchOn("ends", experiment.UnitViewer, experiment.Plan{
		Primary: []string{"start_success"}, Secondary: []string{"watch_hours_per_viewer"}, // nobody is waited for to return
	})
	w.expose(w.exposure("ann", "control", 0), w.exposure("ben", "treatment", 5), w.exposure("cat", "treatment", 5), w.exposure("dia", "control", 5))
	w.report(session("s-ann", "ann", 1), session("s-ben", "ben", 6))
	const fixed = dayCloses + 6 // the last look that adds units
	if sum := w.runJob(at(fixed)); sum.Looks != 1 || sum.Day != 4 {
		t.Fatalf("RunOnce when all days have closed = %+v, want a look with 4 of them", sum)
	}
	before := w.newest()
	w.report(beat(session("s-ben-2", "ben", 7), dayCloses, fixed+60, false), beat(session("s-cat", "cat", 7), dayCloses, fixed+61, false))
	late := metrics.LateSpan.Minutes()
	for _, minutes := range []float64{fixed + 1, fixed + late - 1} {
		if sum := w.runJob(at(minutes)); sum.Looks != 0 {
			t.Errorf("RunOnce before the units have settled = %+v, want no look", sum)
		}
	}
	if sum := w.runJob(at(fixed + late)); sum.Looks != 1 || sum.First+sum.Day+sum.Return != 0 {
		t.Errorf("RunOnce when the units have settled = %+v, want a look without outcomes", sum)
	}
	for _, minutes := range []float64{fixed + late + 1, fixed + 2*late, fixed + 20*late} {
		if sum := w.runJob(at(minutes)); sum.Looks != 0 {
			t.Errorf("RunOnce after that = %+v, want no look", sum)
		}
	}
	last := w.newest()
	for arm, want := range []metrics.Aftermath{{Awaited: 2, Settled: 1}, {Awaited: 2, Settled: 2, Late: 2}} {
		if diff := cmp.Diff(want, last.Arms[arm].Health.Aftermath); diff != "" {
			t.Errorf("aftermath of arm %d differs (-want +got):\n%s", arm, diff)
		}
		if got, want := last.Arms[arm].Health.Days, before.Arms[arm].Health.Days; got != want {
			t.Errorf("arm %d has %d days, want %d as before", arm, got, want)
		}
	}
	if watched(&last) != watched(&before) {
		t.Errorf("watched %v ms, want %v as before", watched(&last), watched(&before))
	}
}

// testSuspectsApart leaves programs out of every window: one by its name, and one by
// the screens that it had at once before the exposure. Who has as many after it stays:
// that may be the arm's doing.
func testSuspectsApart(t *testing.T, w *world) {
	w.exp = w.launchOn("apart", experiment.UnitViewer, experiment.Plan{
		Primary: []string{"start_success"}, Secondary: []string{"watch_hours_per_viewer", "return_d1"},
		Suspects: experiment.SuspectsExclude, Covariates: experiment.CovariatesOff,
	})
	named := w.exposure("named", "treatment", 0)
	named.Attributes = map[string]string{"user_agent": "ExampleBot/1.0"}
	w.expose(named, w.exposure("screens", "treatment", 0), w.exposure("after", "treatment", 0), w.exposure("ann", "control", 0))
	for i := range metrics.MaxConcurrentSessions + 1 {
		w.report(session(fmt.Sprintf("s-before-%d", i), "screens", -500), session(fmt.Sprintf("s-after-%d", i), "after", 1))
	}
	for _, unit := range []string{"named", "screens", "ann"} {
		w.report(session("s-"+unit, unit, 1))
	}
	w.runJob(at(dayCloses + 1))
	w.runJob(at(2*dayCloses + 1))
	for _, window := range []metrics.Window{metrics.WindowFirst, metrics.WindowDay, metrics.WindowReturnD1} {
		got := map[string]bool{}
		for _, o := range w.outcomes(window) {
			got[o.Unit] = o.Suspected
		}
		if diff := cmp.Diff(map[string]bool{"named": true, "screens": true, "after": false, "ann": false}, got); diff != "" {
			t.Errorf("suspected in window %s differ (-want +got):\n%s", window, diff)
		}
	}
	last := w.newest()
	for i := range last.Cells {
		c := &last.Cells[i]
		want := int64(1)
		if c.IsSuspected() {
			want = int64(2 * c.Arm) // both in treatment
		}
		if !c.Uncapped && c.Metric != metrics.StartTimeKnownKey && (c.IsTotal() || c.IsSuspected()) && c.Pair.N != want {
			t.Errorf("cell %s %q of arm %d holds %d units, want %d", c.Metric, c.Value, c.Arm, c.Pair.N, want)
		}
	}
	if h := last.Arms[1].Health; h.Days != 3 || h.Suspected != 2 {
		t.Errorf("health of treatment = %+v, want 2 suspected of 3", h)
	}
}
