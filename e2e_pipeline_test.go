//go:build !race

package main

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/simulate"
	"github.com/splitcast/splitcast/stats"
)

// pipelineUnits is what these experiments plan, and those on clicks have: the
// smallest plan that there is.
const pipelineUnits = experiment.MinPlannedUnits

// TestPipelineAA runs experiments without a difference through the whole of the
// product: many over the same viewers, each with a salt of its own, looked at
// again and again while windows close. The short version has few; `make calibrate`
// runs the long one, which also compares the power with what the planner says.
func TestPipelineAA(t *testing.T) {
	t.Parallel()
	n, viewers, days := 24, 12_000, 3
	if fullPipeline() {
		n, viewers, days = 200, 20_000, 5
	}
	w := newWorldRun(t, simulate.Options{Seed: 16, Viewers: viewers})
	w.driver.Ledger = nil // the truth is that there is none
	w.driver.JobEvery = 12 * time.Hour
	w.apply(simulate.ManyAA(n, pipelineUnits))
	w.play(0, time.Duration(days)*24*time.Hour)

	alarms, split, looks := map[string]int{}, 0, 0
	for i := range n {
		found, broken := w.alarms(simulate.AAKey(i))
		looks += broken.looks
		split += int(flag(broken.split))
		for metric := range found {
			alarms[metric]++
		}
	}
	t.Logf("%d experiments, %d looks, alarms at any look by metric: %v; splits called broken: %d", n, looks, alarms, split)
	most := wrongAtMost(n, 0.05)
	for metric, count := range alarms {
		if count > most {
			t.Errorf("%s: %d of %d experiments without a difference raised an alarm, want at most %d", metric, count, n, most)
		}
	}
	if split > wrongAtMost(n, 0.001) {
		t.Errorf("%d of %d splits were called broken", split, n)
	}
	if looks < 3*n {
		t.Errorf("only %d looks at %d experiments", looks, n)
	}
}

// fullPipeline tells whether there is time for many experiments.
func fullPipeline() bool { return os.Getenv("SPLITCAST_CALIBRATE") == "full" }

// wrongAtMost is how many of n experiments may err that do so with probability p:
// two standard errors above the mean.
func wrongAtMost(n int, p float64) int {
	mean := float64(n) * p
	return int(math.Floor(mean + 2*math.Sqrt(mean*(1-p))))
}

// checked is what became of an experiment's looks beside its metrics.
type checked struct {
	looks int
	split bool // the split of its units was called broken
}

// alarms returns the metrics of an experiment that were at any look said to have
// changed.
func (w *worldRun) alarms(key string) (map[string]bool, checked) {
	w.t.Helper()
	found, c := map[string]bool{}, checked{}
	newest := w.report(key, 0)
	c.looks = newest.Head.Look
	for look := 1; look <= c.looks; look++ {
		r := newest
		if look < c.looks {
			r = w.report(key, look)
		}
		for _, rows := range [][]report.Row{r.Primary, r.Secondary} {
			for i := range rows {
				if s := rows[i].State; s == report.StateBetter || s == report.StateWorse || s == report.StateChanged {
					found[rows[i].Metric.Key] = true
				}
			}
		}
		for _, check := range r.Trust {
			c.split = c.split || check.Key == report.CheckBalance && check.State == report.CheckFail
		}
	}
	return found, c
}

// TestPipelinePower finds an effect through the whole of the product as often as
// the planner says. It needs as many units as the smallest plan in each of many
// experiments, and so runs with `make calibrate` alone.
func TestPipelinePower(t *testing.T) {
	if !fullPipeline() {
		t.Skip("runs with SPLITCAST_CALIBRATE=full")
	}
	const n, share, power = 100, 0.3, 0.8
	plan := stats.Plan{UnitVariance: (1 - share) / share, Power: power}
	rule := stats.Rule{Kind: stats.RuleSequential, Alpha: 0.05}
	effect, err := plan.MDE(rule, pipelineUnits)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldRun(t, simulate.Options{Seed: 17, Viewers: 19_000, Switches: simulate.Switches{Clicks: simulate.Clicks{Share: share, Effect: effect}}})
	w.driver.Ledger = nil
	w.driver.JobEvery = 12 * time.Hour
	w.apply(simulate.ManyClicks(n, pipelineUnits))
	w.play(0, 5*24*time.Hour)

	found, units, missed := 0, int64(0), 0
	for i := range n {
		key := simulate.ClicksKey(i)
		alarms, _ := w.alarms(key)
		found += int(flag(alarms[key]))
		r := w.report(key, 0)
		units = r.Primary[0].Units
		if e := r.Primary[0].Effect; e == nil || effect < e.Lower || effect > e.Upper {
			missed++
		}
	}
	drift, err := rule.Drift(power)
	if err != nil {
		t.Fatal(err)
	}
	// The planner's power for as many units as came in the end.
	z := drift*math.Sqrt(float64(units)/pipelineUnits) - drift + stats.Normal{}.Quantile(power)
	want := math.Erfc(-z/math.Sqrt2) / 2
	got, se := float64(found)/n, math.Sqrt(want*(1-want)/n)
	t.Logf("a lift of %.4f among %d units (planned %d): found in %.0f %% of %d experiments, the planner says %.0f %%; %d intervals missed the truth",
		effect, units, pipelineUnits, 100*got, n, 100*want, missed)
	// The planner counts the look at the end alone, so that a few more are found on
	// the way.
	if got < want-3*se || got > want+3*se+0.05 {
		t.Errorf("found in %.0f %% of experiments, want about %.0f %%", 100*got, 100*want)
	}
	if missed > wrongAtMost(n, 0.05) {
		t.Errorf("%d of %d intervals missed the truth", missed, n)
	}
}
