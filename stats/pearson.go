package stats

import "math"

// PearsonSampleRatio returns the chi-square test of counts against the shares
// that weights give, for one look: re-run daily it raises a false alarm twelve
// times as often as it says, which is what SampleRatio is for. As in GrowthBook
// an arm of weight zero is left out of the sum but counts for the degrees of
// freedom. With nothing counted P is 1. It refuses with InvalidArgument unless
// there are two arms, and weights of which one is positive.
func PearsonSampleRatio(counts []int64, weights []float64) (ChiSquareTest, error) {
	if len(counts) < 2 || len(counts) != len(weights) {
		return ChiSquareTest{}, refuse(InvalidArgument, "A split needs at least 2 arms and one count for each; there are %d weights and %d counts.",
			len(weights), len(counts))
	}
	total, units := 0.0, 0.0
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(w, 1) || counts[i] < 0 {
			return ChiSquareTest{}, refuse(InvalidArgument, "Weights and counts cannot be negative; there are %v and %d.", w, counts[i])
		}
		total += w
		units += float64(counts[i])
	}
	if total == 0 {
		return ChiSquareTest{}, refuse(InvalidArgument, "A split needs a positive weight.")
	}
	statistic := 0.0
	for i, w := range weights {
		if expected := w / total * units; expected > 0 {
			excess := float64(counts[i]) - expected
			statistic += excess * excess / expected
		}
	}
	if !finite(statistic) {
		return ChiSquareTest{}, refuse(NonFinite, "The statistic left the range of floating-point numbers.")
	}
	return newChiSquareTest(statistic, float64(len(counts)-1)), nil
}
