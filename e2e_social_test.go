//go:build !race

package main

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/splitcast/splitcast/simulate"
)

// What applications send themselves, and live latency minute by minute, is in the
// report to the message, the follower, the cent and the minute.
func TestChatPurchasesAndLatencyAreCounted(t *testing.T) {
	t.Parallel()
	on := simulate.Switches{Social: simulate.DefaultSocial(), LatencyMinutes: true, CMCD: simulate.CMCDNever}
	w := newWorldRun(t, simulate.Options{Seed: 13, Viewers: 10_000, Switches: on})
	w.apply(on.Document())
	w.apply(simulate.ManyAA(1, 5_000))
	w.play(0, 3*24*time.Hour)

	r, units := w.report(simulate.KeyHighlights, 0), w.units(simulate.KeyHighlights, dayCloses)
	for arm := range units {
		if i := slices.IndexFunc(units[arm], func(u simulate.Unit) bool { return !u.Day.ChatKnown }); i >= 0 {
			t.Errorf("the messages of %s are not known", units[arm][i].ID)
		}
	}
	row := w.wantSums(&r, units, simulate.MetricChat, func(u *simulate.Unit) float64 { return u.Day.Chat }, one)
	w.wantLift(&row, on.Social.Effect)
	row = w.wantSums(&r, units, simulate.MetricFollowers, func(u *simulate.Unit) float64 {
		return math.Min(1, float64(u.Day.Events[simulate.EventFollow]))
	}, one)
	w.wantLift(&row, on.Social.Effect)
	row = w.wantSums(&r, units, simulate.MetricSpent, func(u *simulate.Unit) float64 { return u.Day.Values[simulate.EventPurchase] }, one)
	if row.Effect != nil {
		w.wantLift(&row, 0)
	}

	aa, units := w.report(simulate.AAKey(0), 0), w.units(simulate.AAKey(0), dayCloses)
	w.wantSums(&aa, units, "live_latency_mean",
		func(u *simulate.Unit) float64 { return u.Day.LatencySumMs }, func(u *simulate.Unit) float64 { return u.Day.LatencyN })
	p95 := rowOf(t, aa.Secondary, "live_latency_p95")
	for arm, value := range []*float64{p95.Control.Value, p95.Treatment.Value} {
		var levels []float64
		for _, u := range units[arm] {
			if u.Day.LatencyP95Ms > 0 {
				levels = append(levels, u.Day.LatencyP95Ms/1000)
			}
		}
		if len(levels) == 0 {
			t.Fatal("no latency was told")
		}
		slices.Sort(levels)
		truth := levels[int(math.Ceil(0.95*float64(len(levels))))-1]
		if value == nil || math.Abs(*value/truth-1) > latencyResolution {
			t.Errorf("live_latency_p95 of arm %d = %v s, in truth %v s", arm, value, truth)
		}
	}
}

// latencyResolution is how finely the histogram of a quantile metric tells values
// apart, as docs/statistics.md says, with half a level of the heartbeats beside it.
const latencyResolution = 0.05
