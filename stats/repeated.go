package stats

import "math"

// RepeatedInterval returns the interval estimate -/+ z_k se of a look, counted
// from 0, with z_k the bound of a two-sided plan (Jennison and Turnbull 1989). All
// looks cover the effect at once with probability 1-alpha, whether or not the
// experiment stopped where it should have. It is wide early, where the plan
// spends little; at the last look of an O'Brien-Fleming plan it is a few per cent
// wider than a single one. It refuses with InvalidArgument for a look that is not
// of the plan, OutOfRange for one whose bound is infinite, and as Welch does for
// the effect.
func (b GSTBounds) RepeatedInterval(look int, e Effect) (Interval, error) {
	if look < 0 || look >= len(b.Z) {
		return Interval{}, refuse(InvalidArgument, "There is no look %d among %d.", look, len(b.Z))
	}
	if err := e.checkVariance(); err != nil {
		return Interval{}, err
	}
	z := b.Z[look]
	if !finite(z) {
		return Interval{}, refuse(OutOfRange, "At look %d the plan can say nothing yet.", look+1)
	}
	i := e.around(z * e.SE())
	if !finite(i.Lower, i.Upper) {
		return Interval{}, refuse(NonFinite, "The interval left the range of floating-point numbers.")
	}
	return i, nil
}

// RepeatedP returns the smallest alpha at which the plan, with its kind and looks,
// would reject by the given look (from 0) at z: the p-value to which
// RepeatedInterval is the interval. It is resolved down to 1e-12, which it also
// returns for anything smaller, and refuses as Bounds does, with InvalidArgument
// for a look that is not of the plan or a z that is not finite.
func (g GroupSequential) RepeatedP(look int, z float64) (float64, error) {
	if look < 0 || look >= len(g.Information) || !finite(z) {
		return 0, refuse(InvalidArgument, "There is no look %d among %d, or z is not finite (%v).", look, len(g.Information), z)
	}
	if err := g.check(); err != nil {
		return 0, err
	}
	if g.TwoSided {
		z = math.Abs(z)
	}
	upTo := g
	if g.spends() { // a bound depends on the looks up to it only
		upTo.Information = g.Information[:look+1]
		upTo.Final = g.Final && look == len(g.Information)-1
	}
	// How far the bound lies above z; 0 once they agree to the digits that bounds are
	// solved to, where the search ends.
	above := func(logAlpha float64) float64 {
		upTo.Alpha = math.Exp(logAlpha)
		bounds, err := upTo.Bounds()
		if err != nil {
			return farthestBound
		}
		gap := min(bounds.Z[look], farthestBound) - z
		if math.Abs(gap) < boundDigits {
			return 0
		}
		return gap
	}
	const least = -27.631021115928547 // ln 1e-12
	most := math.Log(mostRepeatedAlpha)
	if above(most) > 0 {
		return 1, nil
	}
	if above(least) <= 0 {
		return math.Exp(least), nil
	}
	return math.Exp(brent(above, least, most)), nil
}

// Of the search for a repeated p: bounds are solved to boundDigits, and one beyond
// farthestBound is as good as infinite.
const (
	boundDigits   = 1e-10
	farthestBound = 40
)

// mostRepeatedAlpha is the level up to which plans are solved in search of a
// repeated p; above it nobody decides anything.
const mostRepeatedAlpha = 0.9
