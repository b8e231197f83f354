package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// unitRows is units of an experiment with a ratio of this period and sums of the
// one before; some units had none.
type unitRows struct {
	w                  []float64
	values             [][]float64 // numerator, denominator, pre numerator, pre denominator, has history
	control, treatment stats.JointMoments
}

func newUnitRows(t *rapid.T, n int) unitRows {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
	lift := rapid.Float64Range(-0.5, 0.5).Draw(t, "lift")
	var rows unitRows
	for i := range n {
		arm := i % 2
		size := math.Exp(0.5 * rng.NormFloat64())
		rate := 1 + 0.3*rng.NormFloat64()
		d := size * (5 + rng.ExpFloat64())
		y := d*rate*(1+lift*float64(arm)) + 0.1*rng.NormFloat64()
		pre, preD, has := 0.0, 0.0, 0.0
		if rng.Float64() < 0.7 {
			preD, has = size*(5+rng.ExpFloat64()), 1
			pre = preD * rate
		}
		rows.add(t, arm, y, d, pre, preD, has)
	}
	return rows
}

func (r *unitRows) add(t *rapid.T, arm int, values ...float64) {
	into := &r.control
	if arm == 1 {
		into = &r.treatment
	}
	if err := into.Add(values...); err != nil {
		t.Fatal(err)
	}
	r.w, r.values = append(r.w, float64(arm)), append(r.values, values)
}

// TestCupedUnitsIsARegression compares the adjusted means with least squares on
// raw rows, through stats.Regression: its covariate is the index with the
// coefficients of a plain regression on arm and covariates.
func TestCupedUnitsIsARegression(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := newUnitRows(t, rapid.IntRange(400, 600).Draw(t, "rows"))
		adjusted, err := stats.CupedUnits{Control: rows.control, Treatment: rows.treatment}.Effect(stats.Absolute)
		if err != nil {
			t.Fatal(err)
		}
		design := make([][]float64, len(rows.w))
		y := make([]float64, len(rows.w))
		for i, v := range rows.values {
			design[i] = []float64{1, rows.w[i], v[2], v[3], v[4]}
			y[i] = v[0]
		}
		want := leastSquares(design, y)
		if !closeTo(adjusted.Estimate, want[1], 1e-8, 1e-8) {
			t.Errorf("CupedUnits estimates %v, least squares %v", adjusted.Estimate, want[1])
		}
	})
}

// leastSquares solves the normal equations by elimination with pivots.
func leastSquares(rows [][]float64, y []float64) []float64 {
	k := len(rows[0])
	a := make([][]float64, k)
	for i := range a {
		a[i] = make([]float64, k+1)
		for r, row := range rows {
			for j := range k {
				a[i][j] += row[i] * row[j]
			}
			a[i][k] += row[i] * y[r]
		}
	}
	for i := range k {
		best := i
		for j := i + 1; j < k; j++ {
			if math.Abs(a[j][i]) > math.Abs(a[best][i]) {
				best = j
			}
		}
		a[i], a[best] = a[best], a[i]
		for j := range k {
			if j == i {
				continue
			}
			f := a[j][i] / a[i][i]
			for l := i; l <= k; l++ {
				a[j][l] -= f * a[i][l]
			}
		}
	}
	out := make([]float64, k)
	for i := range out {
		out[i] = a[i][k] / a[i][i]
	}
	return out
}

func TestCupedUnitsOfARatio(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := newUnitRows(t, 2_000)
		for _, scale := range []stats.Scale{stats.Absolute, stats.LogRatio, stats.Fraction} {
			adjusted, err := stats.CupedUnits{Control: rows.control, Treatment: rows.treatment, Ratio: true}.Effect(scale)
			if err != nil {
				t.Fatal(err)
			}
			// The unit's own rate is 70 % of the time known from before.
			if adjusted.Reduction < 0.3 || adjusted.Reduction > 0.95 {
				t.Errorf("%s: reduction %v, want about 0.6", scale, adjusted.Reduction)
			}
			byRatio, err := stats.CupedRatio{Control: first(rows.control, 4), Treatment: first(rows.treatment, 4)}.Effect(scale)
			if err != nil {
				t.Fatal(err)
			}
			if adjusted.Variance > byRatio.Variance*1.05 {
				t.Errorf("%s: variance %v, above %v of the ratio of the pre-period", scale, adjusted.Variance, byRatio.Variance)
			}
		}
	})
}

