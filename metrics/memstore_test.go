package metrics_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/metrics/storetest"
	"github.com/splitcast/splitcast/telemetry"
)

// memStore is metrics.Store in memory: the reference that says in the plainest
// way what a store does. The conformance suite runs on it as on the others.
type memStore struct {
	mu       sync.Mutex
	nextID   int64
	runs     map[runKey]*memRun
	sessions map[string]telemetry.Session
	links    map[string]string // session → unit
	parts    []telemetry.Broadcast
	events   map[string]storetest.Event // by unit, name and id
}

// runKey names a version of an experiment.
type runKey struct {
	experiment string
	version    int
}

// memRun is all that is stored of one version of an experiment.
type memRun struct {
	locked    bool
	unit      experiment.UnitType
	arms      []experiment.Arm
	exposures map[string]*memExposure // by unit
	outcomes  map[metrics.Window][]metrics.Outcome
	restated  []memRestated
	imported  map[metrics.Window][]metrics.Outcome
	looks     []metrics.Look
}

// memRestated is an outcome that takes the place of another from a look on.
type memRestated struct {
	metrics.Outcome
	window metrics.Window
	look   int
}

type memExposure struct {
	experiment.Exposure
	arm      int
	crossed  bool
	recorded time.Time
	counted  time.Time // when the exposure that counts was recorded
	imported bool      // no window of it closes by the clock
}

func (x *memExposure) closes(w metrics.Window) time.Time { return w.ClosesAt(x.At, x.counted) }

func newMemStore() *memStore {
	return &memStore{runs: map[runKey]*memRun{}, sessions: map[string]telemetry.Session{}, links: map[string]string{}, events: map[string]storetest.Event{}}
}

func (m *memStore) Launch(_ context.Context, spec experiment.Spec) (experiment.Experiment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	exp, err := experiment.Revise(nil, spec)
	if err != nil {
		return experiment.Experiment{}, err
	}
	m.nextID++
	exp.ID = m.nextID
	m.runs[runKey{exp.Key, exp.Version}] = &memRun{
		unit: exp.Unit, arms: exp.Arms, exposures: map[string]*memExposure{}, outcomes: map[metrics.Window][]metrics.Outcome{},
		imported: map[metrics.Window][]metrics.Outcome{},
	}
	return exp, nil
}

func (m *memStore) Expose(_ context.Context, recordedAt time.Time, xs []experiment.Exposure) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range xs {
		run, ok := m.runs[runKey{x.Experiment, x.Version}]
		if !ok {
			return fmt.Errorf("no experiment %s version %d", x.Experiment, x.Version)
		}
		arm := slices.IndexFunc(run.arms, func(a experiment.Arm) bool { return a.Key == x.Arm })
		if arm < 0 {
			return fmt.Errorf("no arm %s", x.Arm)
		}
		run.expose(x, arm, recordedAt)
		if x.Session != "" {
			m.links[x.Session] = x.Unit
		}
	}
	return nil
}

func (r *memRun) expose(x experiment.Exposure, arm int, recordedAt time.Time) {
	old, seen := r.exposures[x.Unit]
	switch {
	case !seen:
		r.exposures[x.Unit] = &memExposure{Exposure: x, arm: arm, recorded: recordedAt, counted: recordedAt}
	case old.arm != arm:
		old.crossed = true
	case x.At.Before(old.At) && old.closes(metrics.WindowFirst).After(recordedAt):
		old.Exposure, old.counted = x, recordedAt // no outcome can be fixed yet
	}
}

func (m *memStore) Report(_ context.Context, sessions []telemetry.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range sessions {
		m.sessions[s.SessionID] = telemetry.Merge(m.sessions[s.SessionID], s)
	}
	return nil
}

func (m *memStore) ReportBroadcasts(_ context.Context, parts []telemetry.Broadcast) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range parts {
		at := slices.IndexFunc(m.parts, func(p telemetry.Broadcast) bool { return p.StreamID == b.StreamID && p.Part == b.Part })
		if at < 0 {
			m.parts = append(m.parts, b)
			continue
		}
		m.parts[at] = telemetry.MergeBroadcasts(m.parts[at], b)
	}
	return nil
}

