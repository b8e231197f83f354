package private_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/splitcast/splitcast/postgres/private"
)

// processUID returns whom a process runs as, seen from here.
func processUID(t *testing.T, pid int) int {
	t.Helper()
	uid, _ := ownerOf(t, filepath.Join("/proc", strconv.Itoa(pid)))
	return uid
}

// needsNamespaces skips a test where the kernel refuses what it is about.
func needsNamespaces(t *testing.T, uid int) {
	t.Helper()
	c := exec.Command("/bin/true")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getegid(), Size: 1}},
	}
	if uid != os.Geteuid() { // asked on behalf of another user
		c = exec.Command("unshare", "--user", "--map-root-user", "/bin/true")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: []uint32{}}}
	}
	if err := c.Run(); err != nil {
		t.Skipf("the kernel refuses a user namespace to uid %d: %v", uid, err)
	}
}

func TestRootDropsToAnotherUser(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, tc := range []struct{ name, user, runsAs string }{
		{"by default", "", "postgres"},
		{"as configured", "nobody", "nobody"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := uidOf(t, tc.runsAs)
			dir := filepath.Join(tempDir(t, 0o711), "pg")
			server := start(t, private.Config{Dir: dir, User: tc.user})
			if got := processUID(t, server.Pid()); got != want {
				t.Errorf("postmaster runs as uid %d, want %d", got, want)
			}
			for _, name := range []string{"data", "socket"} {
				if uid, mode := ownerOf(t, filepath.Join(dir, name)); uid != want || mode != 0o700 {
					t.Errorf("%s belongs to %d with mode %o, want %d and 700", name, uid, mode, want)
				}
			}
			keep(t, server.DSN())
			stop(t, server)

			// The owner of the data decides from now on.
			server = start(t, private.Config{Dir: dir})
			if got := processUID(t, server.Pid()); got != want {
				t.Errorf("second start: postmaster runs as uid %d, want %d", got, want)
			}
			if got := kept(t, server.DSN()); got != 1 {
				t.Errorf("second start: %d rows, want 1", got)
			}
		})
	}
}

func TestNotRoot(t *testing.T) {
	t.Parallel()
	needsRoot(t) // elsewhere every other test is this one
	uid := uidOf(t, "nobody")
	dir := filepath.Join(tempDir(t, 0o777), "pg")
	for round := 1; round <= 2; round++ {
		p := startParent(t, dir, uid)
		if p.Err != "" {
			t.Fatalf("round %d: Start = %s", round, p.Err)
		}
		if got := processUID(t, p.Pid); got != uid {
			t.Errorf("postmaster runs as uid %d, want %d", got, uid)
		}
		keep(t, p.DSN)
		if got := kept(t, p.DSN); got != round {
			t.Errorf("round %d: %d rows", round, got)
		}
		p.stop(t)
		if err := gone(p.Pid); err != nil {
			t.Error(err)
		}
	}
}

// A container platform may run the program under a number that no database of
// users knows. initdb refuses such a user outside a namespace.
func TestUnknownUserRunsInANamespace(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	needsNamespaces(t, stranger)
	if entry, err := user.LookupId(strconv.Itoa(stranger)); err == nil {
		t.Skipf("uid %d is %s here", stranger, entry.Username)
	}
	dir := filepath.Join(tempDir(t, 0o777), "pg")
	for round := 1; round <= 2; round++ {
		p := startParent(t, dir, stranger)
		if p.Err != "" {
			t.Fatalf("round %d: Start = %s (%s)", round, p.Err, p.Cause)
		}
		if got := processUID(t, p.Pid); got != stranger {
			t.Errorf("postmaster runs as uid %d, want %d", got, stranger)
		}
		keep(t, p.DSN)
		if got := kept(t, p.DSN); got != round {
			t.Errorf("round %d: %d rows", round, got)
		}
		p.kill(t) // the signal reaches a server in a namespace too
		within(t, func() error { return gone(p.Pid) })
	}
}

func TestClosedFolderOfRoot(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	closed := tempDir(t, 0o700)
	t.Run("named user", func(t *testing.T) {
		t.Parallel()
		uid := uidOf(t, "nobody")
		err := wantError[*private.PathError](t, fails(t, private.Config{Dir: filepath.Join(closed, "named"), User: "nobody"}))
		if err.Path != closed || err.UID != uid {
			t.Errorf("Start blames %s for uid %d, want %s and %d", err.Path, err.UID, closed, uid)
		}
		if !strings.Contains(err.Error(), "cannot pass through") {
			t.Errorf("Error() = %q, want it to say what is wrong", err)
		}
	})
	t.Run("any user", func(t *testing.T) {
		t.Parallel()
		needsNamespaces(t, 0)
		var log records
		cfg := private.Config{Dir: filepath.Join(closed, "any"), Log: log.logger()}
		for round := 1; round <= 2; round++ {
			server := start(t, cfg)
			keep(t, server.DSN())
			if got := kept(t, server.DSN()); got != round {
				t.Errorf("round %d: %d rows", round, got)
			}
			signal(t, server.Pid(), syscall.SIGKILL)
			within(t, func() error {
				if server.Restarts() == 0 {
					return errors.New("not started again")
				}
				return open(t, server.DSN()).Ping()
			})
			stop(t, server)
		}
		if log.count("keeps the uid of root") != 1 {
			t.Error("the first start did not warn that the server keeps the uid of root")
		}
	})
}

func TestUsersThatCannotBe(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, name := range []string{"no-such-user", "root"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := wantError[*private.UserError](t, fails(t, private.Config{Dir: tempDir(t, 0o711), User: name}))
			if err.User != name {
				t.Errorf("UserError.User = %q, want %q", err.User, name)
			}
		})
	}
}

func TestDataOfAnotherUser(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	other, self := uidOf(t, "postgres"), uidOf(t, "nobody")
	dir := tempDir(t, 0o777)
	data := filepath.Join(dir, "data")
	if err := errors.Join(os.Mkdir(data, 0o700), os.Chown(data, other, other)); err != nil {
		t.Fatal(err)
	}
	t.Run("asked by root", func(t *testing.T) {
		err := wantError[*private.PathError](t, fails(t, private.Config{Dir: dir, User: "nobody"}))
		if err.Path != data || err.UID != self {
			t.Errorf("Start blames %s for uid %d, want %s and %d", err.Path, err.UID, data, self)
		}
	})
	t.Run("asked by a user", func(t *testing.T) {
		if err := os.Remove(filepath.Join(dir, "lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if p := startParent(t, dir, self); p.Kind != "*private.PathError" {
			t.Errorf("Start = %s %q, want a *private.PathError", p.Kind, p.Err)
		}
	})
}
