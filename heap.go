package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"
)

// How a server bounds its memory. The collector lets the heap grow to twice what
// lives, and beyond it while it runs; what that has once taken is given back
// slowly. A soft limit of all memory that follows what lives makes it give back at
// once, and counts gaps and stacks in. See docs/benchmarks.md for what it saves
// and costs.
const (
	// leastMemory is what a server may take however little lives: below it the
	// collector would run without end for a few megabytes. With 5,000 experiments
	// 13 to 18 MB live.
	leastMemory = 40 << 20
	// fixedMemory is taken by gaps and the tables of the runtime.
	fixedMemory = 8 << 20
	// liveReadings, one a liveReadEvery, are how many readings of what lives the
	// limit heeds: what is allocated while the collector runs counts as living, so
	// that one alone is too high when somebody is busy.
	liveReadings  = 5
	liveReadEvery = time.Second
	// limitTolerance is by which fraction the limit may be off before it is set
	// anew, because setting it stops all goroutines for an instant.
	limitTolerance = 16
)

// memoryLimit returns the limit after readings of what lives, the newest last:
// twice the least of them, and at once one and a half times the newest, lest
// memory that grows fast keeps the collector running. Stacks, which the collector
// cannot make smaller, come on top: those of thousands of event streams would else
// keep it running, too.
func memoryLimit(live []uint64, stacks uint64) int64 {
	if len(live) == 0 {
		return leastMemory
	}
	calm, newest := slices.Min(live), live[len(live)-1]
	return max(leastMemory, int64(max(2*calm, newest+newest/2)+stacks)+fixedMemory) //nolint:gosec // bytes of memory
}

// operatorBoundsMemory reports whether whoever started the program decides.
func operatorBoundsMemory(getenv func(string) string) bool {
	return getenv("GOMEMLIMIT") != "" || getenv("GOGC") != ""
}

// boundMemory keeps the limit until ctx ends, and takes it away then. Where the
// operator has set GOMEMLIMIT or GOGC it does nothing.
func boundMemory(ctx context.Context) {
	if operatorBoundsMemory(os.Getenv) {
		return
	}
	limit := memoryLimit(nil, 0)
	before := debug.SetMemoryLimit(limit)
	defer debug.SetMemoryLimit(before)
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	tick := time.NewTicker(liveReadEvery)
	defer tick.Stop()
	var live []uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		live = append(live[max(0, len(live)-liveReadings+1):], sample[0].Value.Uint64())
		if next := memoryLimit(live, sample[1].Value.Uint64()); next > limit+limit/limitTolerance || next < limit-limit/limitTolerance {
			limit = next
			debug.SetMemoryLimit(limit)
		}
	}
}
