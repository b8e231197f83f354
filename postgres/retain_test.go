package postgres

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// retainNow is when the tests of retention run.
var retainNow = jobStart.AddDate(0, 0, 200)

// daysAgo is the day so many days before retainNow.
func daysAgo(n int) time.Time { return dayOf(retainNow.AddDate(0, 0, -n)) }

func retain(t *testing.T, db *DB, dryRun bool) []DroppedPartition {
	t.Helper()
	gone, err := db.Retain(t.Context(), retainNow, RetainOptions{Days: MinRetainDays, DryRun: dryRun, Actor: "job"})
	if err != nil {
		t.Fatalf("Retain: %v", err)
	}
	return gone
}

func partitions(tables []string, days ...int) []DroppedPartition {
	out := []DroppedPartition{}
	for _, table := range tables {
		for _, n := range days {
			out = append(out, DroppedPartition{table, daysAgo(n)})
		}
	}
	return out
}

var factTables = []string{tableCMCDRecords, tableUnitEvents, tableOutcomes}

func TestRetainDropsWhatIsOld(t *testing.T) {
	t.Parallel()
	db := open(t)
	for _, n := range []int{100, MinRetainDays + 1, MinRetainDays, 1} {
		if err := db.EnsurePartitions(t.Context(), daysAgo(n), daysAgo(n)); err != nil {
			t.Fatal(err)
		}
	}
	want := partitions(factTables, 100, MinRetainDays+1)
	if diff := gocmp.Diff(want, retain(t, db, true)); diff != "" {
		t.Errorf("a dry run differs (-want +got):\n%s", diff)
	}
	if n := count(t, db, countPartitions, tableOutcomes); n != 4 {
		t.Errorf("after a dry run there are %d partitions, want 4", n)
	}
	if diff := gocmp.Diff(want, retain(t, db, false)); diff != "" {
		t.Errorf("what was dropped differs (-want +got):\n%s", diff)
	}
	for _, table := range factTables {
		if n := count(t, db, countPartitions, table); n != 2 {
			t.Errorf("%s has %d partitions left, want 2", table, n)
		}
	}
	if n := count(t, db, `select count(*) from audit_log where action = $1`, ActionRetain); n != 1 {
		t.Errorf("%d entries in the audit log, want 1", n)
	}
	if gone := retain(t, db, false); len(gone) != 0 {
		t.Errorf("a second run dropped %v", gone)
	}
	// Events of the days before are gone; those of windows after them are not.
	wantCode(t, "a day after the last drop", db.CheckRestatable(t.Context(), daysAgo(MinRetainDays)), experiment.CodeConflict)
	if err := db.CheckRestatable(t.Context(), daysAgo(MinRetainDays-31)); err != nil {
		t.Errorf("a day whose facts are there: %v", err)
	}
}

// An experiment that runs keeps its outcomes, whatever their age, and the records
// of windows that no look has closed; one that ended long ago keeps nothing.
func TestRetainKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "running", experiment.UnitViewer)
	expose(t, s.DB, jobStart, ExposureRow{ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: "u", At: jobStart})
	if err := s.EnsurePartitions(t.Context(), jobStart.AddDate(0, 0, -29), jobStart.AddDate(0, 0, 3)); err != nil {
		t.Fatal(err)
	}
	// Nothing has been looked at: records from 28 days before the exposure stay.
	gone := retain(t, s.DB, true)
	for _, p := range gone {
		if p.Table != tableOutcomes && !p.Day.Before(dayOf(jobStart).AddDate(0, 0, -experiment.MaxCovariateDays)) {
			t.Errorf("%s of %s would go, which an open window needs", p.Table, p.Day.Format(time.DateOnly))
		}
	}
	if sum, err := jobOf(s, &exp).RunOnce(t.Context(), jobStart.Add(30*24*time.Hour)); err != nil || sum.Day != 1 {
		t.Fatalf("RunOnce = %+v, %v", sum, err)
	}
	closed := dayOf(metrics.WindowDay.ClosesAt(jobStart, jobStart))
	kept := func(gone []DroppedPartition) bool {
		for _, p := range gone {
			if p.Table == tableOutcomes && p.Day.Equal(closed) {
				return false
			}
		}
		return len(gone) > 0
	}
	if !kept(retain(t, s.DB, true)) {
		t.Error("the outcomes of a running experiment would go, or nothing would")
	}
	mustExec(t, s.DB, `update experiments set status = 'stopped', stopped_at = $1`, daysAgo(MinRetainDays-1))
	if !kept(retain(t, s.DB, true)) {
		t.Error("the outcomes of an experiment that ended lately would go")
	}
	mustExec(t, s.DB, `update experiments set stopped_at = $1`, daysAgo(MinRetainDays+2))
	if kept(retain(t, s.DB, true)) {
		t.Error("the outcomes of an experiment that ended long ago would stay")
	}
}

// CMCD records that no fold has seen stay, and a table in use is left alone.
func TestRetainLeaves(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := db.EnsurePartitions(t.Context(), daysAgo(80), daysAgo(79)); err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, `insert into cmcd_sessions (session_id, first_recv_ms, last_recv_ms, dirty) values ('s', $1, $1, true)`,
		daysAgo(79).UnixMilli())
	want := append(partitions([]string{tableCMCDRecords}, 80), partitions([]string{tableUnitEvents, tableOutcomes}, 80, 79)...)
	if diff := gocmp.Diff(want, retain(t, db, true)); diff != "" {
		t.Errorf("with records that were not folded (-want +got):\n%s", diff)
	}
	tx, err := db.sql.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), `select count(*) from `+partitionOf(tableUnitEvents, daysAgo(80))); err != nil {
		t.Fatal(err)
	}
	got, err := db.dropPartition(t.Context(), tableUnitEvents, daysAgo(80), false)
	if got || err != nil {
		t.Errorf("dropPartition of a table in use = %v, %v; want false, nil", got, err)
	}
}

func TestRetainLimits(t *testing.T) {
	t.Parallel()
	db := open(t)
	for days, ok := range map[int]bool{0: false, MinRetainDays - 1: false, MinRetainDays: true, MaxRetainDays: true, MaxRetainDays + 1: false} {
		_, err := db.Retain(t.Context(), retainNow, RetainOptions{Days: days, DryRun: true})
		if ok && err != nil {
			t.Errorf("%d days: %v", days, err)
		}
		if !ok {
			wantCode(t, "days", err, experiment.CodeInvalid)
		}
	}
}
