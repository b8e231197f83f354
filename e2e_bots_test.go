//go:build !race

package main

import (
	"testing"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/simulate"
)

// Programs are counted to the unit, alike in both arms, and the effect without
// them is that of the same people in a world without programs.
func TestBotsAreFoundAndSetAside(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	key := simulate.AAKey(0)
	play := func(bots simulate.Bots) *worldRun {
		w := newWorldRun(t, simulate.Options{Seed: 12, Viewers: 8_000, Switches: simulate.Switches{Bots: bots}})
		w.play(0, day) // the past, in which idlers give themselves away
		w.apply(simulate.ManyAA(1, 5_000))
		w.play(day, 3*day)
		return w
	}
	w := play(simulate.Bots{Monitors: 40, Farms: 40, Idlers: 40})

	got, units := w.health(key), w.units(key, dayCloses)
	bots := int64(0)
	for arm := range units {
		want := metrics.Health{Days: int64(len(units[arm]))}
		for _, u := range units[arm] {
			want.Suspected += flag(u.Bot)
		}
		bots += want.Suspected
		if h := got[arm].Health; h.Days != want.Days || h.Suspected != want.Suspected {
			t.Errorf("arm %d: %d of %d units are suspected, in truth %d of %d", arm, h.Suspected, h.Days, want.Suspected, want.Days)
		}
	}
	if bots != 120 {
		t.Errorf("%d programs, want all 120", bots)
	}
	r := w.report(key, 0)
	if c := checkOf(t, &r, report.CheckPrograms); c.State != report.CheckOK {
		t.Errorf("programs: %s: %s; %s", c.State, c.Statistic, c.Detail)
	}
	honest := play(simulate.Bots{})
	clean := honest.report(key, 0)
	const metric, without = "watch_hours_per_viewer", "without suspected programs"
	row, truth := rowOf(t, r.Primary, metric), rowOf(t, clean.Primary, metric)
	if row.Effect == nil || truth.Effect == nil {
		t.Fatalf("no effect: %+v; among people alone: %+v", row.Refusal, truth.Refusal)
	}
	people := variantOf(t, &r, metric, without)
	past := variantOf(t, &clean, metric, "without the units' own past")
	if people.Text != past.Text || people.Text == "" {
		t.Errorf("without programs %s, in a world without them %s", people.Text, past.Text)
	}
	if truth.Effect.Estimate == row.Effect.Estimate {
		t.Errorf("the programs changed nothing: %+v", row.Effect)
	}
}

// variantOf returns another way to make the number of a metric.
func variantOf(t *testing.T, r *report.Report, metric, name string) report.Variant {
	t.Helper()
	for _, x := range r.Robustness {
		for _, v := range x.Variants {
			if x.MetricKey == metric && v.Name == name {
				return v
			}
		}
	}
	t.Fatalf("%s has no variant %q: %+v", metric, name, r.Robustness)
	return report.Variant{}
}
