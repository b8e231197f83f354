package stats

import "math"

// PairMoments is the joint moments of two variables of the same unit: y and x
// of a ratio y/x, or y and its pre-period covariate x. The zero value is an
// empty sample. See Moments for why the moments are centred and why each mean
// has two parts.
type PairMoments struct {
	N     int64   `json:"n"`
	MeanY float64 `json:"mean_y"`
	MeanX float64 `json:"mean_x"`
	M2Y   float64 `json:"m2_y"` // sum of (y - mean_y)^2
	M2X   float64 `json:"m2_x"` // sum of (x - mean_x)^2
	CXY   float64 `json:"c_xy"` // sum of (y - mean_y)(x - mean_x)
	LowY  float64 `json:"low_y,omitempty"`
	LowX  float64 `json:"low_x,omitempty"`
}

// Add counts one unit with the two values y and x.
func (p *PairMoments) Add(y, x float64) {
	p.N++
	n := float64(p.N)
	dy := y - p.MeanY - p.LowY
	dx := x - p.MeanX - p.LowX
	p.MeanY, p.LowY = shiftMean(p.MeanY, p.LowY, dy/n)
	p.MeanX, p.LowX = shiftMean(p.MeanX, p.LowX, dx/n)
	weight := (n - 1) / n
	p.M2Y += dy * dy * weight
	p.M2X += dx * dx * weight
	p.CXY += dy * dx * weight
}

// Merge adds the sample that o describes. Merging an empty sample changes nothing.
func (p *PairMoments) Merge(o PairMoments) {
	if o.N == 0 {
		return
	}
	if p.N == 0 {
		*p = o
		return
	}
	na, nb := float64(p.N), float64(o.N)
	n := na + nb
	dy := o.MeanY - p.MeanY + (o.LowY - p.LowY)
	dx := o.MeanX - p.MeanX + (o.LowX - p.LowX)
	share := nb / n
	weight := na * share
	p.N += o.N
	p.MeanY, p.LowY = shiftMean(p.MeanY, p.LowY, dy*share)
	p.MeanX, p.LowX = shiftMean(p.MeanX, p.LowX, dx*share)
	p.M2Y += o.M2Y + dy*dy*weight
	p.M2X += o.M2X + dx*dx*weight
	p.CXY += o.CXY + dy*dx*weight
}

// Without returns the moments of the units of p that are not among those of o, a part
// of them. It loses digits when o is nearly all of p. It refuses with InvalidArgument
// when o has as many units or more, and with NonFinite.
func (p PairMoments) Without(o PairMoments) (PairMoments, error) {
	if o.N < 0 || o.N >= p.N && o.N > 0 {
		return PairMoments{}, refuse(InvalidArgument, "%d units are no part of %d that leaves any.", o.N, p.N)
	}
	out := p
	if o.N > 0 {
		all, part := float64(p.N), float64(o.N)
		rest := all - part
		dy := p.MeanY - o.MeanY + (p.LowY - o.LowY)
		dx := p.MeanX - o.MeanX + (p.LowX - o.LowX)
		out.N = p.N - o.N
		out.MeanY, out.LowY = shiftMean(p.MeanY, p.LowY, dy*(part/rest))
		out.MeanX, out.LowX = shiftMean(p.MeanX, p.LowX, dx*(part/rest))
		// The means of the two parts are all/rest as far apart as that of one from the whole.
		weight := part * (all / rest)
		out.M2Y = math.Max(0, p.M2Y-o.M2Y-dy*dy*weight)
		out.M2X = math.Max(0, p.M2X-o.M2X-dx*dx*weight)
		out.CXY = p.CXY - o.CXY - dy*dx*weight
	}
	if !finite(out.MeanY, out.MeanX, out.LowY, out.LowX, out.M2Y, out.M2X, out.CXY) {
		return PairMoments{}, refuse(NonFinite, "The moments of the rest left the range of floating-point numbers.")
	}
	return out, nil
}

// Y returns the moments of y alone.
func (p PairMoments) Y() Moments {
	return Moments{N: p.N, Mean: p.MeanY, M2: p.M2Y, Low: p.LowY}
}

// X returns the moments of x alone.
func (p PairMoments) X() Moments {
	return Moments{N: p.N, Mean: p.MeanX, M2: p.M2X, Low: p.LowX}
}

// Covariance returns the sample covariance C/(n-1). It is false below two units.
func (p PairMoments) Covariance() (float64, bool) {
	if p.N < 2 {
		return 0, false
	}
	return p.CXY / float64(p.N-1), true
}

// WithBinary returns moments in which the variances of those variables that hold
// zeros and ones are the maximum-likelihood p(1-p), as GrowthBook has it: their
// centred sums are multiplied by (n-1)/n, and the covariance when both do. Use it
// on finished moments only, for numbers that agree; merging the result is
// meaningless.
func (p PairMoments) WithBinary(y, x bool) PairMoments {
	if p.N < 1 {
		return p
	}
	factor := float64(p.N-1) / float64(p.N)
	if y {
		p.M2Y *= factor
	}
	if x {
		p.M2X *= factor
	}
	if y && x {
		p.CXY *= factor
	}
	return p
}

// covarianceSlack allows for rounding in moments that were made of sums: relative to
// the bound of Cauchy and Schwarz, and to the squares whose differences they are.
const (
	covarianceSlack = 1e-6
	squareSlack     = 1e-12
)

// check refuses sums that no values have: NonFinite, and InvalidArgument for a
// negative sum of squares or a covariance that is larger than the variances allow.
// The variance of a combination of the two could come out negative, or as zero.
func (p PairMoments) check() error {
	// Nearly all moments are settled without a root; NaN and infinities are not.
	if bound := p.M2Y * p.M2X; p.CXY*p.CXY <= bound && bound <= math.MaxFloat64 && p.M2Y >= 0 && p.M2X >= 0 {
		return nil
	}
	if !finite(p.MeanY, p.MeanX, p.M2Y, p.M2X, p.CXY, p.LowY, p.LowX) {
		return refuse(NonFinite, "The moments of a pair are not finite numbers.")
	}
	if p.M2Y < 0 || p.M2X < 0 {
		return refuse(InvalidArgument, "A sum of squares is negative (%v and %v).", p.M2Y, p.M2X)
	}
	n := float64(p.N)
	sdY, sdX := math.Sqrt(p.M2Y), math.Sqrt(p.M2X)
	rounding := squareSlack * (sdY + math.Sqrt(n)*math.Abs(p.MeanY)) * (sdX + math.Sqrt(n)*math.Abs(p.MeanX))
	if bound := sdY * sdX * (1 + covarianceSlack); math.Abs(p.CXY) > bound+rounding {
		return refuse(InvalidArgument, "A covariance of %v contradicts the variances, which allow %v at most.", p.CXY, bound)
	}
	return nil
}
