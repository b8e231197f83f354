package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// markedSource is a configSource that leaves out what the reader has.
type markedSource struct {
	cfg   experiment.Config
	marks map[string]experiment.Mark
	next  experiment.Mark
	read  atomic.Int64 // experiments that were not left out
}

// touch gives an experiment a new mark.
func (m *markedSource) touch(key string) {
	m.next++
	m.marks[key] = m.next
}

func (m *markedSource) load(_ context.Context, have map[string]experiment.Mark, use func(experiment.ConfigStream) error) error {
	whole := m.cfg.Stream()
	return use(experiment.ConfigStream{Head: whole.Head, Experiments: func(yield func(experiment.Streamed, error) bool) {
		for e := range whole.Experiments {
			if e.Mark = m.marks[e.Key]; have[e.Key] == e.Mark {
				e.Experiment = nil
			} else {
				m.read.Add(1)
			}
			if !yield(e, nil) {
				return
			}
		}
	}})
}

func (m *markedSource) add(key string) {
	m.cfg.Layers = append(m.cfg.Layers, experiment.Layer{Key: key, Unit: experiment.UnitViewer, Salt: "layer-" + key})
	m.cfg.Experiments = append(m.cfg.Experiments, experiment.Experiment{
		ID: int64(len(m.cfg.Experiments) + 1), Version: 1, Salt: "salt-" + key, SlotRanges: []experiment.SlotRange{{From: 0, To: experiment.TotalSlots}},
		Spec: experiment.Spec{
			Key: key, Unit: experiment.UnitViewer, Status: experiment.StatusRunning, Hypothesis: "A line\nbreak, \"quotes\",\nand commas.",
			Arms: []experiment.Arm{{Key: "control", Weight: 1, Value: []byte("false")}, {Key: "treatment", Weight: 1, Value: []byte("true")}},
		},
	})
	slices.SortFunc(m.cfg.Experiments, func(a, b experiment.Experiment) int { return cmp.Compare(a.Key, b.Key) })
	m.touch(key)
}

// change does one thing at random, and returns what.
func (m *markedSource) change(r *rand.Rand) string {
	i := r.IntN(len(m.cfg.Experiments))
	e := &m.cfg.Experiments[i]
	defer m.touch(e.Key)
	switch r.IntN(7) {
	case 0:
		key := fmt.Sprintf("n-%d", m.next)
		m.add(key)
		return "add " + key
	case 1:
		if len(m.cfg.Experiments) > 1 {
			key := e.Key
			m.cfg.Experiments = slices.Delete(m.cfg.Experiments, i, i+1)
			return "remove " + key
		}
	case 2:
		e.Status = experiment.StatusDraft
		return "draft " + e.Key
	case 3:
		m.cfg.Holdouts = []experiment.Holdout{{HoldoutSpec: experiment.HoldoutSpec{Key: "h", Unit: experiment.UnitViewer, Slots: 1 + r.IntN(100)}, Salt: "h"}}
		return "holdout"
	case 4:
		e.Status = experiment.StatusRunning
		e.Requires = []experiment.Requirement{{Experiment: m.cfg.Experiments[0].Key, Arms: []string{"treatment"}}}
		if i == 0 {
			e.Requires = nil
		}
		return "require " + e.Key
	case 5:
		for l := range m.cfg.Layers {
			if m.cfg.Layers[l].Key == e.LayerKey() {
				m.cfg.Layers = slices.Clone(m.cfg.Layers)
				m.cfg.Layers[l].Salt += "x"
				m.cfg.Layers[l].Salt = m.cfg.Layers[l].Salt[max(0, len(m.cfg.Layers[l].Salt)-20):]
			}
		}
		return "layer of " + e.Key
	}
	e.Arms = slices.Clone(e.Arms)
	e.Arms[1].Value = fmt.Appendf(nil, "%d", r.IntN(1000))
	return "value of " + e.Key
}

