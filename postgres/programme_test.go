package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// loadConfig returns the configuration.
func loadConfig(t testing.TB, db *DB) experiment.Config {
	t.Helper()
	var cfg experiment.Config
	err := db.ReadConfig(t.Context(), nil, func(s experiment.ConfigStream) error {
		cfg = s.Head
		for e, err := range s.Experiments {
			if err != nil {
				return err
			}
			cfg.Experiments = append(cfg.Experiments, *e.Experiment)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("ReadConfig: %v", err)
	}
	return cfg
}

func holdoutOf(slots int) experiment.Document {
	return experiment.Document{Holdouts: []experiment.HoldoutSpec{{Key: "h", Unit: experiment.UnitViewer, Slots: slots}}}
}

// A holdout that grows takes units from experiments that run: they get a new
// version. One that honours none, is on other units, or comes after, does not.
func TestHoldoutsMakeNewVersions(t *testing.T) {
	t.Parallel()
	db := open(t)
	spared, others, draft := specOf("spared", "", 10_000), specOf("others", "", 10_000), specOf("draft", "", 10_000)
	spared.IgnoreHoldouts = "a fix of security is for everyone"
	others.Unit = experiment.UnitBroadcaster
	draft.Status = experiment.StatusDraft
	applySpecs(t, db, specOf("a", "", 10_000), spared, others, draft)
	versions := func() string {
		return fmt.Sprint(get(t, db, "a").Version, get(t, db, "spared").Version, get(t, db, "others").Version, get(t, db, "draft").Version)
	}

	out := applyDocument(t, db, at(1), holdoutOf(500))
	if out.Holdouts[0].Result != Created || out.Holdouts[0].Holdout.Salt == "" || versions() != "2 1 1 1" {
		t.Errorf("a new holdout: %+v, versions %s, want 2 1 1 1", out.Holdouts, versions())
	}
	cfg := loadConfig(t, db)
	if diff := gocmp.Diff([]experiment.Holdout{out.Holdouts[0].Holdout}, cfg.Holdouts); diff != "" {
		t.Errorf("the configuration has other holdouts:\n%s", diff)
	}
	before := configVersion(t, db)
	if out := applyDocument(t, db, at(2), holdoutOf(500)); out.Holdouts[0].Result != Unchanged || configVersion(t, db) != before {
		t.Errorf("the same holdout again: %+v", out)
	}
	applyDocument(t, db, at(2), holdoutOf(200))
	if versions() != "2 1 1 1" {
		t.Errorf("a smaller holdout: versions %s, want 2 1 1 1", versions())
	}
	applyDocument(t, db, at(3), holdoutOf(300))
	if versions() != "3 1 1 1" {
		t.Errorf("a larger holdout: versions %s, want 3 1 1 1", versions())
	}
	ended := holdoutOf(300)
	ended.Holdouts[0].Ended = true
	applyDocument(t, db, at(4), ended)
	if cfg := loadConfig(t, db); len(cfg.Holdouts) != 0 || versions() != "3 1 1 1" {
		t.Errorf("an ended holdout: %+v, versions %s", cfg.Holdouts, versions())
	}
	_, err := db.ApplyDocument(t.Context(), holdoutOf(300), actAt(at(5)))
	wantCode(t, "reviving a holdout", err, experiment.CodeConflict)
}

func TestHoldoutsTogetherWithExperiments(t *testing.T) {
	t.Parallel()
	db := open(t)
	doc := holdoutOf(500)
	doc.Experiments = []experiment.Spec{specOf("a", "", 10_000)}
	if out := applyDocument(t, db, at(1), doc); out.Experiments[0].Experiment.Version != 1 || get(t, db, "a").Version != 1 {
		t.Errorf("an experiment that begins with its holdout: %+v, want version 1", out)
	}
	for i := range experiment.MaxHoldouts {
		more := holdoutOf(100)
		more.Holdouts[0].Key = fmt.Sprint("h", i)
		_, err := db.ApplyDocument(t.Context(), more, actAt(at(2)))
		if i < experiment.MaxHoldouts-1 && err != nil {
			t.Fatalf("holdout %d: %v", i+2, err)
		}
		if i == experiment.MaxHoldouts-1 {
			wantCode(t, "one holdout above the limit", err, experiment.CodeTooLarge)
		}
	}
}

func requires(key string, targets ...string) experiment.Spec {
	spec := specOf(key, "", 10_000)
	for _, target := range targets {
		spec.Requires = append(spec.Requires, experiment.Requirement{Experiment: target, Arms: []string{"treatment"}})
	}
	return spec
}

func TestPrerequisitesAreJudgedAcrossDocuments(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, requires("b", "a"), requires("a")) // in any order
	applySpecs(t, db, requires("c", "b"))
	refuse := func(doing string, code experiment.Code, says string, specs ...experiment.Spec) {
		t.Helper()
		_, err := db.applyAs(t, ApplyOptions{}, specs...)
		wantCode(t, doing, err, code)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s = %v, want it to say %q", doing, err, says)
		}
	}
	refuse("a cycle", experiment.CodeConflict, "a -> c -> b -> a", requires("a", "c"))
	refuse("nothing there", experiment.CodeInvalid, "which does not exist", requires("d", "nobody"))
	refuse("too deep", experiment.CodeConflict, "e -> d -> c -> b -> a", requires("d", "c"), requires("e", "d"))
	other := requires("o", "a")
	other.Unit = experiment.UnitDevice
	refuse("another unit", experiment.CodeInvalid, "on units of type device", other)
	renamed := requires("a")
	renamed.Arms[1].Key = "other"
	refuse("an arm that is required", experiment.CodeInvalid, `b requires arm "treatment" of a`, renamed)

	stopped := requires("a")
	stopped.Status = experiment.StatusStopped
	applySpecs(t, db, stopped) // allowed: nobody fulfils it any more
	stopped.Status = experiment.StatusArchived
	refuse("archiving what is required", experiment.CodeConflict, "which is archived", stopped)
	applySpecs(t, db, requires("b"))
	applySpecs(t, db, stopped)
}