func (m *memStore) ReportEvents(_ context.Context, events []storetest.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		key := fmt.Sprintf("%s/%s/%s/%s", e.UnitType, e.Unit, e.Name, e.ID)
		if _, seen := m.events[key]; !seen {
			m.events[key] = e
		}
	}
	return nil
}

func (m *memStore) Import(_ context.Context, exp *experiment.Experiment, importedAt time.Time, w metrics.Window, outcomes []metrics.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	run := m.runs[runKey{exp.Key, exp.Version}]
	for _, o := range outcomes {
		if slices.ContainsFunc(run.imported[w], func(old metrics.Outcome) bool { return old.Unit == o.Unit }) {
			continue // the first stays
		}
		o.ClosesAt = importedAt
		run.imported[w] = append(run.imported[w], o)
		if _, known := run.exposures[o.Unit]; !known { // no window of it closes by the clock
			run.exposures[o.Unit] = &memExposure{Exposure: experiment.Exposure{Unit: o.Unit, At: o.ExposedAt}, arm: o.Arm, recorded: importedAt, imported: true}
		}
	}
	return nil
}

func (m *memStore) Outcomes(_ context.Context, exp *experiment.Experiment, w metrics.Window) ([]metrics.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.runs[runKey{exp.Key, exp.Version}].outcomes[w])
	slices.SortFunc(out, func(a, b metrics.Outcome) int {
		return cmp.Or(a.ClosesAt.Compare(b.ClosesAt), cmp.Compare(a.Unit, b.Unit))
	})
	return out, nil
}

func (m *memStore) FoldSessions(context.Context, time.Time) (int, error) { return 0, nil }

func (m *memStore) Look(_ context.Context, exp *experiment.Experiment, do func(metrics.LookTx) error) (bool, error) {
	run, ok := m.lock(exp)
	if !ok {
		return false, nil
	}
	tx := &memTx{store: m, run: run, outcomes: map[metrics.Window][]metrics.Outcome{}, units: map[metrics.Window]map[string]bool{}}
	err := do(tx)
	m.mu.Lock()
	defer m.mu.Unlock()
	run.locked = false
	if err != nil {
		return false, err
	}
	for w, outcomes := range tx.outcomes {
		run.outcomes[w] = append(run.outcomes[w], outcomes...)
	}
	run.restated = append(run.restated, tx.restated...)
	run.looks = append(run.looks, tx.looks...)
	return true, nil
}

func (m *memStore) lock(exp *experiment.Experiment) (*memRun, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	run := m.runs[runKey{exp.Key, exp.Version}]
	if run.locked {
		return nil, false
	}
	run.locked = true
	return run, true
}

// memTx holds what its look writes until it is committed.
type memTx struct {
	store    *memStore
	run      *memRun
	outcomes map[metrics.Window][]metrics.Outcome
	units    map[metrics.Window]map[string]bool // that have an outcome, of windows that were asked for
	restated []memRestated
	looks    []metrics.Look
}

// settled are the units that have an outcome of a window.
func (tx *memTx) settled(w metrics.Window) map[string]bool {
	if tx.units[w] == nil {
		tx.units[w] = map[string]bool{}
		for _, o := range tx.run.outcomes[w] {
			tx.units[w][o.Unit] = true
		}
	}
	return tx.units[w]
}

func (tx *memTx) Last(context.Context) (metrics.Look, bool, error) {
	n := len(tx.run.looks)
	if n == 0 {
		return metrics.Look{}, false, nil
	}
	return tx.run.looks[n-1], true, nil
}

func (tx *memTx) Closed(_ context.Context, ask metrics.Reading, each func(*metrics.Closed) error) error {
	for _, c := range tx.closed(ask) {
		if err := each(&c); err != nil {
			return err
		}
	}
	return nil
}

