package assignment_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// Sizes of the quality tests: they take a second and see a deviation of a few
// per mille of the ids.
const (
	hashIDs     = 100_000
	hashSalts   = 10
	hashBuckets = 100
	tableSide   = 10
)

// minPValue is far below what chance gives in the number of tests made, and
// the ids are always the same: a failure is a defect, not bad luck.
const minPValue = 1e-5

func hashIDKinds() map[string]func(i int) string {
	r := rand.New(rand.NewPCG(7, 0))
	return map[string]func(i int) string{
		"sequential": func(i int) string { return strconv.Itoa(1_000_000 + i) },
		"user_N":     func(i int) string { return "user_" + strconv.Itoa(i) },
		"uuid": func(int) string {
			return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
		},
	}
}

// hashQualitySnapshot holds experiments with neighbouring salts, in neighbouring
// layers, whose two arms weigh half of hashBuckets each.
func hashQualitySnapshot(t *testing.T) *assignment.Snapshot {
	t.Helper()
	var es []experiment.Experiment
	for i := range hashSalts {
		e := plainExperiment(fmt.Sprintf("exp_%04d", i))
		e.Salt = e.Key
		e.Arms[0].Weight, e.Arms[1].Weight = hashBuckets/2, hashBuckets/2
		es = append(es, e)
	}
	return compile(t, soloConfig(es...))
}

// Positions are uniform for each salt and independent between neighbouring
// salts, and slots are independent of positions: chi-squared tests over three
// kinds of ids.
func TestPositionsAreUniformAndIndependent(t *testing.T) {
	t.Parallel()
	s := hashQualitySnapshot(t)
	for kind, id := range hashIDKinds() {
		var uniform [hashSalts][hashBuckets]float64
		var between [hashSalts - 1][tableSide][tableSide]float64
		var stages [hashSalts][tableSide][tableSide]float64
		for i := range hashIDs {
			ctx := assignment.NewContext(id(i))
			last := 0
			for k := range hashSalts {
				r := s.EvaluateAt(k, ctx)
				at := r.Position * tableSide / hashBuckets
				uniform[k][r.Position]++
				stages[k][r.Slot*tableSide/experiment.TotalSlots][at]++
				if k > 0 {
					between[k-1][last][at]++
				}
				last = at
			}
		}
		for k := range hashSalts {
			if p := uniformP(uniform[k][:]); p < minPValue {
				t.Errorf("%s ids, salt %d: positions are not uniform, p = %g", kind, k, p)
			}
			if p := independenceP(&stages[k]); p < minPValue {
				t.Errorf("%s ids, salt %d: slot and position depend on each other, p = %g", kind, k, p)
			}
		}
		for k := range between {
			if p := independenceP(&between[k]); p < minPValue {
				t.Errorf("%s ids, salts %d and %d: positions depend on each other, p = %g", kind, k, k+1, p)
			}
		}
	}
}

// uniformP is the p-value of Pearson's chi-squared test of equal counts.
func uniformP(counts []float64) float64 {
	var n, chi float64
	for _, c := range counts {
		n += c
	}
	want := n / float64(len(counts))
	for _, c := range counts {
		chi += (c - want) * (c - want) / want
	}
	return distuv.ChiSquared{K: float64(len(counts) - 1)}.Survival(chi)
}

// independenceP is the p-value of Pearson's chi-squared test of a table.
func independenceP(table *[tableSide][tableSide]float64) float64 {
	var row, col [tableSide]float64
	var n, chi float64
	for a := range table {
		for b, c := range table[a] {
			row[a] += c
			col[b] += c
			n += c
		}
	}
	for a := range table {
		for b, c := range table[a] {
			want := row[a] * col[b] / n
			chi += (c - want) * (c - want) / want
		}
	}
	return distuv.ChiSquared{K: (tableSide - 1) * (tableSide - 1)}.Survival(chi)
}

// The chi-squared tests can fail: a scheme with a known defect (a remainder of
// neighbouring sums) must be found.
func TestQualityTestsSeeDependence(t *testing.T) {
	t.Parallel()
	var table [tableSide][tableSide]float64
	var counts [hashBuckets]float64
	for i := range hashIDs {
		table[i%tableSide][(i+1)%tableSide]++
		counts[int(math.Sqrt(float64(i%(hashBuckets*hashBuckets))))]++
	}
	if p := independenceP(&table); p > minPValue {
		t.Errorf("independenceP of a diagonal = %g", p)
	}
	if p := uniformP(counts[:]); p > minPValue {
		t.Errorf("uniformP of a triangle = %g", p)
	}
}

// Weights 1/1/1 are thirds, exactly as far as integers allow: no arm is
// favoured by a rounding to 10,000 buckets.
func TestThirdsAreThirds(t *testing.T) {
	t.Parallel()
	e := plainExperiment("thirds")
	e.Arms = append(e.Arms, experiment.Arm{Key: "third", Weight: 1, Value: e.Arms[0].Value})
	s := compile(t, soloConfig(e))
	var counts [3]float64
	for i := range 300_000 {
		r := s.EvaluateAt(0, assignment.NewContext("viewer-"+strconv.Itoa(i)))
		counts[r.Arm]++
	}
	if p := uniformP(counts[:]); p < minPValue {
		t.Errorf("counts %v, p = %g", counts, p)
	}
}
