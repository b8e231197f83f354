package private

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	// fastShutdownLimit is how long a server gets to roll back, write a
	// checkpoint and end. Beyond it, replaying the log is the lesser wait.
	fastShutdownLimit = 10 * time.Second
	// quitLimit is how long a server gets to end without a checkpoint.
	quitLimit = 5 * time.Second
	// killLimit is how long the system gets to remove a killed process.
	killLimit = 5 * time.Second
	// pollEvery is how often a process that is not our child is looked at:
	// unlike a child, it cannot be waited for.
	pollEvery = 10 * time.Millisecond
)

// clear deals with what an earlier owner left in the folder. We hold the lock,
// so a server that lives here has lost its owner. After clear no process works in
// the folder and no lock file keeps PostgreSQL from starting.
func (f folder) clear(ctx context.Context, log *slog.Logger) error {
	for _, dir := range []string{f.fresh, f.data} {
		if err := endOrphans(ctx, f.root, dir, log); err != nil {
			return err
		}
	}
	// Nobody works here, so lock files are stale. PostgreSQL itself refuses to
	// start when the number in them has meanwhile gone to another process.
	if err := errors.Join(removeIfThere(filepath.Join(f.data, "postmaster.pid")), f.removeSocket()); err != nil {
		return fmt.Errorf("remove a stale lock: %w", err)
	}
	return nil
}

// endOrphans ends the PostgreSQL processes that work in dir: first in order,
// then at once, then by force. Errors: *BusyError when even that fails.
func endOrphans(ctx context.Context, root, dir string, log *slog.Logger) error {
	pids, err := serverProcesses(dir)
	if err != nil {
		return fmt.Errorf("look for PostgreSQL processes: %w", err)
	}
	if len(pids) == 0 {
		return nil
	}
	log.Warn("shutting down an orphaned PostgreSQL", "dir", dir, "pids", pids)
	steps := []struct {
		sig   syscall.Signal
		limit time.Duration
	}{{syscall.SIGINT, fastShutdownLimit}, {syscall.SIGQUIT, quitLimit}, {syscall.SIGKILL, killLimit}}
	for _, step := range steps {
		postmaster := postmasterPID(dir)
		for _, pid := range pids {
			// The children follow their postmaster. Without one, SIGINT would only
			// cancel their statements, so they are told to quit.
			sig := step.sig
			switch {
			case sig == syscall.SIGINT && !slices.Contains(pids, postmaster):
				sig = syscall.SIGQUIT
			case sig == syscall.SIGINT && pid != postmaster:
				sig = 0
			}
			signalAndWake(pid, sig)
		}
		if pids, err = awaitGone(ctx, dir, step.limit); err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
	}
	return &BusyError{Dir: root, PID: pids[0]}
}

// signalAndWake sends a signal and lets a stopped process run to receive it. An
// error means that the process is gone, which is what we want.
func signalAndWake(pid int, sig syscall.Signal) {
	_ = syscall.Kill(pid, sig)
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// awaitGone waits until no PostgreSQL process works in dir, and returns those
// that still do at the limit.
func awaitGone(ctx context.Context, dir string, limit time.Duration) ([]int, error) {
	expired := time.NewTimer(limit)
	defer expired.Stop()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for {
		pids, err := serverProcesses(dir)
		if err != nil || len(pids) == 0 {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for an orphaned PostgreSQL: %w", ctx.Err())
		case <-expired.C:
			return pids, nil
		case <-again.C:
		}
	}
}

// postmasterPID returns the process that the data folder's lock file names, 0
// when there is none.
func postmasterPID(dir string) int {
	file, err := os.Open(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	defer file.Close()
	return readPID(file)
}