func (tx *memTx) closed(ask metrics.Reading) []metrics.Closed {
	w := ask.Window
	tx.store.mu.Lock()
	defer tx.store.mu.Unlock()
	var out []metrics.Closed
	for _, x := range tx.run.exposures {
		if at := x.closes(w); x.imported || !at.After(ask.After) || at.After(ask.UpTo) {
			continue
		}
		c := metrics.Closed{
			Unit: x.Unit, Arm: x.arm, ExposedAt: x.At, ClosesAt: x.closes(w),
			Crossed: x.crossed, Override: x.Override, Dims: x.Attributes,
		}
		for _, s := range tx.store.sessions {
			own := s.ViewerID
			if tx.run.unit == experiment.UnitBroadcaster {
				own = s.BroadcasterID
			}
			mine := own == x.Unit || tx.store.links[s.SessionID] == x.Unit
			if mine && (w.Counts(x.At, &s) || metrics.InHistory(x.At, ask.HistoryDays, &s)) {
				c.Sessions = append(c.Sessions, s)
			}
		}
		if c.Broadcaster = tx.run.unit == experiment.UnitBroadcaster; c.Broadcaster {
			c.Broadcasts = tx.broadcasts(w, x)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b metrics.Closed) int {
		return cmp.Or(a.ClosesAt.Compare(b.ClosesAt), cmp.Compare(a.Unit, b.Unit))
	})
	return out
}

