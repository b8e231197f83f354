package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

func testClosedRange(t *testing.T, w *world) {
	w.expose(
		w.exposure("d", "control", 1), w.exposure("a", "treatment", 1), w.exposure("c", "control", 2),
		w.exposure("b", "control", 3),
	)
	a := seen{Unit: "a", Arm: 1, Exposed: 1, Closes: 1 + firstCloses}
	b := seen{Unit: "b", Exposed: 3, Closes: 3 + firstCloses}
	c := seen{Unit: "c", Exposed: 2, Closes: 2 + firstCloses}
	d := seen{Unit: "d", Exposed: 1, Closes: 1 + firstCloses}
	var beginning time.Time
	for _, test := range []struct {
		name        string
		after, upTo time.Time
		want        []seen
	}{
		{"from the beginning", beginning, at(100), []seen{a, d, c, b}},
		{"upper end included", beginning, at(2 + firstCloses), []seen{a, d, c}},
		{"a millisecond before", beginning, at(2 + firstCloses).Add(-time.Millisecond), []seen{a, d}},
		{"lower end excluded", at(1 + firstCloses), at(3 + firstCloses), []seen{c, b}},
		{"nothing", at(3 + firstCloses), at(100), nil},
	} {
		if diff := cmp.Diff(test.want, w.closed(metrics.WindowFirst, test.after, test.upTo)); diff != "" {
			t.Errorf("%s: Closed differs (-want +got):\n%s", test.name, diff)
		}
	}
	day := float64((metrics.DaySpan + metrics.DayGrace) / time.Minute)
	if got := w.closed(metrics.WindowDay, beginning, at(2+day)); len(got) != 3 {
		t.Errorf("Closed(day) returned %d units, want 3: %v", len(got), got)
	}
}

func testLateRecording(t *testing.T, w *world) {
	const late = 45.0 // minutes: after the span of the first window, within that of the day
	w.exposeAt(at(late), w.exposure("a", "control", 1))
	grace := metrics.FirstGrace.Minutes()
	want := []seen{{Unit: "a", Exposed: 1, Closes: late + grace}}
	if diff := cmp.Diff(want, w.closed(metrics.WindowFirst, time.Time{}, at(5_000))); diff != "" {
		t.Errorf("Closed(first) differs (-want +got):\n%s", diff)
	}
	want[0].Closes = late + (metrics.DaySpan + metrics.DayGrace - metrics.FirstSpan).Minutes()
	if diff := cmp.Diff(want, w.closed(metrics.WindowDay, time.Time{}, at(5_000))); diff != "" {
		t.Errorf("Closed(day) differs (-want +got):\n%s", diff)
	}
}

func testEarliest(t *testing.T, w *world) {
	w.expose(w.exposure("a", "control", 5))
	w.expose(w.exposure("a", "control", 5)) // a replay
	w.exposeAt(at(7), w.exposure("a", "control", 6))
	w.exposeAt(at(8), w.exposure("a", "control", 4)) // arrives later, happened earlier
	want := []seen{{Unit: "a", Exposed: 4, Closes: 4 + firstCloses}}
	if diff := cmp.Diff(want, w.closed(metrics.WindowFirst, time.Time{}, at(100))); diff != "" {
		t.Errorf("Closed differs (-want +got):\n%s", diff)
	}
}

func testMarked(t *testing.T, w *world) {
	forced := w.exposure("forced", "treatment", 1)
	forced.Override = true
	w.expose(w.exposure("a", "control", 1), w.exposure("crossed", "control", 1), forced)
	w.expose(w.exposure("crossed", "treatment", 2))
	want := []seen{
		{Unit: "a", Exposed: 1, Closes: 1 + firstCloses},
		{Unit: "crossed", Exposed: 1, Closes: 1 + firstCloses, Crossed: true},
		{Unit: "forced", Arm: 1, Exposed: 1, Closes: 1 + firstCloses, Override: true},
	}
	if diff := cmp.Diff(want, w.closed(metrics.WindowFirst, time.Time{}, at(100))); diff != "" {
		t.Errorf("Closed differs (-want +got):\n%s", diff)
	}
	w.mustLook(func(tx metrics.LookTx) error {
		got, err := tx.Counts(w.ctx, at(100))
		if err != nil {
			return err
		}
		wantCounts := []metrics.ArmCounts{{Arm: 0, Exposed: 1, Crossed: 1}, {Arm: 1, Overridden: 1}}
		if diff := cmp.Diff(wantCounts, got); diff != "" {
			t.Errorf("Counts differ (-want +got):\n%s", diff)
		}
		return nil
	})
}

