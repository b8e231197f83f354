package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// gate is a Write that stops until it is let through, so that a test decides
// what comes while a group is being written.
type gate struct {
	begun   chan []int // what is being written
	proceed chan error // what it answers
}

func newGate() *gate { return &gate{begun: make(chan []int), proceed: make(chan error)} }

func (g *gate) write(ctx context.Context, items []int) error {
	select {
	case g.begun <- items:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-g.proceed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gated is a GroupCommit behind a gate.
func gated(t *testing.T, cfg GroupCommitConfig[int]) (*GroupCommit[int], *gate, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	g := newGate()
	cfg.Write = g.write
	if cfg.Writers == 0 {
		cfg.Writers = 1
	}
	commit := NewGroupCommit(ctx, cfg)
	t.Cleanup(func() {
		cancel()
		commit.Close()
	})
	return commit, g, cancel
}

// submit submits in the background, and returns when the items wait or are
// being written: only then does their order count.
func submit(t *testing.T, c *GroupCommit[int], items ...int) <-chan error {
	t.Helper()
	answer := make(chan error, 1)
	group, part, err := c.join(items)
	if err != nil {
		answer <- err
		return answer
	}
	go func() {
		<-group.done
		answer <- group.errs[part]
	}()
	return answer
}

func TestGroupCommitJoins(t *testing.T) {
	t.Parallel()
	c, g, _ := gated(t, GroupCommitConfig[int]{MaxGroup: 5, MaxQueued: 100})
	answers := []<-chan error{submit(t, c, 1)}
	var groups [][]int
	groups = append(groups, <-g.begun)
	for _, items := range [][]int{{2, 3}, {4}, {5, 6}, {7}, {8, 9, 10, 11, 12, 13}, {14}} {
		answers = append(answers, submit(t, c, items...))
	}
	for range 4 {
		g.proceed <- nil
		groups = append(groups, <-g.begun)
	}
	g.proceed <- nil
	want := [][]int{{1}, {2, 3, 4, 5, 6}, {7}, {8, 9, 10, 11, 12, 13}, {14}}
	if diff := gocmp.Diff(want, groups); diff != "" {
		t.Errorf("groups differ (-want +got):\n%s", diff)
	}
	for i, answer := range answers {
		if err := <-answer; err != nil {
			t.Errorf("submission %d = %v, want nil", i, err)
		}
	}
}

func TestGroupCommitIsolatesErrors(t *testing.T) {
	t.Parallel()
	bad := errors.New("13 is not stored")
	refuse13 := func(items []int) error {
		if slices.Contains(items, 13) {
			return bad
		}
		return nil
	}
	c, g, _ := gated(t, GroupCommitConfig[int]{MaxGroup: 10, MaxQueued: 100})
	first := submit(t, c, 1)
	<-g.begun
	good, wrong, alsoGood := submit(t, c, 2), submit(t, c, 13), submit(t, c, 3)
	g.proceed <- nil
	var writes [][]int
	for range 4 { // all together, then each alone
		items := <-g.begun
		writes = append(writes, items)
		g.proceed <- refuse13(items)
	}
	if diff := gocmp.Diff([][]int{{2, 13, 3}, {2}, {13}, {3}}, writes); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
	for name, tc := range map[string]struct {
		answer <-chan error
		want   error
	}{"first": {first, nil}, "good": {good, nil}, "wrong": {wrong, bad}, "also good": {alsoGood, nil}} {
		if err := <-tc.answer; !errors.Is(err, tc.want) {
			t.Errorf("%s = %v, want %v", name, err, tc.want)
		}
	}
}

func TestGroupCommitDoesNotRetryWhenTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	c, g, _ := gated(t, GroupCommitConfig[int]{MaxGroup: 10, MaxQueued: 100})
	first := submit(t, c, 1)
	<-g.begun
	second, third := submit(t, c, 2), submit(t, c, 3)
	g.proceed <- nil
	<-g.begun
	g.proceed <- fmt.Errorf("merge: %w", errAway) // once for both
	if err := <-first; err != nil {
		t.Errorf("first = %v, want nil", err)
	}
	wantCode(t, "second", <-second, experiment.CodeUnavailable)
	wantCode(t, "third", <-third, experiment.CodeUnavailable)
}

func TestGroupCommitRefusesWhenFull(t *testing.T) {
	t.Parallel()
	c, g, _ := gated(t, GroupCommitConfig[int]{MaxGroup: 2, MaxQueued: 4})
	first := submit(t, c, 1)
	<-g.begun // being written: it waits no more
	waiting := []<-chan error{submit(t, c, 2, 3), submit(t, c, 4, 5)}
	wantCode(t, "a submission beyond the limit", c.Submit(t.Context(), []int{6}), experiment.CodeOverloaded)
	g.proceed <- nil
	for range waiting {
		<-g.begun
		g.proceed <- nil
	}
	for i, answer := range append(waiting, first) {
		if err := <-answer; err != nil {
			t.Errorf("submission %d = %v, want nil", i, err)
		}
	}
	large := submit(t, c, 1, 2, 3, 4, 5, 6) // larger than the queue, but alone
	<-g.begun
	g.proceed <- nil
	if err := <-large; err != nil {
		t.Errorf("a large submission to an empty queue = %v, want nil", err)
	}
	if err := c.Submit(t.Context(), nil); err != nil {
		t.Errorf("Submit of nothing = %v, want nil", err)
	}
}

func TestGroupCommitCloseWritesWhatWaits(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var written []int
	hold := make(chan struct{})
	c := NewGroupCommit(t.Context(), GroupCommitConfig[int]{
		MaxGroup: 3, MaxQueued: 100, Writers: 2,
		Write: func(_ context.Context, items []int) error {
			<-hold
			mu.Lock()
			defer mu.Unlock()
			written = append(written, items...)
			return nil
		},
	})
	var answers []<-chan error
	for i := range 20 {
		answers = append(answers, submit(t, c, i))
	}
	closed := make(chan struct{})
	go func() {
		c.Close()
		close(closed)
	}()
	close(hold)
	<-closed
	slices.Sort(written)
	if len(written) != 20 || written[0] != 0 || written[19] != 19 {
		t.Errorf("Close left %v written, want 0 to 19", written)
	}
	for i, answer := range answers {
		if err := <-answer; err != nil {
			t.Errorf("submission %d = %v, want nil", i, err)
		}
	}
	wantCode(t, "Submit after Close", c.Submit(t.Context(), []int{1}), experiment.CodeUnavailable)
	c.Close() // again
}

func TestGroupCommitEnds(t *testing.T) {
	t.Parallel()
	c, g, cancel := gated(t, GroupCommitConfig[int]{MaxGroup: 10, MaxQueued: 100})
	first := submit(t, c, 1)
	<-g.begun
	second, third := submit(t, c, 2), submit(t, c, 3)

	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := c.Submit(gone, []int{4}); !errors.Is(err, context.Canceled) {
		t.Errorf("Submit of a caller that left = %v, want its context's error", err)
	}
	cancel() // the writes end, those that wait as well
	for i, answer := range []<-chan error{first, second, third} {
		wantCode(t, fmt.Sprint("submission ", i), <-answer, experiment.CodeUnavailable)
	}
	c.Close()
}

// Every item that was acknowledged is written once, and none that was refused.
func TestGroupCommitUnderLoad(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	written := map[int]int{}
	c := NewGroupCommit(t.Context(), GroupCommitConfig[int]{
		MaxGroup: 50, MaxQueued: 200, Writers: 3,
		Write: func(_ context.Context, items []int) error {
			mu.Lock()
			defer mu.Unlock()
			if len(items) > 1 && items[0]%7 == 0 {
				return errors.New("not together")
			}
			for _, i := range items {
				written[i]++
			}
			return nil
		},
	})
	const submitters, each = 16, 200
	acknowledged := make([][]int, submitters)
	var wg sync.WaitGroup
	for s := range submitters {
		wg.Go(func() {
			for i := range each {
				item := s*each + i
				switch err := c.Submit(t.Context(), []int{item}); {
				case err == nil:
					acknowledged[s] = append(acknowledged[s], item)
				case !isFault(err, experiment.CodeUnavailable):
					t.Errorf("Submit(%d) = %v", item, err)
				}
			}
		})
	}
	wg.Wait()
	c.Close()
	total := 0
	for _, items := range acknowledged {
		total += len(items)
		for _, i := range items {
			if written[i] != 1 {
				t.Errorf("item %d was acknowledged and written %d times, want once", i, written[i])
			}
		}
	}
	if total != len(written) {
		t.Errorf("%d items were acknowledged and %d written, want as many", total, len(written))
	}
}

// A batch that the database refuses fails alone; what came with it is stored.
func TestGroupCommitOnTheDatabase(t *testing.T) {
	t.Parallel()
	db := open(t)
	c := NewGroupCommit(t.Context(), GroupCommitConfig[KeyedRecord]{
		Write: db.InsertRecords, MaxGroup: 1000, MaxQueued: 10_000, Writers: 2,
	})
	defer c.Close()
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			records := series(fmt.Sprint("s", i), 10, testNow)
			if i == 7 {
				records[3].Record.Mode = 9 // refused by a constraint
			}
			if err := c.Submit(t.Context(), records); (err != nil) != (i == 7) {
				t.Errorf("Submit(%d) = %v, want an error of 7 alone", i, err)
			}
		})
	}
	wg.Wait()
	if got := count(t, db, `select count(*) from cmcd_records`); got != 290 {
		t.Errorf("%d records are stored, want 290", got)
	}
}
