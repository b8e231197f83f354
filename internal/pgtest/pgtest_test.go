package pgtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
)

// role tells a copy of the test binary, started by a test, what to do.
const role = "PGTEST_ROLE"

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestNewGivesEachTestItsOwnSchema(t *testing.T) {
	t.Parallel()
	first, second := open(t, pgtest.New(t)), open(t, pgtest.New(t))
	mustExec(t, first, "create table only_here (id int)")
	for _, tc := range []struct {
		table  string
		db     *sql.DB
		exists bool
	}{
		{"goose_db_version", first, true},
		{"goose_db_version", second, true},
		{"only_here", first, true},
		{"only_here", second, false},
	} {
		var got bool
		if err := tc.db.QueryRow("select to_regclass($1) is not null", tc.table).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != tc.exists {
			t.Errorf("table %s exists = %t, want %t", tc.table, got, tc.exists)
		}
	}
}

func TestNewDropsTheDatabaseAfterwards(t *testing.T) {
	t.Parallel()
	outer := open(t, pgtest.New(t))
	var dropped string
	t.Run("inner", func(inner *testing.T) {
		stillOpen, err := sql.Open("postgres", pgtest.New(inner))
		if err != nil {
			inner.Fatal(err)
		}
		t.Cleanup(func() { _ = stillOpen.Close() }) // its connection was ended under it
		if err := stillOpen.QueryRow("select current_database()").Scan(&dropped); err != nil {
			inner.Fatal(err)
		}
	})
	var n int
	if err := outer.QueryRow("select count(*) from pg_database where datname = $1", dropped).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if dropped == "" || n != 0 {
		t.Errorf("database %q is there %d times after its test, want 0", dropped, n)
	}
}

func TestServerSurvivesItsKilling(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t)
	db := open(t, pgtest.NewOn(t, server))
	mustExec(t, db, "create table kept (id int)")
	if err := syscall.Kill(server.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, func() error {
		if server.Restarts() == 0 {
			return errors.New("not started again")
		}
		_, err := db.Exec("insert into kept values (1)")
		return err
	})
}

func TestServerMayBeStoppedByTheTest(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t)
	db := open(t, pgtest.NewOn(t, server))
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(); err == nil {
		t.Error("a stopped server still answers")
	}
}

func TestWithoutPostgreSQL(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, tc := range []struct {
		name, env, want string
		fails           bool
	}{
		{"skipped on a desk", "CI=", "--- SKIP: TestAsCopy", false},
		{"failed in CI", "CI=true", "--- FAIL: TestAsCopy", true},
		{"failed on demand", "SPLITCAST_REQUIRE_POSTGRES=1", "--- FAIL: TestAsCopy", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := copyOfTests(t, "once")
			c.Env = append(c.Env, "CI=", "SPLITCAST_REQUIRE_POSTGRES=", "PGBIN="+empty, tc.env)
			out, err := c.CombinedOutput()
			if (err != nil) != tc.fails {
				t.Errorf("tests ended with %v, want failure %t", err, tc.fails)
			}
			for _, want := range []string{tc.want, "PGBIN", "DATABASE_URL"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}

// TestBinariesShareATemplate runs several test binaries at once in a new store,
// kills another, and looks at what they leave.
func TestBinariesShareATemplate(t *testing.T) {
	t.Parallel()
	pgtest.New(t) // skips where there is no PostgreSQL
	temp := passableDir(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			c := copyOfTests(t, "once")
			c.Env = append(c.Env, "TMPDIR="+temp)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("a binary beside others: %v\n%s", err, out)
			}
		})
	}
	group.Wait()
	if got := stored(t, temp); !slices.Equal(got, []string{"lock", "template"}) {
		t.Errorf("after three binaries the store holds %v, want lock and one template", got)
	}

	killed := copyOfTests(t, "hold")
	killed.Env = append(killed.Env, "TMPDIR="+temp)
	postmaster := startHolding(t, killed)
	if got := stored(t, temp); !slices.Equal(got, []string{"lock", "run", "template"}) {
		t.Errorf("beside a running binary the store holds %v, want a run too", got)
	}
	_ = killed.Process.Kill()
	_ = killed.Wait()
	within(t, func() error {
		if err := syscall.Kill(postmaster, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("the server of a killed binary lives: %w", err)
		}
		return nil
	})

	next := copyOfTests(t, "once")
	next.Env = append(next.Env, "TMPDIR="+temp)
	if out, err := next.CombinedOutput(); err != nil {
		t.Errorf("a binary after a killed one: %v\n%s", err, out)
	}
	if got := stored(t, temp); !slices.Equal(got, []string{"lock", "template"}) {
		t.Errorf("after the next binary the store holds %v, want lock and one template", got)
	}
}

func TestStoreOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	temp := passableDir(t)
	store := filepath.Join(temp, fmt.Sprintf("splitcast-pgtest-%d", os.Geteuid()))
	if err := errors.Join(os.Mkdir(store, 0o755), os.Chown(store, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	c := copyOfTests(t, "once")
	c.Env = append(c.Env, "TMPDIR="+temp)
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "belongs to somebody else") {
		t.Errorf("tests in the store of another user ended with %v, want a refusal:\n%s", err, out)
	}
}

// TestAsCopy is what a copy of the test binary runs.
func TestAsCopy(t *testing.T) {
	switch os.Getenv(role) {
	case "once":
		mustExec(t, open(t, pgtest.New(t)), "create table t (id int)")
	case "hold":
		var postmaster int
		db := open(t, pgtest.New(t))
		const query = "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int"
		if err := db.QueryRow(query).Scan(&postmaster); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("postmaster %d\n", postmaster)
		select {} // until killed
	default:
		t.Skip("for copies of the test binary only")
	}
}

// copyOfTests prepares another run of this test binary.
func copyOfTests(t *testing.T, as string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestAsCopy$", "-test.v")
	c.Env = append(os.Environ(), role+"="+as)
	return c
}

// startHolding starts a copy that holds its server and returns the server's pid.
func startHolding(t *testing.T, c *exec.Cmd) (postmaster int) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "postmaster %d", &postmaster); err == nil {
			return postmaster
		}
	}
	t.Fatal("the copy ended before its server was ready")
	return 0
}

// stored lists the kinds of files in the store below temp.
func stored(t *testing.T, temp string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(temp, "splitcast-pgtest-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := make([]string, len(paths))
	for i, path := range paths {
		kinds[i], _, _ = strings.Cut(filepath.Base(path), "-")
	}
	return kinds
}

// passableDir is a temporary folder that other users may pass through.
func passableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open connects to dsn until the test ends.
func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func mustExec(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// within repeats check until it succeeds, for half a minute at most.
func within(t testing.TB, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-again.C:
		}
	}
}
