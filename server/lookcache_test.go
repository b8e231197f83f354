package server

import (
	"testing"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

func TestLookCacheForgetsTheOldest(t *testing.T) {
	t.Parallel()
	large := metrics.Look{Cells: make([]metrics.Cell, 2_000)}
	for i := range large.Cells {
		large.Cells[i].Hist = &stats.Histogram{}
	}
	size := sizeOf(&large)
	if size < len(large.Cells)*histogramBytes {
		t.Fatalf("a look of %d histograms has %d bytes", len(large.Cells), size)
	}
	fit := lookGenerationBytes / size // in a generation
	key := func(n int) lookKey { return lookKey{1, 1, n} }
	var c lookCache
	held := func() int { return len(c.young) + len(c.old) }
	for n := range 10 * fit {
		c.add(key(n), large)
		if _, ok := c.get(key(0)); !ok {
			t.Fatalf("after %d looks one that is used all the time is forgotten", n+1)
		}
		if held() > 2*fit {
			t.Fatalf("%d looks are held, want at most %d", held(), 2*fit)
		}
	}
	if _, ok := c.get(key(1)); ok {
		t.Error("a look that was used long ago is still there")
	}
	if _, ok := c.get(key(10*fit - 1)); !ok {
		t.Error("the newest look is not there")
	}
	before := c.bytes
	c.add(key(0), large)
	c.add(key(0), large)
	if c.bytes > before+size {
		t.Errorf("a look that is there takes %d bytes more", c.bytes-before)
	}
}
