package postgres

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// ownMetric is a definition of a person.
func ownMetric(t *testing.T, name string) metrics.Definition {
	t.Helper()
	d, err := metrics.ParseDefinition([]byte(`{"key":"own","name":"` + name + `","description":"d","kind":"ratio",
		"numerator":"engaged_attempts","denominator":"play_attempts","unit":"%","scale":100}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func define(t *testing.T, db *DB, d metrics.Definition) DefinedMetric {
	t.Helper()
	out, err := db.DefineMetric(t.Context(), d, ApplyOptions{Actor: "ana", Now: testNow})
	if err != nil {
		t.Fatalf("DefineMetric: %v", err)
	}
	return out
}

func TestDefineMetric(t *testing.T) {
	t.Parallel()
	db := open(t)
	for i, step := range []struct {
		name    string
		result  Result
		version int
	}{{"A", Created, 1}, {"A", Unchanged, 1}, {"B", Updated, 2}, {"A", Updated, 3}} {
		got := define(t, db, ownMetric(t, step.name))
		if got.Result != step.result || got.Metric.Version != step.version {
			t.Errorf("step %d: DefineMetric = %s version %d, want %s version %d", i, got.Result, got.Metric.Version, step.result, step.version)
		}
	}
	c, err := db.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := c.LookupVersion("own", 2); !ok || d.Name != "B" || len(c.Versions("own")) != 3 {
		t.Errorf("version 2 = %+v, %v", d, ok)
	}
	authors, err := db.MetricAuthors(t.Context(), "own")
	want := []MetricAuthor{{1, testNow, "ana"}, {2, testNow, "ana"}, {3, testNow, "ana"}}
	if diff := gocmp.Diff(want, authors); diff != "" || err != nil {
		t.Errorf("MetricAuthors: %v (-want +got):\n%s", err, diff)
	}
	if n := count(t, db, `select count(*) from audit_log where subject = 'own'`); n != 3 {
		t.Errorf("%d entries in the audit log, want 3", n)
	}
	builtin := ownMetric(t, "A")
	builtin.Key = "bitrate"
	_, err = db.DefineMetric(t.Context(), builtin, ApplyOptions{Actor: "ana", Now: testNow})
	wantCode(t, "DefineMetric of a built-in key", err, experiment.CodeConflict)
	for _, statement := range []string{
		`update metric_definitions set version = 9`, `delete from metric_definitions`, `truncate metric_definitions`,
	} {
		_, err := db.sql.ExecContext(t.Context(), statement)
		wantCode(t, statement, wrap("change", err), experiment.CodeConflict)
	}
	mustExec(t, db, `
		insert into metric_definitions
		select key, v, json_build_object('key', key, 'version', v), created_at, created_by
		from metric_definitions, generate_series(4, 100) v where version = 1`)
	_, err = db.DefineMetric(t.Context(), ownMetric(t, "Z"), ApplyOptions{Actor: "ana", Now: testNow})
	wantCode(t, "DefineMetric of version 101", err, experiment.CodeTooLarge)
}

// A plan fixes the versions of its metrics when it is launched, and its hash
// covers them: what is defined later is measured by later experiments only.
func TestPlansPinMetrics(t *testing.T) {
	t.Parallel()
	db := open(t)
	apply := func(edit func(*experiment.Spec)) experiment.Experiment {
		t.Helper()
		spec := specOf("pinned", "", 0)
		spec.Plan.Primary = []string{"own"}
		edit(&spec)
		out, err := db.Apply(t.Context(), []experiment.Spec{spec}, ApplyOptions{Actor: "ana", Now: testNow, KnownMetric: metrics.Known})
		if err != nil {
			t.Fatalf("Apply: %v", err)
		}
		return out[0].Experiment
	}
	define(t, db, ownMetric(t, "A"))
	draft := apply(func(s *experiment.Spec) { s.Status = experiment.StatusDraft })
	if draft.Plan.Versions != nil {
		t.Errorf("a draft fixes %v", draft.Plan.Versions)
	}
	define(t, db, ownMetric(t, "B"))
	running := apply(func(*experiment.Spec) {})
	define(t, db, ownMetric(t, "C"))
	again := apply(func(*experiment.Spec) {})
	for name, exp := range map[string]experiment.Experiment{"launched": running, "applied again": again} {
		if diff := gocmp.Diff(map[string]int{"own": 2}, exp.Plan.Versions); diff != "" || exp.Version != 1 || exp.PlanHash != exp.Plan.Hash() {
			t.Errorf("%s: version %d, plan versions differ (-want +got):\n%s", name, exp.Version, diff)
		}
	}
	if running.PlanHash == draft.PlanHash || running.PlanHash != again.PlanHash {
		t.Errorf("hashes of draft, launch and again: %.8s %.8s %.8s", draft.PlanHash, running.PlanHash, again.PlanHash)
	}
	grown := apply(func(s *experiment.Spec) { s.Plan.Secondary = []string{"bitrate"} })
	if diff := gocmp.Diff(map[string]int{"own": 2, "bitrate": 1}, grown.Plan.Versions); diff != "" || grown.Version != 2 {
		t.Errorf("a plan with another metric: version %d (-want +got):\n%s", grown.Version, diff)
	}
	moved := apply(func(s *experiment.Spec) { s.Plan.Versions = map[string]int{"own": 3} })
	if moved.Plan.Versions["own"] != 3 || moved.Version != 3 {
		t.Errorf("a plan that asks for version 3 has %v in version %d", moved.Plan.Versions, moved.Version)
	}
	for field, versions := range map[string]map[string]int{
		"plan.versions.own": {"own": 4}, "plan.versions.bitrate": {"bitrate": 1},
	} {
		spec := specOf("other", "", 0)
		spec.Plan = experiment.Plan{Primary: []string{"own"}, Versions: versions}
		_, err := db.Apply(t.Context(), []experiment.Spec{spec}, ApplyOptions{Actor: "ana", Now: testNow, KnownMetric: metrics.Known})
		if faults := experiment.Faults(err); len(faults) != 1 || faults[0].Field != field {
			t.Errorf("Apply with %v = %v, want a fault of %s", versions, err, field)
		}
	}
}

// What was launched before versions were fixed stays as it was hashed.
func TestUnpinnedPlansStay(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("old", "", 0)
	spec.Normalize()
	applySpecs(t, db, spec)
	hash := spec.Plan.Hash()
	mustExec(t, db, `update experiments set spec = (spec::jsonb #- '{plan,versions}' #- '{plan,covariates}'), plan_hash = $1`, hash)
	spec.Name = "Another name"
	got := applySpecs(t, db, spec)[0].Experiment
	if got.Plan.Versions != nil || got.PlanHash != hash || got.Version != 1 {
		t.Errorf("after a new name: versions %v, hash %.8s, version %d; want none, %.8s, 1", got.Plan.Versions, got.PlanHash, got.Version, hash)
	}
}

// The job measures the version that the plan fixed, with a metric of a person.
func TestJobMeasuresPinnedVersion(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	define(t, s.DB, ownMetric(t, "A"))
	spec := specOf("job", "", 0)
	spec.Plan.Primary = []string{"own"}
	spec.Normalize()
	exp, err := s.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	define(t, s.DB, ownMetric(t, "B"))
	s.exposeUnits(t, &exp, 0, 10)
	job := jobOf(s, &exp)
	job.Catalogue = s.Catalogue
	if _, err := job.RunOnce(t.Context(), jobStart.Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	looks, err := s.Looks(t.Context(), exp.ID, exp.Version, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range looks[0].Cells {
		found = found || c.Metric == "own" && c.MetricVersion == 1
		if c.Metric == "own" && c.MetricVersion != 1 {
			t.Errorf("the look has version %d of own", c.MetricVersion)
		}
	}
	if !found {
		t.Error("the look lacks the metric of the plan")
	}
}
