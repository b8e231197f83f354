package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

func (db *DB) applyAs(t testing.TB, opts ApplyOptions, specs ...experiment.Spec) ([]Applied, error) {
	t.Helper()
	opts.KnownMetric = anyMetric
	if opts.Actor == "" {
		opts.Actor = "ana"
	}
	if opts.Now.IsZero() {
		opts.Now = testNow
	}
	return db.Apply(t.Context(), specs, opts)
}

// list returns all experiments.
func list(t testing.TB, db *DB) []experiment.Experiment {
	t.Helper()
	out, err := db.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	return out
}

func configVersion(t testing.TB, db *DB) int64 {
	t.Helper()
	v, err := db.ConfigVersion(t.Context())
	if err != nil {
		t.Fatalf("ConfigVersion: %v", err)
	}
	return v
}

func TestApplyCreatesUpdatesAndLeaves(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 2000)

	created := applySpecs(t, db, spec)[0]
	if created.Result != Created || created.Experiment.Version != 1 || created.Experiment.ID == 0 || created.Experiment.Salt == "" {
		t.Errorf("first Apply = %+v, want a new experiment at version 1", created)
	}
	if got := experiment.CountSlots(created.Experiment.SlotRanges); got != 2000 {
		t.Errorf("a new experiment owns %d slots, want 2000", got)
	}
	if s := created.Experiment.StartedAt; s == nil || !s.Equal(testNow) {
		t.Errorf("StartedAt = %v, want %v", s, testNow)
	}
	stored, err := db.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(created.Experiment, stored); diff != "" {
		t.Errorf("Get differs from what Apply returned (-applied +stored):\n%s", diff)
	}

	before := configVersion(t, db)
	again := applySpecs(t, db, spec)[0]
	if again.Result != Unchanged || len(again.Changes) != 0 || configVersion(t, db) != before {
		t.Errorf("second Apply = %+v at configuration %d, want unchanged at %d", again, configVersion(t, db), before)
	}
	if diff := gocmp.Diff(stored, again.Experiment); diff != "" {
		t.Errorf("an unchanged experiment differs (-stored +applied):\n%s", diff)
	}

	spec.Name, spec.Slots = "A better name", 3000
	updated := applySpecs(t, db, spec)[0]
	want := []experiment.Change{
		{Path: "name", From: []byte(`"a"`), To: []byte(`"A better name"`)},
		{Path: "slots", From: []byte(`2000`), To: []byte(`3000`)},
	}
	if diff := gocmp.Diff(want, updated.Changes); diff != "" {
		t.Errorf("Changes differ (-want +got):\n%s", diff)
	}
	if updated.Result != Updated || updated.Experiment.Version != 1 || updated.Experiment.Salt != stored.Salt {
		t.Errorf("third Apply = %+v, want version 1 and the same salt", updated)
	}
	if configVersion(t, db) != before+1 {
		t.Errorf("configuration is at %d, want %d", configVersion(t, db), before+1)
	}
}

func TestApplyDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, specOf("a", "player", 2000))
	before, version := list(t, db), configVersion(t, db)

	grown := specOf("a", "player", 4000)
	out, err := db.applyAs(t, ApplyOptions{DryRun: true}, grown, specOf("b", "player", 6000))
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if out[0].Result != Updated || out[1].Result != Created || experiment.CountSlots(out[1].Experiment.SlotRanges) != 6000 {
		t.Errorf("a dry run says %+v, want what a real one would", out)
	}
	if diff := gocmp.Diff(before, list(t, db)); diff != "" {
		t.Errorf("a dry run changed experiments (-before +after):\n%s", diff)
	}
	if configVersion(t, db) != version {
		t.Error("a dry run changed the configuration version")
	}
	for table, want := range map[string]int{"layers": 1, "audit_log": 1, "experiment_versions": 1} {
		if got := count(t, db, `select count(*) from `+table); got != want {
			t.Errorf("%s has %d rows after a dry run, want %d", table, got, want)
		}
	}
}

