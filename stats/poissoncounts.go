package stats

import "math"

// PoissonCounts is the anytime-valid comparison of the event counts of two arms
// with equal exposure: a Gamma(Phi, Phi) mixture for each mean (Lindon and
// Kallus 2024). A larger Phi is tighter at larger counts. Fix it before the data.
// For unequal exposures see RateSequence.
type PoissonCounts struct {
	Phi   float64
	Alpha float64
}

// LogE returns ln of the e-value against equal means, the product over arms of
// the mixtures at their common mean. Its negative is ln p before capping at 0.
// It refuses with InvalidArgument.
func (p PoissonCounts) LogE(control, treatment int64) (float64, error) {
	if err := p.check(control, treatment); err != nil {
		return 0, err
	}
	middle := (float64(control) + float64(treatment)) / 2
	return p.mixture(float64(control), middle) + p.mixture(float64(treatment), middle), nil
}

// MeanInterval returns the confidence sequence of the mean of one arm: all means
// at which the mixture is below 1/alpha. It refuses with InvalidArgument.
func (p PoissonCounts) MeanInterval(count int64) (Interval, error) {
	if err := p.check(count, 0); err != nil {
		return Interval{}, err
	}
	n, goal := float64(count), -math.Log(p.Alpha)
	out := func(mean float64) bool { return p.mixture(n, mean) >= goal }
	i := Interval{Lower: 0, Scale: Absolute}
	if out(0) {
		i.Lower = bisect(func(mean float64) bool { return !out(mean) }, 0, n)
	}
	i.Upper = bisect(out, n, upwards(out, n))
	return i, nil
}

// DifferenceInterval returns the confidence sequence of treatment's mean less
// control's: all differences that some pair of means makes tenable. It refuses
// with InvalidArgument.
func (p PoissonCounts) DifferenceInterval(control, treatment int64) (Interval, error) {
	if err := p.check(control, treatment); err != nil {
		return Interval{}, err
	}
	c, t, goal := float64(control), float64(treatment), -math.Log(p.Alpha)
	above := func(d float64) bool { return p.leastAtDifference(c, t, d) >= goal }
	below := func(d float64) bool { return p.leastAtDifference(t, c, d) >= goal }
	return Interval{
		Lower: -bisect(below, c-t, upwards(below, c-t)),
		Upper: bisect(above, t-c, upwards(above, t-c)),
		Scale: Absolute,
	}, nil
}

// upwards returns a point above from at which holds is true.
func upwards(holds func(x float64) bool, from float64) float64 {
	step := 1 + math.Abs(from)/8
	for !holds(from + step) {
		step *= 2
	}
	return from + step
}

// leastAtDifference returns the least of L(c, m) + L(t, m+d) over m. It is convex
// in m, with the derivative 2 - (phi+c)/(phi+m) - (phi+t)/(phi+m+d), whose root is
// that of a quadratic. As in Lindon's anycount, m is not held at or above zero:
// without events in an arm the interval is a little wider than it had to be.
func (p PoissonCounts) leastAtDifference(c, t, d float64) float64 {
	a, b := p.Phi+c, p.Phi+t
	// x = phi+m solves 2x^2 + (2d-a-b) x - a d = 0; its larger root is meant.
	half := (a + b - 2*d) / 4
	root := math.Sqrt(max(0, half*half+a*d/2))
	x := half + root
	if half < 0 && d > 0 { // the form in which nothing cancels
		x = a * d / 2 / (root - half)
	}
	return p.mixture(c, x-p.Phi) + p.mixture(t, x-p.Phi+d)
}

// mixture returns L(n, mean) = phi ln phi - (phi+n) ln(phi+mean) +
// lnGamma(phi+n) - lnGamma(phi) + mean, in a form that does not cancel.
func (p PoissonCounts) mixture(n, mean float64) float64 {
	y, b := p.Phi+n, p.Phi+mean
	return math.Log(p.Phi/y)/2 + stirlingError(y) - stirlingError(p.Phi) + b*poissonExcess((n-mean)/b)
}

func (p PoissonCounts) check(control, treatment int64) error {
	const least, most = 1e-6, 1e12
	if err := checkBetween("tuning phi", p.Phi, least, most); err != nil {
		return err
	}
	if err := checkProbability("alpha", p.Alpha); err != nil {
		return err
	}
	if control < 0 || treatment < 0 {
		return refuse(InvalidArgument, "A count of events cannot be negative; they are %d and %d.", control, treatment)
	}
	return nil
}
