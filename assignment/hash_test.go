package assignment_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// qualitySize is how much a quality test looks at.
type qualitySize struct{ ids, salts int }

// longEnv asks for the sizes with which the hashes of other systems were
// compared: minutes of work that see a deviation of a few per 10,000 of the
// ids. Without it the tests take seconds and see a few per mille.
const longEnv = "SPLITCAST_LONG"

func isLong() bool { return os.Getenv(longEnv) == "1" }

// qualitySizes are many salts, and in the long form also many ids.
func qualitySizes() []qualitySize {
	if isLong() {
		return []qualitySize{{1_000_000, 200}, {10_000_000, 10}}
	}
	return []qualitySize{{100_000, 10}}
}

// Resolution of the quality tests.
const (
	hashBuckets = 100
	tableSide   = 20
)

// minPValue is far below what chance gives in the number of tests made, and
// the ids are always the same: a failure is a defect, not bad luck.
const minPValue = 1e-6

// rarePValue is one that chance gives now and then: of n tests n times that
// often, and hardly ever more than maxRare.
const rarePValue = 1e-3

// maxRare is the largest count of p-values below rarePValue among n tests that
// chance explains: five standard deviations above the mean, and five in any case.
func maxRare(n int) int { return 5 + int(float64(n)*rarePValue+5*math.Sqrt(float64(n)*rarePValue)) }

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
func hashQualitySnapshot(t *testing.T, salts int) *assignment.Snapshot {
	t.Helper()
	var es []experiment.Experiment
	for i := range salts {
		e := plainExperiment(fmt.Sprintf("exp_%04d", i))
		e.Salt = e.Key
		e.Arms[0].Weight, e.Arms[1].Weight = hashBuckets/2, hashBuckets/2
		es = append(es, e)
	}
	return compile(t, soloConfig(es...))
}

// square is a table of counts.
type square [tableSide][tableSide]float64

// quality are the counts of one kind of ids.
type quality struct {
	uniform [][hashBuckets]float64 // by salt
	between []square               // positions under a salt and the one before
	stages  []square               // slot and position
}

func measureQuality(s *assignment.Snapshot, ids int, id func(i int) string) *quality {
	salts := s.Len()
	q := &quality{make([][hashBuckets]float64, salts), make([]square, salts-1), make([]square, salts)}
	ctx := assignment.NewContext("")
	for i := range ids {
		ctx.SetTargetingKey(id(i))
		last := 0
		for k := range salts {
			r := s.EvaluateAt(k, ctx)
			at := r.Position * tableSide / hashBuckets
			q.uniform[k][r.Position]++
			q.stages[k][r.Slot*tableSide/experiment.TotalSlots][at]++
			if k > 0 {
				q.between[k-1][last][at]++
			}
			last = at
		}
	}
	return q
}

// Positions are uniform for each salt and independent between neighbouring
// salts, and slots are independent of positions: chi-squared tests over three
// kinds of ids.
func TestPositionsAreUniformAndIndependent(t *testing.T) {
	t.Parallel()
	for _, size := range qualitySizes() {
		s := hashQualitySnapshot(t, size.salts)
		for kind, id := range hashIDKinds() {
			t.Run(fmt.Sprintf("%s/%d x %d", kind, size.ids, size.salts), func(t *testing.T) {
				t.Parallel()
				q := measureQuality(s, size.ids, id)
				var uniform, between, stages []float64
				worst := 0.0
				for k := range size.salts {
					uniform = append(uniform, uniformP(q.uniform[k][:]))
					stages = append(stages, independenceP(&q.stages[k]))
				}
				for k := range q.between {
					between = append(between, independenceP(&q.between[k]))
					worst = max(worst, math.Abs(phi(&q.between[k])))
				}
				judge(t, "positions of a salt are uniform", uniform)
				judge(t, "positions under neighbouring salts are independent", between)
				judge(t, "slots and positions are independent", stages)
				// phi of independent halves is normal with sd 1/sqrt(n).
				if limit := 5 / math.Sqrt(float64(size.ids)); worst > limit {
					t.Errorf("arms of two experiments correlate by %g, at most %g is chance", worst, limit)
				}
				t.Logf("worst phi between 50/50 arms: %.5f", worst)
			})
		}
	}
}

// judge fails the test for p-values that chance does not explain.
func judge(t *testing.T, what string, ps []float64) {
	t.Helper()
	rare, least := 0, 1.0
	for _, p := range ps {
		least = min(least, p)
		if p < rarePValue {
			rare++
		}
	}
	if least < minPValue || rare > maxRare(len(ps)) {
		t.Errorf("not so that %s: %d of %d p-values are below %g, the least is %g", what, rare, len(ps), rarePValue, least)
	}
	t.Logf("%s: %d of %d p-values below %g", what, rare, len(ps), rarePValue)
}

