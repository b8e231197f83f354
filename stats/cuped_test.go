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

// history is raw rows of an experiment whose metric follows a pre-period value.
type history struct {
	y, w, x            []float64
	control, treatment stats.PairMoments
}

func newHistory(t *rapid.T) history {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	var h history
	slope := rapid.Float64Range(-2, 2).Draw(t, "slope")
	gap := rapid.Float64Range(-1, 1).Draw(t, "slope in treatment")
	for i := range rapid.IntRange(20, 200).Draw(t, "rows") {
		w, x := float64(i%3%2), rng.NormFloat64()+3
		y := 10 + w + (slope+gap*w)*x + rng.NormFloat64()
		h.y, h.w, h.x = append(h.y, y), append(h.w, w), append(h.x, x)
		if w == 1 {
			h.treatment.Add(y, x)
		} else {
			h.control.Add(y, x)
		}
	}
	return h
}

func TestCupedMeanIsARegression(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		for _, test := range []struct {
			slope stats.SlopeRule
			model stats.Covariates
		}{{stats.SlopeWithin, stats.Ancova}, {stats.SlopePerArm, stats.Interacted}} {
			adjusted, err := stats.CupedMean{Control: h.control, Treatment: h.treatment, Slope: test.slope}.Effect(stats.Absolute)
			if err != nil {
				t.Fatal(err)
			}
			fitted, err := stats.Regression{Y: h.y, Treatment: h.w, X: h.x, Model: test.model}.Effect(stats.HC2)
			if err != nil {
				t.Fatal(err)
			}
			if !closeTo(adjusted.Estimate, fitted.Estimate, 1e-9, 1e-9) {
				t.Errorf("%s: estimate %v, regression %v", test.slope, adjusted.Estimate, fitted.Estimate)
			}
		}
	})
}

func TestCupedWithoutSlopeIsTheUnadjustedEffect(t *testing.T) {
	t.Parallel()
	var c, w stats.PairMoments
	for i := range 50 {
		c.Add(float64(i%7), 5)
		w.Add(float64(i%7)+1, 5)
	}
	adjusted, err := stats.CupedMean{Control: c, Treatment: w}.Effect(stats.LogRatio)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := stats.MeanLift(c.Y(), w.Y())
	if err != nil {
		t.Fatal(err)
	}
	want := stats.AdjustedEffect{Effect: plain}
	if diff := cmp.Diff(want, adjusted, cmpopts.EquateApprox(1e-12, 1e-15)); diff != "" {
		t.Errorf("a constant covariate changed the effect:\n%s", diff)
	}
}

func TestCupedRatioOfUnitDenominatorsIsTheMean(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		var joint [2]stats.JointMoments
		for i, y := range h.y {
			if err := joint[int(h.w[i])].Add(y, 1, h.x[i], 1); err != nil {
				t.Fatal(err)
			}
		}
		for _, scale := range []stats.Scale{stats.Absolute, stats.LogRatio} {
			mean, err := stats.CupedMean{Control: h.control, Treatment: h.treatment}.Effect(scale)
			ratio, err2 := stats.CupedRatio{Control: joint[0], Treatment: joint[1]}.Effect(scale)
			if reasonOf(err) != reasonOf(err2) {
				t.Fatalf("%s: mean %v, ratio %v", scale, err, err2)
			}
			if diff := cmp.Diff(mean, ratio, cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" {
				t.Errorf("%s: mean and ratio over ones differ:\n%s", scale, diff)
			}
		}
	})
}

func TestCupedReductionIsTheSquaredCorrelation(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	var c, w stats.PairMoments
	const correlation = 0.8
	for i := range 100_000 {
		x := rng.NormFloat64()
		y := 100 + correlation*x + math.Sqrt(1-correlation*correlation)*rng.NormFloat64()
		if i%2 == 0 {
			c.Add(y, x)
		} else {
			w.Add(y, x)
		}
	}
	e, err := stats.CupedMean{Control: c, Treatment: w}.Effect(stats.LogRatio)
	if err != nil || math.Abs(e.Reduction-correlation*correlation) > 0.01 {
		t.Errorf("Reduction = %v, %v, want %v", e.Reduction, err, correlation*correlation)
	}
}

