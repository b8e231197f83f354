package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/splitcast/splitcast/postgres/private"
)

// cluster is a throw-away server in a folder of its own.
type cluster struct {
	server *private.Server
	dir    string
}

// startCluster copies the template and starts a server on the copy.
func startCluster(ctx context.Context, fullPageWrites string) (_ *cluster, err error) {
	store, err := openStore(ctx)
	if err != nil {
		return nil, err
	}
	// Held until the server has locked its folder: a folder without an owner is
	// swept away by whoever makes the next template.
	release, err := store.readTemplate(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	dir, err := os.MkdirTemp(store.root, runPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder for a server: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := os.Chmod(dir, passable); err != nil {
		return nil, fmt.Errorf("open the folder of a server: %w", err)
	}
	// cp keeps owner and mode, which PostgreSQL insists on.
	out, err := exec.CommandContext(ctx, "cp", "-Rp", filepath.Join(store.template, "data"), dir).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("copy the template: %w: %s", err, out)
	}
	server, err := private.Start(ctx, private.Config{Dir: dir, Settings: map[string]string{
		"fsync":            "off", // the server does not outlive the test binary
		"full_page_writes": fullPageWrites,
		"shared_buffers":   "64MB", // many binaries test at the same time
		"max_connections":  "300",  // and many tests within each
	}})
	if err != nil {
		return nil, err
	}
	return &cluster{server: server, dir: dir}, nil
}

// remove stops the server, in order or not, and deletes its folder.
func (c *cluster) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := c.server.Stop(ctx); err != nil && !errors.Is(err, private.ErrForced) {
		return fmt.Errorf("stop the server: %w", err)
	}
	return os.RemoveAll(c.dir)
}

// shared is the server that all tests of this binary share. It is the one
// variable of the package: tests have no other place in common.
var shared sharedCluster

type sharedCluster struct {
	mu        sync.Mutex
	cluster   *cluster
	err       error
	databases int // handed out so far
}

// use returns the shared server, started at first use, and a name that no
// database of it has. A failed start is not tried again.
func (s *sharedCluster) use() (server *private.Server, name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, "", s.err
	}
	if s.cluster == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		if s.cluster, s.err = startCluster(ctx, "off"); s.err != nil {
			return nil, "", s.err
		}
	}
	s.databases++
	return s.cluster.server, fmt.Sprintf("test_%d", s.databases), nil
}

// stop removes the shared server if there is one.
func (s *sharedCluster) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil {
		return nil
	}
	c := s.cluster
	s.cluster = nil
	return c.remove()
}

// lockFile takes a lock of the kind how (syscall.LOCK_SH, LOCK_EX, with LOCK_NB
// or without) and returns how to drop it. The system drops it with the process.
func lockFile(path string, how int) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing drops the lock
}
