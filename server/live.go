package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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
	load func(context.Context, map[string]experiment.Mark, func(experiment.ConfigStream) error) error
	path string // of the copy on disk; empty: none is kept
	now  func() time.Time
	log  *slog.Logger

	state atomic.Pointer[liveState]

	// refreshing holds what the one refresh at a time has taken: of two at once, the
	// one that read the older configuration could be the last to put it in force.
	refreshing chan struct{}
	sets       packedSets // of the configuration read last
	copied     *packed    // the document in the copy on disk; nil: not of this process

	mu          sync.Mutex
	subscribers map[chan int64]struct{}
}

// LiveConfig says where a Live gets its configuration.
type LiveConfig struct {
	// Load hands the newest configuration to use and returns its error, such as
	// postgres.DB.ReadConfig. It may leave out experiments that still have the marks
	// given, by key.
	Load func(ctx context.Context, have map[string]experiment.Mark, use func(experiment.ConfigStream) error) error
	// Path is the file of the last good configuration, which ends in .gz; empty
	// keeps none.
	Path string
	Now  func() time.Time
	Log  *slog.Logger
}

// Times of a Live.
const (
	// reloadTimeout bounds one read of the configuration, with the wait for its turn.
	reloadTimeout = 10 * time.Second
	// reloadRetry is how soon a failed read is tried again.
	reloadRetry = time.Second
)

// NewLive returns a Live that serves the copy on disk, if there is a good one,
// until Refresh succeeds.
func NewLive(cfg LiveConfig) *Live {
	l := &Live{load: cfg.Load, path: cfg.Path, now: cfg.Now, log: cfg.Log, refreshing: make(chan struct{}, 1), subscribers: map[chan int64]struct{}{}}
	if err := l.readCopy(); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
// refused and the last good one stays. It waits for another refresh that is under way
// no longer than ctx and reloadTimeout allow for all of it.
func (l *Live) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	select {
	case l.refreshing <- struct{}{}:
		defer func() { <-l.refreshing }()
	case <-ctx.Done():
		return fmt.Errorf("wait for another refresh of the configuration: %w", ctx.Err())
	}
	var st *liveState
	var head copyHead
	use := func(cfg experiment.ConfigStream) (err error) {
		head = copyHead{cfg.Head.Keys, cfg.Head.RevokedKeys}
		if st, err = l.use(cfg); err != nil {
			return fmt.Errorf("compile configuration %d: %w", cfg.Head.Version, err)
		}
		return nil
	}
	var have map[string]experiment.Mark
	if before := l.state.Load(); before != nil {
		have = marksOf(before.chunks)
	}
	err := l.load(ctx, have, use)
	if errors.Is(err, errReadAll) {
		err = l.load(ctx, nil, use)
	}
	if err != nil {
		return fmt.Errorf("load the configuration: %w", err)
	}
	if l.copied == st.document {
		return nil
	}
	if err := l.writeCopy(st, head); err != nil {
		l.log.Warn("the configuration could not be kept on disk", "path", l.path, "error", err)
		return nil
	}
	l.copied = st.document
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

// use puts a configuration in force. When it is the one in force, as when it was
// read again because others were told of it, too, nobody is told.
func (l *Live) use(cfg experiment.ConfigStream) (*liveState, error) {
	before := l.state.Load()
	st, err := buildState(cfg, before, &l.sets, l.now())
	if err != nil {
		return nil, err
	}
	if before != nil && before.document.tag == st.document.tag {
		st.snapshot, st.document, st.since = before.snapshot, before.document, before.since
		l.state.Store(st)
		return st, nil
	}
	l.state.Store(st)
	l.publish(cfg.Head.Version)
	return st, nil
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

// resolve describes the experiment that an exposure names. It returns
// CodeNotFound for one that is not in force and CodeUnavailable before the
// first configuration.
func (l *Live) resolve(key string) (*assignment.Info, error) {
	snap := l.Snapshot()
	if snap == nil {
		return nil, experiment.Errorf(experiment.CodeUnavailable, "", "no configuration has been loaded yet")
	}
	info, ok := snap.Find(key)
	if !ok {
		return nil, experiment.Errorf(experiment.CodeNotFound, "experiment", "there is no experiment %q", key)
	}
	return &info, nil
}

// experiments returns of those in force what assignment knows: key, unit, layer,
// status, and the arms' keys and values. It is nil before the first
// configuration.
func (l *Live) experiments() []experiment.Experiment {
	snap := l.Snapshot()
	if snap == nil {
		return nil
	}
	out := make([]experiment.Experiment, snap.Len())
	for i := range out {
		info := snap.At(i)
		spec := experiment.Spec{Key: info.Key, Unit: info.Unit, Layer: info.Layer, Status: info.Status, Arms: make([]experiment.Arm, len(info.Arms))}
		for arm, key := range info.Arms {
			spec.Arms[arm] = experiment.Arm{Key: key, Value: snap.Value(i, arm)}
		}
		out[i] = experiment.Experiment{Spec: spec, ID: info.ID, Version: info.Version}
	}
	return out
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
