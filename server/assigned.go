package server

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/postgres"
)

// Limits of counting assigned units.
const (
	// assignedEvery is how often what was counted is stored: a report is no more
	// behind, and a server that is killed loses no more.
	assignedEvery = 30 * time.Second
	// assignedTimeout bounds one try to store, the last of which Close waits for.
	assignedTimeout = 5 * time.Second
	// maxCountedArms bounds the arms whose units are counted at a time, to 16 MB:
	// those of 2,000 experiments of two arms. Others show no count.
	maxCountedArms = 4_096
	// bulkSlots is how many bulk evaluations are remembered as counted, in 256 kB.
	// Units ask again and again; to look at the registers of 200 arms, which are in
	// no cache, would take a quarter of the time of the evaluation.
	bulkSlots = 1 << 15
)

// assignedTally counts the distinct units that evaluations over HTTP assign to
// each arm. Counting takes no lock and waits for nothing.
type assignedTally struct {
	live  func() *assignment.Snapshot
	store func(ctx context.Context, seen []postgres.AssignedSketch, now time.Time) error
	now   func() time.Time
	log   *slog.Logger

	current  atomic.Pointer[countedArms]
	reserved atomic.Int64 // sketches with registers
	bulks    [bulkSlots]atomic.Uint64

	mu   sync.Mutex   // of who replaces current
	gone []countedArm // of versions that are not in force any more, to be stored once more
}

// countedArms are the sketches of all arms of a snapshot.
type countedArms struct {
	tally    *assignedTally
	snapshot *assignment.Snapshot
	first    []int32 // of each experiment, the place of its control
	arms     []countedArm
}

type countedArm struct {
	armKey
	sketch *assignment.Sketch
}

// armKey names an arm of a version.
type armKey struct {
	experiment   int64
	version, arm int
}

// of returns the sketches of a snapshot; nil, which counts nothing, when it is not
// in force any more. A nil tally has none.
func (t *assignedTally) of(snap *assignment.Snapshot) *countedArms {
	if t == nil {
		return nil
	}
	if c := t.current.Load(); c != nil && c.snapshot == snap {
		return c
	}
	return t.follow(snap)
}

// unseen is of for a bulk evaluation with an entity tag, which names snapshot and
// context; nil when its units are counted already.
func (t *assignedTally) unseen(snap *assignment.Snapshot, etag string) *countedArms {
	c := t.of(snap)
	if c == nil {
		return nil
	}
	if slot, key := t.bulk(etag); slot.Load() == key {
		return nil
	}
	return c
}

// saw notes that all units of a bulk evaluation are counted.
func (c *countedArms) saw(etag string) {
	if c == nil {
		return
	}
	slot, key := c.tally.bulk(etag)
	slot.Store(key)
}

// bulk returns the place of an entity tag and what stands there when it was seen:
// the last hexadecimal digits of the hash in it.
func (t *assignedTally) bulk(etag string) (slot *atomic.Uint64, key uint64) {
	const digits, digitBits = 16, 4
	hash := strings.Trim(etag, `"`)
	for _, c := range []byte(hash[max(0, len(hash)-digits):]) {
		key = key<<digitBits | uint64(c&0xf+c>>6*9) // 9 more for a letter
	}
	return &t.bulks[key%bulkSlots], key
}

// follow makes the sketches of a snapshot that has come into force. Arms keep
// theirs for as long as their version is in force.
func (t *assignedTally) follow(snap *assignment.Snapshot) *countedArms {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live() != snap {
		return nil
	}
	before := t.current.Load()
	if before != nil && before.snapshot == snap {
		return before
	}
	known := map[armKey]*assignment.Sketch{}
	if before != nil {
		for _, a := range before.arms {
			known[a.armKey] = a.sketch
		}
	}
	next := &countedArms{tally: t, snapshot: snap, first: make([]int32, snap.Len())}
	for i := range next.first {
		info := snap.At(i)
		next.first[i] = int32(len(next.arms))
		for arm := range info.Arms {
			key := armKey{info.ID, info.Version, arm}
			sketch := known[key]
			if sketch == nil {
				sketch = &assignment.Sketch{}
			}
			delete(known, key)
			next.arms = append(next.arms, countedArm{key, sketch})
		}
	}
	next.arms = slices.Clip(next.arms)
	for key, sketch := range known {
		if sketch.Reserved() {
			t.gone = append(t.gone, countedArm{key, sketch})
		}
	}
	t.current.Store(next)
	return next
}

// add counts the unit of a result of experiment i that is assigned. Units that are
// forced are not analysed, and not counted.
func (c *countedArms) add(i int, r *assignment.Result) {
	if c == nil || r.Override {
		return
	}
	s := c.arms[int(c.first[i])+r.Arm].sketch
	if !s.Reserved() && !c.tally.reserve(s) {
		return
	}
	s.Add(r.Mark)
}

// reserve gives a sketch its registers, unless there are too many that have some.
func (t *assignedTally) reserve(s *assignment.Sketch) bool {
	if t.reserved.Add(1) > maxCountedArms {
		t.reserved.Add(-1)
		return false
	}
	if !s.Reserve() {
		t.reserved.Add(-1)
	}
	return true
}

// run stores what was counted from time to time, and once more when done closes.
func (t *assignedTally) run(done <-chan struct{}) {
	tick := time.NewTicker(assignedEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-done:
			ended = true
		}
		ctx, cancel := context.WithTimeout(context.Background(), assignedTimeout)
		if err := t.flush(ctx); err != nil {
			t.log.Warn("counts of assigned units wait for the database", "error", err)
		}
		cancel()
	}
}

// flush stores the sketches that changed. What could not be stored is tried again.
func (t *assignedTally) flush(ctx context.Context) error {
	t.mu.Lock()
	gone := t.gone
	t.gone = nil
	var changed []countedArm
	if c := t.current.Load(); c != nil {
		changed = appendChanged(changed, c.arms)
	}
	changed = appendChanged(changed, gone)
	t.mu.Unlock()
	var err error
	for batch := range slices.Chunk(changed, postgres.MaxAssignedBatch) {
		seen := make([]postgres.AssignedSketch, len(batch))
		for i, a := range batch {
			seen[i] = postgres.AssignedSketch{ExperimentID: a.experiment, Version: a.version, Arm: a.arm, Registers: a.sketch.AppendBytes(nil)}
		}
		if err == nil {
			err = t.store(ctx, seen, t.now())
		}
		if err != nil {
			for _, a := range batch {
				a.sketch.Unsaved()
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.gone = append(t.gone, gone...)
		return err
	}
	t.reserved.Add(-int64(len(gone)))
	return nil
}

func appendChanged(out, arms []countedArm) []countedArm {
	for _, a := range arms {
		if a.sketch.Changed() {
			out = append(out, a)
		}
	}
	return out
}
