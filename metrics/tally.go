package metrics

import "github.com/splitcast/splitcast/stats"

// tallyBatch is how many units are summed before they are merged into the
// moments: merging costs divisions, and 4,096 values around a pivot lose no
// digit that matters.
const tallyBatch = 4096

// tally adds up the pairs (y, x) of units. Between merges it keeps sums around
// a pivot, the first pair of the batch, so that nothing cancels (the shifted
// form of Chan, Golub and LeVeque 1983, section 2).
type tally struct {
	n                int64
	pivotY, pivotX   float64
	y, x, yy, xx, xy float64 // sums of the deviations from the pivot and their products
	merged           stats.PairMoments
	hist             *stats.Histogram // nil unless the series is a quantile
	joint            *jointTally      // nil unless the series is adjusted by the past
}

func (t *tally) add(y, x float64) {
	if t.n == 0 {
		t.pivotY, t.pivotX = y, x
	}
	t.n++
	dy, dx := y-t.pivotY, x-t.pivotX
	t.y += dy
	t.x += dx
	t.yy += dy * dy
	t.xx += dx * dx
	t.xy += dy * dx
	if t.n == tallyBatch {
		t.flush()
	}
}

// flush merges the batch into the moments.
func (t *tally) flush() {
	if t.n == 0 {
		return
	}
	n := float64(t.n)
	meanY, meanX := t.y/n, t.x/n
	batch := stats.PairMoments{
		N:   t.n,
		M2Y: max(0, t.yy-t.y*meanY),
		M2X: max(0, t.xx-t.x*meanX),
		CXY: t.xy - t.y*meanX,
	}
	batch.MeanY, batch.LowY = twoSum(t.pivotY, meanY)
	batch.MeanX, batch.LowX = twoSum(t.pivotX, meanX)
	t.merged.Merge(batch)
	*t = tally{merged: t.merged, hist: t.hist, joint: t.joint}
}

// twoSum returns a+b as a rounded sum and what rounding lost (Knuth 1969).
func twoSum(a, b float64) (sum, low float64) {
	sum = a + b
	part := sum - a
	return sum, (a - (sum - part)) + (b - part)
}

func (t *tally) pair() stats.PairMoments {
	t.flush()
	return t.merged
}
