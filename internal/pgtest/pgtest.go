// Package pgtest gives tests a real PostgreSQL. Each test gets a database of its
// own, cloned from a migrated template, on a throw-away server that the test
// binary starts when its first test asks for one.
//
// It never touches a server or a database that it did not create, and only tests
// may import it. Where PostgreSQL is not installed, tests are skipped; with
// CI=true or SPLITCAST_REQUIRE_POSTGRES=1 they fail instead.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestStore(t *testing.T) {
//		db, err := sqlx.Open("postgres", pgtest.New(t))
//		…
//	}
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver of every DSN handed out here
	"go.uber.org/goleak"

	"github.com/splitcast/splitcast/postgres/private"
)

// startLimit bounds the making of the template and the start of a server. Both
// take a second, and several on a busy machine.
const startLimit = 2 * time.Minute

// New returns the lib/pq DSN of a fresh database with the newest schema and no
// rows. The database is dropped when the test ends, whoever is still connected.
func New(t testing.TB) string {
	t.Helper()
	server, name, err := shared.use()
	if err != nil {
		giveUp(t, err)
	}
	createDatabase(t, server, name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		if err := execute(ctx, server.DSN(), "drop database "+name+" with (force)"); err != nil {
			t.Errorf("pgtest: drop the database of the test: %v", err)
		}
	})
	return server.DatabaseDSN(name)
}

// Server returns a server that is the test's own, to kill or to stop. It is
// stopped and removed when the test ends. Unlike the shared one it keeps full
// page images, without which a killed server may tear pages.
func Server(t testing.TB) *private.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	c, err := startCluster(ctx, "on")
	if err != nil {
		giveUp(t, err)
	}
	t.Cleanup(func() {
		if err := c.remove(); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return c.server
}

// NewOn returns the DSN of a fresh database, as New does, on a server that came
// from Server. It goes when the server goes. A test may call it once.
func NewOn(t testing.TB, server *private.Server) string {
	t.Helper()
	const name = "test"
	createDatabase(t, server, name)
	return server.DatabaseDSN(name)
}

// Main runs the tests of a package, stops the shared server, fails if a goroutine
// is left over, and exits. A package without it leaves its server to die with the
// process, and the files to the next run.
func Main(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(runner{m}, options...)
}

type runner struct{ m *testing.M }

// Run runs the tests and then stops the shared server.
func (r runner) Run() int {
	code := r.m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return max(code, 1)
	}
	return code
}

// giveUp skips the test where PostgreSQL is not installed and need not be, and
// else fails it.
func giveUp(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, private.ErrNoBinaries) && !required() {
		t.Skipf("pgtest: %v", err)
	}
	t.Fatalf("pgtest: %v", err)
}

// required tells whether a missing PostgreSQL is a failure.
func required() bool {
	return os.Getenv("CI") == "true" || os.Getenv("SPLITCAST_REQUIRE_POSTGRES") == "1"
}

// createDatabase clones the template.
func createDatabase(t testing.TB, server *private.Server, name string) {
	t.Helper()
	if err := clone(t.Context(), server.DSN(), name); err != nil {
		t.Fatalf("pgtest: clone the template: %v", err)
	}
}

// copiesFiles is the first version of PostgreSQL that has to be told to copy a
// template file by file. Measured here, that takes 30 % less time than its new
// default, which writes every page to the log.
const copiesFiles = 150000

func clone(ctx context.Context, dsn, name string) (err error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var version int
	if err := db.QueryRowContext(ctx, "select current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	statement := "create database " + name + " template " + templateDatabase
	if version >= copiesFiles {
		statement += " strategy file_copy"
	}
	_, err = db.ExecContext(ctx, statement)
	return err
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, dsn, statement string) (err error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, statement)
	return err
}