func TestCovariateIndexFoldsCovariates(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	var joint [2]stats.JointMoments
	for i := range 5000 {
		known := float64(i / 2 % 2) // no history: x = 0, and its indicator says so
		x := known * (5 + rng.NormFloat64())
		y := 3 + 2*x - 4*known + rng.NormFloat64()
		if err := joint[i%2].Add(y, x, known); err != nil {
			t.Fatal(err)
		}
	}
	weights, err := stats.CovariateIndex(joint[0], joint[1])
	if err != nil {
		t.Fatal(err)
	}
	if weights[0] != 0 || math.Abs(weights[1]-2) > 0.1 || math.Abs(weights[2]+4) > 0.4 {
		t.Errorf("CovariateIndex = %v, want about [0 2 -4]", weights)
	}
	var arms [2]stats.PairMoments
	for i := range arms {
		if arms[i], err = joint[i].Combine([]float64{1, 0, 0}, weights); err != nil {
			t.Fatal(err)
		}
	}
	e, err := stats.CupedMean{Control: arms[0], Treatment: arms[1]}.Effect(stats.Absolute)
	if err != nil || math.Abs(e.Theta-1) > 1e-9 || !closeTo(e.Variance, 1.0/2500*2, 0.1, 0) {
		t.Errorf("effect on the index = %+v, %v, want slope 1 and the noise's variance", e, err)
	}
	if _, err := stats.CovariateIndex(stats.JointMoments{}, joint[1]); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("CovariateIndex of nothing: %v, want reason %s", err, stats.InvalidArgument)
	}
}

func TestJointMomentsMergeIsTheMomentsOfTheUnion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 3, 3), 1, 30).Draw(t, "rows")
		cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
		var whole, a, b stats.JointMoments
		var pair stats.PairMoments
		for i, row := range rows {
			part := &a
			if i >= cut {
				part = &b
			}
			for _, j := range []*stats.JointMoments{&whole, part} {
				if err := j.Add(row...); err != nil {
					t.Fatal(err)
				}
			}
			pair.Add(row[2], row[0])
		}
		if err := a.Merge(b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole, a, cmpopts.EquateApprox(1e-9, 1e-3), cmpopts.IgnoreFields(stats.JointMoments{}, "Low")); diff != "" {
			t.Errorf("merged:\n%s", diff)
		}
		combined, err := whole.Combine([]float64{0, 0, 1}, []float64{1, 0, 0})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(pair, combined, cmpopts.EquateApprox(1e-9, 1e-3)); diff != "" {
			t.Errorf("Combine of single variables is not their pair:\n%s", diff)
		}
	})
}

func TestJointMomentsRefuse(t *testing.T) {
	t.Parallel()
	var j stats.JointMoments
	if err := j.Add(); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Add of nothing: %v", err)
	}
	if err := j.Add(make([]float64, 17)...); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Add of 17 values: %v", err)
	}
	if err := j.Add(make([]float64, 16)...); err != nil {
		t.Errorf("Add of 16 values: %v", err)
	}
	if err := j.Add(1); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Add of another number of values: %v", err)
	}
	damaged := stats.JointMoments{N: 3, Mean: []float64{1, 2}, Low: []float64{0, 0}, C: []float64{1}}
	if err := j.Merge(damaged); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Merge of damaged moments: %v", err)
	}
	before := j.N
	if err := j.Merge(stats.JointMoments{}); err != nil || j.N != before {
		t.Errorf("Merge of nothing: %v, %d units", err, j.N)
	}
}

func TestPostStratification(t *testing.T) {
	t.Parallel()
	c := stats.Arm{N: 4000, Value: 10, Variance: 9}
	w := stats.Arm{N: 6000, Value: 11, Variance: 16}
	plain, err := stats.Difference(c, w)
	if err != nil {
		t.Fatal(err)
	}
	one, err := stats.PostStratifiedMeans([]stats.Stratum[stats.Arm]{{Control: c, Treatment: w}}, stats.Absolute)
	if err != nil || !closeTo(one.Estimate, plain.Estimate, 1e-12, 0) || !closeTo(one.Variance, plain.Variance, 1e-12, 0) {
		t.Errorf("one stratum gives %+v, %v, want the plain effect %+v", one, err, plain)
	}
	// Two strata far apart: the effect is the same in both, and nearly all of the
	// variance between them goes.
	far := func(a stats.Arm) stats.Arm {
		a.Value += 1000
		return a
	}
	two, err := stats.PostStratifiedMeans([]stats.Stratum[stats.Arm]{
		{Control: c, Treatment: w}, {Control: far(c), Treatment: far(w)},
	}, stats.Absolute)
	if err != nil || !closeTo(two.Estimate, 1, 1e-9, 0) || !closeTo(two.Variance, plain.Variance/2, 1e-9, 0) {
		t.Errorf("two strata give %+v, %v, want 1 with variance %v", two, err, plain.Variance/2)
	}
	fraction, err := stats.PostStratifiedMeans([]stats.Stratum[stats.Arm]{{Control: c, Treatment: w}}, stats.Fraction)
	log, err2 := stats.PostStratifiedMeans([]stats.Stratum[stats.Arm]{{Control: c, Treatment: w}}, stats.LogRatio)
	wantFraction, _ := stats.FractionLift(c, w)
	wantLog, _ := stats.LogLift(c, w)
	if err != nil || err2 != nil || !closeTo(fraction.Variance, wantFraction.Variance, 1e-12, 0) ||
		!closeTo(log.Variance, wantLog.Variance, 1e-12, 0) || !closeTo(log.Estimate, wantLog.Estimate, 1e-12, 0) {
		t.Errorf("relative effects of one stratum: %+v and %+v, want %+v and %+v", fraction, log, wantFraction, wantLog)
	}
	if _, err := stats.PostStratifiedMeans(nil, stats.Absolute); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("no stratum: %v, want reason %s", err, stats.TooFewUnits)
	}
}