// first returns the moments of the first k variables.
func first(j stats.JointMoments, k int) stats.JointMoments {
	return stats.JointMoments{N: j.N, Mean: j.Mean[:k], Low: j.Low[:k], C: j.C[:k*(k+1)/2]}
}

// TestCupedUnitsLeavesOut has covariates that cannot be used: the effect is that
// of the others, or the unadjusted one.
func TestCupedUnitsLeavesOut(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	arms := map[string]*[2]stats.JointMoments{"none": {}, "few": {}, "twice": {}, "plain": {}}
	var pairs [2]stats.PairMoments
	for i := range 4_000 {
		arm, x := i%2, 5+rng.NormFloat64()
		y, d := x+rng.NormFloat64()+3, 1.0
		pairs[arm].Add(y, x)
		few := 0.0
		if i < 2*(stats.MinCovariateUnits-1) {
			few = 1
		}
		for name, values := range map[string][]float64{
			"none": {y, d, 0, 7}, "few": {y, d, few}, "twice": {y, d, x, 2*x + 1, x}, "plain": {y, d, x},
		} {
			if err := arms[name][arm].Add(values...); err != nil {
				t.Fatal(err)
			}
		}
	}
	effect := func(name string) stats.AdjustedEffect {
		e, err := stats.CupedUnits{Control: arms[name][0], Treatment: arms[name][1]}.Effect(stats.LogRatio)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return e
	}
	unadjusted, err := stats.MeanLift(pairs[0].Y(), pairs[1].Y())
	if err != nil {
		t.Fatal(err)
	}
	near := cmpopts.EquateApprox(1e-9, 1e-12)
	for _, name := range []string{"none", "few"} {
		if diff := cmp.Diff(stats.AdjustedEffect{Effect: unadjusted}, effect(name), near); diff != "" {
			t.Errorf("%s: differs from the unadjusted effect:\n%s", name, diff)
		}
	}
	plain := effect("plain")
	if diff := cmp.Diff(plain, effect("twice"), near); diff != "" {
		t.Errorf("a covariate given three times changes the effect:\n%s", diff)
	}
	single, err := stats.CupedMean{Control: pairs[0], Treatment: pairs[1]}.Effect(stats.LogRatio)
	if err != nil {
		t.Fatal(err)
	}
	if !closeTo(plain.Estimate, single.Estimate, 1e-9, 1e-12) || !closeTo(plain.Variance, single.Variance, 1e-3, 0) ||
		plain.Variance <= single.Variance || math.Abs(plain.Reduction-0.5) > 0.05 {
		t.Errorf("one covariate: %+v, CupedMean %+v; want the same but for a degree of freedom", plain, single)
	}
}

func TestCupedUnitsRefuses(t *testing.T) {
	t.Parallel()
	good := stats.JointMoments{N: 50, Mean: []float64{1, 1}, Low: []float64{0, 0}, C: []float64{10, 0, 0}}
	for name, c := range map[string]stats.CupedUnits{
		"one unit":         {Control: stats.JointMoments{N: 1, Mean: []float64{1, 1}, Low: []float64{0, 0}, C: []float64{0, 0, 0}}, Treatment: good},
		"one variable":     {Control: stats.JointMoments{N: 50, Mean: []float64{1}, Low: []float64{0}, C: []float64{1}}, Treatment: good},
		"other variables":  {Control: good, Treatment: stats.JointMoments{N: 50, Mean: []float64{1, 1, 1}, Low: make([]float64, 3), C: make([]float64, 6)}},
		"damaged":          {Control: good, Treatment: stats.JointMoments{N: 50, Mean: []float64{1, 1}, Low: []float64{0}, C: []float64{1}}},
		"denominator zero": {Control: good, Treatment: stats.JointMoments{N: 50, Mean: []float64{1, 0}, Low: []float64{0, 0}, C: []float64{1, 0, 0}}, Ratio: true},
		"nothing varies":   {Control: good, Treatment: good}, // refused below: set to zero
	} {
		if name == "nothing varies" {
			c.Control.C, c.Treatment.C = make([]float64, 3), make([]float64, 3)
		}
		if e, err := c.Effect(stats.LogRatio); err == nil {
			t.Errorf("%s: %+v, want a refusal", name, e)
		}
	}
}
