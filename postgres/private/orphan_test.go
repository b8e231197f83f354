package private_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/splitcast/splitcast/postgres/private"
)

func TestKilledParent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		wait bool // until the server is gone, before the next start
	}{
		{"server gone before the next start", true},
		{"next start at once", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(tempDir(t, 0o711), "pg")
			p := startParent(t, dir, 0)
			keep(t, p.DSN)
			p.kill(t)
			if tc.wait {
				within(t, func() error { return gone(p.Pid) })
			}
			server := start(t, private.Config{Dir: dir})
			if got := kept(t, server.DSN()); got != 1 {
				t.Errorf("%d rows, want 1", got)
			}
			within(t, func() error { return gone(p.Pid) }) // and reaped by its new parent
		})
	}
}

// A postmaster that is frozen when its parent dies gets the signal once it runs
// again. Linux wakes it, because its process group is orphaned.
func TestKilledParentOfAFrozenServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	p := startParent(t, dir, 0)
	keep(t, p.DSN)
	signal(t, p.Pid, syscall.SIGSTOP)
	p.kill(t)
	server := start(t, private.Config{Dir: dir})
	if got := kept(t, server.DSN()); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
	within(t, func() error { return gone(p.Pid) }) // and reaped by its new parent
}

// An orphan that has missed the signal, and is frozen besides, is woken and shut
// down in order.
func TestFrozenOrphan(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	server := start(t, private.Config{Dir: dir})
	keep(t, server.DSN())
	uid, _ := ownerOf(t, filepath.Join(dir, "data"))
	stop(t, server)

	orphan := plainServer(t, dir, uid)
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = orphan.Process.Kill() })
	db := open(t, server.DSN())
	within(t, db.Ping)
	signal(t, orphan.Process.Pid, syscall.SIGSTOP)

	var log records
	server = start(t, private.Config{Dir: dir, Log: log.logger()})
	if got := kept(t, server.DSN()); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
	if err := orphan.Wait(); err != nil {
		t.Errorf("the orphan ended with %v, want an orderly shutdown", err)
	}
	if log.count("shutting down an orphaned PostgreSQL") != 1 {
		t.Error("the log does not tell of the orphan")
	}
}

// Parent and postmaster are killed while a backend is too busy to notice.
func TestHeadlessBackend(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	p := startParent(t, dir, 0)
	keep(t, p.DSN)
	busy, watcher := open(t, p.DSN), open(t, p.DSN)
	ended := make(chan error, 1)
	go func() {
		_, err := busy.Exec("select count(*) from generate_series(1, 1000000000000)")
		ended <- err
	}()
	within(t, func() error { return isBusy(watcher) })
	p.kill(t)
	_ = syscall.Kill(p.Pid, syscall.SIGKILL) // or it has followed its parent by now
	server := start(t, private.Config{Dir: dir})
	if got := kept(t, server.DSN()); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
	if err := <-ended; err == nil {
		t.Error("an endless statement ended")
	}
}

func TestKilledParentDuringInitdb(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	fresh := filepath.Join(dir, "data.init")
	p := exec.Command(testBinary(t))
	p.Env = append(os.Environ(), parentRole+"="+dir)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, func() error {
		_, err := os.Stat(filepath.Join(fresh, "base"))
		return err
	})
	_ = p.Process.Kill()
	_ = p.Wait() // says that it was killed
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Fatal("the data folder is in place before initdb has ended")
	}
	server := start(t, private.Config{Dir: dir})
	if err := open(t, server.DSN()).Ping(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Errorf("%s is left over", fresh)
	}
}

// TestStaleLocks puts lock files in place as a killed server would leave them
// whose process id has since gone to another process of the same user.
func TestStaleLocks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	cfg := private.Config{Dir: dir}
	server := start(t, cfg)
	keep(t, server.DSN())
	data := filepath.Join(dir, "data")
	uid, _ := ownerOf(t, data)
	stop(t, server)

	// It even stands in the data folder, as the shell of a curious person would.
	other := exec.Command("sleep", "1000")
	other.Dir = data
	other.SysProcAttr = credential(uid)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })

	postmasterLock := fmt.Sprintf("%d\n%s\n1700000000\n5432\n%s\n\n", other.Process.Pid, data, filepath.Join(dir, "socket"))
	for _, tc := range []struct{ name, file, text string }{
		{"process id gone to another", filepath.Join(data, "postmaster.pid"), postmasterLock},
		{"socket lock of another", filepath.Join(dir, "socket", ".s.PGSQL.5432.lock"), postmasterLock},
		{"empty", filepath.Join(data, "postmaster.pid"), ""},
		{"no number", filepath.Join(data, "postmaster.pid"), "what\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.WriteFile(tc.file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() == 0 {
				if err := os.Chown(tc.file, uid, uid); err != nil {
					t.Fatal(err)
				}
			}
			out, err := plainServer(t, dir, uid).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "lock file") {
				t.Errorf("plain postgres does not mind the lock file, so the test proves nothing: %v\n%s", err, out)
			}
			server := start(t, cfg)
			defer stop(t, server)
			if got := kept(t, server.DSN()); got != 1 {
				t.Errorf("%d rows, want 1", got)
			}
		})
	}
	if err := syscall.Kill(other.Process.Pid, 0); err != nil {
		t.Errorf("the process that is none of ours: %v", err)
	}
}

// plainServer prepares postgres without this package around it.
func plainServer(t *testing.T, dir string, uid int) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(installed(t), "postgres"),
		"-D", filepath.Join(dir, "data"), "-k", filepath.Join(dir, "socket"), "-h", "")
	c.Dir = "/"
	c.SysProcAttr = credential(uid)
	return c
}

// credential runs a command as uid where that is another user.
func credential(uid int) *syscall.SysProcAttr {
	if uid == os.Geteuid() {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: []uint32{}}}
}
