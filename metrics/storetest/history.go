package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// testHistory has sessions on both sides of the exposure and of every limit.
func testHistory(t *testing.T, w *world) {
	const day, days = 24 * 60.0, 3
	exposed := 10.0
	from := exposed - days*day
	other := w.launch("other") // in which a session was linked to b
	w.expose(experiment.Exposure{
		Experiment: other.Key, Version: other.Version, Unit: "b", Arm: "control", At: at(exposed - day), Session: "s-linked",
	})
	w.expose(w.exposure("a", "control", exposed), w.exposure("b", "treatment", exposed), w.exposure("busy", "control", exposed))
	w.report(
		session("s-too-old", "a", from-0.001),
		session("s-oldest", "a", from),
		session("s-past", "a", exposed-5),      // over four minutes before
		session("s-just-over", "a", exposed-2), // its last record came a minute before: it may go on
		session("s-goes-on", "a", exposed-0.5), // it does
		session("s-first", "a", exposed),       // in the window
		session("s-linked", "", exposed-60),
		session("s-stranger", "z", exposed-60),
	)
	for i := range metrics.MaxHistorySessions + 6 {
		w.report(session(fmt.Sprintf("s-busy-%03d", i), "busy", exposed-10-float64(i)))
	}
	read := func(ask metrics.Reading) map[string][]string {
		got := map[string][]string{}
		ask.UpTo = at(day * 10)
		w.mustLook(func(tx metrics.LookTx) error {
			return tx.Closed(w.ctx, ask, func(c *metrics.Closed) error {
				for i := range c.Sessions {
					s := &c.Sessions[i]
					if metrics.InHistory(c.ExposedAt, days, s) {
						got[c.Unit] = append(got[c.Unit], s.SessionID)
					}
				}
				return nil
			})
		})
		return got
	}
	for _, window := range metrics.Windows() {
		if got := read(metrics.Reading{Window: window}); len(got) != 0 {
			t.Errorf("%s: the past came unasked: %v", window, got)
		}
		got := read(metrics.Reading{Window: window, HistoryDays: days})
		want := map[string][]string{"a": {"s-oldest", "s-past"}, "b": {"s-linked"}}
		for i := range metrics.MaxHistorySessions {
			want["busy"] = append(want["busy"], fmt.Sprintf("s-busy-%03d", i))
		}
		slices.Sort(got["busy"])
		if len(got["busy"]) > metrics.MaxHistorySessions { // a store may know of more
			got["busy"] = got["busy"][:metrics.MaxHistorySessions]
		}
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(x, y string) bool { return x < y })); diff != "" {
			t.Errorf("%s: the past differs (-want +got):\n%s", window, diff)
		}
	}
}