func testJoin(t *testing.T, w *world) {
	linked := w.exposure("b", "treatment", 10)
	linked.Session = "s-linked"
	w.expose(w.exposure("a", "control", 10), linked)
	w.report(
		session("s-before", "a", 9),
		session("s-first", "a", 10), // in the millisecond of the exposure
		session("s-second", "a", 20),
		session("s-last", "a", 10+metrics.FirstSpan.Minutes()-0.001),
		session("s-after", "a", 10+metrics.FirstSpan.Minutes()),
		session("s-linked", "", 11), // a player that cannot carry the viewer's id
		session("s-stranger", "z", 12),
	)
	bySession := cmpopts.SortSlices(func(x, y string) bool { return x < y })
	want := []seen{
		{Unit: "a", Exposed: 10, Closes: 10 + firstCloses, Sessions: []string{"s-first", "s-last", "s-second"}},
		{Unit: "b", Arm: 1, Exposed: 10, Closes: 10 + firstCloses, Sessions: []string{"s-linked"}},
	}
	if diff := cmp.Diff(want, w.closed(metrics.WindowFirst, time.Time{}, at(100)), bySession); diff != "" {
		t.Errorf("Closed(first) differs (-want +got):\n%s", diff)
	}
	day := w.closed(metrics.WindowDay, time.Time{}, at(5_000))
	if len(day) != 2 || len(day[0].Sessions) != 4 {
		t.Errorf("Closed(day) = %v, want 4 sessions of a and 1 of b", day)
	}
}

// testReturnWindows has a unit that comes back on the second day, one on the
// eighth, one at the wrong times, and one whose exposure was recorded late.
func testReturnWindows(t *testing.T, w *world) {
	const day = 24 * 60.0
	linked := w.exposure("linked", "treatment", 0)
	linked.Session = "s-linked"
	w.expose(w.exposure("second", "control", 0), w.exposure("eighth", "control", 0), w.exposure("wrong", "control", 0), linked)
	const late = 3 * day
	w.exposeAt(at(late), w.exposure("late", "treatment", 0))
	idle := session("s-idle", "wrong", 1.5*day)
	idle.PlayRequested, idle.Started, idle.FirstFrameMs = false, false, nil
	w.report(
		session("s-second", "second", day), session("s-second-again", "second", 1.2*day),
		session("s-eighth", "eighth", 8*day-0.001),
		session("s-day", "wrong", day-0.001), session("s-ninth", "wrong", 8*day), idle,
		session("s-linked", "", 1.9*day),
		session("s-late", "late", 1.1*day),
	)
	grace := metrics.DayGrace.Minutes()
	for _, test := range []struct {
		window   metrics.Window
		closes   float64 // of the units that were recorded in time
		returned []string
	}{
		{metrics.WindowReturnD1, 2*day + grace, []string{"linked", "second", "late"}},
		{metrics.WindowReturnD7, 8*day + grace, []string{"eighth", "linked", "second", "late"}},
	} {
		var beginning time.Time
		if got := w.closed(test.window, beginning, at(test.closes).Add(-time.Millisecond)); len(got) != 0 {
			t.Errorf("%s: %d units before any has closed", test.window, len(got))
		}
		lateCloses := late - metrics.FirstSpan.Minutes() + test.closes
		var returned []string
		var closes []float64
		w.mustLook(func(tx metrics.LookTx) error {
			return tx.Closed(w.ctx, metrics.Reading{Window: test.window, UpTo: at(lateCloses)}, func(c *metrics.Closed) error {
				o := metrics.Observe(c, test.window)
				closes = append(closes, o.ClosesAt.Sub(start).Minutes())
				if o.Quantities[metrics.Returned] == 1 {
					returned = append(returned, o.Unit)
				}
				return nil
			})
		})
		if diff := cmp.Diff(test.returned, returned); diff != "" {
			t.Errorf("%s: who returned differs (-want +got):\n%s", test.window, diff)
		}
		want := []float64{test.closes, test.closes, test.closes, test.closes, lateCloses}
		if diff := cmp.Diff(want, closes); diff != "" {
			t.Errorf("%s: moments of closing differ (-want +got):\n%s", test.window, diff)
		}
		if got := w.closed(test.window, at(test.closes), at(lateCloses)); len(got) != 1 || got[0].Unit != "late" {
			t.Errorf("%s: after the first have closed there is %v, want late alone", test.window, got)
		}
	}
}

