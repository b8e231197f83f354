package server

import (
	"sync"

	"github.com/splitcast/splitcast/postgres"
)

// seenGeneration is the size of one of the two generations of a seenSet: some
// 60 MB in all when both are full.
const seenGeneration = 200_000

// seenSet remembers which exposures are stored, to save writing them again:
// units are exposed much more often than for the first time. It holds the newest
// ones; forgetting costs only speed. The zero value is empty.
type seenSet struct {
	mu        sync.Mutex
	seen, old map[seenKey]int64 // when the unit was exposed, Unix ms
}

// seenKey is what makes another exposure of a unit say nothing new, unless it was
// earlier. The session belongs to it: each one must be linked to its unit.
type seenKey struct {
	experiment   int64
	version, arm int
	override     bool
	unit         string
	session      string
}

func keyOf(r *postgres.ExposureRow) seenKey {
	return seenKey{r.ExperimentID, r.Version, r.Arm, r.Override, r.Unit, r.Session}
}

// has reports whether the row says nothing that is not stored.
func (s *seenSet) has(r *postgres.ExposureRow) bool {
	k := keyOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.seen[k]
	if !ok {
		at, ok = s.old[k]
	}
	return ok && r.At.UnixMilli() >= at
}

// add notes what is stored. When a generation is full the older one is forgotten.
func (s *seenSet) add(rows []postgres.ExposureRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rows {
		if s.seen == nil || len(s.seen) >= seenGeneration {
			s.old, s.seen = s.seen, make(map[seenKey]int64)
		}
		k, at := keyOf(&rows[i]), rows[i].At.UnixMilli()
		if before, ok := s.seen[k]; !ok || at < before {
			s.seen[k] = at
		}
	}
}
