package telemetry

import (
	"cmp"
	"slices"
)

// epochWidthMs is the width of the classes into which the start instants of
// clients are sorted. Narrower, and the drift of a wall clock would change
// class more often; wider, and a quick restart would be missed.
const epochWidthMs = 10_000

// MaxEpochs bounds the epochs kept of one session.
const MaxEpochs = 8

// Epoch is the part of a session between two restarts of its client.
//
// A client that restarts within a session goes on with seq, but its clock and
// its counters begin again at 0. The total is then the sum over the epochs. To
// find the epochs in any order of arrival, each record is sorted by what it
// alone says: the instant at which its client started, client_ts - mono, in
// classes of 10 s. Of each class the first and the last record matter, which
// makes the state a bounded map with a maximum per key: merging is commutative,
// associative and idempotent for any records whatsoever.
//
// A class is a restart only if a counter fell, and this is decided when totals
// are read: a class whose seqs all lie above those of the class before, and
// whose first mono is below the last mono there. Otherwise (a wall clock set
// right, a device that slept, drift over the border of a class) the classes
// are one epoch and the later one holds its counters.
//
// What this cannot see: a restart within 10 s of the client's start, at the
// cost of at most these 10 s; a restart whose first records are lost for longer
// than the client had run before it; any restart of a client that sends no
// client_ts_ms. In all of them the highest seq wins and nothing is counted
// twice. A session with more than MaxEpochs classes keeps the latest ones.
type Epoch struct {
	Key         int64 `json:"key"`
	FirstSeq    int64 `json:"first_seq"`
	FirstMonoMs int64 `json:"first_mono_ms"`
	Last        Mark  `json:"last"`
	Counters
}

// epochKey returns the class of a client's start instant.
func epochKey(clientTsMs, monoMs int64) int64 {
	if clientTsMs == 0 {
		return 0
	}
	started := clientTsMs - monoMs
	key := started / epochWidthMs
	if started < 0 && started%epochWidthMs != 0 {
		key--
	}
	return key
}

// epochs returns the epochs of s, of which a session normally has one.
func (s *Session) epochs() []Epoch {
	if s.Epochs != nil {
		return s.Epochs
	}
	return []Epoch{{
		Key: s.Epoch, FirstSeq: s.First.Seq, FirstMonoMs: s.First.MonoMs,
		Last: s.Last, Counters: s.Counters,
	}}
}

// mergeEpochs joins two lists, each sorted by key, and keeps the MaxEpochs
// greatest keys: a key once dropped has that many above it for ever, so the
// order of joining does not matter.
func mergeEpochs(a, b []Epoch) []Epoch {
	out := make([]Epoch, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := cmp.Compare(a[0].Key, b[0].Key); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, mergeEpoch(a[0], b[0]))
			a, b = a[1:], b[1:]
		}
	}
	out = append(append(out, a...), b...)
	return out[max(0, len(out)-MaxEpochs):]
}

// mergeEpoch joins two states of one epoch.
func mergeEpoch(a, b Epoch) Epoch {
	if cmp.Or(cmp.Compare(b.FirstSeq, a.FirstSeq), cmp.Compare(b.FirstMonoMs, a.FirstMonoMs)) < 0 {
		a.FirstSeq, a.FirstMonoMs = b.FirstSeq, b.FirstMonoMs
	}
	if supersedes(b.Last, b.Counters, a.Last, a.Counters) {
		a.Last, a.Counters = b.Last, b.Counters
	}
	return a
}

// totalOf sums the epochs between which the client restarted.
func totalOf(epochs []Epoch) Counters {
	bySeq := slices.Clone(epochs)
	slices.SortFunc(bySeq, func(a, b Epoch) int {
		return cmp.Or(cmp.Compare(a.Last.Seq, b.Last.Seq), cmp.Compare(a.Key, b.Key))
	})
	var total Counters
	current := bySeq[0]
	for _, next := range bySeq[1:] {
		if next.restarted(current) {
			total.add(current.Counters)
		}
		current = next
	}
	total.add(current.Counters)
	return total
}

// restarted reports whether the client restarted between before and e.
func (e *Epoch) restarted(before Epoch) bool {
	return e.FirstSeq > before.Last.Seq && e.FirstMonoMs < before.Last.MonoMs
}

// Restarts returns how often the client restarted within the session.
func (s *Session) Restarts() int {
	bySeq := slices.Clone(s.Epochs)
	slices.SortFunc(bySeq, func(a, b Epoch) int {
		return cmp.Or(cmp.Compare(a.Last.Seq, b.Last.Seq), cmp.Compare(a.Key, b.Key))
	})
	n := 0
	for i := 1; i < len(bySeq); i++ {
		if bySeq[i].restarted(bySeq[i-1]) {
			n++
		}
	}
	return n
}