func listOf(t testing.TB, key string, ids ...string) experiment.Document {
	t.Helper()
	set, err := experiment.NewIDSet(ids)
	if err != nil {
		t.Fatal(err)
	}
	return experiment.Document{Lists: []experiment.List{{Key: key, Unit: experiment.UnitViewer, IDs: set}}}
}

func TestListsAreStoredOnceAndShared(t *testing.T) {
	t.Parallel()
	db := open(t)
	user := specOf("a", "", 10_000)
	user.Audience = &experiment.Audience{Op: experiment.OpInList, List: "beta"}
	_, err := db.applyAs(t, ApplyOptions{}, user)
	wantCode(t, "a list that is not there", err, experiment.CodeInvalid)

	doc := listOf(t, "beta", "v-2", "v-1", "v-2")
	doc.Experiments = []experiment.Spec{user}
	out := applyDocument(t, db, at(1), doc)
	if l := out.Lists[0]; l.Result != Created || l.Count != 2 {
		t.Errorf("the list is %+v, want created with 2 ids", l)
	}
	cfg := loadConfig(t, db)
	if len(cfg.Lists) != 1 || cfg.Lists[0].IDs.Text() != "v-1\nv-2\n" {
		t.Fatalf("the configuration has %+v", cfg.Lists)
	}
	if again := loadConfig(t, db); again.Lists[0].IDs != cfg.Lists[0].IDs {
		t.Error("a list that did not change was read again")
	}
	if out := applyDocument(t, db, at(2), doc); out.Lists[0].Result != Unchanged || out.Experiments[0].Result != Unchanged {
		t.Errorf("the same document: %+v", out)
	}
	before := configVersion(t, db)
	applyDocument(t, db, at(3), listOf(t, "beta", "v-9"))
	if cfg := loadConfig(t, db); cfg.Version != before+1 || !cfg.Lists[0].IDs.Has("v-9") || cfg.Lists[0].IDs.Has("v-1") {
		t.Errorf("after another upload: version %d after %d, %+v", cfg.Version, before, cfg.Lists)
	}
	applyDocument(t, db, at(3), listOf(t, "unused", "v-1"))
	if cfg := loadConfig(t, db); cfg.Version != before+1 || len(cfg.Lists) != 1 {
		t.Errorf("a list that nobody uses is published: %+v", cfg.Lists)
	}
	err = db.RemoveList(t.Context(), "beta", actAt(at(4)))
	wantCode(t, "removing a list in use", err, experiment.CodeConflict)
	if err := db.RemoveList(t.Context(), "unused", actAt(at(4))); err != nil {
		t.Error(err)
	}
	wantCode(t, "removing nothing", db.RemoveList(t.Context(), "unused", actAt(at(4))), experiment.CodeNotFound)
	if lists, err := db.Lists(t.Context()); err != nil || len(lists) != 1 || fmt.Sprint(lists[0].UsedBy) != "[a]" {
		t.Errorf("Lists = %+v, %v", lists, err)
	}
	device := specOf("d", "", 10_000)
	device.Unit, device.Audience = experiment.UnitDevice, user.Audience
	_, err = db.applyAs(t, ApplyOptions{}, device)
	wantCode(t, "a list of other units", err, experiment.CodeInvalid)
}

