package client

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"github.com/splitcast/splitcast/experiment"
)

// Size of the seen-set: 1 MB, for some hundred thousand units at work.
const (
	seenBuckets = 1 << 14
	seenWays    = 8 // one cache line
)

// seenSet remembers which exposures were queued, so that a unit that meets an
// experiment a thousand times is reported once. It is a cache of hashes in
// fixed memory without locks: the set forgets what is old or unlucky, which
// costs a repetition that the server knows to be one; and when full it takes a
// new exposure for a known one with a chance of 2⁻⁴⁶. An LRU list would write,
// and lock, on each read.
type seenSet struct {
	seed    maphash.Seed
	buckets [seenBuckets][seenWays]atomic.Uint64
	turn    atomic.Uint32 // spreads what is forgotten over the ways
}

func newSeenSet() *seenSet { return &seenSet{seed: maphash.MakeSeed()} }

// armTag is the part of a hash that is known beforehand.
func (s *seenSet) armTag(key string, version int, arm string) uint64 {
	return maphash.Comparable(s.seed, struct {
		key     string
		version int
		arm     string
	}{key, version, arm})
}

// hash joins a tag with unit and session; never 0, which marks a free place.
func (s *seenSet) hash(tag uint64, unit, session string) uint64 {
	h := mix(tag, maphash.String(s.seed, unit))
	return mix(h, maphash.String(s.seed, session)) | 1
}

// mix is the multiply-and-fold of wyhash: not commutative, because b is
// shifted apart from a first.
func mix(a, b uint64) uint64 {
	const odd1, odd2 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db // wyhash's
	hi, lo := bits.Mul64(a^odd1, b^odd2)
	return hi ^ lo ^ a // ^ a: one factor of 0 would lose the other
}

func (s *seenSet) hashOf(x *experiment.Exposure) uint64 {
	return s.hash(s.armTag(x.Experiment, x.Version, x.Arm), x.Unit, x.Session)
}

func (s *seenSet) has(h uint64) bool {
	bucket := &s.buckets[h>>1%seenBuckets]
	for i := range bucket {
		if bucket[i].Load() == h {
			return true
		}
	}
	return false
}

func (s *seenSet) add(h uint64) {
	bucket := &s.buckets[h>>1%seenBuckets]
	for i := range bucket {
		if bucket[i].CompareAndSwap(0, h) {
			return
		}
	}
	bucket[s.turn.Add(1)%seenWays].Store(h)
}
