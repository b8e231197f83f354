//go:build !race

package metrics_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// TestIncrementalIsFromScratch splits the same outcomes into looks at random:
// the cells are those of one look at everything.
func TestIncrementalIsFromScratch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		arms := rapid.IntRange(experiment.MinArms, experiment.MaxArms).Draw(rt, "arms")
		all := drawOutcomes(r, rapid.IntRange(0, 150).Draw(rt, "units"), arms)
		once := newCells(t, arms)
		for _, w := range metrics.Windows() {
			for i := range all {
				once.Add(w, &all[i])
			}
		}
		// A unit's windows close one after the other: the later ones lag behind.
		var cells []metrics.Cell
		var done [metrics.WindowCount]int
		for done[metrics.WindowCount-1] < len(all) {
			a := newCells(t, arms)
			a.Load(cells)
			for i, w := range metrics.Windows() {
				closed := len(all)
				if i > 0 {
					closed = done[i-1]
				}
				for n := r.IntN(60); n > 0 && done[i] < closed; n-- {
					a.Add(w, &all[done[i]])
					done[i]++
				}
			}
			cells = a.Cells()
		}
		if len(all) == 0 {
			cells = newCells(t, arms).Cells()
		}
		if diff := cmp.Diff(once.Cells(), cells, sameCells()); diff != "" {
			rt.Fatalf("cells differ (-once +incremental):\n%s", diff)
		}
	})
}
