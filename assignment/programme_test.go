package assignment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

var unitTypes = []experiment.UnitType{
	experiment.UnitViewer, experiment.UnitBroadcaster, experiment.UnitDevice, experiment.UnitSession, experiment.UnitBlock,
}

// idSet returns a set of n ids, id(0) to id(n-1).
func idSet(tb testing.TB, n int, id func(i int) string) *experiment.IDSet {
	tb.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id(i)
	}
	s, err := experiment.NewIDSet(ids)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func unitName(i int) string { return fmt.Sprint("u-", i) }

// fullConfig has every part that an evaluation can meet, on a unit type.
func fullConfig(tb testing.TB, unit experiment.UnitType) experiment.Config {
	tb.Helper()
	base, dependent, kept, shipped, listed := plainExperiment("base"), plainExperiment("dependent"), plainExperiment("kept"), plainExperiment("shipped"), plainExperiment("listed")
	base.Arms = append(base.Arms, experiment.Arm{Key: "third", Weight: 1, Value: json.RawMessage(`"third"`), Dropped: true})
	dependent.Requires = []experiment.Requirement{{Experiment: "base", Arms: []string{"treatment"}}}
	kept.Status, kept.OnPause = experiment.StatusPaused, experiment.PauseKeep
	shipped.Status, shipped.ShippedArm = experiment.StatusStopped, "treatment"
	listed.Audience = &experiment.Audience{Op: experiment.OpInList, List: "some"}
	cfg := soloConfig(base, dependent, kept, shipped, listed)
	for i := range cfg.Experiments {
		cfg.Experiments[i].Unit, cfg.Layers[i].Unit = unit, unit
	}
	cfg.Holdouts = []experiment.Holdout{{HoldoutSpec: experiment.HoldoutSpec{Key: "programme", Unit: unit, Slots: 1000}, Salt: "h"}}
	cfg.Lists = []experiment.List{{Key: "some", IDs: idSet(tb, 500, unitName)}}
	cfg.Kept = []experiment.Kept{{Experiment: "kept", Version: 1, Units: experiment.NewUnitSet([]string{"u-1", "u-2", "u-3", "u-4"})}}
	return cfg
}

// Each unit type has its own holdouts and prerequisites, which read the id of
// this type however many ids the context holds.
func TestProgrammeOfEveryUnitType(t *testing.T) {
	t.Parallel()
	var want []string
	for _, unit := range unitTypes {
		s := compile(t, fullConfig(t, unit))
		var got []string
		for i := range 1000 {
			ctx := assignment.NewContext("somebody-else")
			for _, other := range unitTypes {
				ctx.SetString(string(other)+"_id", "other")
			}
			ctx.SetString(string(unit)+"_id", unitName(i))
			for k := range s.Len() {
				r := s.EvaluateAt(k, ctx)
				got = append(got, fmt.Sprint(r.Experiment, r.Unit, r.Variant, r.Cause, r.Assigned, r.Holdout()))
			}
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("units of type %s are assigned unlike viewers:\n%s", unit, diff)
		}
	}
}

// A holdout of one unit type leaves experiments on others alone.
func TestHoldoutIsOfItsUnitType(t *testing.T) {
	t.Parallel()
	v, b := plainExperiment("v"), plainExperiment("b")
	b.Unit = experiment.UnitBroadcaster
	cfg := soloConfig(v, b)
	cfg.Holdouts = []experiment.Holdout{{HoldoutSpec: experiment.HoldoutSpec{Key: "h", Unit: experiment.UnitBroadcaster, Slots: 9999}, Salt: "h"}}
	s := compile(t, cfg)
	ctx := assignment.NewContext("u-1")
	if r, _ := s.Evaluate("v", ctx); r.Cause != assignment.CauseSplit {
		t.Errorf("a viewer is %s, want split", r.Cause)
	}
	r, _ := s.Evaluate("b", ctx)
	if r.Cause != assignment.CauseHoldout || r.Assigned || r.Variant != "control" || r.Holdout() != "h" || r.Reason != assignment.ReasonStatic {
		t.Errorf("a broadcaster = %+v, want held out by h", r)
	}
	if answer := r.AppendAnswer(nil); !bytes.Contains(answer, []byte(`"holdout":"h","cause":"holdout","assigned":false`)) {
		t.Errorf("the answer %s does not name the holdout", answer)
	}
}

