package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// store takes the exposures of a queue. While it is closed to them, it is away.
type store struct {
	mu    sync.Mutex
	rows  []postgres.ExposureRow
	err   error
	tried chan struct{} // one token for each try
}

func (s *store) insert(_ context.Context, _ func() time.Time, rows []postgres.ExposureRow) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.tried <- struct{}{}:
	default:
	}
	if s.err == nil {
		s.rows = append(s.rows, rows...)
	}
	return s.err
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// units returns the units stored, with their sessions.
func (s *store) units() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for i := range s.rows {
		out = append(out, s.rows[i].Unit+"/"+s.rows[i].Session)
	}
	slices.Sort(out)
	return out
}

var errTestAway = experiment.Errorf(experiment.CodeUnavailable, "", "away")

func newQueue(t *testing.T) (*exposureQueue, *store, *instruments) {
	t.Helper()
	live := liveOf(t, &configSource{cfg: configOf(1)}, "")
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, stats := &store{tried: make(chan struct{}, 1)}, newInstruments()
	q := newExposureQueue(exposureQueueConfig{
		Insert: st.insert, Resolve: live.resolve, Now: live.now, Log: slog.New(slog.DiscardHandler), Stats: stats,
	})
	return q, st, stats
}

func exposed(unit, session string) experiment.Exposure {
	return experiment.Exposure{Experiment: "abr", Unit: unit, Session: session, Arm: "control", At: testNow}
}

func lost(stats *instruments, reason string) float64 {
	return testutil.ToFloat64(stats.exposuresLost.WithLabelValues(reason))
}

func TestQueueCloseFlushes(t *testing.T) {
	t.Parallel()
	q, st, stats := newQueue(t)
	const n = experiment.MaxExposureBatch*2 + 1
	for i := range n {
		q.add(exposed(fmt.Sprint(i), ""))
	}
	if err := q.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(st.units()); got != n {
		t.Errorf("%d of %d are stored", got, n)
	}
	if got := testutil.ToFloat64(stats.exposuresStored); got != n {
		t.Errorf("stored = %v, want %d", got, n)
	}
}

func TestQueueSkipsWhatIsStoredButLinksNewSessions(t *testing.T) {
	t.Parallel()
	q, st, _ := newQueue(t)
	add := func(x experiment.Exposure, want int) {
		t.Helper()
		q.add(x)
		eventually(t, func() error {
			if got := len(st.units()); got != want {
				return fmt.Errorf("%d stored, want %d", got, want)
			}
			if !q.seen.has(rowOf(t, q, x)) {
				return errors.New("not yet remembered")
			}
			return nil
		})
	}
	add(exposed("v-1", "s-1"), 1)
	add(exposed("v-1", "s-1"), 1)
	add(exposed("v-1", "s-2"), 2)
	add(exposed("v-2", ""), 3)
	if err := q.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := st.units(), []string{"v-1/s-1", "v-1/s-2", "v-2/"}; !slices.Equal(got, want) {
		t.Errorf("stored = %v, want %v", got, want)
	}
}

func rowOf(t *testing.T, q *exposureQueue, x experiment.Exposure) *postgres.ExposureRow {
	t.Helper()
	e, err := q.cfg.Resolve(x.Experiment)
	if err != nil {
		t.Fatal(err)
	}
	row, err := postgres.ResolveExposure(e, &x)
	if err != nil {
		t.Fatal(err)
	}
	return &row
}

// What a caller waits for is written unless it says nothing new: an earlier
// time, another arm and a force into the arm do.
func TestStoreWritesWhatIsNew(t *testing.T) {
	t.Parallel()
	q, st, _ := newQueue(t)
	first := exposed("v-1", "")
	earlier, later, crossed, forced := first, first, first, first
	earlier.At, later.At = first.At.Add(-time.Minute), first.At.Add(time.Minute)
	crossed.Arm, forced.Override = "treatment", true
	written := 0
	for _, step := range []struct {
		name string
		x    experiment.Exposure
		new  int
	}{
		{"first", first, 1},
		{"again", first, 0},
		{"later", later, 0},
		{"earlier", earlier, 1},
		{"first after earlier", first, 0},
		{"crossed", crossed, 1},
		{"crossed again", crossed, 0},
		{"forced", forced, 1},
		{"forced again", forced, 0},
	} {
		if err := q.store(t.Context(), []postgres.ExposureRow{*rowOf(t, q, step.x)}); err != nil {
			t.Fatal(err)
		}
		if got := len(st.units()) - written; got != step.new {
			t.Errorf("%s: %d rows are written, want %d", step.name, got, step.new)
		}
		written = len(st.units())
	}
	st.fail(errTestAway)
	other := []postgres.ExposureRow{*rowOf(t, q, exposed("v-2", ""))}
	if err := q.store(t.Context(), other); err == nil {
		t.Error("an exposure is acknowledged while the store is away")
	}
	st.fail(nil)
	if err := q.store(t.Context(), other); err != nil || len(st.units()) != written+1 {
		t.Errorf("what failed is not written later: %v", err)
	}
	if err := q.close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSeenSetForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var s seenSet
	row := func(i int) []postgres.ExposureRow { return []postgres.ExposureRow{{Unit: fmt.Sprint(i), At: testNow}} }
	for i := range 2*seenGeneration + 1 {
		s.add(row(i))
	}
	for i, want := range map[int]bool{0: false, seenGeneration - 1: false, seenGeneration: true, 2 * seenGeneration: true} {
		if got := s.has(&row(i)[0]); got != want {
			t.Errorf("exposure %d of %d is remembered: %v, want %v", i, 2*seenGeneration+1, got, want)
		}
	}
}