func TestApplyAllOrNone(t *testing.T) {
	t.Parallel()
	bad := specOf("bad", "", 0)
	bad.Arms = nil
	paused := specOf("paused", "", 0)
	paused.Status = experiment.StatusPaused
	otherUnit := specOf("other", "player", 2000)
	otherUnit.Unit = experiment.UnitDevice
	for _, tc := range []struct {
		name  string
		spec  experiment.Spec
		code  experiment.Code
		field string
	}{
		{"invalid", bad, experiment.CodeInvalid, "experiments[1].arms"},
		{"refused status", paused, experiment.CodeConflict, "experiments[1].status"},
		{"layer of another unit", otherUnit, experiment.CodeConflict, "experiments[1].unit"},
		{"no slots left", specOf("late", "player", 9000), experiment.CodeConflict, "experiments[1].slots"},
		{"same key twice", specOf("a", "player", 2000), experiment.CodeInvalid, "experiments[1].key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			_, err := db.applyAs(t, ApplyOptions{}, specOf("a", "player", 2000), tc.spec)
			faults := experiment.Faults(err)
			if len(faults) == 0 || faults[0].Code != tc.code || faults[0].Field != tc.field {
				t.Fatalf("Apply = %v (%+v), want code %s at %s", err, faults, tc.code, tc.field)
			}
			if got := list(t, db); len(got) != 0 {
				t.Errorf("a refused document left %d experiments", len(got))
			}
			if got := count(t, db, `select count(*) from layers`) + count(t, db, `select count(*) from audit_log`); got != 0 {
				t.Errorf("a refused document left %d rows", got)
			}
		})
	}
}

func TestApplyNamesTheOwnersOfSlots(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, specOf("first", "player", 6000), specOf("second", "player", 3000))
	_, err := db.applyAs(t, ApplyOptions{}, specOf("third", "player", 1001))
	wantCode(t, "Apply", err, experiment.CodeConflict)
	for _, part := range []string{"1000 free", "first owns 6000", "second owns 3000"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("Apply = %q, want it to say %q", err, part)
		}
	}
	applySpecs(t, db, specOf("third", "player", 1000)) // fits exactly
}

func TestApplyMovesSlotsWithinADocument(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, specOf("a", "player", 8000), specOf("b", "player", 2000))
	out := applySpecs(t, db, specOf("b", "player", 7000), specOf("a", "player", 3000))
	for i, want := range []int{7000, 3000} {
		if got := experiment.CountSlots(out[i].Experiment.SlotRanges); got != want {
			t.Errorf("%s owns %d slots, want %d", out[i].Experiment.Key, got, want)
		}
	}
	if got := count(t, db, `select sum(upper(slots) - lower(slots)) from layer_slots`); got != 10_000 {
		t.Errorf("%d slots are owned, want 10000", got)
	}
}

func TestApplyGivesSlotsBackWhenStopped(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 10_000)
	applySpecs(t, db, spec)
	spec.Status = experiment.StatusStopped
	stopped := applySpecs(t, db, spec)[0].Experiment
	if len(stopped.SlotRanges) != 0 || stopped.StoppedAt == nil {
		t.Errorf("a stopped experiment = %+v, want no slots and a time of its end", stopped)
	}
	applySpecs(t, db, specOf("b", "player", 10_000))
}

// Two replicas that apply at the same moment must share a layer out: both get
// what they ask for while it fits, and never one slot twice.
func TestApplyConcurrentlyOnOneLayer(t *testing.T) {
	t.Parallel()
	db := open(t)
	const writers, slots = 8, 2000 // of which five fit
	errs := make(chan error, writers)
	start := make(chan struct{})
	for w := range writers {
		go func() {
			<-start
			_, err := db.applyAs(t, ApplyOptions{}, specOf(fmt.Sprintf("e%d", w), "player", slots))
			errs <- err
		}()
	}
	close(start)
	fitted := 0
	for range writers {
		err := <-errs
		if err == nil {
			fitted++
			continue
		}
		wantCode(t, "Apply", err, experiment.CodeConflict)
	}
	if fitted != 5 {
		t.Errorf("%d experiments of %d slots fitted, want 5", fitted, slots)
	}
	if got := count(t, db, `select sum(upper(slots) - lower(slots)) from layer_slots`); got != 10_000 {
		t.Errorf("%d slots are owned, want 10000", got)
	}
	if got := count(t, db, `select count(*) from layers`); got != 1 {
		t.Errorf("%d layers, want 1", got)
	}
	if bad, err := db.VerifyAudit(t.Context()); bad != 0 || err != nil {
		t.Errorf("VerifyAudit = %d, %v, want 0", bad, err)
	}
}