// TestCupedFloor compares the floor with its definition, and with the floor of an
// effect that nothing adjusts.
func TestCupedFloor(t *testing.T) {
	t.Parallel()
	control := stats.PairMoments{N: 9_000, MeanY: 10, MeanX: 5, M2Y: 9_000 * 16, M2X: 9_000 * 4, CXY: 9_000 * 6}
	small := stats.PairMoments{N: 1_000, MeanY: 9, MeanX: 5, M2Y: 1_000 * 4, M2X: 1_000 * 1, CXY: 1_000 * 1.5}
	cuped := stats.CupedMean{Control: control, Treatment: small, Floored: true}
	loose := cuped
	loose.Floored = false
	for _, scale := range []stats.Scale{stats.Absolute, stats.LogRatio, stats.Fraction} {
		floored, err := cuped.Effect(scale)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := loose.Effect(scale)
		if err != nil {
			t.Fatal(err)
		}
		if floored.Estimate != bare.Estimate || floored.Theta != bare.Theta || !(floored.Variance > bare.Variance) {
			t.Errorf("%s: %+v, without the floor %+v", scale, floored, bare)
		}
	}
	got, err := cuped.Effect(stats.Absolute)
	if err != nil {
		t.Fatal(err)
	}
	// What a unit adds after adjustment is vy - 2 theta cov + theta^2 vx, pooled by
	// degrees of freedom and counted in both arms.
	unit := func(p stats.PairMoments) float64 {
		return p.M2Y - 2*got.Theta*p.CXY + got.Theta*got.Theta*p.M2X
	}
	want := (unit(control) + unit(small)) / (9_000 + 1_000 - 2) * (1.0/9_000 + 1.0/1_000)
	if math.Abs(got.Variance/want-1) > 1e-12 {
		t.Errorf("variance %v, want %v", got.Variance, want)
	}

	// A covariate that says nothing adjusts nothing: the floor is that of the arms.
	control.CXY, small.CXY = 0, 0
	plain, err := stats.CupedMean{Control: control, Treatment: small, Floored: true}.Effect(stats.LogRatio)
	if err != nil {
		t.Fatal(err)
	}
	c, err := control.Y().Arm()
	if err != nil {
		t.Fatal(err)
	}
	x, err := small.Y().Arm()
	if err != nil {
		t.Fatal(err)
	}
	e, err := stats.FlooredLogLift(c, x)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(plain.Variance/e.Variance-1) > 1e-12 || math.Abs(plain.Reduction) > 1e-12 {
		t.Errorf("without covariance: %+v, want the variance %v", plain, e.Variance)
	}

	// Equal arms with equal variances have no need of it.
	even := stats.CupedMean{Control: control, Treatment: control, Floored: true}
	a, err := even.Effect(stats.Absolute)
	if err != nil {
		t.Fatal(err)
	}
	even.Floored = false
	b, err := even.Effect(stats.Absolute)
	if err != nil || math.Abs(a.Variance/b.Variance-1) > 1e-12 {
		t.Errorf("equal arms: %v with the floor, %v without, %v", a.Variance, b.Variance, err)
	}
}

// What is in milliseconds and what is yes or no have variances that differ by more
// than floating-point numbers have digits for; neither follows from the other.
func TestCovariateIndexKnowsNoUnits(t *testing.T) {
	t.Parallel()
	index := func(scale float64) []float64 {
		var joint [2]stats.JointMoments
		for i := range joint {
			rng := rand.New(rand.NewPCG(5, uint64(i)))
			joint[i] = stats.JointMoments{}
			for range 300 {
				x, z := rng.NormFloat64(), float64(rng.IntN(2))
				if err := joint[i].Add(2*x-4*z+rng.NormFloat64(), x*scale, z); err != nil {
					t.Fatal(err)
				}
			}
		}
		weights, err := stats.CovariateIndex(joint[0], joint[1])
		if err != nil {
			t.Fatalf("scale %v: %v", scale, err)
		}
		return weights
	}
	want := index(1)
	for _, scale := range []float64{1e-9, 1e8, 1e12} {
		got := index(scale)
		if !closeTo(got[1]*scale, want[1], 1e-9, 0) || !closeTo(got[2], want[2], 1e-9, 0) {
			t.Errorf("scale %v: weights %v, want those of %v", scale, got, want)
		}
	}
}
