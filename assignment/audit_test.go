package assignment_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// past is a platform that changes, and remembers how.
type past struct {
	at       time.Time
	history  assignment.History
	running  map[string]experiment.Experiment
	holdouts map[string]experiment.Holdout
	lists    map[string]*experiment.IDSet
}

func newPast() *past {
	return &past{
		at:      time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC),
		history: assignment.History{Experiment: "x", Changes: map[string][]assignment.Enrolment{}, IDs: map[string]*experiment.IDSet{}},
		running: map[string]experiment.Experiment{}, holdouts: map[string]experiment.Holdout{}, lists: map[string]*experiment.IDSet{},
	}
}

// pass lets an hour pass.
func (p *past) pass() { p.at = p.at.Add(time.Hour) }

// change changes an experiment; a new one is plain.
func (p *past) change(key string, edit func(*experiment.Experiment)) {
	p.pass()
	e, ok := p.running[key]
	if !ok {
		e = plainExperiment(key)
	}
	e.Arms = slices.Clone(e.Arms)
	edit(&e)
	p.running[key] = e
	p.history.Changes[key] = append(p.history.Changes[key], assignment.Enrolment{
		At: p.at, Version: e.Version, Spec: e.Spec, Salt: e.Salt, Slots: e.SlotRanges, Layer: layerOf(key), Shipped: e.ShippedArm,
	})
}

func layerOf(key string) experiment.Layer {
	return experiment.Layer{Key: key, Unit: experiment.UnitViewer, Salt: "layer-" + key}
}

func (p *past) hold(key string, slots int, ended bool) {
	p.pass()
	h := experiment.Holdout{HoldoutSpec: experiment.HoldoutSpec{Key: key, Unit: experiment.UnitViewer, Slots: slots, Ended: ended}, Salt: "holdout-" + key}
	p.holdouts[key] = h
	p.history.Holdouts = append(p.history.Holdouts, assignment.HoldoutChange{At: p.at, Holdout: h})
}

// list replaces a list; the ids of the former are forgotten.
func (p *past) list(t testing.TB, key string, ids ...string) {
	t.Helper()
	p.pass()
	set, err := experiment.NewIDSet(ids)
	if err != nil {
		t.Fatal(err)
	}
	if old := p.lists[key]; old != nil {
		delete(p.history.IDs, old.Digest())
	}
	p.lists[key] = set
	p.history.Lists = append(p.history.Lists, assignment.ListChange{At: p.at, Key: key, Digest: set.Digest()})
	p.history.IDs[set.Digest()] = set
}

func (p *past) snapshot(t testing.TB) *assignment.Snapshot {
	t.Helper()
	cfg := experiment.Config{Version: 1}
	for _, key := range slices.Sorted(maps.Keys(p.running)) {
		cfg.Layers = append(cfg.Layers, layerOf(key))
		cfg.Experiments = append(cfg.Experiments, p.running[key])
	}
	for _, key := range slices.Sorted(maps.Keys(p.holdouts)) {
		cfg.Holdouts = append(cfg.Holdouts, p.holdouts[key])
	}
	for _, key := range slices.Sorted(maps.Keys(p.lists)) {
		cfg.Lists = append(cfg.Lists, experiment.List{Key: key, IDs: p.lists[key]})
	}
	return compile(t, cfg)
}

// viewerContext is what a service tells of viewer i.
func viewerContext(i int) *assignment.Context {
	ctx := assignment.NewContext(unitName(i))
	ctx.SetString("country", []string{"DE", "FR", "US"}[i%3])
	ctx.SetString("app", fmt.Sprintf("5.%d.0", i%5))
	if i%2 == 0 {
		ctx.SetString("beta", "yes")
	}
	return ctx
}

// exposed returns what n viewers of the present configuration are exposed to, a
// second after its last change, by the evaluation itself.
func (p *past) exposed(t testing.TB, n int) []assignment.AuditedExposure {
	t.Helper()
	s := p.snapshot(t)
	var out []assignment.AuditedExposure
	for i := range n {
		ctx := viewerContext(i)
		r, ok := s.Evaluate("x", ctx)
		if !ok || !r.Assigned {
			continue
		}
		x := r.Exposure(ctx, p.at.Add(time.Second), false)
		out = append(out, assignment.AuditedExposure{Version: x.Version, Unit: x.Unit, Arm: r.Arm, At: x.At, Override: x.Override, Attributes: x.Attributes})
	}
	return out
}

