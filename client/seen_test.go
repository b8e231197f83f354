package client

import (
	"fmt"
	"sync"
	"testing"
)

func TestSeenSetRemembersAndForgets(t *testing.T) {
	t.Parallel()
	s := newSeenSet()
	tag := s.armTag("autoplay", 1, "control")
	const few = seenBuckets * seenWays / 8
	for i := range few {
		s.add(s.hash(tag, fmt.Sprint("unit-", i), ""))
	}
	forgotten := 0
	for i := range few {
		if !s.has(s.hash(tag, fmt.Sprint("unit-", i), "")) {
			forgotten++
		}
	}
	// A bucket of 8 gets 1 unit on average; P(Poisson(1) > 8) is 1e-6.
	if forgotten > 10 {
		t.Errorf("%d of %d units are forgotten", forgotten, few)
	}
	for i := range few {
		if s.has(s.hash(tag, fmt.Sprint("other-", i), "")) {
			t.Fatalf("other-%d was never added", i)
		}
	}
	for i := range 4 * seenBuckets * seenWays { // far more than it holds
		h := s.hash(tag, fmt.Sprint("more-", i), "")
		if s.add(h); !s.has(h) {
			t.Fatalf("more-%d is forgotten at once", i)
		}
	}
}

func TestSeenSetTellsExposuresApart(t *testing.T) {
	t.Parallel()
	s := newSeenSet()
	seen := map[uint64]string{}
	for _, key := range []string{"a", "ab", ""} {
		for version := range 3 {
			for _, arm := range []string{"b", "control", ""} {
				for _, unit := range []string{"", "u", "v", "uv"} {
					for _, session := range []string{"", "u", "v", "uv"} {
						x := fmt.Sprintf("%q %d %q %q %q", key, version, arm, unit, session)
						h := s.hash(s.armTag(key, version, arm), unit, session)
						if seen[h] != "" || h == 0 {
							t.Errorf("%s and %s share the hash %d", x, seen[h], h)
						}
						seen[h] = x
					}
				}
			}
		}
	}
}

func TestSeenSetOfMany(t *testing.T) {
	t.Parallel()
	s := newSeenSet()
	tag := s.armTag("autoplay", 1, "control")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 10_000 {
				h := s.hash(tag, fmt.Sprint("unit-", i%100), "")
				if !s.has(h) {
					s.add(h)
				}
			}
		})
	}
	group.Wait()
	for i := range 100 {
		if !s.has(s.hash(tag, fmt.Sprint("unit-", i), "")) {
			t.Errorf("unit-%d is forgotten", i)
		}
	}
}
