package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// Evaluations over HTTP count each unit once, single or in bulk, however often and
// at whichever server; answers that need no evaluation, forced units and units
// outside count nothing. The report tells.
func TestAssignedUnitsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(t, `{"experiments":[{"key":"abr","name":"ABR safety","owner":"ana","unit":"viewer","design":"ab","status":"running","slots":6000,"overrides":{"v-1":"treatment"},
		"arms":[{"key":"control","weight":1,"value":{"safety":0.8}},{"key":"treatment","weight":1,"value":{"safety":0.75}}],
		"plan":{"primary":["stall_ratio"],"secondary":["bitrate"]}}]}`)
	if err := b.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	exact := map[string]map[string]bool{"control": {}, "treatment": {}}
	at := b
	evaluate := func(unit, path string, header map[string]string) answer {
		body := fmt.Sprintf(`{"context":{"targetingKey":%q,"splitcast.expose":false}}`, unit)
		got := at.send(t, scenario{method: "POST", path: "/ofrep/v1/evaluate/flags" + path, as: experiment.ScopeEvaluate, body: body, header: header})
		if got.status != http.StatusOK && got.status != http.StatusNotModified {
			t.Fatalf("evaluate = %d: %s", got.status, got.body)
		}
		return got
	}
	type flag struct {
		Variant  string `json:"variant"`
		Metadata struct {
			Assigned bool   `json:"assigned"`
			Cause    string `json:"cause"`
		} `json:"metadata"`
	}
	for i := range 300 {
		unit := fmt.Sprint("v-", i)
		var one flag
		if i%2 == 0 {
			var all struct{ Flags []flag }
			got := evaluate(unit, "", nil)
			if err := json.Unmarshal([]byte(got.body), &all); err != nil || len(all.Flags) != 1 {
				t.Fatalf("bulk = %s, %v", got.body, err)
			}
			one = all.Flags[0]
			if again := evaluate(unit, "", map[string]string{"If-None-Match": got.header.Get("ETag")}); again.status != http.StatusNotModified {
				t.Fatalf("the same bulk again = %d", again.status)
			}
		} else if err := json.Unmarshal([]byte(evaluate(unit, "/abr", nil).body), &one); err != nil {
			t.Fatal(err)
		}
		if one.Metadata.Assigned && one.Metadata.Cause != "override" {
			exact[one.Variant][unit] = true
		}
		evaluate(unit, "/abr", nil)
	}
	if err := b.srv.assigned.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	exp, err := b.db.Get(t.Context(), "abr")
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.db.AssignedUnits(t.Context(), &exp)
	if err != nil || len(got) != 2 {
		t.Fatalf("AssignedUnits = %+v, %v", got, err)
	}
	for i, arm := range []string{"control", "treatment"} {
		if n := len(exact[arm]); n < 60 || math.Abs(float64(got[i].About)-float64(n)) > 0.03*float64(n)+1 {
			t.Errorf("%s: about %d units, want %d", arm, got[i].About, n)
		}
	}
	another := *b // server of the same database, which sees the same units again
	another.start(t)
	at = &another
	for i := range 300 {
		evaluate(fmt.Sprint("v-", i), "", nil)
	}
	if err := another.srv.assigned.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, err := b.db.AssignedUnits(t.Context(), &exp); err != nil || again[0] != got[0] || again[1] != got[1] {
		t.Errorf("after another server saw them: %+v, %v, want %+v", again, err, got)
	}
	var rep struct {
		Head struct {
			Arms []struct {
				Assigned struct {
					About int64 `json:"about"`
				} `json:"assigned"`
			} `json:"arms"`
		} `json:"head"`
	}
	told := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/abr/report", as: experiment.ScopeRead})
	if err := json.Unmarshal([]byte(told.body), &rep); err != nil || len(rep.Head.Arms) != 2 || rep.Head.Arms[1].Assigned.About != got[1].About {
		t.Errorf("the report tells %+v, %v, want %+v: %s", rep, err, got, told.body)
	}
}

// tallyBench is a tally over configurations that the test makes.
type tallyBench struct {
	*assignedTally
	snap   *assignment.Snapshot
	stored []postgres.AssignedSketch
	fault  error
}

func newTallyBench(t *testing.T) *tallyBench {
	t.Helper()
	b := &tallyBench{snap: ofrepCompile(t, *tallyConfig(1))}
	b.assignedTally = &assignedTally{
		live: func() *assignment.Snapshot { return b.snap }, now: func() time.Time { return testNow }, log: slog.New(slog.DiscardHandler),
		store: func(_ context.Context, seen []postgres.AssignedSketch, _ time.Time) error {
			if b.fault == nil {
				b.stored = append(b.stored, seen...)
			}
			return b.fault
		},
	}
	return b
}

// tallyConfig is ofrepConfig with ids, and a version of the first experiment.
func tallyConfig(version int) *experiment.Config {
	cfg := ofrepConfig()
	for i := range cfg.Experiments {
		cfg.Experiments[i].ID = int64(i + 1)
	}
	cfg.Experiments[0].Version = version
	return cfg
}

// see counts n units of the first experiment.
func (b *tallyBench) see(n int) {
	var ctx assignment.Context
	for i := range n {
		ctx.Reset(fmt.Sprint("u-", i))
		if r := b.snap.EvaluateAt(0, &ctx); r.Assigned {
			b.of(b.snap).add(0, &r)
		}
	}
}