// Growing a holdout releases nobody, and who is in none is as without it.
func TestHoldoutGrowsMonotonically(t *testing.T) {
	t.Parallel()
	at := func(slots int) *assignment.Snapshot {
		cfg := soloConfig(plainExperiment("x"))
		if slots > 0 {
			cfg.Holdouts = []experiment.Holdout{{HoldoutSpec: experiment.HoldoutSpec{Key: "h", Unit: experiment.UnitViewer, Slots: slots}, Salt: "h"}}
		}
		return compile(t, cfg)
	}
	none, small, big := at(0), at(500), at(2000)
	in := 0
	for i := range 20_000 {
		ctx := assignment.NewContext(unitName(i))
		n, _ := none.Evaluate("x", ctx)
		a, _ := small.Evaluate("x", ctx)
		b, _ := big.Evaluate("x", ctx)
		if a.Cause == assignment.CauseHoldout {
			in++
			if b.Cause != assignment.CauseHoldout {
				t.Fatalf("%s left the holdout as it grew", n.Unit)
			}
		}
		if b.Cause != assignment.CauseHoldout && (b.Arm != n.Arm || a.Arm != n.Arm) {
			t.Fatalf("%s moved between arms", n.Unit)
		}
	}
	if want := 1000.0; float64(in) < want-5*31 || float64(in) > want+5*31 { // sd of the binomial: 31
		t.Errorf("%d of 20000 units are held out, want about %v", in, want)
	}
}

