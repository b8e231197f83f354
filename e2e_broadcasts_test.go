//go:build !race

package main

import (
	"testing"
	"time"

	"github.com/splitcast/splitcast/simulate"
)

// What ingest servers tell is in the report to the millisecond, over several parts
// of a broadcast and whatever was still live when a day was settled.
func TestBroadcastsAreCounted(t *testing.T) {
	t.Parallel()
	on := simulate.Switches{Broadcasts: simulate.Broadcasts{Channels: 600, Effect: 0.5}}
	w := newWorldRun(t, simulate.Options{Seed: 14, Viewers: 100, Switches: on})
	w.apply(on.Document())
	w.play(0, 4*24*time.Hour)

	r, units := w.report(simulate.KeyIngest, 0), w.units(simulate.KeyIngest, dayCloses)
	liveMs := func(u *simulate.Unit) float64 { return u.Day.LiveMs }
	row := w.wantSums(&r, units, "ingest_starvation_ratio", func(u *simulate.Unit) float64 { return u.Day.StarvedMs }, liveMs)
	w.wantLift(&row, -on.Broadcasts.Effect)
	row = w.wantSums(&r, units, "ingest_disconnects_per_hour", func(u *simulate.Unit) float64 { return u.Day.Disconnects }, liveMs)
	w.wantLift(&row, -on.Broadcasts.Effect)
	row = w.wantSums(&r, units, "live_hours_per_broadcaster", liveMs, one)
	w.wantLift(&row, 0)
	w.wantSums(&r, w.units(simulate.KeyIngest, firstCloses), "go_live_success",
		func(u *simulate.Unit) float64 { return float64(u.First.LiveStreams) }, func(u *simulate.Unit) float64 { return float64(u.First.Streams) })
	w.wantSums(&r, units, "starvation_free_streams",
		func(u *simulate.Unit) float64 { return float64(u.Day.CleanStreams) }, func(u *simulate.Unit) float64 { return float64(u.Day.LiveStreams) })
	w.wantSums(&r, units, "transcode_dropped_ratio",
		func(u *simulate.Unit) float64 { return u.Day.FramesDropped }, func(u *simulate.Unit) float64 { return u.Day.FramesIn })
}
