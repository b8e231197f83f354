package stats

import "math"

// rootSteps bounds the iterations of every bracketing solver: 64 halvings use
// up the digits of a float64, the rest pays for growing the bracket.
const rootSteps = 300

// monotoneRoot returns the root of a rising function, from a start and a first
// step of the right order. f returns the value and the slope; a slope that is
// zero or not finite is ignored. It grows a bracket, then takes Newton's steps
// that stay inside and halves otherwise.
func monotoneRoot(f func(x float64) (value, slope float64), start, step float64) float64 {
	low, high := math.Inf(-1), math.Inf(1)
	x := start
	smallest := 1e-3 * step // a root nearer to zero than this is known absolutely
	for range rootSteps {
		value, slope := f(x)
		if value == 0 {
			return x
		}
		if value < 0 {
			low = x
		} else {
			high = x
		}
		newton := x - value/slope
		next := newton
		switch {
		case math.IsInf(low, -1) && !(newton > x-16*step && newton < x):
			next, step = x-step, 2*step
		case math.IsInf(high, 1) && !(newton < x+16*step && newton > x):
			next, step = x+step, 2*step
		case !(newton > low && newton < high):
			next = low + (high-low)/2
		}
		size := max(math.Abs(x), smallest)
		settled := 2e-16 * size
		if next == newton {
			settled = newtonSettled * size
		}
		if math.Abs(next-x) <= settled || next == low || next == high {
			return next
		}
		x = next
	}
	return x
}

// bisect returns the point of [low, high] at which holds turns from false to
// true, to the last digit. holds(high) is taken for granted.
func bisect(holds func(x float64) bool, low, high float64) float64 {
	for range rootSteps {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			break
		}
		if holds(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// brent returns the root of a continuous f between a and b, where its signs
// differ, to the last digits (Brent 1973, zeroin).
func brent(f func(x float64) float64, a, b float64) float64 {
	fa, fb := f(a), f(b)
	c, fc := a, fa
	d, e := b-a, b-a
	for range rootSteps {
		if (fb > 0) == (fc > 0) {
			c, fc = a, fa
			d, e = b-a, b-a
		}
		if math.Abs(fc) < math.Abs(fb) {
			a, b, c = b, c, b
			fa, fb, fc = fb, fc, fb
		}
		tolerance := 4e-16*math.Abs(b) + 1e-300
		middle := (c - b) / 2
		if math.Abs(middle) <= tolerance || fb == 0 {
			return b
		}
		if math.Abs(e) >= tolerance && math.Abs(fa) > math.Abs(fb) {
			p, q := interpolate(a, b, c, fa, fb, fc)
			if 2*p < math.Min(3*middle*q-math.Abs(tolerance*q), math.Abs(e*q)) {
				e, d = d, p/q
			} else {
				d, e = middle, middle
			}
		} else {
			d, e = middle, middle
		}
		a, fa = b, fb
		if math.Abs(d) > tolerance {
			b += d
		} else {
			b += math.Copysign(tolerance, middle)
		}
		fb = f(b)
	}
	return b
}

// interpolate returns the step of Brent's method as a ratio p/q with p >= 0: the
// secant's, or that of inverse quadratic interpolation.
func interpolate(a, b, c, fa, fb, fc float64) (p, q float64) {
	s := fb / fa
	middle := (c - b) / 2
	if a == c {
		p, q = 2*middle*s, 1-s
	} else {
		u, r := fa/fc, fb/fc
		p = s * (2*middle*u*(u-r) - (b-a)*(r-1))
		q = (u - 1) * (r - 1) * (s - 1)
	}
	if p > 0 {
		return p, -q
	}
	return -p, q
}
