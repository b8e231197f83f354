package metrics_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// benchmarkClosed returns closed windows with one to three sessions and all
// dimensions, as the job reads them.
func benchmarkClosed(n int) []metrics.Closed {
	r := rand.New(rand.NewPCG(1, 2))
	exposed := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	pick := func(name string, values int) string { return fmt.Sprintf("%s-%d", name, r.IntN(values)) }
	out := make([]metrics.Closed, n)
	for i := range out {
		c := metrics.Closed{
			Unit: fmt.Sprintf("viewer-%d", i), Arm: r.IntN(2), ExposedAt: exposed, ClosesAt: exposed.Add(25 * time.Hour),
			Dims: map[string]string{
				"country": pick("country", 40), "device_class": pick("device", 4), "os": pick("os", 6),
				"player": pick("player", 3), "player_version": pick("version", 12), "net_class": pick("net", 4),
				"isp": pick("isp", 60),
			},
		}
		for range 1 + r.IntN(3) {
			frame := int64(200 + r.IntN(2_000))
			c.Sessions = append(c.Sessions, telemetry.Session{
				SessionID: "s", FirstRecvMs: exposed.UnixMilli() + int64(r.IntN(86_000_000)),
				PlayRequested: true, Started: true, FirstFrameMs: &frame,
				Counters: telemetry.Counters{
					PlayMs: int64(r.IntN(10_000_000)), StallMs: int64(r.IntN(10_000)), StallN: 2,
					RungMs: 1_000_000, RungKbpsMs: 4_000_000_000, LatencySamples: 10, LatencySumMs: 35_000,
					Observed: ^telemetry.Observed(0),
				},
			})
		}
		out[i] = c
	}
	return out
}

// benchmarkPlan is a plan of as many metrics as anybody reads: with what every
// experiment measures besides, eleven, and the companions of four ratios.
var benchmarkPlan = experiment.Plan{
	Primary:    []string{"stall_ratio"},
	Secondary:  []string{"bitrate", "watch_hours_per_viewer", "live_latency_mean", "stalled_session_rate", "startup_first_p50"},
	Guardrails: []experiment.Guardrail{{Metric: "start_success"}, {Metric: "startup_first_p95"}, {Metric: "exit_before_start"}},
}

// BenchmarkClosedToCells is one closed window through Observe and Add: with what
// a plan asks for, as the job does, and with the whole catalogue.
func BenchmarkClosedToCells(b *testing.B) {
	closed := benchmarkClosed(10_000)
	for _, set := range []struct {
		name        string
		definitions []metrics.Definition
	}{{"", metrics.PlanDefinitions(&benchmarkPlan, metrics.Builtin())}, {"all/", metrics.All()}} {
		for _, w := range metrics.Windows() {
			b.Run(set.name+string(w), func(b *testing.B) {
				cells, err := metrics.NewAccumulator(metrics.CellSpec{
					Definitions: set.definitions, Arms: 2, Segmented: []string{"stall_ratio", "start_success", "startup_first_p95"},
				})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					o := metrics.Observe(&closed[i%len(closed)], w)
					cells.Add(w, &o)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "windows/s")
			})
		}
	}
}

// BenchmarkCells is the fixed cost of a look: loading and writing all cells.
func BenchmarkCells(b *testing.B) {
	spec := metrics.CellSpec{
		Definitions: metrics.PlanDefinitions(&benchmarkPlan, metrics.Builtin()), Arms: 2,
		Segmented: []string{"stall_ratio", "start_success"},
	}
	full, err := metrics.NewAccumulator(spec)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range benchmarkClosed(20_000) {
		for _, w := range metrics.Windows() {
			o := metrics.Observe(&c, w)
			full.Add(w, &o)
		}
	}
	cells := full.Cells()
	b.ReportAllocs()
	for b.Loop() {
		a, err := metrics.NewAccumulator(spec)
		if err != nil {
			b.Fatal(err)
		}
		a.Load(cells)
		cells = a.Cells()
	}
	b.ReportMetric(float64(len(cells)), "cells")
}
