package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

func launch(t *testing.T, m *memStore, key string) experiment.Experiment {
	t.Helper()
	spec := experiment.Spec{
		Key: key, Unit: experiment.UnitViewer, Status: experiment.StatusRunning,
		Arms: []experiment.Arm{{Key: "control", Weight: 1, Value: []byte("1")}, {Key: "treatment", Weight: 1, Value: []byte("2")}},
		Plan: experiment.Plan{Primary: []string{"stall_ratio"}},
	}
	spec.Normalize()
	exp, err := m.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return exp
}

func expose(t *testing.T, m *memStore, exp *experiment.Experiment, units ...string) {
	t.Helper()
	for i, u := range units {
		x := experiment.Exposure{Experiment: exp.Key, Version: exp.Version, Unit: u, Arm: exp.Arms[i%2].Key, At: exposedAt}
		if err := m.Expose(t.Context(), exposedAt, []experiment.Exposure{x}); err != nil {
			t.Fatal(err)
		}
		s := watched("s-"+u, 10)
		s.ViewerID = u
		if err := m.Report(t.Context(), []telemetry.Session{s}); err != nil {
			t.Fatal(err)
		}
	}
}

func jobOf(s metrics.Store, exps ...experiment.Experiment) *metrics.Job {
	return &metrics.Job{Store: s, Experiments: func(_ context.Context, after string) ([]experiment.Experiment, error) {
		if len(exps) == 0 || after == exps[len(exps)-1].Key {
			return nil, nil
		}
		return exps, nil
	}}
}

func TestJobSummary(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	exp := launch(t, m, "abr")
	expose(t, m, &exp, "a", "b", "c", "crossed")
	crossing := experiment.Exposure{Experiment: exp.Key, Version: 1, Unit: "crossed", Arm: "control", At: exposedAt}
	if err := m.Expose(t.Context(), exposedAt, []experiment.Exposure{crossing}); err != nil {
		t.Fatal(err)
	}
	job := jobOf(m, exp)
	closes := exposedAt.Add(metrics.FirstSpan + metrics.FirstGrace)
	for _, step := range []struct {
		name string
		now  time.Time
		want metrics.Summary
	}{
		{"nothing has closed", closes, metrics.Summary{Experiments: 1}},
		{"first windows", closes.Add(metrics.WatermarkLag), metrics.Summary{Experiments: 1, Looks: 1, First: 3, Excluded: 1}},
		{"nothing new", closes.Add(time.Hour), metrics.Summary{Experiments: 1}},
		{"a clock that went back", closes, metrics.Summary{Experiments: 1}},
		{"days", exposedAt.Add(30 * time.Hour), metrics.Summary{Experiments: 1, Looks: 1, Day: 3, Excluded: 1}},
		{"what came late of the last ones", exposedAt.Add(54 * time.Hour), metrics.Summary{Experiments: 1, Looks: 1}},
		{"nothing ever again", exposedAt.Add(300 * time.Hour), metrics.Summary{Experiments: 1}},
	} {
		got, err := job.RunOnce(t.Context(), step.now)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: RunOnce differs (-want +got):\n%s", step.name, diff)
		}
	}
	looks := m.runs[runKey{"abr", 1}].looks
	health := func(units int64) metrics.Health {
		return metrics.Health{Closed: units, Attempted: units, Started: units, Reported: units, Days: units}
	}
	want := []metrics.ArmCounts{
		{Arm: 0, Exposed: 2, ClosedFirst: 2, ClosedDay: 2, Health: health(2)},
		{Arm: 1, Exposed: 1, Crossed: 1, ClosedFirst: 1, ClosedDay: 1, Health: health(1)},
	}
	if diff := cmp.Diff(want, looks[1].Arms); diff != "" {
		t.Errorf("counts of look 2 differ (-want +got):\n%s", diff)
	}
}

