package postgres

import (
	"context"
	"fmt"
	"sync"

	"github.com/splitcast/splitcast/experiment"
)

// GroupCommitConfig is how a GroupCommit works.
type GroupCommitConfig[T any] struct {
	// Write stores items in one transaction.
	Write func(ctx context.Context, items []T) error
	// MaxGroup is the most items of one transaction, unless one submission
	// alone is larger.
	MaxGroup int
	// MaxQueued is the most items that wait; beyond it submissions are refused.
	MaxQueued int
	// Writers is the number of transactions at a time: with two, one group
	// fills while another commits.
	Writers int
}

// GroupCommit lets many requests share a transaction. Each is told when its
// items are committed. Groups form by themselves: whoever comes while the
// writers are busy joins the next group, so that an idle server answers at
// once and a busy one commits rarely.
type GroupCommit[T any] struct {
	cfg GroupCommitConfig[T]
	ctx context.Context //nolint:containedctx // ends the writes of an aborted Close

	mu     sync.Mutex
	wake   *sync.Cond
	groups []*commitGroup[T]
	queued int // items in groups
	closed bool
	ended  sync.WaitGroup
}

// commitGroup is what one transaction will hold.
type commitGroup[T any] struct {
	parts [][]T
	size  int
	errs  []error // by part, once done is closed
	done  chan struct{}
}

// NewGroupCommit starts the writers. The writes end when ctx does.
func NewGroupCommit[T any](ctx context.Context, cfg GroupCommitConfig[T]) *GroupCommit[T] {
	g := &GroupCommit[T]{cfg: cfg, ctx: ctx}
	g.wake = sync.NewCond(&g.mu)
	for range cfg.Writers {
		g.ended.Go(g.write)
	}
	return g
}

// Submit returns when the items are committed, with the error of their
// transaction. It returns experiment.CodeOverloaded when too much waits, and
// the error of ctx when that ends first: the items may be committed even so, so
// that the caller must not change them.
func (g *GroupCommit[T]) Submit(ctx context.Context, items []T) error {
	if len(items) == 0 {
		return nil
	}
	group, part, err := g.join(items)
	if err != nil {
		return err
	}
	select {
	case <-group.done:
		return group.errs[part]
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *GroupCommit[T]) join(items []T) (*commitGroup[T], int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, 0, errStopping
	}
	if g.queued > 0 && g.queued+len(items) > g.cfg.MaxQueued {
		return nil, 0, experiment.Errorf(experiment.CodeOverloaded, "", "too many records wait to be stored; try again")
	}
	n := len(g.groups)
	if n == 0 || g.groups[n-1].size+len(items) > g.cfg.MaxGroup {
		g.groups = append(g.groups, &commitGroup[T]{done: make(chan struct{})})
		n++
		g.wake.Signal()
	}
	group := g.groups[n-1]
	group.parts = append(group.parts, items)
	group.size += len(items)
	g.queued += len(items)
	return group, len(group.parts) - 1, nil
}

// Queued returns how many items wait.
func (g *GroupCommit[T]) Queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queued
}

// next waits for a group; ok is false when there will be none.
func (g *GroupCommit[T]) next() (group *commitGroup[T], ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.groups) == 0 {
		if g.closed {
			return nil, false
		}
		g.wake.Wait()
	}
	group = g.groups[0]
	g.groups = g.groups[1:]
	g.queued -= group.size
	return group, true
}

func (g *GroupCommit[T]) write() {
	for {
		group, ok := g.next()
		if !ok {
			return
		}
		group.errs = g.commit(group)
		close(group.done)
	}
}

// commit writes a group. When the database refuses it, not because it is away,
// each part is tried alone: one bad part must not fail the others.
func (g *GroupCommit[T]) commit(group *commitGroup[T]) []error {
	errs := make([]error, len(group.parts))
	items := group.parts[0]
	if len(group.parts) > 1 {
		items = make([]T, 0, group.size)
		for _, p := range group.parts {
			items = append(items, p...)
		}
	}
	err := g.tryWrite(items)
	alone := err != nil && !isFault(err, experiment.CodeUnavailable) && len(group.parts) > 1
	for i, p := range group.parts {
		if alone {
			err = g.tryWrite(p)
		}
		errs[i] = err
	}
	return errs
}

// tryWrite writes items. What fails because the writes were ended may be sent
// again to another server.
func (g *GroupCommit[T]) tryWrite(items []T) error {
	err := g.cfg.Write(g.ctx, items)
	if err != nil && g.ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", errStopping, err)
	}
	return err
}

var errStopping = experiment.Errorf(experiment.CodeUnavailable, "", "the server is stopping")

// Close refuses further submissions, writes what waits, and returns when that
// is done.
func (g *GroupCommit[T]) Close() {
	g.mu.Lock()
	g.closed = true
	g.wake.Broadcast()
	g.mu.Unlock()
	g.ended.Wait()
}
