package private

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// pipeDelay is how long a killed initdb's children may keep its output open.
const pipeDelay = time.Second

// initialise runs initdb when the folder has no cluster yet. It works beside the
// final place and renames the result, so that a killed initdb never leaves half
// a cluster. With durable, the cluster is on disk when initialise returns.
// Errors: *PathError, *StartError.
func initialise(ctx context.Context, f folder, b binaries, as identity, durable bool) error {
	if _, err := os.Stat(filepath.Join(f.data, "PG_VERSION")); err == nil {
		return nil
	}
	if entries, err := os.ReadDir(f.data); err == nil && len(entries) > 0 {
		return &PathError{Path: f.data, UID: as.uid, Reason: "it is not empty and holds no PostgreSQL cluster"}
	}
	if err := os.RemoveAll(f.fresh); err != nil {
		return fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	if err := os.Mkdir(f.fresh, 0o700); err != nil {
		return fmt.Errorf("create the data folder: %w", err)
	}
	if err := as.own(f.fresh); err != nil {
		return err
	}
	if err := runInitdb(ctx, f, b, as, durable); err != nil {
		return err
	}
	if err := os.Rename(f.fresh, f.data); err != nil {
		return fmt.Errorf("put the data folder in place: %w", err)
	}
	if !durable {
		return nil
	}
	return syncFolder(f.root)
}

// runInitdb creates the cluster. Local connections are trusted: the socket's
// folder lets only its user in. There is no other way to connect.
func runInitdb(ctx context.Context, f folder, b binaries, as identity, durable bool) error {
	args := []string{
		"--pgdata=" + f.fresh, "--username=" + superuser, "--encoding=UTF8", "--locale=C",
		"--auth-local=trust", "--auth-host=reject", "--no-instructions",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	c := b.command(ctx, f.root, "initdb", args...)
	as.apply(c)
	dieWithParent(c.SysProcAttr, syscall.SIGKILL)
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = pipeDelay
	// The parent-death signal is bound to this thread, so it must outlive initdb.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := c.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("initdb: %w", ctx.Err())
	}
	if err != nil {
		return &StartError{Command: "initdb", Log: string(out), Err: err}
	}
	return nil
}

// syncFolder makes a rename inside the folder durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open a folder to sync it: %w", err)
	}
	// Some file systems do not sync folders and say so by EINVAL.
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync a folder: %w", err)
	}
	return nil
}
