package stats_test

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// samples draws a short sample at some offset and scale.
func samples(t *rapid.T, label string) []float64 {
	offset := rapid.SampledFrom([]float64{0, 1, -3, 1e6, 1e12}).Draw(t, label+" offset")
	scale := rapid.SampledFrom([]float64{1e-3, 1, 1e4}).Draw(t, label+" scale")
	unit := rapid.SliceOfN(rapid.Float64Range(-1, 1), 0, 40).Draw(t, label)
	out := make([]float64, len(unit))
	for i, u := range unit {
		out[i] = offset + scale*u
	}
	return out
}

// exactMoments returns mean and M2 in 300-bit arithmetic.
func exactMoments(values []float64) (mean, m2 float64) {
	exact := func(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }
	sum, squares := exact(0), exact(0)
	for _, v := range values {
		x := exact(v)
		sum.Add(sum, x)
		squares.Add(squares, exact(0).Mul(x, x))
	}
	n := exact(float64(len(values)))
	average := exact(0).Quo(sum, n)
	mean, _ = average.Float64()
	m2, _ = squares.Sub(squares, exact(0).Mul(sum, average)).Float64()
	return mean, m2
}

func TestMomentsAgreeWithExactArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := append(samples(t, "values"), 1)
		got := stats.MomentsOf(values)
		mean, m2 := exactMoments(values)
		if !closeTo(got.Mean, mean, 1e-15, 1e-14*math.Sqrt(m2)+1e-300) || !closeTo(got.M2, m2, 1e-11, 1e-300) {
			t.Errorf("MomentsOf(%v) = %+v, want mean %v and M2 %v", values, got, mean, m2)
		}
	})
}

func TestMomentsMergeIsTheMomentsOfTheUnion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := samples(t, "a"), samples(t, "b"), samples(t, "c")
		whole := stats.MomentsOf(append(append(append([]float64{}, a...), b...), c...))
		left := merged(merged(stats.MomentsOf(a), stats.MomentsOf(b)), stats.MomentsOf(c))
		right := merged(stats.MomentsOf(a), merged(stats.MomentsOf(b), stats.MomentsOf(c)))
		swapped := merged(stats.MomentsOf(c), merged(stats.MomentsOf(b), stats.MomentsOf(a)))
		for _, got := range []stats.Moments{left, right, swapped} {
			sameMoments(t, got, whole)
		}
	})
}

func merged(a, b stats.Moments) stats.Moments {
	a.Merge(b)
	return a
}

// sameMoments allows for rounding: M2 is good to 1e-11 relative, the mean to
// 1e-14 standard deviations beside its own last place.
func sameMoments(t *rapid.T, got, want stats.Moments) {
	t.Helper()
	spread := math.Sqrt(want.M2/float64(max(want.N, 1))) + 1e-300
	if got.N != want.N || !closeTo(got.Mean, want.Mean, 1e-15, 1e-14*spread) || !closeTo(got.M2, want.M2, 1e-11, 1e-300) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMomentsEmptyChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := stats.MomentsOf(samples(t, "values"))
		if diff := cmp.Diff(m, merged(m, stats.Moments{})); diff != "" {
			t.Errorf("merging nothing changed the moments:\n%s", diff)
		}
		if diff := cmp.Diff(m, merged(stats.Moments{}, m)); diff != "" {
			t.Errorf("merging into nothing changed the moments:\n%s", diff)
		}
	})
}

func TestMomentsAddN(t *testing.T) {
	t.Parallel()
	var repeated, added stats.Moments
	for _, v := range []float64{3, 1e9, 3.5} {
		repeated.AddN(v, 4)
		repeated.AddN(v, 0)
		repeated.AddN(v, -2)
		for range 4 {
			added.Add(v)
		}
	}
	if repeated.N != added.N || !closeTo(repeated.Mean, added.Mean, 1e-15, 0) || !closeTo(repeated.M2, added.M2, 1e-14, 0) {
		t.Errorf("AddN = %+v, want %+v", repeated, added)
	}
}

func TestMomentsVarianceNeedsTwoUnits(t *testing.T) {
	t.Parallel()
	var m stats.Moments
	for n := range 2 {
		if v, ok := m.Variance(); ok {
			t.Errorf("Variance of %d units = %v, want none", n, v)
		}
		m.Add(7)
	}
	if v, ok := m.Variance(); !ok || v != 0 {
		t.Errorf("Variance of two equal units = %v, %v, want 0, true", v, ok)
	}
}

func TestMomentsKeepNonFiniteValuesVisible(t *testing.T) {
	t.Parallel()
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m := stats.MomentsOf([]float64{1, 2, bad, 3})
		if _, err := m.Arm(); reasonOf(err) != stats.NonFinite {
			t.Errorf("Arm with a value of %v: error %v, want reason %s", bad, err, stats.NonFinite)
		}
	}
}

func TestMomentsRoundTripJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var pair stats.PairMoments
		for _, v := range samples(t, "values") {
			pair.Add(v, v/3)
		}
		roundTrip(t, pair)
		roundTrip(t, pair.Y())
	})
}

func roundTrip[T any](t *rapid.T, want T) {
	t.Helper()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got T
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("round trip through %s:\n%s", text, diff)
	}
}

func TestPairMomentsMergeIsTheMomentsOfTheUnion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ys := append(samples(t, "y"), 1, 2)
		cut := rapid.IntRange(0, len(ys)).Draw(t, "cut")
		factor := rapid.Float64Range(-2, 2).Draw(t, "factor")
		var whole, a, b stats.PairMoments
		for i, y := range ys {
			x := factor*y + float64(i%5)
			whole.Add(y, x)
			if i < cut {
				a.Add(y, x)
			} else {
				b.Add(y, x)
			}
		}
		ab, ba := a, b
		ab.Merge(b)
		ba.Merge(a)
		for _, got := range []stats.PairMoments{ab, ba} {
			sameMoments(t, got.Y(), whole.Y())
			sameMoments(t, got.X(), whole.X())
			scale := math.Sqrt(whole.M2Y * whole.M2X) // the Cauchy-Schwarz bound of the covariance
			if math.Abs(got.CXY-whole.CXY) > 1e-11*scale {
				t.Errorf("CXY = %v, want %v", got.CXY, whole.CXY)
			}
		}
	})
}