// eventful is a platform on which everything happens that changes arms, and all
// that was exposed meanwhile.
func eventful(t testing.TB) (*past, []assignment.AuditedExposure) {
	t.Helper()
	p := newPast()
	var out []assignment.AuditedExposure
	do := func(key string, edit func(*experiment.Experiment)) {
		p.change(key, edit)
		out = append(out, p.exposed(t, 600)...)
	}
	slots := func(n int) []experiment.SlotRange { return []experiment.SlotRange{{From: 0, To: n}} }
	p.list(t, "friends", unitName(1), unitName(3), unitName(4))
	do("base", func(*experiment.Experiment) {})
	do("x", func(e *experiment.Experiment) {
		e.Arms = append(e.Arms, experiment.Arm{Key: "third", Weight: 2, Value: []byte(`"third"`)})
		e.Status, e.SlotRanges = experiment.StatusDraft, nil
	})
	do("x", func(e *experiment.Experiment) { e.Status, e.SlotRanges = experiment.StatusRunning, slots(2000) })
	do("x", func(e *experiment.Experiment) { e.SlotRanges = slots(6000) })
	do("x", func(e *experiment.Experiment) { e.Overrides = map[string]string{unitName(7): "third"} })
	do("x", func(e *experiment.Experiment) {
		e.Version++
		e.Audience = &experiment.Audience{All: []experiment.Audience{
			{Attr: "app", Op: experiment.OpSemverGe, Value: experiment.Scalar{V: "5.2.0"}},
			{Any: []experiment.Audience{
				{Attr: "country", Op: experiment.OpIn, Values: []experiment.Scalar{{V: "DE"}, {V: "FR"}}},
				{Op: experiment.OpInList, List: "friends"},
			}},
		}}
	})
	do("x", func(e *experiment.Experiment) {
		e.Version++
		e.Requires = []experiment.Requirement{{Experiment: "base", Arms: []string{"treatment"}}}
	})
	do("base", func(e *experiment.Experiment) { e.Status = experiment.StatusPaused })
	do("base", func(e *experiment.Experiment) { e.Status = experiment.StatusStopped; e.ShippedArm = "treatment" })
	p.hold("all", 3000, false)
	do("x", func(e *experiment.Experiment) { e.Version++ })
	do("x", func(e *experiment.Experiment) { e.Status = experiment.StatusPaused })
	do("x", func(e *experiment.Experiment) { e.Status = experiment.StatusRunning })
	p.hold("all", 3000, true)
	out = append(out, p.exposed(t, 600)...)
	do("x", func(e *experiment.Experiment) { e.Arms[1].Dropped = true })
	do("x", func(e *experiment.Experiment) {
		e.Version++
		e.Salt, e.Requires, e.Audience = "another", nil, nil
	})
	return p, out
}

