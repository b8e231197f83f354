package stats

import "math"

// NoncentralT is the distribution of (Z+Shift)/sqrt(X/DF) with Z standard
// normal and X chi-square with DF > 0 degrees of freedom: that of a t statistic
// under an alternative.
type NoncentralT struct{ DF, Shift float64 }

// Tails returns both log tails of t, by integrating the normal tail over the
// distribution of u = sqrt(X/DF). The relative error is below 1e-11. They are NaN for
// degrees of freedom that are not positive, and for a shift or a t that is not finite.
func (d NoncentralT) Tails(t float64) Tails {
	if !(d.DF > 0) || !finite(d.Shift, t) {
		return noTails()
	}
	return Tails{LogCDF: NoncentralT{DF: d.DF, Shift: -d.Shift}.logUpper(-t), LogSF: d.logUpper(t)}
}

// logUpper returns ln P(T > t).
func (d NoncentralT) logUpper(t float64) float64 {
	if math.IsInf(d.DF, 1) {
		return Normal{}.Tails(t - d.Shift).LogSF
	}
	return d.logTail(func(u float64) float64 { return Normal{}.Tails(t*u - d.Shift).LogSF })
}

// logTail returns ln of the mean of exp(logTailAt(u)) over the scaled chi
// distribution of u. The integrand is log-concave in ln u, whose density is
// proportional to exp(DF (l - exp(2l)/2)).
func (d NoncentralT) logTail(logTailAt func(u float64) float64) float64 {
	weight := func(l float64) float64 {
		return d.DF*logExcess(2*l)/2 + logTailAt(math.Exp(l))
	}
	width := 1 / math.Sqrt(2*d.DF)
	peak := maximum(weight, 0, width)
	top := weight(peak)
	if math.IsInf(top, -1) {
		return top
	}
	above := logTailIntegral(func(v float64) float64 { return weight(peak+v) - top }, math.Inf(1), width)
	below := logTailIntegral(func(v float64) float64 { return weight(peak-v) - top }, math.Inf(1), width)
	// The normalising constant of exp(DF (l + 1/2 - exp(2l)/2)).
	a := d.DF / 2
	logConstant := math.Log(2) + math.Log(a)/2 - halfLog2Pi - stirlingError(a)
	return min(0, top+logSum(above, below)+logConstant)
}

// logExcess returns x - (exp(x)-1), at most 0, without the cancellation at small x.
func logExcess(x float64) float64 {
	growth := math.Expm1(x)
	if math.Abs(x) > 0.4 {
		return x - growth
	}
	return log1pmx(growth)
}

// maximum returns the point, to a hundred-thousandth of width, where a unimodal f is
// largest, by growing and then shrinking steps.
func maximum(f func(x float64) float64, start, width float64) float64 {
	x, best := start, f(start)
	for step := width; math.Abs(step) > 1e-5*width; {
		switch forward, back := f(x+step), f(x-step); {
		case forward > best:
			x, best = x+step, forward
			step *= 2
		case back > best:
			x, best = x-step, back
			step *= -2
		default:
			step /= 4
		}
	}
	return x
}

// logSum returns ln(exp(a)+exp(b)).
func logSum(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(a, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
