//go:build !race

package metrics_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/splitcast/splitcast/metrics"
)

// TestPreviewTail draws from Pareto tails whose index is known.
func TestPreviewTail(t *testing.T) {
	t.Parallel()
	const units = 200_000 // 2,000 in the tail: a standard error of alpha/45
	for _, alpha := range []float64{1.2, 2, 3.5} {
		r := rand.New(rand.NewPCG(5, uint64(alpha*10)))
		outcomes := make([]metrics.Quantities, units)
		for i := range outcomes {
			outcomes[i][metrics.WatchUnits] = 1
			outcomes[i][metrics.WatchMsUncapped] = 1_000 * math.Pow(1-r.Float64(), -1/alpha)
		}
		got := previewOf(t, `{"key":"w","name":"W","description":"d","kind":"mean","numerator":"watch_ms_uncapped","denominator":"watch_units","unit":"ms"}`, outcomes...)
		index := got.Shape.TailIndex
		if index == nil || math.Abs(*index-alpha) > 4*alpha/math.Sqrt(units/100) || got.Shape.TailUnits != units/100 {
			t.Errorf("tail index of a Pareto tail %v = %v from %d units", alpha, index, got.Shape.TailUnits)
		}
	}
}
