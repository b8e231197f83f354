package server

import "github.com/splitcast/splitcast/metrics"

// Sizes of what is kept of looks.
const (
	// lookGenerationBytes is the size of one of the two generations of a lookCache:
	// both hold the looks of some 20 reports with quantiles, of hundreds without.
	lookGenerationBytes = 256 << 20
	// cellBytes and histogramBytes are about what a cell with the moments of its past,
	// and a histogram over ten octaves, take.
	cellBytes      = 500
	histogramBytes = 10 << 10
)

type lookKey struct {
	experiment int64
	version    int
	number     int
}

// lookCache remembers looks, which never change once they were taken. It holds those
// that were used last; forgetting costs only speed. The zero value is empty.
type lookCache struct {
	young, old map[lookKey]metrics.Look
	bytes      int // of young, about
}

// get returns a look that is remembered.
func (c *lookCache) get(k lookKey) (metrics.Look, bool) {
	if l, ok := c.young[k]; ok {
		return l, true
	}
	l, ok := c.old[k]
	if ok {
		c.add(k, l)
	}
	return l, ok
}

// add remembers a look. When a generation is full the older one is forgotten.
func (c *lookCache) add(k lookKey, l metrics.Look) {
	size := sizeOf(&l)
	if c.young == nil || c.bytes+size > lookGenerationBytes {
		c.old, c.young, c.bytes = c.young, map[lookKey]metrics.Look{}, 0
	}
	if _, known := c.young[k]; !known {
		c.young[k] = l
		c.bytes += size
	}
}

// sizeOf returns about how many bytes a look takes.
func sizeOf(l *metrics.Look) int {
	size := (len(l.Cells) + len(l.Arms) + 1) * cellBytes
	for i := range l.Cells {
		if l.Cells[i].Hist != nil {
			size += histogramBytes
		}
	}
	return size
}