func newAuditor(t testing.TB, p *past) *assignment.Auditor {
	t.Helper()
	a, err := assignment.NewAuditor(&p.history)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What any configuration of the history assigned passes, and in no other arm.
func TestAuditorAgreesWithEvaluation(t *testing.T) {
	t.Parallel()
	p, exposures := eventful(t)
	a := newAuditor(t, p)
	versions, others := map[int]int{}, 0
	for _, x := range exposures {
		versions[x.Version]++
		if f := a.Check(&x); f.Verdict != assignment.VerdictRight {
			t.Fatalf("%+v is judged %+v", x, f)
		}
		for arm := range 3 {
			y := x
			y.Arm = arm
			if arm == x.Arm {
				continue
			}
			others++
			if f := a.Check(&y); f.Verdict != assignment.VerdictWrong || f.Why == "" {
				t.Fatalf("%+v in arm %d is judged %+v", x, arm, f)
			}
		}
	}
	for version := 1; version <= 5; version++ {
		if versions[version] < 100 {
			t.Errorf("version %d has %d exposures: too few to tell", version, versions[version])
		}
	}
	if others < 2000 {
		t.Errorf("%d exposures in other arms: too few to tell", others)
	}
}

// What is not known of an exposure makes it not judged at most, never wrong; and
// what is refused stays refused when all is known.
func TestAuditorKnowsLess(t *testing.T) {
	t.Parallel()
	p, exposures := eventful(t)
	a := newAuditor(t, p)
	rapid.Check(t, func(rt *rapid.T) {
		x := rapid.SampledFrom(exposures).Draw(rt, "exposure")
		x.Attributes = maps.Clone(x.Attributes)
		for _, name := range []string{"country", "app", "beta"} {
			if rapid.Bool().Draw(rt, name) {
				delete(x.Attributes, name)
			}
		}
		f := a.Check(&x)
		if f.Verdict == assignment.VerdictWrong || f.Verdict == assignment.VerdictNotJudged && !strings.Contains(f.Why, "is not stored") {
			rt.Fatalf("%+v is judged %+v", x, f)
		}
		x.Arm = (x.Arm + 1) % 3
		if f := a.Check(&x); f.Verdict != assignment.VerdictWrong {
			rt.Fatalf("%+v in another arm is judged %+v", x, f)
		}
	})
}

// Each way in which an exposure can contradict the history is found and named.
func TestAuditorFinds(t *testing.T) {
	t.Parallel()
	type exposures = assignment.AuditedExposure
	for name, c := range map[string]struct {
		make func(t *testing.T, p *past) exposures
		want assignment.Verdict
		says string
	}{
		"no such version": {func(t *testing.T, p *past) exposures { x := p.exposed(t, 9)[0]; x.Version = 7; return x }, assignment.VerdictWrong, "no version 7"},
		"no such arm":     {func(t *testing.T, p *past) exposures { x := p.exposed(t, 9)[0]; x.Arm = 5; return x }, assignment.VerdictWrong, "no arm 5"},
		"a bad id":        {func(t *testing.T, p *past) exposures { x := p.exposed(t, 9)[0]; x.Unit = "ж"; return x }, assignment.VerdictWrong, "not valid"},
		"another unit":    {func(t *testing.T, p *past) exposures { x := p.exposed(t, 9)[0]; x.Arm = 1 - x.Arm; return x }, assignment.VerdictWrong, "the hash gives arm"},
		"before it ran": {func(t *testing.T, p *past) exposures {
			x := p.exposed(t, 9)[0]
			x.At = p.history.Changes["x"][0].At.Add(-assignment.AuditSlack - time.Millisecond)
			return x
		}, assignment.VerdictWrong, "before version 1 ran"},
		"a clock that is a little slow": {func(t *testing.T, p *past) exposures {
			x := p.exposed(t, 9)[0]
			x.At = p.history.Changes["x"][0].At.Add(-assignment.AuditSlack)
			return x
		}, assignment.VerdictRight, ""},
		"marked without an override": {func(t *testing.T, p *past) exposures { x := p.exposed(t, 9)[0]; x.Override = true; return x }, assignment.VerdictWrong, "no override"},
		"forced without a mark": {func(t *testing.T, p *past) exposures {
			p.change("x", func(e *experiment.Experiment) { e.Overrides = map[string]string{"new": "treatment"} })
			x := p.exposed(t, 9)[0]
			x.Unit, x.Arm = "new", 1
			p.history.Changes["x"] = p.history.Changes["x"][1:]
			return x
		}, assignment.VerdictWrong, "does not say so"},
		"not its slot yet": {func(t *testing.T, p *past) exposures {
			p.change("x", func(e *experiment.Experiment) { e.SlotRanges = []experiment.SlotRange{{From: 0, To: 1}} })
			before := p.at
			p.change("x", func(e *experiment.Experiment) {
				e.SlotRanges = []experiment.SlotRange{{From: 0, To: experiment.TotalSlots}}
			})
			p.history.Changes["x"] = p.history.Changes["x"][1:]
			x := p.exposed(t, 9)[0]
			x.At = before.Add(time.Minute)
			return x
		}, assignment.VerdictWrong, "was not the experiment's then"},
		"long after a pause": {func(t *testing.T, p *past) exposures {
			x := p.exposed(t, 9)[0]
			p.change("x", func(e *experiment.Experiment) { e.Status = experiment.StatusPaused })
			x.At = p.at.Add(assignment.AuditSlack + time.Millisecond)
			return x
		}, assignment.VerdictEarlier, ""},
		"soon after a pause": {func(t *testing.T, p *past) exposures {
			x := p.exposed(t, 9)[0]
			p.change("x", func(e *experiment.Experiment) { e.Status = experiment.StatusPaused })
			x.At = p.at.Add(assignment.AuditSlack)
			return x
		}, assignment.VerdictRight, ""},
		"older than the holdout": {func(t *testing.T, p *past) exposures {
			x := p.exposed(t, 9)[0]
			p.hold("h", 9999, false)
			p.change("x", func(e *experiment.Experiment) { e.Version++ })
			return x
		}, assignment.VerdictRight, ""},
		"held out": {func(t *testing.T, p *past) exposures {
			x := p.exposed(t, 9)[0]
			p.hold("h", 9999, false)
			p.change("x", func(e *experiment.Experiment) { e.Version++ })
			x.Version, x.At = 2, p.at
			return x
		}, assignment.VerdictWrong, "held out by h"},
		"in spite of the holdout": {func(t *testing.T, p *past) exposures {
			p.hold("h", 9999, false)
			p.change("x", func(e *experiment.Experiment) { e.IgnoreHoldouts = "a safety fix" })
			return p.exposed(t, 9)[0]
		}, assignment.VerdictRight, ""},
		"without what is required": {func(t *testing.T, p *past) exposures {
			p.change("base", func(e *experiment.Experiment) { e.Status, e.ShippedArm = experiment.StatusStopped, "treatment" })
			p.change("x", func(e *experiment.Experiment) {
				e.Version, e.Requires = 2, []experiment.Requirement{{Experiment: "base", Arms: []string{"treatment"}}}
			})
			x := p.exposed(t, 9)[0]
			p.history.Changes["base"][0].Shipped = "control"
			return x
		}, assignment.VerdictWrong, "arm of base that is required"},
		"a pause that kept arms": {func(t *testing.T, p *past) exposures {
			p.change("base", func(*experiment.Experiment) {})
			p.change("x", func(e *experiment.Experiment) {
				e.Version, e.Requires = 2, []experiment.Requirement{{Experiment: "base", Arms: []string{"control", "treatment"}}}
			})
			x := p.exposed(t, 9)[0]
			p.history.Changes["base"][0].Spec.Status = experiment.StatusPaused
			p.history.Changes["base"][0].Spec.OnPause = experiment.PauseKeep
			return x
		}, assignment.VerdictNotJudged, "while base was paused"},
		"a list that changed": {func(t *testing.T, p *past) exposures {
			p.list(t, "friends", unitName(0), unitName(1), unitName(2))
			p.change("x", func(e *experiment.Experiment) {
				e.Version, e.Audience = 2, &experiment.Audience{Op: experiment.OpInList, List: "friends"}
			})
			x := p.exposed(t, 9)[0]
			p.list(t, "friends", "nobody")
			return x
		}, assignment.VerdictNotJudged, `list "friends" has changed since`},
		"a number": {func(t *testing.T, p *past) exposures {
			p.change("x", func(e *experiment.Experiment) {
				e.Version, e.Audience = 2, &experiment.Audience{Attr: "build", Op: experiment.OpGe, Value: experiment.Scalar{V: 5000.0}}
			})
			return assignment.AuditedExposure{Version: 2, Unit: unitName(1), Arm: armOf(t, p, unitName(1)), At: p.at, Attributes: map[string]string{"build": "6000"}}
		}, assignment.VerdictNotJudged, "stored as text"},
		"a number that is too small": {func(t *testing.T, p *past) exposures {
			p.change("x", func(e *experiment.Experiment) {
				e.Version, e.Audience = 2, &experiment.Audience{Attr: "build", Op: experiment.OpGe, Value: experiment.Scalar{V: 5000.0}}
			})
			return assignment.AuditedExposure{Version: 2, Unit: unitName(1), Arm: armOf(t, p, unitName(1)), At: p.at, Attributes: map[string]string{"build": "4999"}}
		}, assignment.VerdictWrong, "outside the audience"},
		"a dropped arm": {func(t *testing.T, p *past) exposures {
			p.change("x", func(e *experiment.Experiment) { e.Version, e.Arms[1].Dropped = 2, true })
			i := 0
			for armOf(t, p, unitName(i)) != 1 {
				i++
			}
			return assignment.AuditedExposure{Version: 2, Unit: unitName(i), Arm: 1, At: p.at}
		}, assignment.VerdictWrong, "treatment, which was dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPast()
			p.change("x", func(*experiment.Experiment) {})
			x := c.make(t, p)
			if f := newAuditor(t, p).Check(&x); f.Verdict != c.want || !strings.Contains(f.Why, c.says) || (c.says == "") != (f.Why == "") {
				t.Errorf("Check(%+v) = %+v, want %d with %q", x, f, c.want, c.says)
			}
		})
	}
}

// armOf returns the arm that the hash gives a unit.
func armOf(t testing.TB, p *past, unit string) int {
	t.Helper()
	variant, _, ok := p.snapshot(t).ArmOf("x", unit)
	if !ok {
		t.Fatalf("there is no arm for %s", unit)
	}
	x := p.running["x"]
	return x.ArmIndex(variant)
}

// BenchmarkAudit is one exposure of the eventful history.
func BenchmarkAudit(b *testing.B) {
	p, exposures := eventful(b)
	a := newAuditor(b, p)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if f := a.Check(&exposures[i%len(exposures)]); f.Verdict != assignment.VerdictRight {
			b.Fatal(f)
		}
	}
}