// broadcasts returns all parts of the broadcasts of which one began in the window.
func (tx *memTx) broadcasts(w metrics.Window, x *memExposure) []telemetry.Broadcast {
	began := map[string]bool{}
	for _, b := range tx.store.parts {
		if b.BroadcasterID == x.Unit && w.Counts(x.At, &telemetry.Session{FirstRecvMs: b.FirstRecvMs}) {
			began[b.StreamID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(tx.store.parts), func(b telemetry.Broadcast) bool { return !began[b.StreamID] })
}

func (tx *memTx) EventSums(_ context.Context, names []string, windows []metrics.UnitWindow) ([]metrics.UnitSum, error) {
	tx.store.mu.Lock()
	defer tx.store.mu.Unlock()
	var out []metrics.UnitSum
	for _, w := range windows {
		for _, name := range names {
			sum := metrics.UnitSum{Unit: w.Unit, Name: name}
			for _, e := range tx.store.events {
				if e.UnitType == tx.run.unit && e.Unit == w.Unit && e.Name == name &&
					e.AtMs >= w.FromMs && e.AtMs < w.ToMs && e.RecvMs <= w.KnownMs {
					sum.N++
					if e.Value != nil {
						sum.Sum += *e.Value
					}
				}
			}
			if sum.N > 0 {
				out = append(out, sum)
			}
		}
	}
	return out, nil
}

func (tx *memTx) FirstEvents(_ context.Context, name string, windows []metrics.UnitWindow) ([]metrics.UnitMoment, error) {
	tx.store.mu.Lock()
	defer tx.store.mu.Unlock()
	var out []metrics.UnitMoment
	for _, w := range windows {
		first := int64(math.MaxInt64)
		for _, e := range tx.store.events {
			if e.UnitType == tx.run.unit && e.Unit == w.Unit && e.Name == name &&
				e.AtMs >= w.FromMs && e.AtMs < w.ToMs && e.RecvMs <= w.KnownMs {
				first = min(first, e.AtMs)
			}
		}
		if first < math.MaxInt64 {
			out = append(out, metrics.UnitMoment{Unit: w.Unit, AtMs: first})
		}
	}
	return out, nil
}

func (tx *memTx) Aftermath(_ context.Context, after, upTo time.Time, events []string) ([]metrics.Aftermath, error) {
	out := make([]metrics.Aftermath, len(tx.run.arms))
	if tx.run.unit == experiment.UnitBroadcaster {
		return out, nil
	}
	for _, c := range tx.closed(metrics.Reading{Window: metrics.WindowDay, After: after, UpTo: upTo}) {
		if c.Excluded() {
			continue
		}
		out[c.Arm].Awaited++
		settled := len(c.Sessions) > 0
		late := slices.ContainsFunc(c.Sessions, func(s telemetry.Session) bool { return metrics.LateAt(&s, c.ClosesAt) })
		window := metrics.UnitWindowOf(&metrics.Outcome{ExposedAt: c.ExposedAt, ClosesAt: c.ClosesAt}, metrics.WindowDay)
		for _, e := range tx.store.events {
			if e.UnitType == tx.run.unit && e.Unit == c.Unit && slices.Contains(events, e.Name) && e.AtMs >= window.FromMs && e.AtMs < window.ToMs {
				settled, late = true, late || e.RecvMs > window.KnownMs
			}
		}
		if settled {
			out[c.Arm].Settled++
		}
		if late {
			out[c.Arm].Late++
		}
	}
	return out, nil
}

func (tx *memTx) Imported(_ context.Context, ask metrics.Reading, each func(*metrics.Outcome) error) error {
	tx.store.mu.Lock()
	list := slices.Clone(tx.run.imported[ask.Window])
	tx.store.mu.Unlock()
	slices.SortFunc(list, func(a, b metrics.Outcome) int {
		return cmp.Or(a.ClosesAt.Compare(b.ClosesAt), cmp.Compare(a.Unit, b.Unit))
	})
	for i := range list {
		if !list[i].ClosesAt.After(ask.After) || list[i].ClosesAt.After(ask.UpTo) {
			continue
		}
		if err := each(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (tx *memTx) AppendOutcomes(_ context.Context, w metrics.Window, _ int, outcomes []metrics.Outcome) error {
	taken := tx.settled(w)
	for _, o := range outcomes {
		if taken[o.Unit] {
			return fmt.Errorf("unit %s has an outcome of window %s", o.Unit, w)
		}
		taken[o.Unit] = true
	}
	tx.outcomes[w] = append(tx.outcomes[w], outcomes...)
	return nil
}

func (tx *memTx) AppendRestated(_ context.Context, w metrics.Window, look int, outcomes []metrics.Outcome) error {
	for _, o := range outcomes {
		if !tx.settled(w)[o.Unit] {
			return fmt.Errorf("unit %s has no outcome of window %s", o.Unit, w)
		}
		tx.restated = append(tx.restated, memRestated{o, w, look})
	}
	return nil
}

func (tx *memTx) Outcomes(_ context.Context, w metrics.Window, look int, each func(*metrics.Outcome) error) error {
	restated := slices.Concat(tx.run.restated, tx.restated) // the newest last
	for _, o := range slices.Concat(tx.run.outcomes[w], tx.outcomes[w]) {
		for _, r := range restated {
			if r.Unit == o.Unit && r.window == w && r.look <= look {
				o = r.Outcome
			}
		}
		if err := each(&o); err != nil {
			return err
		}
	}
	return nil
}

func (tx *memTx) AppendLook(_ context.Context, l metrics.Look) error {
	if want := len(tx.run.looks) + len(tx.looks) + 1; l.Number != want {
		return fmt.Errorf("look %d follows look %d", l.Number, want-1)
	}
	tx.looks = append(tx.looks, l)
	return nil
}

func (tx *memTx) Counts(_ context.Context, upTo time.Time) ([]metrics.ArmCounts, error) {
	tx.store.mu.Lock()
	defer tx.store.mu.Unlock()
	counts := make([]metrics.ArmCounts, len(tx.run.arms))
	for i := range counts {
		counts[i].Arm = i
	}
	for x := range maps.Values(tx.run.exposures) {
		if x.recorded.After(upTo) {
			continue
		}
		switch c := &counts[x.arm]; {
		case x.Override:
			c.Overridden++
		case x.crossed:
			c.Crossed++
		default:
			c.Exposed++
		}
	}
	for _, o := range slices.Concat(tx.run.outcomes[metrics.WindowFirst], tx.outcomes[metrics.WindowFirst]) {
		counts[o.Arm].ClosedFirst++
	}
	for _, o := range slices.Concat(tx.run.outcomes[metrics.WindowDay], tx.outcomes[metrics.WindowDay]) {
		counts[o.Arm].ClosedDay++
	}
	for arm := range counts {
		for _, list := range tx.run.imported {
			units := int64(0)
			for _, o := range list {
				if o.Arm == arm {
					units++
				}
			}
			counts[arm].Imported = max(counts[arm].Imported, units)
		}
	}
	return counts, nil
}

func TestMemStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func(*testing.T) storetest.Subject { return newMemStore() })
}
