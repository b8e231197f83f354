package assignment_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// The workload of the peers' comparison: n live experiments of two arms, an
// audience of three alternatives with up to two comparisons each, and viewers
// with seven attributes. Each experiment has a layer of its own.

var (
	countries = []string{"US", "DE", "FR", "JP", "BR", "KR"}
	platforms = []string{"web", "android", "ios", "tv"}
)

func scalars(values ...any) []experiment.Scalar {
	out := make([]experiment.Scalar, len(values))
	for i, v := range values {
		out[i] = experiment.Scalar{V: v}
	}
	return out
}

func is(attr string, v any) experiment.Audience {
	return experiment.Audience{Attr: attr, Op: experiment.OpEq, Value: experiment.Scalar{V: v}}
}

func in(attr string, values ...any) experiment.Audience {
	return experiment.Audience{Attr: attr, Op: experiment.OpIn, Values: scalars(values...)}
}

func workloadConfig(n int) experiment.Config {
	cfg := experiment.Config{Version: 7}
	for i := range n {
		key := fmt.Sprintf("exp_%04d", i)
		cfg.Layers = append(cfg.Layers, experiment.Layer{Key: key, Unit: experiment.UnitViewer, Salt: "layer-" + key})
		e := plainExperiment(key)
		e.Audience = &experiment.Audience{Any: []experiment.Audience{
			{All: []experiment.Audience{in("country", "DE", "FR", "JP", "BR"), is("platform", "ios")}},
			{All: []experiment.Audience{
				{Attr: "appBuild", Op: experiment.OpGe, Value: experiment.Scalar{V: 5000.0}},
				is("isSubscriber", true),
			}},
			in("platform", "web", "android", "tv"),
		}}
		cfg.Experiments = append(cfg.Experiments, e)
	}
	return cfg
}

// plainExperiment is a running 50/50 experiment on viewers that owns its layer.
func plainExperiment(key string) experiment.Experiment {
	return experiment.Experiment{
		Spec: experiment.Spec{
			Key: key, Name: key, Unit: experiment.UnitViewer, Design: experiment.DesignAB,
			Arms: []experiment.Arm{
				{Key: "control", Weight: 1, Value: json.RawMessage(`"control"`)},
				{Key: "treatment", Weight: 1, Value: json.RawMessage(`"treatment"`)},
			},
			Status: experiment.StatusRunning,
		},
		Version: 1, Salt: "salt-" + key,
		SlotRanges: []experiment.SlotRange{{From: 0, To: experiment.TotalSlots}},
	}
}

// soloConfig is a configuration of experiments that each own a layer.
func soloConfig(es ...experiment.Experiment) experiment.Config {
	cfg := experiment.Config{Version: 1, Experiments: es}
	for i := range es {
		cfg.Layers = append(cfg.Layers, experiment.Layer{Key: es[i].LayerKey(), Unit: es[i].Unit, Salt: "layer-" + es[i].Key})
	}
	return cfg
}

func compile(tb testing.TB, cfg experiment.Config) *assignment.Snapshot {
	tb.Helper()
	s, err := assignment.Compile(cfg)
	if err != nil {
		tb.Fatalf("Compile: %v", err)
	}
	return s
}

func workloadContexts(n int) []*assignment.Context {
	r := rand.New(rand.NewPCG(42, 0))
	out := make([]*assignment.Context, n)
	for i := range out {
		c := assignment.NewContext(fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48)))
		c.SetString("country", countries[r.IntN(len(countries))])
		c.SetString("platform", platforms[r.IntN(len(platforms))])
		c.SetNumber("appBuild", float64(4000+r.IntN(2000)))
		c.SetBool("isSubscriber", r.IntN(3) == 0)
		c.SetString("deviceTier", []string{"low", "mid", "high"}[r.IntN(3)])
		c.SetString("player", []string{"hls.js", "native", "shaka"}[r.IntN(3)])
		c.SetNumber("followers", float64(r.IntN(100_000)))
		out[i] = c
	}
	return out
}

func BenchmarkEvaluate(b *testing.B) {
	s := compile(b, workloadConfig(200))
	ctxs := workloadContexts(1024)
	keys := make([]string, s.Len())
	for i := range keys {
		keys[i] = s.At(i).Key
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for i := range b.N {
			r, _ := s.Evaluate(keys[i%len(keys)], ctxs[i%len(ctxs)])
			n += r.Arm
		}
		sink = n
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for i := range b.N {
			for k := range s.Len() {
				r := s.EvaluateAt(k, ctxs[i%len(ctxs)])
				n += r.Arm
			}
		}
		sink = n
	})
	b.Run("answers", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for i := range b.N {
			buf = buf[:0]
			for k := range s.Len() {
				r := s.EvaluateAt(k, ctxs[i%len(ctxs)])
				buf = r.AppendAnswer(buf)
			}
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("etag", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for i := range b.N {
			buf = s.AppendETag(buf[:0], ctxs[i%len(ctxs)])
		}
	})
}

var sink int
