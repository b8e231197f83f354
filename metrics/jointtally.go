package metrics

import (
	"fmt"

	"github.com/splitcast/splitcast/stats"
)

// JointVariables is how many variables the joint moments of a cell have:
// numerator and denominator of the metric, the same of the past, and 1 for a
// unit that has a past.
const JointVariables = 5

const jointProducts = JointVariables * (JointVariables + 1) / 2

// jointTally adds up the variables of units as tally does their pairs.
type jointTally struct {
	n          int64
	pivot, sum [JointVariables]float64
	products   [jointProducts]float64 // of the deviations from the pivot, as stats.JointMoments.C
	merged     stats.JointMoments
}

func (t *jointTally) add(values *[JointVariables]float64) {
	if t.n == 0 {
		t.pivot = *values
	}
	t.n++
	var d [JointVariables]float64
	at := 0
	for a := range d {
		d[a] = values[a] - t.pivot[a]
		t.sum[a] += d[a]
		for b := range a + 1 {
			t.products[at] += d[a] * d[b]
			at++
		}
	}
	if t.n == tallyBatch {
		t.flush()
	}
}

// flush merges the batch into the moments.
func (t *jointTally) flush() {
	if t.n == 0 {
		return
	}
	n := float64(t.n)
	batch := stats.JointMoments{
		N: t.n, Mean: make([]float64, JointVariables), Low: make([]float64, JointVariables), C: make([]float64, jointProducts),
	}
	at := 0
	for a := range JointVariables {
		batch.Mean[a], batch.Low[a] = twoSum(t.pivot[a], t.sum[a]/n)
		for b := range a + 1 {
			batch.C[at] = t.products[at] - t.sum[a]*(t.sum[b]/n)
			if a == b {
				batch.C[at] = max(0, batch.C[at])
			}
			at++
		}
	}
	if err := t.merged.Merge(batch); err != nil {
		panic(fmt.Sprintf("joint moments of %d variables do not merge: %v", JointVariables, err)) // loaded ones were checked
	}
	*t = jointTally{merged: t.merged}
}

// load continues from moments; ok is false for those of other variables.
func (t *jointTally) load(j *stats.JointMoments) (ok bool) {
	merged := stats.JointMoments{}
	if j.N > 0 {
		if j.Variables() != JointVariables || merged.Merge(*j) != nil {
			return false
		}
	}
	*t = jointTally{merged: merged}
	return true
}

// moments returns a copy of the moments so far.
func (t *jointTally) moments() *stats.JointMoments {
	t.flush()
	out := stats.JointMoments{}
	if t.merged.N > 0 && out.Merge(t.merged) != nil {
		return nil // it merged before
	}
	return &out
}
