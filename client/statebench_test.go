package client

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// BenchmarkState is a new configuration of 5,000 experiments, from its text to
// what getters read, and the heap that it keeps.
func BenchmarkState(b *testing.B) {
	var cfg experiment.Config
	for i := range 5000 {
		key := fmt.Sprint("e-", i)
		cfg.Layers = append(cfg.Layers, experiment.Layer{Key: key, Unit: experiment.UnitViewer, Salt: "layer-salt-" + key})
		cfg.Experiments = append(cfg.Experiments, experiment.Experiment{
			Spec: experiment.Spec{
				Key: key, Name: key, Unit: experiment.UnitViewer, Design: experiment.DesignAB, Status: experiment.StatusRunning,
				Audience: &experiment.Audience{All: []experiment.Audience{
					{Attr: "country", Op: experiment.OpIn, Values: []experiment.Scalar{{V: "DE"}, {V: "FR"}, {V: "US"}}},
				}},
				Arms: []experiment.Arm{
					{Key: "control", Weight: 1, Value: json.RawMessage("false")},
					{Key: "treatment", Weight: 1, Value: json.RawMessage("true")},
				},
			},
			Version: 1, Salt: "salt-" + key, SlotRanges: []experiment.SlotRange{{From: 0, To: experiment.TotalSlots}},
		})
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		b.Fatal(err)
	}
	seen := newSeenSet()
	before := liveHeap()
	st, err := newState(text, `"1"`, seen)
	if err != nil {
		b.Fatal(err)
	}
	heap := liveHeap() - before
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newState(text, `"1"`, seen); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(heap)/(1<<20), "MB-heap")
	runtime.KeepAlive(st)
}

// liveHeap returns the bytes that are in use.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what the first one found unused
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