func testAttributes(t *testing.T, w *world) {
	x := w.exposure("a", "control", 1)
	x.Attributes = map[string]string{"country": "DE", "net_class": "3g", "plan": "free"}
	w.expose(x)
	w.report(session("s", "a", 2))
	w.mustLook(func(tx metrics.LookTx) error {
		return tx.Closed(w.ctx, metrics.Reading{Window: metrics.WindowFirst, UpTo: at(100)}, func(c *metrics.Closed) error {
			for key, want := range x.Attributes {
				if c.Dims[key] != want {
					t.Errorf("Dims[%s] = %q, want %q", key, c.Dims[key], want)
				}
			}
			o := metrics.Observe(c, metrics.WindowFirst)
			if o.Quantities[metrics.StartupMs] != 500 || o.Quantities[metrics.QuickStarts] != 1 {
				t.Errorf("Observe: startup %v ms, %v quick starts; want 500 and 1",
					o.Quantities[metrics.StartupMs], o.Quantities[metrics.QuickStarts])
			}
			return nil
		})
	})
}

func testVersions(t *testing.T, w *world) {
	other := w.launch("other")
	w.expose(w.exposure("a", "control", 1))
	w.expose(experiment.Exposure{Experiment: other.Key, Version: other.Version, Unit: "b", Arm: "control", At: at(1)})
	got := w.closed(metrics.WindowFirst, time.Time{}, at(100))
	if len(got) != 1 || got[0].Unit != "a" {
		t.Errorf("Closed = %v, want unit a alone", got)
	}
}

// testStallEnds has a session that was left 10 s after a stall, one that was
// silent for long when the window closed, and one that was not.
func testStallEnds(t *testing.T, w *world) {
	w.expose(w.exposure("a", "control", 1))
	stalled := func(id string, minutes float64, sinceMs int64, late telemetry.Measures) telemetry.Session {
		s := session(id, "a", minutes)
		s.SinceStallMs, s.LatencyMinutes.Measures = sinceMs, late
		s.Observed |= telemetry.ObservedSinceStall | telemetry.ObservedLatencyMinutes
		return s
	}
	left := stalled("left", 2, 10_000, `{"3000":40,"4000":1}`)
	left.Ended, left.EndReason = true, telemetry.EndUser
	goesOn := stalled("goes on", 60, 10_000, `{"3000":20}`)
	const day = 24 * 60.0
	goesOn.Last.RecvMs = at(1 + day + metrics.DayGrace.Minutes()).UnixMilli()
	w.report(left, stalled("silent", 30, 40_000, `{"12000":3}`), goesOn)
	w.mustLook(func(tx metrics.LookTx) error {
		return tx.Closed(w.ctx, metrics.Reading{Window: metrics.WindowDay, UpTo: at(2 * day)}, func(c *metrics.Closed) error {
			q := metrics.Observe(c, metrics.WindowDay).Quantities
			for _, want := range []wantQuantity{
				{metrics.StalledSessions, 3},
				{metrics.StalledEnds, 2},
				{metrics.StallExits, 1},
				{metrics.LatencyUnits, 1},
				{metrics.LatencyP95Ms, 4_000}, // 61 of 64 minutes
			} {
				if got := q[want.quantity]; got != want.value {
					t.Errorf("%s = %v, want %v", want.quantity, got, want.value)
				}
			}
			return nil
		})
	})
}
