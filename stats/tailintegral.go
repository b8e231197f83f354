package stats

import "math"

// Tails that are integrated stop where the integrand has fallen by tailDrop in
// logarithm: what lies beyond is below 1e-16 of the whole.
const tailDrop = 42

// logTailIntegral returns ln of the integral of exp(fall(v)) over v from 0 to
// end, where fall(0) = 0 and fall is concave and falling. guess is any positive
// estimate of the width.
func logTailIntegral(fall func(v float64) float64, end, guess float64) float64 {
	cut := dropPoint(fall, end, guess)
	f := func(v float64) float64 { return math.Exp(fall(v)) }
	value, upper := 0.0, cut
	for range tailPanels - 1 {
		value += integrate(f, upper/2, upper)
		upper /= 2
	}
	return math.Log(value + integrate(f, 0, upper))
}

// tailPanels is the number of panels, each half as wide as the next, because
// densities bend near the start and are smooth far out.
const tailPanels = 6

// dropPoint returns a v in (0, end] at which fall has reached roughly -tailDrop,
// or end when it never does.
func dropPoint(fall func(v float64) float64, end, guess float64) float64 {
	high := min(guess, end)
	for high < end && fall(high) > -tailDrop {
		high = min(2*high, end)
	}
	low := 0.0
	for range newtonSteps {
		if drop := fall(high); drop > -1.5*tailDrop && !math.IsNaN(drop) {
			return high
		}
		middle := (low + high) / 2
		if drop := fall(middle); drop > -tailDrop {
			low = middle
			if high-low < 0.01*high {
				return high
			}
			continue
		}
		high = middle
	}
	return high
}