// Counts outlive a change of the configuration, what is over is stored once more,
// and what the database did not take is tried again.
func TestAssignedTallyFollows(t *testing.T) {
	t.Parallel()
	b := newTallyBench(t)
	first := b.snap
	b.see(50)
	kept := b.of(b.snap).arms[0].sketch
	b.snap = ofrepCompile(t, *tallyConfig(1)) // something else changed
	b.see(1)
	if b.of(b.snap).arms[0].sketch != kept {
		t.Error("an arm begins anew although its version goes on")
	}
	if b.of(first) != nil {
		t.Error("a configuration that is over is counted")
	}
	b.snap = ofrepCompile(t, *tallyConfig(2))
	b.see(50)
	b.fault = errors.New("away")
	if err := b.flush(t.Context()); !errors.Is(err, b.fault) || len(b.stored) != 0 {
		t.Errorf("flush = %v, and %d sketches are stored", err, len(b.stored))
	}
	b.fault = nil
	for range 2 {
		if err := b.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	versions := map[int]int{}
	for _, s := range b.stored {
		versions[s.Version]++
	}
	if versions[1] != 2 || versions[2] != 2 || len(b.stored) != 4 {
		t.Errorf("sketches by version = %v, want two arms of each, once", versions)
	}
	if n := b.reserved.Load(); n != 2 || len(b.gone) != 0 {
		t.Errorf("%d sketches hold memory and %d are gone, want 2 and 0", n, len(b.gone))
	}
}

// A bulk evaluation is counted once, by its entity tag, and anew when the
// configuration or the unit is another.
func TestAssignedTallyRemembersBulks(t *testing.T) {
	t.Parallel()
	b := newTallyBench(t)
	tag := func(unit string) string { return string(b.snap.AppendETag(nil, assignment.NewContext(unit))) }
	if b.unseen(b.snap, tag("u-1")) == nil {
		t.Fatal("a bulk that was never made is counted")
	}
	b.of(b.snap).saw(tag("u-1"))
	if b.unseen(b.snap, tag("u-1")) != nil || b.unseen(b.snap, tag("u-2")) == nil {
		t.Error("not the bulk that was made is remembered")
	}
	b.snap = ofrepCompile(t, *tallyConfig(2))
	if b.unseen(b.snap, tag("u-1")) == nil {
		t.Error("a bulk of another configuration is remembered")
	}
	var none *assignedTally
	none.unseen(b.snap, tag("u-1")).saw(tag("u-1"))
}

func TestAssignedTallyLimit(t *testing.T) {
	t.Parallel()
	b := newTallyBench(t)
	b.reserved.Store(maxCountedArms - 1)
	b.see(50)
	counted := 0
	for _, a := range b.of(b.snap).arms {
		if a.sketch.Reserved() {
			counted++
		}
	}
	if counted != 1 || b.reserved.Load() != maxCountedArms {
		t.Errorf("%d arms are counted, %d in all, want 1 and %d", counted, b.reserved.Load(), maxCountedArms)
	}
}

// Counting allocates nothing.
func TestAssignedTallyAllocates(t *testing.T) {
	b := newTallyBench(t)
	b.see(50)
	ctx := assignment.NewContext("u-1")
	if n := testing.AllocsPerRun(100, func() {
		r := b.snap.EvaluateAt(0, ctx)
		b.of(b.snap).add(0, &r)
	}); n != 0 {
		t.Errorf("counting a unit allocates %v times", n)
	}
}

// BenchmarkAssigned is a bulk of 200 experiments without and with counting, for
// units that were seen before.
func BenchmarkAssigned(b *testing.B) {
	cfg := experiment.Config{Version: 1}
	for i := range 200 {
		key := fmt.Sprint("e-", i)
		cfg.Layers = append(cfg.Layers, experiment.Layer{Key: key, Unit: experiment.UnitViewer, Salt: "layer-" + key})
		cfg.Experiments = append(cfg.Experiments, experiment.Experiment{
			ID: int64(i + 1), Version: 1, Salt: "salt-" + key, SlotRanges: []experiment.SlotRange{{From: 0, To: experiment.TotalSlots}},
			Spec: experiment.Spec{
				Key: key, Unit: experiment.UnitViewer, Status: experiment.StatusRunning,
				Arms: []experiment.Arm{{Key: "control", Weight: 1, Value: []byte("false")}, {Key: "treatment", Weight: 1, Value: []byte("true")}},
			},
		})
	}
	snap, err := assignment.Compile(cfg)
	if err != nil {
		b.Fatal(err)
	}
	contexts := make([]*assignment.Context, 1024)
	for i := range contexts {
		contexts[i] = assignment.NewContext(fmt.Sprint("viewer-", i))
	}
	for name, tally := range map[string]*assignedTally{"plain": nil, "counted": {live: func() *assignment.Snapshot { return snap }}} {
		b.Run(name, func(b *testing.B) {
			o := &OFREP{assigned: tally}
			var out []byte
			bulk := func(ctx *assignment.Context) {
				out = snap.AppendETag(out[:0], ctx)
				etag := string(out)
				counted := o.assigned.unseen(snap, etag)
				out = o.appendBulk(out[:0], snap, ctx, counted)
				counted.saw(etag)
			}
			for _, ctx := range contexts {
				bulk(ctx)
			}
			b.ReportAllocs()
			before := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				bulk(contexts[i%len(contexts)])
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