// What becomes of a prerequisite as the other experiment goes through its life.
func TestRequiresFollowsTheOther(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*experiment.Experiment)
		want   map[string]int // causes of 8 units
	}{
		{"running", func(*experiment.Experiment) {}, map[string]int{"split": 5, "requires": 3}},
		{"draft", func(e *experiment.Experiment) { e.Status = experiment.StatusDraft }, map[string]int{"requires": 8}},
		{"paused", func(e *experiment.Experiment) { e.Status = experiment.StatusPaused }, map[string]int{"requires": 8}},
		{"stopped", func(e *experiment.Experiment) { e.Status = experiment.StatusStopped }, map[string]int{"requires": 8}},
		{"archived", func(e *experiment.Experiment) { e.Status = experiment.StatusArchived }, map[string]int{"requires": 8}},
		{"shipped", func(e *experiment.Experiment) {
			e.Status, e.ShippedArm = experiment.StatusStopped, "treatment"
		}, map[string]int{"split": 8}},
		{"shipped another", func(e *experiment.Experiment) {
			e.Status, e.ShippedArm = experiment.StatusStopped, "control"
		}, map[string]int{"requires": 8}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base, dependent := plainExperiment("base"), plainExperiment("dependent")
			dependent.Requires = []experiment.Requirement{{Experiment: "base", Arms: []string{"treatment"}}}
			tt.change(&base)
			s := compile(t, soloConfig(base, dependent))
			got := map[string]int{}
			for i := range 8 {
				r, _ := s.Evaluate("dependent", assignment.NewContext(unitName(i)))
				got[r.Cause.String()]++
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileRefusesCyclesOfRequires(t *testing.T) {
	t.Parallel()
	chain := func(n int, closed bool) experiment.Config {
		es := make([]experiment.Experiment, n+1)
		for i := range es {
			es[i] = plainExperiment(fmt.Sprint("e", i))
			if i < n || closed {
				es[i].Requires = []experiment.Requirement{{Experiment: fmt.Sprint("e", (i+1)%(n+1)), Arms: []string{"treatment"}}}
			}
		}
		return soloConfig(es...)
	}
	if _, err := assignment.Compile(chain(experiment.MaxRequireDepth, false)); err != nil {
		t.Errorf("a chain at the limit: %v", err)
	}
	for name, cfg := range map[string]experiment.Config{"too deep": chain(experiment.MaxRequireDepth+1, false), "cycle": chain(1, true)} {
		_, err := assignment.Compile(cfg)
		if code, _ := experiment.CodeOf(err); code != experiment.CodeInvalid {
			t.Errorf("%s: Compile = %v, want it refused", name, err)
		}
	}
}

// Dropping an arm moves nobody of the other arms; its own units get control's
// value and take part no more.
func TestDroppedArmMovesNobodyElse(t *testing.T) {
	t.Parallel()
	e := plainExperiment("x")
	e.Arms = append(e.Arms, experiment.Arm{Key: "third", Weight: 1, Value: json.RawMessage(`"third"`)})
	before := compile(t, soloConfig(e))
	e.Arms[1].Dropped = true
	after := compile(t, soloConfig(e))
	for i := range 3000 {
		ctx := assignment.NewContext(unitName(i))
		a, _ := before.Evaluate("x", ctx)
		b, _ := after.Evaluate("x", ctx)
		switch {
		case a.Variant == "treatment" && (b.Variant != "control" || b.Assigned || b.Cause != assignment.CauseDropped || b.Position != a.Position):
			t.Fatalf("a unit of the dropped arm = %+v", b)
		case a.Variant != "treatment" && (b.Variant != a.Variant || !b.Assigned):
			t.Fatalf("a unit of %s = %+v", a.Variant, b)
		}
	}
}

// Lists, kept units and holdouts are part of what a bulk answer's tag covers.
func TestTagsFollowTheProgramme(t *testing.T) {
	t.Parallel()
	ctx := assignment.NewContext("u-1")
	tag := func(change func(*experiment.Config)) string {
		cfg := fullConfig(t, experiment.UnitViewer)
		change(&cfg)
		return string(compile(t, cfg).AppendETag(nil, ctx))
	}
	same := tag(func(*experiment.Config) {})
	if same != tag(func(*experiment.Config) {}) {
		t.Error("one configuration has two tags")
	}
	for name, change := range map[string]func(*experiment.Config){
		"holdout": func(c *experiment.Config) { c.Holdouts[0].Slots++ },
		"list":    func(c *experiment.Config) { c.Lists[0].IDs = idSet(t, 499, unitName) },
		"kept":    func(c *experiment.Config) { c.Kept[0].Units = experiment.NewUnitSet([]string{"u-1"}) },
	} {
		if tag(change) == same {
			t.Errorf("another %s has the same tag", name)
		}
	}
}

// The configuration survives JSON, as on disk and on the way to clients.
func TestProgrammeSurvivesJSON(t *testing.T) {
	t.Parallel()
	cfg := fullConfig(t, experiment.UnitDevice)
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var back experiment.Config
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	a, b := compile(t, cfg), compile(t, back)
	for i := range 1000 {
		ctx := assignment.NewContext(unitName(i))
		for k := range a.Len() {
			x, y := a.EvaluateAt(k, ctx), b.EvaluateAt(k, ctx)
			if !bytes.Equal(x.AppendAnswer(nil), y.AppendAnswer(nil)) {
				t.Fatalf("%+v, after JSON %+v", x, y)
			}
		}
	}
}

func TestProgrammeDoesNotAllocate(t *testing.T) {
	s := compile(t, fullConfig(t, experiment.UnitViewer))
	ctx, i := assignment.NewContext(""), 0
	out := make([]byte, 0, 4<<10)
	ids := make([]string, 64)
	for k := range ids {
		ids[k] = unitName(k)
	}
	allocs := testing.AllocsPerRun(200, func() {
		ctx.SetTargetingKey(ids[i%len(ids)])
		i++
		for k := range s.Len() {
			r := s.EvaluateAt(k, ctx)
			out = r.AppendAnswer(out[:0])
		}
	})
	if allocs != 0 {
		t.Errorf("evaluations allocate %v times, want 0", allocs)
	}
}

func BenchmarkInList(b *testing.B) {
	e := plainExperiment("x")
	e.Audience = &experiment.Audience{Op: experiment.OpInList, List: "some"}
	cfg := soloConfig(e)
	cfg.Lists = []experiment.List{{Key: "some", IDs: idSet(b, experiment.MaxListIDs, unitName)}}
	s, ctxs := compile(b, cfg), make([]*assignment.Context, 1024)
	for i := range ctxs {
		ctxs[i] = assignment.NewContext(unitName(i * 197))
	}
	b.ReportAllocs()
	for i := range b.N {
		r := s.EvaluateAt(0, ctxs[i%len(ctxs)])
		sink += r.Arm
	}
}
