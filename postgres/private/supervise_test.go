package private_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/splitcast/splitcast/postgres/private"
)

// A row that was acknowledged is there after the postmaster has been killed five
// times under load, with a backend busy that would not notice by itself.
func TestKilledPostmasterLosesNothing(t *testing.T) {
	t.Parallel()
	const kills = 5
	server := start(t, private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")})
	db := open(t, server.DSN())
	mustExec(t, db, "create table acknowledged (n int primary key)")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	defer group.Wait()
	wrote := make(chan int) // the newest acknowledged row
	group.Go(func() {
		defer close(wrote)
		for n := 1; ctx.Err() == nil; n++ {
			_, err := db.ExecContext(ctx, "insert into acknowledged values ($1)", n)
			if err != nil {
				continue // not acknowledged: may be there or not
			}
			select {
			case wrote <- n:
			case <-ctx.Done():
			}
		}
	})
	seen := map[int]bool{}
	for killed := range kills {
		seen[<-wrote] = true
		busy := open(t, server.DSN())
		group.Go(func() {
			_, err := busy.ExecContext(ctx, "select count(*) from generate_series(1, 1000000000000)")
			if err == nil {
				t.Error("an endless statement ended")
			}
		})
		within(t, func() error { return isBusy(db) })
		pid := server.Pid()
		signal(t, pid, syscall.SIGKILL)
		for server.Pid() == pid || server.Restarts() != killed+1 {
			seen[<-wrote] = true // acknowledged before the death was noticed
		}
		seen[<-wrote] = true
	}
	cancel()
	for n := range wrote {
		seen[n] = true
	}
	for n := range seen {
		if got := ask[int](t, db, fmt.Sprintf("select count(*) from acknowledged where n = %d", n)); got != 1 {
			t.Errorf("acknowledged row %d is there %d times, want once", n, got)
		}
	}
	if got := server.Restarts(); got != kills {
		t.Errorf("Restarts() = %d, want %d", got, kills)
	}
}

// isBusy checks that the endless statement runs.
func isBusy(db *sql.DB) error {
	var n int
	const query = "select count(*) from pg_stat_activity where state = 'active' and query like 'select count(*) from generate_series%'"
	if err := db.QueryRow(query).Scan(&n); err != nil || n == 0 {
		return fmt.Errorf("%d busy backends: %w", n, err)
	}
	return nil
}

func TestSupervisorNeverGivesUp(t *testing.T) {
	t.Parallel()
	root := tempDir(t, 0o711)
	bin := filepath.Join(root, "bin")
	linkBinaries(t, bin)
	postgres, away := filepath.Join(bin, "postgres"), filepath.Join(bin, "away")
	var log records
	server := start(t, private.Config{Dir: filepath.Join(root, "pg"), BinDir: bin, Log: log.logger()})
	keep(t, server.DSN())
	if err := os.Rename(postgres, away); err != nil {
		t.Fatal(err)
	}
	signal(t, server.Pid(), syscall.SIGKILL)
	within(t, func() error {
		if n := log.count("could not be started again"); n < 3 {
			return fmt.Errorf("%d failed restarts in the log, want 3", n)
		}
		return nil
	})
	if got := server.Restarts(); got != 0 {
		t.Errorf("Restarts() = %d while none succeeded", got)
	}
	if err := os.Rename(away, postgres); err != nil {
		t.Fatal(err)
	}
	within(t, func() error { return open(t, server.DSN()).Ping() })
	if got, logged := server.Restarts(), log.count("was started again"); got != 1 || logged != 1 {
		t.Errorf("Restarts() = %d and %d in the log, want 1", got, logged)
	}
	if got := kept(t, server.DSN()); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

// linkBinaries makes a folder with links to the binaries that are installed.
func linkBinaries(t *testing.T, bin string) {
	t.Helper()
	if err := errors.Join(os.Mkdir(bin, 0o711), os.Chmod(bin, 0o711)); err != nil {
		t.Fatal(err)
	}
	found := installed(t)
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.Symlink(filepath.Join(found, name), filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// installed returns the folder of the binaries that a server uses by default.
func installed(t *testing.T) string {
	t.Helper()
	server := start(t, private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")})
	defer stop(t, server)
	path, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(server.Pid()), "exe"))
	if err != nil {
		t.Skip(err)
	}
	return filepath.Dir(path)
}

func TestStop(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		before func(*testing.T, *private.Server) // what happens to the server first
		hurry  bool                              // Stop gets a context that is done
		want   error
	}{
		{"idle", func(*testing.T, *private.Server) {}, false, nil},
		{"with an open transaction", func(t *testing.T, s *private.Server) {
			tx, err := open(t, s.DSN()).Begin()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = tx.Rollback() }) // its connection is gone by then
			if _, err := tx.Exec("lock table kept"); err != nil {
				t.Fatal(err)
			}
		}, false, nil},
		{"frozen", func(t *testing.T, s *private.Server) { signal(t, s.Pid(), syscall.SIGSTOP) }, false, nil},
		{"killed a moment ago", func(t *testing.T, s *private.Server) { signal(t, s.Pid(), syscall.SIGKILL) }, false, nil},
		{"without patience", func(*testing.T, *private.Server) {}, true, private.ErrForced},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")}
			server := start(t, cfg)
			keep(t, server.DSN())
			tc.before(t, server)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if tc.hurry {
				cancel()
			}
			if err := server.Stop(ctx); !errors.Is(err, tc.want) {
				t.Errorf("Stop = %v, want %v", err, tc.want)
			}
			if err := gone(server.Pid()); err != nil {
				t.Error(err)
			}
			if err := server.Stop(ctx); !errors.Is(err, tc.want) {
				t.Errorf("second Stop = %v, want %v", err, tc.want)
			}
			if got := kept(t, start(t, cfg).DSN()); got != 1 {
				t.Errorf("%d rows after the next start, want 1", got)
			}
		})
	}
}

func TestStopFromSeveralGoroutines(t *testing.T) {
	t.Parallel()
	server := start(t, private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { stop(t, server) })
	}
	group.Wait()
	if err := gone(server.Pid()); err != nil {
		t.Error(err)
	}
}

// The parent-death signal is tied to a thread. No thread of the program but the
// supervisor's own may take the server with it.
func TestServerOutlivesOtherThreads(t *testing.T) {
	t.Parallel()
	server := start(t, private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")})
	for range 20 {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() { runtime.LockOSThread() }) // the thread ends with the goroutine
		}
		group.Wait()
	}
	if err := open(t, server.DSN()).Ping(); err != nil || server.Restarts() != 0 {
		t.Errorf("after the end of other threads: Ping = %v, %d restarts", err, server.Restarts())
	}
}

func TestStartHonoursItsContext(t *testing.T) {
	t.Parallel()
	cfg := private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		// As soon as initdb has begun its work.
		within(t, func() error {
			_, err := os.Stat(filepath.Join(cfg.Dir, "data.init", "base"))
			return err
		})
		cancel()
	})
	server, err := private.Start(ctx, cfg)
	group.Wait()
	if err == nil {
		stop(t, server)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want %v", err, context.Canceled)
	}
	if err := open(t, start(t, cfg).DSN()).Ping(); err != nil {
		t.Errorf("after a start that was cancelled: %v", err)
	}
}