// What was not stored is not remembered, or a unit would be lost for good.
func TestQueueTriesAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	q, st, stats := newQueue(t)
	st.fail(errTestAway)
	q.add(exposed("v-1", ""))
	<-st.tried
	<-st.tried
	st.fail(nil)
	eventually(t, func() error {
		if len(st.units()) != 1 {
			return errors.New("not stored")
		}
		return nil
	})
	st.fail(errors.New("refused"))
	q.add(exposed("v-2", ""))
	eventually(t, func() error {
		if lost(stats, "write_failed") != 1 {
			return errors.New("not counted")
		}
		return nil
	})
	st.fail(nil)
	q.add(exposed("v-2", ""))
	if err := q.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := st.units(), []string{"v-1/", "v-2/"}; !slices.Equal(got, want) {
		t.Errorf("stored = %v, want %v", got, want)
	}
}

// While the database is away the queue holds exposureQueueLen; what comes on
// top is counted, and adding never waits.
func TestQueueOverflowIsCounted(t *testing.T) {
	t.Parallel()
	q, st, stats := newQueue(t)
	st.fail(errTestAway)
	q.add(exposed("first", ""))
	<-st.tried // its batch is in the writer's hands: the queue itself is empty
	for i := range exposureQueueLen {
		q.add(exposed(fmt.Sprint(i), ""))
	}
	if got := lost(stats, "queue_full"); got != 0 || q.len() != exposureQueueLen {
		t.Errorf("at the limit %v are lost and %d wait, want 0 and %d", got, q.len(), exposureQueueLen)
	}
	q.add(exposed("one-more", ""))
	if got := lost(stats, "queue_full"); got != 1 {
		t.Errorf("at the limit and one, %v are lost, want 1", got)
	}
	st.fail(nil)
	if err := q.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(st.units()); got != exposureQueueLen+1 {
		t.Errorf("%d are stored, want %d", got, exposureQueueLen+1)
	}
}

func TestQueueCloseGivesUpWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	q, st, stats := newQueue(t)
	st.fail(errTestAway)
	const n = experiment.MaxExposureBatch + 5 // more than the batch in the writer's hands
	for i := range n {
		q.add(exposed(fmt.Sprint(i), ""))
	}
	<-st.tried
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close = %v, want that its time was over", err)
	}
	if got := lost(stats, "write_failed"); got != n {
		t.Errorf("%v are counted as lost, want %d", got, n)
	}
}

func TestQueueRefusesWhatWouldSpoilABatch(t *testing.T) {
	t.Parallel()
	q, st, stats := newQueue(t)
	for _, tt := range []struct {
		reason string
		change func(*experiment.Exposure)
	}{
		{"unknown_experiment", func(x *experiment.Exposure) { x.Experiment = "nothing" }},
		{"unknown_arm", func(x *experiment.Exposure) { x.Arm = "nobody" }},
		{"invalid", func(x *experiment.Exposure) { x.Session = "s\x00" }},
		{"invalid", func(x *experiment.Exposure) { x.Attributes = map[string]string{"a": "\x00"} }},
	} {
		before := lost(stats, tt.reason)
		x := exposed("v-1", "")
		tt.change(&x)
		q.add(x)
		if got := lost(stats, tt.reason); got != before+1 {
			t.Errorf("%+v: lost as %s = %v, want one more than %v", x, tt.reason, got, before)
		}
	}
	if err := q.close(t.Context()); err != nil || len(st.units()) != 0 {
		t.Errorf("close = %v with %v stored, want nothing", err, st.units())
	}
}
