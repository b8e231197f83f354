package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/postgres/private"
)

// The environment of a process of the crash test: the test's own binary.
const (
	crashRoleEnv  = "SPLITCAST_CRASH_ROLE"
	crashDSNEnv   = "SPLITCAST_CRASH_DSN"
	crashAddrEnv  = "SPLITCAST_CRASH_ADDR"
	crashDataEnv  = "SPLITCAST_CRASH_DATA"
	crashClockEnv = "SPLITCAST_CRASH_CLOCK"
)

// Roles of a process.
const (
	crashServer = "server"
	crashJob    = "job"
)

// crashProcess plays a role until it is killed. It returns the exit code.
func crashProcess(role string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	clock := offsetClock{os.Getenv(crashClockEnv)}
	run := map[string]func(*slog.Logger, offsetClock) error{crashServer: runCrashServer, crashJob: runCrashJob}[role]
	if err := run(log, clock); err != nil {
		log.Error("process of the crash test", "role", role, "error", err)
		return exitFailure
	}
	return 0
}

func runCrashServer(log *slog.Logger, clock offsetClock) error {
	p, err := startPlatform(context.Background(), platformConfig{
		storage: storage{Data: os.Getenv(crashDataEnv), DatabaseURL: os.Getenv(crashDSNEnv)},
		Addr:    os.Getenv(crashAddrEnv), BootstrapToken: testToken, Now: clock.Now, Log: log,
	})
	if err != nil {
		return err
	}
	return <-p.failed
}

// crashJobEvery is the pause between two looks of the job: as good as none, so
// that many are killed on their way.
const crashJobEvery = 20 * time.Millisecond

func runCrashJob(log *slog.Logger, clock offsetClock) error {
	db, err := postgres.New(os.Getenv(crashDSNEnv))
	if err != nil {
		return err
	}
	job := metrics.Job{Store: db, Experiments: db.Page}
	for {
		if _, err := job.RunOnce(context.Background(), clock.Now()); err != nil {
			log.Info("a look failed", "error", err) // the database is killed, too
		}
		if err := sleep(context.Background(), crashJobEvery); err != nil {
			return err
		}
	}
}

// offsetClock is the wall clock moved by the duration that stands in a file, so
// that all processes of a test live in one time.
type offsetClock struct{ path string }

func (c offsetClock) Now() time.Time {
	b, err := os.ReadFile(c.path)
	if err != nil {
		panic(err) // the test made it
	}
	offset, err := time.ParseDuration(string(b))
	if err != nil {
		panic(err)
	}
	return time.Now().Add(offset)
}

// set moves the clock. The file is replaced as a whole: others read it meanwhile.
func (c offsetClock) set(t *testing.T, offset time.Duration) {
	t.Helper()
	next := c.path + ".next"
	if err := os.WriteFile(next, []byte(offset.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, c.path); err != nil {
		t.Fatal(err)
	}
}

// victims are the processes that are killed and started again.
type victims struct {
	t        *testing.T
	postgres *private.Server
	env      []string
	url      string

	mu      sync.Mutex
	running map[string]*exec.Cmd
	kills   map[string]int
}

// startVictims starts a server and a job over a database of the server srv.
func startVictims(t *testing.T, srv *private.Server, dsn string, clock offsetClock) *victims {
	t.Helper()
	addr := freeAddress(t)
	v := &victims{
		t: t, postgres: srv, url: "http://" + addr, running: map[string]*exec.Cmd{}, kills: map[string]int{},
		env: crashEnv(dsn, addr, t.TempDir(), clock),
	}
	v.start(crashServer)
	v.start(crashJob)
	t.Cleanup(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, c := range v.running {
			end(c)
		}
	})
	return v
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil { // the server takes it over
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// crashEnv is the environment of a process of a crash test, without its role.
func crashEnv(dsn, addr, data string, clock offsetClock) []string {
	return append(os.Environ(),
		crashDSNEnv+"="+dsn, crashAddrEnv+"="+addr, crashDataEnv+"="+data, crashClockEnv+"="+clock.path)
}

func (v *victims) start(role string) {
	c := exec.CommandContext(context.WithoutCancel(v.t.Context()), os.Args[0])
	c.Env = append(slices.Clone(v.env), crashRoleEnv+"="+role)
	c.Stderr = v.t.Output()
	if err := c.Start(); err != nil {
		v.t.Errorf("start the %s: %v", role, err)
		return
	}
	v.running[role] = c
}

// end kills a process and waits for it.
func end(c *exec.Cmd) {
	_ = c.Process.Kill() // fails only when it has ended
	_ = c.Wait()         // says that it was killed
}

// kill kills one of the processes, and starts it again unless it is PostgreSQL,
// which its supervisor starts.
func (v *victims) kill(role string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kills[role]++
	if role == crashPostgres {
		if err := syscall.Kill(v.postgres.Pid(), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			v.t.Errorf("kill PostgreSQL: %v", err)
		}
		return
	}
	end(v.running[role])
	v.start(role)
}

const crashPostgres = "postgres"

// spread kills the processes at random until ctx ends.
func (v *victims) spread(ctx context.Context, r *rand.Rand, roles []string, least, most time.Duration) {
	for sleep(ctx, least+time.Duration(r.Int64N(int64(most-least)))) == nil {
		v.kill(roles[r.IntN(len(roles))])
	}
}

// awaitServer waits until the server of the address evaluates.
func awaitServer(ctx context.Context, url string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close() // nothing is read from it
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("the server did not become ready: %w", err)
		}
	}
}

func newOffsetClock(t *testing.T) offsetClock {
	t.Helper()
	c := offsetClock{filepath.Join(t.TempDir(), "clock")}
	c.set(t, 0)
	return c
}

func (v *victims) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var parts []string
	for _, role := range []string{crashServer, crashJob, crashPostgres} {
		parts = append(parts, role+" "+strconv.Itoa(v.kills[role])+" times")
	}
	return strings.Join(parts, ", ")
}