// TestLooksOnlyAdd checks promise 2 on the looks themselves: no cell ever loses
// a unit, and each total cell is in each look.
func TestLooksOnlyAdd(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	exp := launch(t, m, "abr")
	job := jobOf(m, exp)
	for i := range 40 {
		x := experiment.Exposure{
			Experiment: exp.Key, Version: 1, Unit: fmt.Sprintf("u%d", i), Arm: exp.Arms[i%2].Key,
			At: exposedAt.Add(time.Duration(i) * 40 * time.Minute),
		}
		if err := m.Expose(t.Context(), x.At, []experiment.Exposure{x}); err != nil {
			t.Fatal(err)
		}
		if _, err := job.RunOnce(t.Context(), x.At.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	looks := m.runs[runKey{"abr", 1}].looks
	if len(looks) < 20 {
		t.Fatalf("%d looks, want many", len(looks))
	}
	for i := 1; i < len(looks); i++ {
		before := map[string]int64{}
		for _, c := range looks[i-1].Cells {
			before[fmt.Sprint(c.Metric, c.Uncapped, c.Arm, c.Dimension, c.Value)] = c.Pair.N
		}
		for _, c := range looks[i].Cells {
			key := fmt.Sprint(c.Metric, c.Uncapped, c.Arm, c.Dimension, c.Value)
			if c.Pair.N < before[key] {
				t.Errorf("look %d: cell %s fell from %d units to %d", looks[i].Number, key, before[key], c.Pair.N)
			}
			delete(before, key)
		}
		if len(before) > 0 {
			t.Errorf("look %d lost the cells %v", looks[i].Number, before)
		}
	}
}

// failingStore fails for one experiment.
type failingStore struct {
	*memStore
	key string
}

var errBroken = errors.New("the disk is full")

func (f *failingStore) Look(ctx context.Context, exp *experiment.Experiment, do func(metrics.LookTx) error) (bool, error) {
	if exp.Key == f.key {
		return false, errBroken
	}
	return f.memStore.Look(ctx, exp, do)
}

func TestOneFailureStopsNobody(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	a, b, c := launch(t, m, "a"), launch(t, m, "b"), launch(t, m, "c")
	expose(t, m, &a, "u")
	expose(t, m, &c, "v")
	sum, err := jobOf(&failingStore{m, "b"}, a, b, c).RunOnce(t.Context(), exposedAt.Add(time.Hour))
	if !errors.Is(err, errBroken) {
		t.Errorf("RunOnce = %v, want the error of b", err)
	}
	if sum.Looks != 2 || sum.Failed != 1 || sum.First != 2 {
		t.Errorf("RunOnce = %+v, want looks at a and c", sum)
	}
}

func TestBusyExperimentIsSkipped(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	exp := launch(t, m, "a")
	expose(t, m, &exp, "u")
	job := jobOf(m, exp)
	_, err := m.Look(t.Context(), &exp, func(metrics.LookTx) error {
		sum, err := job.RunOnce(t.Context(), exposedAt.Add(time.Hour))
		if err != nil || sum.Busy != 1 || sum.Looks != 0 {
			t.Errorf("RunOnce while another looks = %+v, %v", sum, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestArmOutOfRange(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	exp := launch(t, m, "a")
	expose(t, m, &exp, "u", "v")
	m.runs[runKey{"a", 1}].exposures["v"].arm = 2
	if _, err := jobOf(m, exp).RunOnce(t.Context(), exposedAt.Add(time.Hour)); err == nil {
		t.Error("RunOnce took a unit of an arm that does not exist")
	}
	if n := len(m.runs[runKey{"a", 1}].looks); n != 0 {
		t.Errorf("the failed look left %d looks", n)
	}
}

// TestDefinitionsStay upgrades the catalogue while an experiment runs: it goes
// on with the definitions of its first look.
func TestDefinitionsStay(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	exp := launch(t, m, "a")
	expose(t, m, &exp, "u", "v")
	const coverage = `{"key":"telemetry_coverage","version":%d,"name":"C","description":"d","kind":"proportion",
		"numerator":"covered_attempts","denominator":"units","direction":0,"unit":"%%","scale":100,"decimals":2,
		"window":"first","tiers":"A","role":"trust"}`
	parse := func(versions ...int) *metrics.Catalogue {
		doc := ""
		for i, v := range versions {
			if i > 0 {
				doc += ","
			}
			doc += fmt.Sprintf(coverage, v)
		}
		c, err := metrics.ParseCatalogue([]byte(`{"metrics":[` + doc + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	job := jobOf(m, exp)
	use := func(c *metrics.Catalogue) {
		job.Catalogue = func(context.Context) (*metrics.Catalogue, error) { return c, nil }
	}
	use(parse(1))
	if _, err := job.RunOnce(t.Context(), exposedAt.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	use(parse(1, 2))
	late := experiment.Exposure{Experiment: "a", Version: 1, Unit: "w", Arm: "control", At: exposedAt.Add(time.Hour)}
	if err := m.Expose(t.Context(), late.At, []experiment.Exposure{late}); err != nil {
		t.Fatal(err)
	}
	if _, err := job.RunOnce(t.Context(), exposedAt.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	looks := m.runs[runKey{"a", 1}].looks
	if len(looks) != 2 {
		t.Fatalf("%d looks, want 2", len(looks))
	}
	for _, c := range looks[1].Cells {
		if c.MetricVersion != 1 {
			t.Errorf("look 2 has version %d of %s", c.MetricVersion, c.Metric)
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	now := exposedAt
	stopped := func(ago time.Duration) *time.Time { at := now.Add(-ago); return &at }
	for _, test := range []struct {
		status  experiment.Status
		stopped *time.Time
		want    bool
	}{
		{experiment.StatusDraft, nil, false},
		{experiment.StatusRunning, nil, true},
		{experiment.StatusPaused, nil, true},
		{experiment.StatusStopped, stopped(metrics.DrainTime - 1), true},
		{experiment.StatusStopped, stopped(metrics.DrainTime), false},
		{experiment.StatusArchived, stopped(time.Hour), true},
		{experiment.StatusArchived, nil, false},
	} {
		e := experiment.Experiment{Spec: experiment.Spec{Status: test.status}, StoppedAt: test.stopped}
		if got := metrics.Due(&e, now); got != test.want {
			t.Errorf("Due(%s, stopped %v) = %v, want %v", test.status, test.stopped, got, test.want)
		}
	}
}

// TestLoop runs on a clock that the test turns.
func TestLoop(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	now := exposedAt
	var slept []time.Duration
	runs := 0
	clock := metrics.Clock{
		Now: func() time.Time { return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			slept = append(slept, d)
			now = now.Add(d)
			if len(slept) == 3 {
				cancel()
			}
			return ctx.Err()
		},
	}
	done := func(_ metrics.Summary, err error) {
		if err != nil {
			t.Errorf("run %d: %v", runs, err)
		}
		if runs++; runs == 2 {
			now = now.Add(90 * time.Second) // this run took longer than the interval
		}
	}
	err := jobOf(m, launch(t, m, "a")).Loop(ctx, time.Minute, clock, done)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Loop = %v, want the error of its context", err)
	}
	want := []time.Duration{time.Minute, time.Minute, time.Minute}
	if diff := cmp.Diff(want, slept); diff != "" || runs != 4 {
		t.Errorf("Loop ran %d times and slept %v, want 4 runs and %v", runs, slept, want)
	}
}
