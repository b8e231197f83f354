package stats

import (
	"math"
	"slices"
)

// QuantileTest is the anytime-valid, nonparametric test that two arms have the
// same quantile at level Nu (Howard and Ramdas 2022): exact at any number of
// values, with no assumption but independence. It pays for both arms and is
// conservative: an A/A test alarms in 0.1 to 0.2 % at a nominal 5 %, and finds two
// thirds of what AsympCS on QuantileLift does. QuantileContrast gives most of that
// back, and ThresholdTest all of it, for hypotheses that are a little narrower. TOpt
// is the number of values in an arm for which it is tightest.
type QuantileTest struct {
	Nu       float64
	TOpt     float64
	AlphaOpt float64
}

// quantileAtom is a place x where either cdf rises: how many values of each arm
// lie below x, and how many at or below.
type quantileAtom struct {
	controlBelow, controlAtOrBelow     float64
	treatmentBelow, treatmentAtOrBelow float64
}

// Values tests raw values. LogE is the least over all x of the sum over arms of
// the beta-binomial mixture of "x is the quantile": against every common
// quantile there is that much evidence. It refuses with TooFewUnits for an empty
// arm, NonFinite, and InvalidArgument for the settings.
func (q QuantileTest) Values(control, treatment []float64) (logE float64, err error) {
	if !finite(control...) || !finite(treatment...) {
		return 0, refuse(NonFinite, "A value is not a finite number.")
	}
	c, t := slices.Sorted(slices.Values(control)), slices.Sorted(slices.Values(treatment))
	atoms := make([]quantileAtom, 0, len(c)+len(t))
	for i, j := 0, 0; i < len(c) || j < len(t); {
		var x float64
		if j == len(t) || i < len(c) && c[i] <= t[j] {
			x = c[i]
		} else {
			x = t[j]
		}
		atom := quantileAtom{controlBelow: float64(i), treatmentBelow: float64(j)}
		for i < len(c) && c[i] <= x {
			i++
		}
		for j < len(t) && t[j] <= x {
			j++
		}
		atom.controlAtOrBelow, atom.treatmentAtOrBelow = float64(i), float64(j)
		atoms = append(atoms, atom)
	}
	return q.logE(atoms, int64(len(c)), int64(len(t)))
}

// Histograms tests counted values. A bucket is taken as one value, which errs on
// the side of caution. It refuses as Values does, and with NonFinite when a NaN
// was counted.
func (q QuantileTest) Histograms(control, treatment *Histogram) (logE float64, err error) {
	if control.nan > 0 || treatment.nan > 0 {
		return 0, refuse(NonFinite, "A value of a histogram is not a number.")
	}
	low := min(control.first, treatment.first)
	high := max(control.first+len(control.counts), treatment.first+len(treatment.counts))
	atoms := make([]quantileAtom, 0, high-low+2)
	var atom quantileAtom
	add := func(c, t int64) {
		if c == 0 && t == 0 {
			return
		}
		atom.controlBelow, atom.treatmentBelow = atom.controlAtOrBelow, atom.treatmentAtOrBelow
		atom.controlAtOrBelow += float64(c)
		atom.treatmentAtOrBelow += float64(t)
		atoms = append(atoms, atom)
	}
	add(control.zero, treatment.zero)
	for bucket := low; bucket < high; bucket++ {
		add(control.bucket(bucket), treatment.bucket(bucket))
	}
	add(control.over, treatment.over)
	return q.logE(atoms, control.total, treatment.total)
}

func (q QuantileTest) logE(atoms []quantileAtom, nc, nt int64) (float64, error) {
	if err := checkProbability("quantile level", q.Nu); err != nil {
		return 0, err
	}
	if nc < 1 || nt < 1 {
		return 0, refuse(TooFewUnits, "A quantile test needs a value in each arm.")
	}
	mixture, err := BetaBinomialBoundary{
		VOpt: q.TOpt * q.Nu * (1 - q.Nu), G: q.Nu, H: 1 - q.Nu, AlphaOpt: q.AlphaOpt,
	}.ready()
	if err != nil {
		return 0, err
	}
	c, t := newQuantileArm(mixture, q.Nu, nc), newQuantileArm(mixture, q.Nu, nt)
	least := math.Inf(1)
	for _, a := range atoms {
		least = min(least, c.least(a.controlBelow, a.controlAtOrBelow)+t.least(a.treatmentBelow, a.treatmentAtOrBelow))
	}
	return least, nil
}

// quantileArm is the mixture of one arm as a function of how many of its n values
// are below a point.
type quantileArm struct {
	mixture  betaBinomial
	nu, n, v float64
	lowest   float64 // the count at which the mixture is smallest
}

func newQuantileArm(mixture betaBinomial, nu float64, n int64) quantileArm {
	a := quantileArm{mixture: mixture, nu: nu, n: float64(n), v: nu * (1 - nu) * float64(n)}
	a.lowest = mixture.minimiser(a.v) + nu*a.n
	return a
}

// least returns the smallest value for a count between below and atOrBelow, which
// all are the cdf somewhere on the jump. The mixture falls up to lowest and rises
// from there.
func (a quantileArm) least(below, atOrBelow float64) float64 {
	count := min(max(a.lowest, below), atOrBelow)
	return a.mixture.logMixture(count-a.nu*a.n, a.v)
}
