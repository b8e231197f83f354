package stats

import "math"

// MomentsFromSums returns the moments of n values of which only the sum and the
// sum of squares were kept elsewhere. What the sums have lost to cancellation is
// lost: all digits, once (mean/sd)^2 exceeds 1e15. n below 1 gives an empty sample.
func MomentsFromSums(n int64, sum, sumSquares float64) Moments {
	if n < 1 {
		return Moments{}
	}
	return Moments{N: n, Mean: sum / float64(n), M2: centredSum(n, sum, sum, sumSquares)}
}

// PairSums is the raw sums of n pairs.
type PairSums struct {
	N            int64
	Y, X, YY, XX float64
	YX           float64
}

// Moments returns the joint moments; see MomentsFromSums for what is lost.
func (s PairSums) Moments() PairMoments {
	y, x := MomentsFromSums(s.N, s.Y, s.YY), MomentsFromSums(s.N, s.X, s.XX)
	p := PairMoments{N: y.N, MeanY: y.Mean, MeanX: x.Mean, M2Y: y.M2, M2X: x.M2}
	if p.N > 0 {
		p.CXY = centredSum(s.N, s.Y, s.X, s.YX)
	}
	return p
}

// centredSum returns products - a*b/n with one rounding less than it reads.
func centredSum(n int64, a, b, products float64) float64 {
	return math.FMA(-a/float64(n), b, products)
}