// phi is the correlation of the halves of a table.
func phi(table *square) float64 {
	var n [2][2]float64
	for a := range table {
		for b, c := range table[a] {
			n[a*2/tableSide][b*2/tableSide] += c
		}
	}
	row, col := [2]float64{n[0][0] + n[0][1], n[1][0] + n[1][1]}, [2]float64{n[0][0] + n[1][0], n[0][1] + n[1][1]}
	return (n[0][0]*n[1][1] - n[0][1]*n[1][0]) / math.Sqrt(row[0]*row[1]*col[0]*col[1])
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
func independenceP(table *square) float64 {
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
	var table square
	var counts [hashBuckets]float64
	for i := range qualitySizes()[0].ids {
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

// Arms have their integer shares, thirds too: no arm is favoured by a rounding
// to 10,000 buckets. This is the test of sample ratio that reports make.
func TestArmsHaveTheirIntegerShares(t *testing.T) {
	t.Parallel()
	units := 300_000
	if isLong() {
		units = 30_000_000
	}
	for _, weights := range [][]int64{{1, 1}, {1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}, {90, 5, 3, 2}, {33, 33, 34}, {1, 999}, {1_000_000, 999_999, 1_000_000}} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			t.Parallel()
			e := plainExperiment("shares")
			e.Arms = nil
			total := int64(0)
			for i, w := range weights {
				e.Arms = append(e.Arms, experiment.Arm{Key: fmt.Sprint("arm-", i), Weight: w, Value: []byte(`true`)})
				total += w
			}
			s := compile(t, soloConfig(e))
			counts, ctx := make([]float64, len(weights)), assignment.NewContext("")
			for i := range units {
				ctx.SetTargetingKey("viewer-" + strconv.Itoa(i))
				counts[s.EvaluateAt(0, ctx).Arm]++
			}
			chi := 0.0
			for i, w := range weights {
				want := float64(units) * float64(w) / float64(total)
				chi += (counts[i] - want) * (counts[i] - want) / want
			}
			if p := (distuv.ChiSquared{K: float64(len(weights) - 1)}).Survival(chi); p < minPValue {
				t.Errorf("counts %v of weights %v: p = %g", counts, weights, p)
			}
		})
	}
}

// From no slots to all of them nobody leaves or changes arm, two experiments of
// the layer share nobody, and each step has its share of the units.
func TestRampIsMonotone(t *testing.T) {
	t.Parallel()
	units, step := 20_000, 500
	if isLong() {
		units, step = 1_000_000, 250
	}
	type place struct{ a, b int8 } // arm + 1 in either experiment; 0: in neither
	before := make([]place, units)
	var a, b []experiment.SlotRange
	for slots := 0; slots <= experiment.TotalSlots/2; slots += step {
		var err error
		if a, err = experiment.ResizeSlots(a, b, slots); err != nil {
			t.Fatal(err)
		}
		if b, err = experiment.ResizeSlots(b, a, slots); err != nil {
			t.Fatal(err)
		}
		ea, eb := plainExperiment("a"), plainExperiment("b")
		ea.Layer, eb.Layer, ea.SlotRanges, eb.SlotRanges = "l", "l", a, b
		s := compile(t, experiment.Config{
			Version: 1, Experiments: []experiment.Experiment{ea, eb},
			Layers: []experiment.Layer{{Key: "l", Unit: experiment.UnitViewer, Salt: "ramp"}},
		})
		in := 0
		ctx := assignment.NewContext("")
		for i := range units {
			ctx.SetTargetingKey("viewer-" + strconv.Itoa(i))
			var now place
			if r := s.EvaluateAt(0, ctx); r.Assigned {
				now.a = int8(r.Arm) + 1
				in++
			}
			if r := s.EvaluateAt(1, ctx); r.Assigned {
				now.b = int8(r.Arm) + 1
			}
			if now.a != 0 && now.b != 0 {
				t.Fatalf("at %d slots viewer-%d is in both experiments", slots, i)
			}
			if was := before[i]; was.a != 0 && now.a != was.a || was.b != 0 && now.b != was.b {
				t.Fatalf("at %d slots viewer-%d went from %+v to %+v", slots, i, was, now)
			}
			before[i] = now
		}
		share := float64(slots) / experiment.TotalSlots
		sd := math.Sqrt(float64(units) * share * (1 - share))
		if diff := math.Abs(float64(in) - float64(units)*share); diff > 5*sd {
			t.Errorf("%d of %d units are in %d slots: %.1f standard deviations off", in, units, slots, diff/sd)
		}
	}
}
