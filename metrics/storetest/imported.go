package storetest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/metrics"
)

// imported returns an outcome from elsewhere with some watch time.
func imported(unit string, arm int, watchMs float64) metrics.Outcome {
	o := metrics.Outcome{Unit: unit, Arm: arm, ExposedAt: at(-10_000)}
	o.Quantities[metrics.Units], o.Quantities[metrics.WatchUnits] = 1, 1
	o.Quantities[metrics.WatchMs], o.Quantities[metrics.WatchMsUncapped] = watchMs, watchMs
	o.Custom = []metrics.CustomValue{{Name: "event:tip", Value: watchMs}}
	o.Covariates = metrics.Covariates{Known: true, History: true}
	o.Covariates.Quantities[metrics.WatchMs] = 2 * watchMs
	return o
}

// testImported imports beside live units: each is counted once, by whichever look
// follows, and an imported unit has no window of its own.
func testImported(t *testing.T, w *world) {
	bring := func(minutes float64, outcomes ...metrics.Outcome) {
		t.Helper()
		if err := w.s.Import(w.ctx, &w.exp, at(minutes), metrics.WindowDay, outcomes); err != nil {
			t.Fatalf("Import: %v", err)
		}
	}
	bring(1, imported("b", 1, 5), imported("a", 0, 7))
	bring(2, imported("c", 0, 9), imported("a", 0, 7)) // a is repeated
	read := func(after, upTo float64) (units []string) {
		t.Helper()
		w.mustLook(func(tx metrics.LookTx) error {
			ask := metrics.Reading{Window: metrics.WindowDay, After: at(after), UpTo: at(upTo)}
			return tx.Imported(w.ctx, ask, func(o *metrics.Outcome) error {
				units = append(units, o.Unit)
				return nil
			})
		})
		return units
	}
	for _, test := range []struct {
		after, upTo float64
		want        []string
	}{{-1, 1, []string{"a", "b"}}, {1, 2, []string{"c"}}, {2, 100, nil}, {-1, 100, []string{"a", "b", "c"}}} {
		if diff := cmp.Diff(test.want, read(test.after, test.upTo)); diff != "" {
			t.Errorf("imported in (%v, %v] (-want +got):\n%s", test.after, test.upTo, diff)
		}
	}
	if sum := w.runJob(at(10)); sum.Looks != 1 || sum.Day != 3 {
		t.Errorf("the first look = %+v, want 3 outcomes of the day", sum)
	}
	for _, o := range w.outcomes(metrics.WindowDay) {
		want := imported(o.Unit, o.Arm, o.Quantities[metrics.WatchMs])
		if !slices.Equal(o.Custom, want.Custom) || o.Covariates != want.Covariates {
			t.Errorf("outcome of %s has %+v and the past %+v, want %+v and %+v", o.Unit, o.Custom, o.Covariates, want.Custom, want.Covariates)
		}
	}
	bring(11, imported("d", 1, 1))
	if sum := w.runJob(at(20)); sum.Day != 1 {
		t.Errorf("the second look = %+v, want 1 outcome of the day", sum)
	}
	w.mustLook(func(tx metrics.LookTx) error {
		last, _, err := tx.Last(w.ctx)
		if err != nil {
			return err
		}
		if c, x := last.Arms[0], last.Arms[1]; c.Exposed != 2 || x.Exposed != 2 || c.Imported != 2 || x.Imported != 2 {
			t.Errorf("arms = %+v, want 2 units in each, all imported", last.Arms)
		}
		return nil
	})
	// Not even days later does an imported unit have another outcome.
	if sum := w.runJob(at(100_000)); sum.Looks != 0 {
		t.Errorf("the job days later = %+v, want no look", sum)
	}
}
