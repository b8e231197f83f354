package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// Live holds the configuration in force: what assignment evaluates and the API
// keys that may call. It is replaced as a whole, read without locks, and kept
// on disk so that a start without a database serves the last good one.
type Live struct {
	load func(context.Context) (experiment.Config, error)
	path string // of the copy on disk; empty: none is kept
	now  func() time.Time
	log  *slog.Logger

	state atomic.Pointer[liveState]

	// refreshing makes refreshes wait for each other: of two at once, the one
	// that read the older configuration could be the last to put it in force.
	refreshing sync.Mutex

	mu          sync.Mutex
	subscribers map[chan int64]struct{}
}

// liveState is one configuration, compiled.
type liveState struct {
	config      experiment.Config
	snapshot    *assignment.Snapshot
	experiments map[string]*experiment.Experiment
	keys        map[string]*experiment.APIKey // by hash
	revoked     map[string]struct{}           // hashes of ingest keys
	since       time.Time
}

// LiveConfig says where a Live gets its configuration.
type LiveConfig struct {
	// Load reads the newest configuration, such as postgres.DB.LoadConfig.
	Load func(context.Context) (experiment.Config, error)
	// Path is the file of the last good configuration; empty keeps none.
	Path string
	Now  func() time.Time
	Log  *slog.Logger
}

// Times of a Live.
const (
	// reloadTimeout bounds one read of the configuration.
	reloadTimeout = 10 * time.Second
	// reloadRetry is how soon a failed read is tried again.
	reloadRetry = time.Second
)

// NewLive returns a Live that serves the copy on disk, if there is a good one,
// until Refresh succeeds.
func NewLive(cfg LiveConfig) *Live {
	l := &Live{load: cfg.Load, path: cfg.Path, now: cfg.Now, log: cfg.Log, subscribers: map[chan int64]struct{}{}}
	if err := l.readDisk(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("the configuration on disk is not usable", "path", l.path, "error", err)
	}
	return l
}

// Snapshot returns the configuration to evaluate; nil before the first.
func (l *Live) Snapshot() *assignment.Snapshot {
	if st := l.state.Load(); st != nil {
		return st.snapshot
	}
	return nil
}

// Refresh reads the newest configuration and puts it in force. A faulty one is
// refused and the last good one stays.
func (l *Live) Refresh(ctx context.Context) error {
	l.refreshing.Lock()
	defer l.refreshing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	cfg, err := l.load(ctx)
	if err != nil {
		return fmt.Errorf("load the configuration: %w", err)
	}
	if err := l.use(cfg); err != nil {
		return fmt.Errorf("compile configuration %d: %w", cfg.Version, err)
	}
	if err := l.writeDisk(cfg); err != nil {
		l.log.Warn("the configuration could not be kept on disk", "path", l.path, "error", err)
	}
	return nil
}

// Run refreshes at every version that arrives, and again until it succeeds,
// until versions closes or ctx ends.
func (l *Live) Run(ctx context.Context, versions <-chan int64) {
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-versions:
			if !ok {
				return
			}
		case <-retry:
		}
		retry = nil
		if err := l.Refresh(ctx); err != nil {
			l.log.Warn("configuration not refreshed; the last good one stays in force", "error", err)
			retry = time.After(reloadRetry)
		}
	}
}

func (l *Live) use(cfg experiment.Config) error {
	snap, err := assignment.Compile(cfg)
	if err != nil {
		return err
	}
	st := &liveState{
		config:      cfg,
		snapshot:    snap,
		experiments: make(map[string]*experiment.Experiment, len(cfg.Experiments)),
		keys:        make(map[string]*experiment.APIKey, len(cfg.Keys)),
		revoked:     make(map[string]struct{}, len(cfg.RevokedKeys)),
		since:       l.now(),
	}
	for i := range cfg.Experiments {
		st.experiments[cfg.Experiments[i].Key] = &cfg.Experiments[i]
	}
	for i := range cfg.Keys {
		st.keys[cfg.Keys[i].Hash] = &cfg.Keys[i]
	}
	for _, hash := range cfg.RevokedKeys {
		st.revoked[hash] = struct{}{}
	}
	l.state.Store(st)
	l.publish(cfg.Version)
	return nil
}

// key returns the API key with the hash.
func (l *Live) key(hash string) (k *experiment.APIKey, loaded bool) {
	st := l.state.Load()
	if st == nil {
		return nil, false
	}
	return st.keys[hash], true
}

// revoked reports whether an ingest key with the hash was in use once.
func (l *Live) revoked(hash string) bool {
	st := l.state.Load()
	if st == nil {
		return false
	}
	_, ok := st.revoked[hash]
	return ok
}

// resolve returns the experiment that an exposure names. It returns
// CodeNotFound for one that is not in force and CodeUnavailable before the
// first configuration.
func (l *Live) resolve(key string) (*experiment.Experiment, error) {
	st := l.state.Load()
	if st == nil {
		return nil, experiment.Errorf(experiment.CodeUnavailable, "", "no configuration has been loaded yet")
	}
	e := st.experiments[key]
	if e == nil {
		return nil, experiment.Errorf(experiment.CodeNotFound, "experiment", "there is no experiment %q", key)
	}
	return e, nil
}

// experiments returns those in force, which must not be changed; nil before the
// first configuration.
func (l *Live) experiments() []experiment.Experiment {
	if st := l.state.Load(); st != nil {
		return st.config.Experiments
	}
	return nil
}

// subscribe returns a channel that holds the newest version not yet read.
func (l *Live) subscribe() (<-chan int64, func()) {
	ch := make(chan int64, 1)
	l.mu.Lock()
	l.subscribers[ch] = struct{}{}
	l.mu.Unlock()
	return ch, func() {
		l.mu.Lock()
		delete(l.subscribers, ch)
		l.mu.Unlock()
	}
}

func (l *Live) publish(version int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ch := range l.subscribers {
		select {
		case <-ch: // an older version that nobody read
		default:
		}
		ch <- version
	}
}

func (l *Live) readDisk() error {
	if l.path == "" {
		return nil
	}
	b, err := os.ReadFile(l.path)
	if err != nil {
		return err
	}
	var cfg experiment.Config
	if err := json.Unmarshal(b, &cfg); err != nil {
		return err
	}
	return l.use(cfg)
}

// writeDisk replaces the copy by rename, so that a crash leaves the old one or
// the new one. Only this user may read it: it holds the hashes of keys.
func (l *Live) writeDisk(cfg experiment.Config) error {
	if l.path == "" {
		return nil
	}
	b, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(l.path), filepath.Base(l.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
