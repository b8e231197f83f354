package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// part returns a part of a broadcast that began minutes after start and was live
// for as long.
func part(stream string, number int64, broadcaster string, minutes float64, liveMs int64) telemetry.Broadcast {
	recv, wait := at(minutes).UnixMilli(), int64(3_000)
	return telemetry.Broadcast{
		StreamID: stream, Part: number, BroadcastIdentity: telemetry.BroadcastIdentity{BroadcasterID: broadcaster},
		FirstRecvMs: recv, Last: telemetry.Mark{Seq: 9, RecvMs: recv + liveMs, MonoMs: wait + liveMs}, StreamStartMs: &wait,
		BroadcastCounters: telemetry.BroadcastCounters{
			LiveMs: liveMs, StarvationMs: liveMs / 100, Measures: `{"scenes":3}`,
			Observed: telemetry.ObservedLive | telemetry.ObservedStarvation,
		},
	}
}

// wantQuantity is what a quantity of an outcome should be.
type wantQuantity struct {
	quantity metrics.Quantity
	value    float64
}

// testBroadcasts has broadcasts before, in and after the window, one of two
// parts of which the first began before the window, and one of which the second
// part began long after.
func testBroadcasts(t *testing.T, w *world) {
	w.exp = w.launchOn("ingest", experiment.UnitBroadcaster, experiment.Plan{
		Primary: []string{"live_hours_per_broadcaster"}, Secondary: []string{"broadcaster_return_d7"},
	})
	w.expose(w.exposure("a", "control", 10), w.exposure("b", "treatment", 10), w.exposure("c", "treatment", 10))
	const hourMs = 3_600_000
	const day = 24 * 60.0
	err := w.s.ReportBroadcasts(w.ctx, []telemetry.Broadcast{
		part("before", 0, "a", 9, hourMs), part("before", 1, "a", 11, hourMs),
		part("first", 0, "a", 10, hourMs), part("first", 1, "a", 2*day, 2*hourMs),
		part("second", 0, "a", 10+day-0.001, hourMs/2),
		part("after", 0, "a", 10+day, 5*hourMs),
		part("stranger", 0, "z", 12, hourMs), part("nobody", 0, "", 12, hourMs),
		part("again", 0, "b", 10+3*day, hourMs),
	})
	if err != nil {
		t.Fatalf("ReportBroadcasts: %v", err)
	}
	audience := session("s", "v", 12)
	audience.BroadcasterID = "a"
	w.report(audience, session("t", "a", 12)) // a viewer of the same name is nobody's audience
	for _, test := range []struct {
		window metrics.Window
		want   map[string][]string
		sums   []wantQuantity // of a
	}{
		{
			metrics.WindowFirst,
			map[string][]string{"a": {"before/0", "before/1", "first/0", "first/1"}, "b": nil, "c": nil},
			[]wantQuantity{{metrics.Streams, 1}, {metrics.TimeToLiveMs, 3_000}, {metrics.LiveMs, 3 * hourMs}, {metrics.Attempts, 1}},
		},
		{
			metrics.WindowDay,
			map[string][]string{"a": {"before/0", "before/1", "first/0", "first/1", "second/0"}, "b": nil, "c": nil},
			[]wantQuantity{{metrics.Streams, 2}, {metrics.LiveMs, 3.5 * hourMs}, {metrics.StarvationMs, 126_000}, {metrics.AudienceMs, 59_000}},
		},
		{
			metrics.WindowReturnD7,
			map[string][]string{"a": {"after/0", "first/0", "first/1"}, "b": {"again/0"}, "c": nil},
			[]wantQuantity{{metrics.StreamedAgain, 1}},
		},
	} {
		got, outcomes := w.broadcasts(test.window)
		if diff := cmp.Diff(test.want, got, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Errorf("%s: broadcasts differ (-want +got):\n%s", test.window, diff)
		}
		for _, sum := range test.sums {
			if got := outcomes["a"][sum.quantity]; got != sum.value {
				t.Errorf("%s: %s of a = %v, want %v", test.window, sum.quantity, got, sum.value)
			}
		}
	}
	if sum := w.runJob(at(20_000)); sum.First != 3 || sum.Day != 3 || sum.Return != 3 {
		t.Errorf("RunOnce = %+v, want 3 outcomes of each window", sum)
	}
	for _, o := range w.outcomes(metrics.WindowDay) {
		if want := map[string]float64{"a": 3.5 * hourMs}[o.Unit]; o.Quantities[metrics.LiveMs] != want || o.Quantities[metrics.LiveUnits] != 1 {
			t.Errorf("stored outcome of %s: live %v ms of %v known, want %v of 1", o.Unit, o.Quantities[metrics.LiveMs], o.Quantities[metrics.LiveUnits], want)
		}
	}
}

// broadcasts returns the parts of broadcasts that each closed window is read
// with, and the quantities of its outcome.
func (w *world) broadcasts(window metrics.Window) (parts map[string][]string, outcomes map[string]metrics.Quantities) {
	parts, outcomes = map[string][]string{}, map[string]metrics.Quantities{}
	w.mustLook(func(tx metrics.LookTx) error {
		return tx.Closed(w.ctx, metrics.Reading{Window: window, UpTo: at(20_000)}, func(c *metrics.Closed) error {
			parts[c.Unit] = nil
			if !c.Broadcaster {
				w.t.Errorf("%s: %s is no broadcaster", window, c.Unit)
			}
			for _, b := range c.Broadcasts {
				parts[c.Unit] = append(parts[c.Unit], fmt.Sprint(b.StreamID, "/", b.Part))
			}
			outcomes[c.Unit] = metrics.Observe(c, window).Quantities
			return nil
		})
	})
	return parts, outcomes
}
