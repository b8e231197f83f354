package telemetry

import (
	"cmp"
	"slices"
)

// Contradictions finds, among states of one session, those whose newest records have
// the same number and say different things: a list for each such number in rising
// order, in it each content once, first the one that [Merge] keeps. What was sent
// twice says the same; the moment of receipt is not compared. States in which a
// client restarted are left out: their newest records may be of different lives.
func Contradictions(states []*Session) [][]*Session {
	var sorted []*Session
	for _, s := range states {
		if s.Epochs == nil {
			sorted = append(sorted, s)
		}
	}
	slices.SortFunc(sorted, func(a, b *Session) int {
		return cmp.Or(compareSaid(a, b), cmp.Compare(a.Last.RecvMs, b.Last.RecvMs))
	})
	sorted = slices.CompactFunc(sorted, func(a, b *Session) bool { return compareSaid(a, b) == 0 })
	var out [][]*Session
	for len(sorted) > 0 {
		first := sorted[0]
		n := 1
		for n < len(sorted) && sorted[n].Last.Seq == first.Last.Seq && sorted[n].Epoch == first.Epoch {
			n++
		}
		if n > 1 {
			slices.SortFunc(sorted[:n], func(a, b *Session) int {
				return cmp.Or(compareLast(b.Last, a.Last), b.Counters.compare(&a.Counters), compareBool(b.Ended, a.Ended))
			})
			out = append(out, sorted[:n:n])
		}
		sorted = sorted[n:]
	}
	return out
}

// compareSaid orders states by number and content of their newest records.
func compareSaid(a, b *Session) int {
	if o := cmp.Or(
		cmp.Compare(a.Last.Seq, b.Last.Seq), cmp.Compare(a.Epoch, b.Epoch),
		cmp.Compare(a.Last.MonoMs, b.Last.MonoMs), cmp.Compare(a.Last.ClientTsMs, b.Last.ClientTsMs),
		compareBool(a.Ended, b.Ended),
	); o != 0 {
		return o
	}
	return a.Counters.compare(&b.Counters)
}