func TestListLimits(t *testing.T) {
	t.Parallel()
	db := open(t)
	mustExec(t, db, `insert into lists (key, unit, digest, count, ids, changed_at)
		select 'l' || n, '', repeat('0', 64), 100000, 'a', '2026-01-01' from generate_series(1, 9) n`)
	full := make([]string, experiment.MaxListIDs)
	for i := range full {
		full[i] = fmt.Sprintf("5e1f6a1c-9a7c-4f0a-8a35-%012d", i)
	}
	applyDocument(t, db, at(1), listOf(t, "tenth", full...))
	_, err := db.ApplyDocument(t.Context(), listOf(t, "more", "one"), actAt(at(1)))
	wantCode(t, "one id above the limit of all lists", err, experiment.CodeTooLarge)
}

func TestPauseKeepsTheExposed(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "", 10_000)
	spec.OnPause = experiment.PauseKeep
	applySpecs(t, db, spec)
	e := get(t, db, "a")
	var rows []ExposureRow
	for _, unit := range []string{"v-1", "v-2", "qa"} {
		rows = append(rows, ExposureRow{ExperimentID: e.ID, Version: 1, UnitType: e.Unit, Unit: unit, At: at(0), Override: unit == "qa"})
	}
	rows = append(rows,
		ExposureRow{ExperimentID: e.ID, Version: 2, UnitType: e.Unit, Unit: "v-3", At: at(0)},
		ExposureRow{ExperimentID: e.ID, Version: 1, UnitType: e.Unit, Unit: "elsewhere", At: at(0), Imported: ImportOutcomes},
	)
	if err := db.InsertExposures(t.Context(), func() time.Time { return testNow }, rows); err != nil {
		t.Fatal(err)
	}
	if cfg := loadConfig(t, db); len(cfg.Kept) != 0 {
		t.Errorf("a running experiment keeps %+v", cfg.Kept)
	}
	spec.Status = experiment.StatusPaused
	applySpecs(t, db, spec)
	cfg := loadConfig(t, db)
	if len(cfg.Kept) != 1 || cfg.Kept[0].Experiment != "a" || cfg.Kept[0].Units.Len() != 2 || !cfg.Kept[0].Units.Has("v-1") || cfg.Kept[0].Units.Has("v-3") || cfg.Kept[0].Units.Has("qa") {
		t.Errorf("a paused experiment keeps %+v, want v-1 and v-2", cfg.Kept)
	}
	if again := loadConfig(t, db); again.Kept[0].Units != cfg.Kept[0].Units {
		t.Error("kept units that did not change were read again")
	}
	heavier := spec
	heavier.Arms = append([]experiment.Arm(nil), spec.Arms...)
	heavier.Arms[1].Weight = 9
	_, err := db.applyAs(t, ApplyOptions{}, heavier)
	wantCode(t, "a new version while arms are kept", err, experiment.CodeConflict)
	spec.Status = experiment.StatusRunning
	applySpecs(t, db, spec)
	if cfg := loadConfig(t, db); len(cfg.Kept) != 0 || count(t, db, `select count(*) from kept_units`) != 0 {
		t.Errorf("a resumed experiment keeps %+v", cfg.Kept)
	}
}

// At the limit all units keep their arms; one more is refused with the reason.
func TestPauseKeepsAtMostALimit(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("inserts a million exposures")
	}
	db := open(t)
	spec := specOf("a", "", 10_000)
	spec.OnPause = experiment.PauseKeep
	applySpecs(t, db, spec)
	insert := func(from, to int) {
		mustExec(t, db, `insert into exposures (experiment_id, version, unit_id, arm, at, recorded_at, override, attributes, first_closes_at)
			select $1, 1, 'v-' || n, 0, '2026-01-01', '2026-01-01', false, '{}', '2026-01-02' from generate_series($2::int, $3::int) n`,
			get(t, db, "a").ID, from, to)
	}
	insert(1, experiment.MaxKeptUnits+1)
	spec.Status = experiment.StatusPaused
	_, err := db.applyAs(t, ApplyOptions{}, spec)
	wantCode(t, "one unit above the limit", err, experiment.CodeTooLarge)
	mustExec(t, db, `alter table exposures disable trigger all`)
	mustExec(t, db, `delete from exposures where unit_id = 'v-1'`)
	start := time.Now()
	applySpecs(t, db, spec)
	paused := time.Since(start)
	start = time.Now()
	if cfg := loadConfig(t, db); cfg.Kept[0].Units.Len() != experiment.MaxKeptUnits {
		t.Errorf("%d units keep their arms, want %d", cfg.Kept[0].Units.Len(), experiment.MaxKeptUnits)
	}
	t.Logf("%d units: pausing took %v, reading them at a replica %v", experiment.MaxKeptUnits, paused, time.Since(start))
}