// Whatever changes, a configuration that is put together from what stayed is that
// which is read as a whole, to the byte of the document and for every unit.
func TestLiveTogetherFromParts(t *testing.T) {
	t.Parallel()
	const seed, experiments, changes = 7, 200, 60
	r := rand.New(rand.NewPCG(seed, seed))
	source := &markedSource{marks: map[string]experiment.Mark{}}
	for i := range experiments {
		source.add(fmt.Sprintf("e-%03d", i))
	}
	newLive := func() *Live {
		return NewLive(LiveConfig{Load: source.load, Now: (&handClock{at: testNow}).Now, Log: slog.New(slog.DiscardHandler)})
	}
	live, what := newLive(), "the first"
	for n := range changes {
		source.cfg.Version = int64(n + 1)
		whole := newLive()
		for _, l := range []*Live{live, whole} {
			if err := l.Refresh(t.Context()); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		got, want := live.state.Load(), whole.state.Load()
		if got.document.tag != want.document.tag || plainText(t, got.document) != plainText(t, want.document) {
			t.Fatalf("seed %d: after change %d (%s) the document is not that of a start", seed, n, what)
		}
		sameAnswers(t, got.snapshot, want.snapshot)
		what = source.change(r)
	}
}

func plainText(t *testing.T, p *packed) string {
	t.Helper()
	plain, err := p.plain()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sameAnswers(t *testing.T, got, want *assignment.Snapshot) {
	t.Helper()
	if got.Len() != want.Len() {
		t.Fatalf("%d experiments are served, want %d", got.Len(), want.Len())
	}
	for unit := range 5 {
		ctx := assignment.NewContext(fmt.Sprintf("u-%d", unit))
		for i := range want.Len() {
			w, g := want.EvaluateAt(i, ctx), got.EvaluateAt(i, ctx)
			if !bytes.Equal(w.AppendAnswer(nil), g.AppendAnswer(nil)) {
				t.Fatalf("unit %d: %s, want %s", unit, g.AppendAnswer(nil), w.AppendAnswer(nil))
			}
		}
	}
}

// One experiment that changes is read alone, and packs its chunk alone.
func TestLiveReadsWhatChanged(t *testing.T) {
	t.Parallel()
	source := &markedSource{marks: map[string]experiment.Mark{}}
	for i := range 1000 {
		source.add(fmt.Sprintf("e-%04d", i))
	}
	live := NewLive(LiveConfig{Load: source.load, Now: (&handClock{at: testNow}).Now, Log: slog.New(slog.DiscardHandler)})
	refresh := func() []packedChunk {
		source.cfg.Version++
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		return live.state.Load().chunks
	}
	before := refresh()
	for name, change := range map[string]func(){
		"a value":        func() { source.cfg.Experiments[500].Arms[1].Value = []byte("1"); source.touch("e-0500") },
		"one more":       func() { source.add("e-0500a") },
		"one more ahead": func() { source.add("a") },
	} {
		source.read.Store(0)
		change()
		after := refresh()
		if n := source.read.Load(); n != 1 {
			t.Errorf("%s: %d experiments were read, want 1", name, n)
		}
		kept := 0
		for i := range after {
			if slices.ContainsFunc(before, func(c packedChunk) bool { return &c.member[0] == &after[i].member[0] }) {
				kept++
			}
		}
		if len(after)-kept > 2 { // that of the experiment, and the one before which it came
			t.Errorf("%s: %d of %d chunks were packed anew, want at most 2", name, len(after)-kept, len(after))
		}
		before = after
	}
}

// A configuration that is read twice, because two told of it, is put in force once.
func TestLiveTellsOfAConfigurationOnce(t *testing.T) {
	t.Parallel()
	source := &configSource{}
	source.set(configOf(3), nil)
	live := liveOf(t, source, "")
	told, stop := live.subscribe()
	defer stop()
	for range 2 {
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if snap := live.Snapshot(); snap == nil {
			t.Fatal("nothing is in force")
		}
	}
	first := live.Snapshot()
	if <-told != 3 {
		t.Error("nobody was told")
	}
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if live.Snapshot() != first || len(told) != 0 {
		t.Error("the same configuration came into force again")
	}
}
