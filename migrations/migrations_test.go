package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/migrations"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// emptyDatabase returns a database without a schema.
func emptyDatabase(t *testing.T) *sql.DB {
	t.Helper()
	server := pgtest.Server(t)
	admin := openDB(t, server.DSN())
	if _, err := admin.ExecContext(t.Context(), "create database bare template template0"); err != nil {
		t.Fatal(err)
	}
	return openDB(t, server.DatabaseDSN("bare"))
}

func openDB(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// files returns the names of the migrations in order.
func files(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations: %v, %v", names, err)
	}
	return names
}

func TestUpFromSeveralProcesses(t *testing.T) {
	t.Parallel()
	db := emptyDatabase(t)
	const starters = 4
	ended := make(chan error, starters)
	for range starters {
		go func() { ended <- migrations.Up(t.Context(), db) }()
	}
	for range starters {
		if err := <-ended; err != nil {
			t.Errorf("Up: %v", err)
		}
	}
	var applied int
	if err := db.QueryRowContext(t.Context(), `select count(*) from goose_db_version where version_id > 0`).Scan(&applied); err != nil {
		t.Fatal(err)
	}
	if want := len(files(t)); applied != want {
		t.Errorf("%d migrations applied, want each of %d once", applied, want)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Errorf("Up again: %v", err)
	}
}

func TestUpEndsWithItsContext(t *testing.T) {
	t.Parallel()
	db := emptyDatabase(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := migrations.Up(ctx, db); err == nil {
		t.Error("Up with an ended context returned nil")
	}
}

// TestMigrationsAreNumbered holds the files to one form: rising numbers, each
// once, and no way down, because nobody tests it and someone may take it.
func TestMigrationsAreNumbered(t *testing.T) {
	t.Parallel()
	names := files(t)
	form := regexp.MustCompile(`^(\d{4})_[a-z0-9_]+\.sql$`)
	for i, name := range names {
		match := form.FindStringSubmatch(name)
		if want := fmt.Sprintf("%04d", i+1); len(match) < 2 || match[1] != want {
			t.Errorf("migration %d is %s, want number %s", i+1, name, want)
			continue
		}
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "+goose Down") {
			t.Errorf("%s has a way down", name)
		}
	}
}

// TestOutcomesKeepTheirQuantities checks the change of the quantities from an array
// to its text, which rewrites rows that nothing else may change.
func TestOutcomesKeepTheirQuantities(t *testing.T) {
	t.Parallel()
	db := emptyDatabase(t)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	const arrays = 24
	if _, err := provider.UpTo(t.Context(), arrays); err != nil {
		t.Fatalf("UpTo(%d): %v", arrays, err)
	}
	_, err = db.ExecContext(t.Context(), `
		create table outcomes_of_a_day partition of outcomes for values from ('2026-05-01') to ('2026-05-02');
		insert into outcomes (day, experiment_id, version, win, unit_id, look, arm, exposed_at, closes_at, quantities, dims)
		values ('2026-05-01', 1, 1, 'day', 'u', 1, 0, '2026-04-30', '2026-05-01', array[1, 0, 4000000000, 0.25], '{}')`)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatalf("Up: %v", err)
	}
	var text string
	var array bool
	err = db.QueryRowContext(t.Context(),
		`select quantities, quantities::float8[] = array[1, 0, 4000000000, 0.25]::float8[] from outcomes`).Scan(&text, &array)
	if err != nil {
		t.Fatal(err)
	}
	if text != "{1,0,4000000000,0.25}" || !array {
		t.Errorf("quantities became %s, the same as an array: %v", text, array)
	}
}

// TestHotUpdates checks that what heartbeats change is in no index of sessions:
// such an update would write to every index.
func TestHotUpdates(t *testing.T) {
	t.Parallel()
	db := openDB(t, pgtest.New(t))
	rows, err := db.QueryContext(t.Context(), `
		select distinct a.attname
		from pg_index i
		cross join lateral unnest(i.indkey) as k (attnum)
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
		where i.indrelid = 'sessions'::regclass`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	var got []string
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			t.Fatal(err)
		}
		got = append(got, column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	want := []string{"broadcaster_id", "device_id", "first_recv_ms", "session_id", "viewer_id"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("indexed columns of sessions differ (-want +got):\n%s", diff)
	}
}
