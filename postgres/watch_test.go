package postgres

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
)

// patience is how long these tests wait for what comes within milliseconds on
// an idle machine.
const patience = 30 * time.Second

// watch starts a Watcher that ends with the test, and its stream of versions.
func watch(t testing.TB, db *DB) *Watcher {
	t.Helper()
	w, err := db.Watch(func(err error) { t.Logf("watcher: %v", err) })
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	t.Cleanup(w.Close)
	return w
}

// await waits until the Watcher delivers the version, and returns how long it
// took. Versions before it are passed over.
func await(t testing.TB, w *Watcher, version int64) time.Duration {
	t.Helper()
	began := time.Now()
	late := time.After(patience)
	for {
		select {
		case got, ok := <-w.Versions():
			if !ok || got > version {
				t.Fatalf("the Watcher delivered %d (open %t), want %d", got, ok, version)
			}
			if got == version {
				return time.Since(began)
			}
		case <-late:
			t.Fatalf("version %d was not delivered within %v", version, patience)
		}
	}
}

// bump makes a new configuration version without anything else.
func bump(t testing.TB, db *DB) int64 {
	t.Helper()
	mustExec(t, db, `update config_version set version = version + 1`)
	return configVersion(t, db)
}

// until calls ready until it returns nil, or fails the test.
func until(t testing.TB, doing string, ready func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: %v", doing, err)
		}
	}
}

// awaitListener waits until the Watcher listens.
func awaitListener(t testing.TB, db *DB) {
	t.Helper()
	until(t, "wait for the listener", func() error {
		const query = `
			select count(*) from pg_stat_activity
			where datname = current_database() and state = 'idle' and query ilike 'listen %'`
		if n := count(t, db, query); n != 1 {
			return fmt.Errorf("%d connections listen", n)
		}
		return nil
	})
}

func TestWatchDelivers(t *testing.T) {
	t.Parallel()
	db := open(t)
	first := bump(t, db)
	w := watch(t, db)
	await(t, w, first)
	awaitListener(t, db)
	for range 20 {
		await(t, w, bump(t, db))
	}
	applySpecs(t, db, specOf("a", "", 0))
	await(t, w, configVersion(t, db))
}

func TestWatchKeepsTheNewestForASlowReceiver(t *testing.T) {
	t.Parallel()
	db := open(t)
	w := watch(t, db)
	awaitListener(t, db)
	var newest int64
	for range 50 {
		newest = bump(t, db)
	}
	await(t, w, newest)
	select {
	case v := <-w.Versions():
		t.Errorf("the Watcher delivered %d after the newest, %d", v, newest)
	default:
	}
}

func TestWatchSurvivesKilledConnections(t *testing.T) {
	t.Parallel()
	db := open(t)
	w := watch(t, db)
	await(t, w, configVersion(t, db))
	for range 3 {
		awaitListener(t, db)
		mustExec(t, db, `
			select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid()`)
		await(t, w, bump(t, db)) // at once: no notification of it is certain
	}
	awaitListener(t, db)
	await(t, w, bump(t, db))
}

// A change that announces nothing, as when the notification is lost on its way,
// is found by the poll.
func TestWatchPollHealsALostNotification(t *testing.T) {
	t.Parallel()
	db := open(t)
	w := watch(t, db)
	await(t, w, configVersion(t, db))
	awaitListener(t, db)
	mustExec(t, db, `alter table config_version disable trigger config_version_notify`)
	took := await(t, w, bump(t, db))
	if limit := WatchPollEvery + watchPollTimeout; took > limit {
		t.Errorf("a version without a notification took %v, want at most %v", took, limit)
	}
}

// A restored backup brings versions back to lower ones.
func TestWatchDeliversALowerVersion(t *testing.T) {
	t.Parallel()
	db := open(t)
	mustExec(t, db, `update config_version set version = 100`)
	w := watch(t, db)
	await(t, w, 100)
	mustExec(t, db, `update config_version set version = 7`)
	late := time.After(patience)
	select {
	case v := <-w.Versions():
		if v != 7 {
			t.Errorf("the Watcher delivered %d, want 7", v)
		}
	case <-late:
		t.Error("the lower version was not delivered")
	}
}

// The listener alone would never notice this loss: no packet tells of it.
func TestWatchSurvivesASilentNetwork(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	db := openAt(t, dsn)
	p := newProxy(t, dsn)
	failed := make(chan error, 1)
	w, err := openAt(t, p.dsn).Watch(func(err error) {
		select {
		case failed <- err:
		default:
		}
	})
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	t.Cleanup(w.Close)
	await(t, w, configVersion(t, db))
	awaitListener(t, db)
	p.silence(true)
	missed := bump(t, db)
	select {
	case v := <-w.Versions():
		t.Fatalf("version %d came through a silent network", v)
	case err := <-failed: // of the poll
		wantCode(t, "the Watcher's error", err, experiment.CodeUnavailable)
	case <-time.After(patience):
		t.Fatal("the silence was not noticed")
	}
	p.silence(false)
	took := await(t, w, missed)
	if limit := WatchPollEvery + 4*watchPollTimeout; took > limit {
		t.Errorf("after the silence a version took %v, want at most %v", took, limit)
	}
	awaitListener(t, db)
	await(t, w, bump(t, db))
}

// A listener whose connection died silently while the poll's lives is found
// deaf and replaced.
func TestWatchReplacesADeafListener(t *testing.T) {
	t.Parallel()
	db := open(t)
	w := watch(t, db)
	await(t, w, configVersion(t, db))
	awaitListener(t, db)
	before := count(t, db, listenerPid)
	mustExec(t, db, `alter table config_version disable trigger config_version_notify`)
	await(t, w, bump(t, db)) // by the poll; the listener heard nothing
	until(t, "wait for a new listener", func() error {
		bump(t, db) // one that came before the Watcher knew its listener proves nothing
		if n := count(t, db, listenerPid); n == before || n == 0 {
			return errors.New("the listener is the old one")
		}
		return nil
	})
	mustExec(t, db, `alter table config_version enable trigger config_version_notify`)
	await(t, w, bump(t, db))
}

const listenerPid = `
	select coalesce(max(pid), 0) from pg_stat_activity
	where datname = current_database() and query ilike 'listen %'`

func TestWatchSurvivesAKilledDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t)
	db := openAt(t, pgtest.NewOn(t, server))
	w := watch(t, db)
	before := bump(t, db)
	await(t, w, before)
	for round := range 2 {
		if err := syscall.Kill(server.Pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, "wait for the database", func() error {
			if server.Restarts() <= round {
				return errors.New("not restarted")
			}
			return db.Ping(t.Context())
		})
		if got := configVersion(t, db); got != before {
			t.Fatalf("after the restart the version is %d, want %d: it was committed", got, before)
		}
		before = bump(t, db)
		await(t, w, before)
	}
}

func TestWatchBeginsWithoutADatabase(t *testing.T) {
	t.Parallel()
	db, err := New("host=/nowhere user=splitcast sslmode=disable")
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	failed := make(chan error, 1)
	w, err := db.Watch(func(err error) {
		select {
		case failed <- err:
		default:
		}
	})
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	select {
	case <-failed:
	case <-time.After(patience):
		t.Error("no error was told")
	}
	w.Close()
	if _, open := <-w.Versions(); open {
		t.Error("Versions is open after Close")
	}
	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
