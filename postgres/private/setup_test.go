package private_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"
	"go.uber.org/goleak"

	"github.com/splitcast/splitcast/postgres/private"
)

const (
	// parentRole makes a copy of the test binary own a server: see parentMain.
	parentRole = "PRIVATE_PARENT"
	// patience bounds every wait of a test; it is reached by failures only.
	patience = time.Minute
	// stranger is a uid without an entry in the user database.
	stranger = 54321
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentRole); dir != "" {
		if err := shrinkSharedMemory(os.Getenv("PRIVATE_SHM_BYTES")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(parentMain(dir))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.Remove(ownPath()) // is there only if a test needed it
		os.Exit(code)
	}))
}

// answer is what a copy of the test binary tells the test on its first line.
type answer struct {
	DSN   string
	Pid   int
	Err   string // empty when the server runs
	Kind  string // type of the error
	Cause string // what the system said, where known
}

// parentMain starts a server and owns it until its input ends.
func parentMain(dir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var a answer
	server, err := private.Start(ctx, private.Config{Dir: dir})
	if err != nil {
		a.Err, a.Kind = err.Error(), fmt.Sprintf("%T", err)
		if cause := errors.Unwrap(err); cause != nil {
			a.Cause = cause.Error()
		}
	} else {
		a.DSN, a.Pid = server.DSN(), server.Pid()
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil || a.Err != "" {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := server.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// parent is a process of its own that owns a server.
type parent struct {
	answer
	cmd   *exec.Cmd
	stdin io.Closer
}

// startParent runs a parent with the uid, 0 for the test's own.
func startParent(t *testing.T, dir string, uid int) *parent {
	t.Helper()
	p := newParent(t, dir)
	if uid != 0 {
		p.cmd.SysProcAttr = credential(uid)
	}
	p.start(t)
	return p
}

// newParent prepares a parent.
func newParent(t *testing.T, dir string) *parent {
	t.Helper()
	p := &parent{cmd: exec.Command(testBinary(t))}
	p.cmd.Dir = "/"
	p.cmd.Env = append(os.Environ(), parentRole+"="+dir)
	p.cmd.Stderr = os.Stderr
	return p
}

// start runs the parent until it has an answer.
func (p *parent) start(t *testing.T) {
	t.Helper()
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("a parent process ended without an answer: %v", err)
	}
	if err := json.Unmarshal(line, &p.answer); err != nil {
		t.Fatal(err)
	}
}

// kill ends the parent as by kill -9.
func (p *parent) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // says that it was killed
}

// stop ends the parent in order.
func (p *parent) stop(t *testing.T) {
	t.Helper()
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the parent ended with %v", err)
	}
}

// ownPath is where this run keeps a copy of the test binary.
func ownPath() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("splitcast-private-test-%d", os.Getpid()))
}

// ownBinary copies the test binary once to where every user may run it.
var ownBinary = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	return ownPath(), errors.Join(os.WriteFile(ownPath(), binary, 0o755), os.Chmod(ownPath(), 0o755))
})

func testBinary(t *testing.T) string {
	t.Helper()
	path, err := ownBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tempDir is a temporary folder with the mode, which unlike t.TempDir lets other
// users pass when the mode does.
func tempDir(t testing.TB, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "private")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts a server that stops with the test.
func start(t testing.TB, cfg private.Config) *private.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	server, err := private.Start(ctx, cfg)
	if errors.Is(err, private.ErrNoBinaries) && os.Getenv("CI") != "true" && os.Getenv("SPLITCAST_REQUIRE_POSTGRES") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	return server
}

func stop(t testing.TB, server *private.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Stop(ctx); err != nil && !errors.Is(err, private.ErrForced) {
		t.Errorf("Stop: %v", err)
	}
}

// fails starts a server that must not start.
func fails(t *testing.T, cfg private.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	server, err := private.Start(ctx, cfg)
	if err == nil {
		stop(t, server)
		t.Fatal("Start succeeded, want an error")
	}
	return err
}

// wantError finds an error of type T in err.
func wantError[T error](t *testing.T, err error) (found T) {
	t.Helper()
	if !errors.As(err, &found) {
		t.Fatalf("Start = %T %v, want a %T", err, err, found)
	}
	return found
}

// open connects to dsn until the test ends.
func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // its server may be gone
	return db
}

func mustExec(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// ask returns the one value that a query yields.
func ask[T any](t testing.TB, db *sql.DB, query string) (value T) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// keep writes a row that must survive what happens next.
func keep(t testing.TB, dsn string) {
	t.Helper()
	db := open(t, dsn)
	mustExec(t, db, "create table if not exists kept (at timestamptz)")
	mustExec(t, db, "insert into kept values (now())")
}

// kept counts the rows that keep wrote.
func kept(t testing.TB, dsn string) int {
	t.Helper()
	return ask[int](t, open(t, dsn), "select count(*) from kept")
}

// within repeats check until it succeeds.
func within(t testing.TB, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
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

// gone checks that a process has ended.
func gone(pid int) error {
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d lives", pid)
	}
	return nil
}

func signal(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("signal %v to %d: %v", sig, pid, err)
	}
}

// ownerOf returns the uid and the mode of a file.
func ownerOf(t testing.TB, path string) (uid int, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid), info.Mode().Perm()
}

// needsRoot skips a test that changes users.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to change users")
	}
}

// records is a log that a test can read while it is written.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// count tells how often the log holds the words.
func (r *records) count(words string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Count(r.text.Bytes(), []byte(words))
}

func (r *records) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// uidOf looks a user up, or skips the test.
func uidOf(t *testing.T, name string) int {
	t.Helper()
	entry, err := user.Lookup(name)
	if err != nil {
		t.Skip(err)
	}
	uid, err := strconv.Atoi(entry.Uid)
	if err != nil {
		t.Fatal(err)
	}
	return uid
}
