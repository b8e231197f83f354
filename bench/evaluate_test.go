package bench

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	growthbook "github.com/growthbook/growthbook-golang"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldeval "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/twmb/murmur3"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/bench/workload"
	"github.com/splitcast/splitcast/experiment"
)

const (
	live    = 200  // experiments
	viewers = 1024 // who take turns
)

// measure runs evaluate(viewer, experiment) for one experiment an operation
// and for all of them. evaluate returns the arm.
func measure(b *testing.B, evaluate func(viewer, experiment int) int) {
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for i := range b.N {
			n += evaluate(i%viewers, i%live)
		}
		sink = n
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for i := range b.N {
			for k := range live {
				n += evaluate(i%viewers, k)
			}
		}
		sink = n
	})
}

var sink int

func keys() []string {
	out := make([]string, live)
	for i := range out {
		out[i] = workload.Key(i)
	}
	return out
}

// floor is the least that an evaluator must do for the workload: rules
// written in Go over fields, one hash of key and id, one comparison.
func floor(key string, v *workload.Viewer) int {
	in := slices.Contains(workload.RuleCountries, v.Country) && v.Platform == "ios" ||
		v.AppBuild >= workload.RuleBuild && v.Subscriber ||
		slices.Contains(workload.RulePlatforms, v.Platform)
	if !in {
		return 0
	}
	var buf [64]byte
	n := copy(buf[:], key)
	n += copy(buf[n:], v.ID)
	return int(uint64(murmur3.Sum32(buf[:n])) * 100 >> 32 / 50)
}

func BenchmarkFloor(b *testing.B) {
	vs, ks := workload.Viewers(viewers), keys()
	measure(b, func(viewer, experiment int) int { return floor(ks[experiment], &vs[viewer]) })
}

func BenchmarkSplitcast(b *testing.B) {
	snap, err := assignment.Compile(workload.Splitcast(live))
	if err != nil {
		b.Fatal(err)
	}
	vs, ks := workload.Viewers(viewers), keys()
	ctxs := make([]*assignment.Context, viewers)
	for i := range ctxs {
		ctxs[i] = vs[i].Context()
	}
	measure(b, func(viewer, experiment int) int {
		r, _ := snap.Evaluate(ks[experiment], ctxs[viewer])
		return r.Arm
	})
}

// flagSource gives LaunchDarkly's evaluator its flags.
type flagSource map[string]*ldmodel.FeatureFlag

func (f flagSource) GetFeatureFlag(key string) *ldmodel.FeatureFlag { return f[key] }
func (f flagSource) GetSegment(string) *ldmodel.Segment             { return nil }

func BenchmarkLaunchDarkly(b *testing.B) {
	flags, ks := flagSource{}, keys()
	for i, text := range workload.LaunchDarkly(live) {
		f := &ldmodel.FeatureFlag{}
		if err := json.Unmarshal(text, f); err != nil {
			b.Fatal(err)
		}
		flags[ks[i]] = f
	}
	vs := workload.Viewers(viewers)
	ctxs := make([]ldcontext.Context, viewers)
	for i := range vs {
		v := &vs[i]
		ctxs[i] = ldcontext.NewBuilder(v.ID).SetString("country", v.Country).SetString("platform", v.Platform).
			SetInt("appBuild", v.AppBuild).SetBool("isSubscriber", v.Subscriber).SetString("deviceTier", v.DeviceTier).
			SetString("player", v.Player).SetInt("followers", v.Followers).Build()
	}
	ev := ldeval.NewEvaluator(flags)
	measure(b, func(viewer, experiment int) int {
		r := ev.Evaluate(flags[ks[experiment]], ctxs[viewer], nil)
		if r.Detail.Value.StringValue() == "treatment" {
			return 1
		}
		return 0
	})
}

func growthBookClients(tb testing.TB) []*growthbook.Client {
	tb.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	base, err := growthbook.NewClient(context.Background(), growthbook.WithJsonFeatures(string(workload.GrowthBook(live))), growthbook.WithLogger(quiet))
	if err != nil {
		tb.Fatal(err)
	}
	vs := workload.Viewers(viewers)
	out := make([]*growthbook.Client, viewers)
	for i := range out {
		attributes := growthbook.Attributes(vs[i].Map())
		attributes["id"] = vs[i].ID
		if out[i], err = base.WithAttributes(attributes); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

func BenchmarkGrowthBook(b *testing.B) {
	clients, ks := growthBookClients(b), keys()
	ctx := context.Background()
	measure(b, func(viewer, experiment int) int {
		if clients[viewer].EvalFeature(ctx, ks[experiment]).Value == "treatment" {
			return 1
		}
		return 0
	})
}

// TestAudiencesAgree guards the comparison: Splitcast and GrowthBook must let
// the same viewers in, or they would not do the same work.
func TestAudiencesAgree(t *testing.T) {
	t.Parallel()
	snap, err := assignment.Compile(workload.Splitcast(live))
	if err != nil {
		t.Fatal(err)
	}
	clients, vs := growthBookClients(t), workload.Viewers(viewers)
	for i := range vs {
		ours := snap.EvaluateAt(0, vs[i].Context()).Cause == assignment.CauseSplit
		r := clients[i].EvalFeature(context.Background(), workload.Key(0))
		theirs := r.ExperimentResult != nil && r.ExperimentResult.InExperiment
		if ours != theirs {
			t.Errorf("viewer %+v: in the audience for Splitcast: %t, for GrowthBook: %t", vs[i], ours, theirs)
		}
	}
}

// Bars for a configuration of 5,000 experiments.
const (
	manyExperiments = 5000
	maxHeapMB       = 10
	maxReady        = time.Second
)

func TestManyExperimentsFit(t *testing.T) {
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	text, err := json.Marshal(workload.Splitcast(manyExperiments))
	if err != nil {
		t.Fatal(err)
	}
	before, began := heap(), time.Now()
	snap := load(t, text)
	ready := time.Since(began)
	grown := heap() - before
	t.Logf("%d experiments: %.1f MB of JSON, ready in %v, heap +%.1f MB", manyExperiments, float64(len(text))/1e6, ready, grown)
	if grown > maxHeapMB || ready > maxReady {
		t.Errorf("heap +%.1f MB in %v, want at most %d MB in %v", grown, ready, maxHeapMB, maxReady)
	}
	runtime.KeepAlive(snap)
	runtime.KeepAlive(text)
}

// load does what a replica does at its start: decode and compile.
func load(t *testing.T, text []byte) *assignment.Snapshot {
	t.Helper()
	var cfg experiment.Config
	if err := json.Unmarshal(text, &cfg); err != nil {
		t.Fatal(err)
	}
	snap, err := assignment.Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}
