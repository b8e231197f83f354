package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// testNow is the clock of tests that need one moment.
var testNow = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// open returns an empty database.
func open(t testing.TB) *DB {
	t.Helper()
	return openAt(t, pgtest.New(t))
}

// openAt returns the database of the DSN.
func openAt(t testing.TB, dsn string) *DB {
	t.Helper()
	db, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// anyMetric is a catalogue that knows every metric.
func anyMetric(string) bool { return true }

// specOf returns a running experiment of two arms in a layer.
func specOf(key, layer string, slots int) experiment.Spec {
	return experiment.Spec{
		Key: key, Unit: experiment.UnitViewer, Layer: layer, Slots: slots, Status: experiment.StatusRunning,
		Arms: []experiment.Arm{
			{Key: "control", Weight: 1, Value: []byte("false")},
			{Key: "treatment", Weight: 1, Value: []byte("true")},
		},
		Plan: experiment.Plan{Primary: []string{"stall_ratio"}},
	}
}

// applySpecs applies specs as ana at testNow.
func applySpecs(t testing.TB, db *DB, specs ...experiment.Spec) []Applied {
	t.Helper()
	out, err := db.Apply(t.Context(), specs, ApplyOptions{Actor: "ana", Now: testNow, KnownMetric: anyMetric})
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return out
}

// mustExec runs a statement that the package itself never would.
func mustExec(t testing.TB, db *DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.sql.ExecContext(context.WithoutCancel(t.Context()), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// count returns the number that a query answers.
func count(t testing.TB, db *DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.sql.GetContext(t.Context(), &n, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// wantCode fails the test unless err holds an experiment.Error of the code.
func wantCode(t testing.TB, doing string, err error, want experiment.Code) {
	t.Helper()
	if !isFault(err, want) {
		t.Errorf("%s = %v, want an error of code %s", doing, err, want)
	}
}

// A migration may last longer than any other statement.
func TestMigrateIsPatient(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	mustExec(t, openAt(t, dsn), `drop schema public cascade`)
	mustExec(t, openAt(t, dsn), `create schema public`)
	db, err := New(dsn)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.cfg.Runtime["statement_timeout"] = "1" // ms
	if err := db.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate: %v", err)
	}
}