func TestVersionsKeepEveryRevision(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 1000)
	applySpecs(t, db, spec)
	spec.Name = "named" // no new version: nobody is compared differently
	applySpecs(t, db, spec)
	spec.Plan.Primary = []string{"bitrate"} // a new version
	later := testNow.Add(time.Hour)
	if _, err := db.applyAs(t, ApplyOptions{Actor: "bob", Now: later}, spec); err != nil {
		t.Fatalf("Apply: %v", err)
	}
	revisions, err := db.Versions(t.Context(), "a")
	if err != nil {
		t.Fatalf("Versions: %v", err)
	}
	type row struct {
		Revision, Version int
		Name, Primary, By string
		At                time.Time
	}
	var got []row
	for _, r := range revisions {
		got = append(got, row{r.Revision, r.Version, r.Spec.Name, r.Spec.Plan.Primary[0], r.ChangedBy, r.ChangedAt})
		if r.PlanHash != r.Spec.Plan.Hash() {
			t.Errorf("revision %d has plan hash %s, want that of its plan", r.Revision, r.PlanHash)
		}
		if experiment.CountSlots(r.Slots) != 1000 {
			t.Errorf("revision %d has slots %v, want 1000", r.Revision, r.Slots)
		}
	}
	want := []row{
		{1, 1, "a", "stall_ratio", "ana", testNow},
		{2, 1, "named", "stall_ratio", "ana", testNow},
		{3, 2, "named", "bitrate", "bob", later},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("Versions differ (-want +got):\n%s", diff)
	}
	_, err = db.Versions(t.Context(), "nobody")
	wantCode(t, "Versions of nothing", err, experiment.CodeNotFound)
	_, err = db.Get(t.Context(), "nobody")
	wantCode(t, "Get of nothing", err, experiment.CodeNotFound)
}

// A reader that names what it has is given what changed since, in whichever way.
func TestReadConfigLeavesOutWhatStays(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, specOf("a", "player", 1000), specOf("b", "player", 1000), specOf("c", "", 0))
	have := map[string]experiment.Mark{}
	read := func() (keys []string, read []string) {
		next := map[string]experiment.Mark{}
		err := db.ReadConfig(t.Context(), have, func(s experiment.ConfigStream) error {
			for e, err := range s.Experiments {
				if err != nil {
					return err
				}
				keys, next[e.Key] = append(keys, e.Key), e.Mark
				if e.Experiment != nil {
					read = append(read, e.Experiment.Key)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		have = next
		return keys, read
	}
	changed, stopped := specOf("b", "player", 1000), specOf("a", "player", 3000)
	changed.Hypothesis = "another"
	stopped.Status = experiment.StatusStopped
	archived := stopped
	archived.Status = experiment.StatusArchived
	for _, step := range []struct {
		name       string
		do         func()
		keys, read string
	}{
		{"the first time", func() {}, "a b c", "a b c"},
		{"nothing", func() {}, "a b c", ""},
		{"a word", func() { applySpecs(t, db, changed) }, "a b c", "b"},
		{"slots", func() { applySpecs(t, db, specOf("a", "player", 3000)) }, "a b c", "a"},
		{"slots alone", func() {
			mustExec(t, db, `update layer_slots set slots = slots where experiment_id = (select id from experiments where key = 'c')`)
		}, "a b c", "c"},
		{"a new one", func() { applySpecs(t, db, specOf("aa", "", 0)) }, "a aa b c", "aa"},
		{"stopped", func() { applySpecs(t, db, stopped) }, "a aa b c", "a"},
		{"archived", func() { applySpecs(t, db, archived) }, "aa b c", ""},
		{"a mark that is not ours", func() { have["c"]++ }, "aa b c", "c"},
	} {
		step.do()
		keys, got := read()
		if strings.Join(keys, " ") != step.keys || strings.Join(got, " ") != step.read {
			t.Errorf("%s: named %v, read %v; want %s and %s", step.name, keys, got, step.keys, step.read)
		}
	}
}

func TestReadConfig(t *testing.T) {
	t.Parallel()
	db := open(t)
	gone := specOf("gone", "player", 10)
	applySpecs(t, db, specOf("a", "player", 1000), gone)
	gone.Status = experiment.StatusStopped
	applySpecs(t, db, gone)
	gone.Status = experiment.StatusArchived
	applySpecs(t, db, gone)
	key, err := db.CreateKey(t.Context(), NewKey{
		Name: "k", Secret: "0123456789abcdef", Scopes: []experiment.Scope{experiment.ScopeRead}, Actor: "ana", Now: testNow,
	})
	if err != nil {
		t.Fatalf("CreateKey: %v", err)
	}
	cfg := loadConfig(t, db)
	if cfg.Version != configVersion(t, db) {
		t.Errorf("ReadConfig is of version %d, want %d", cfg.Version, configVersion(t, db))
	}
	if len(cfg.Layers) != 1 || cfg.Layers[0].Key != "player" || cfg.Layers[0].Salt == "" {
		t.Errorf("Layers = %+v, want one with a salt", cfg.Layers)
	}
	if len(cfg.Experiments) != 1 || cfg.Experiments[0].Key != "a" {
		t.Errorf("Experiments = %+v, want a alone: archived ones are not served", cfg.Experiments)
	}
	if diff := gocmp.Diff([]experiment.APIKey{key}, cfg.Keys); diff != "" {
		t.Errorf("Keys differ (-want +got):\n%s", diff)
	}
	if got := len(list(t, db)); got != 2 {
		t.Errorf("List has %d experiments, want both", got)
	}
}
