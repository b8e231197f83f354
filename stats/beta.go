package stats

import "math"

// Beta is the beta distribution with parameters A > 0 and B > 0.
type Beta struct{ A, B float64 }

// Tails returns both log tails of x: ln I_x(A, B) and ln I_{1-x}(B, A), the
// regularised incomplete beta function. They are NaN for parameters that are not
// positive and finite, and for an x that is NaN.
func (d Beta) Tails(x float64) Tails {
	if !d.exists() || math.IsNaN(x) {
		return noTails()
	}
	return d.tails(x, 1-x)
}

// exists tells whether there is such a distribution.
func (d Beta) exists() bool { return d.A > 0 && d.B > 0 && finite(d.A, d.B) }

// tails takes x and y = 1-x apart, because near an end only one of them is exact.
func (d Beta) tails(x, y float64) Tails {
	switch {
	case x <= 0:
		return Tails{LogCDF: math.Inf(-1)}
	case y <= 0:
		return Tails{LogSF: math.Inf(-1)}
	}
	if x > d.A/(d.A+d.B) {
		return upperTails(min(d.swap().logLower(y, x), 0))
	}
	return upperTails(min(d.logLower(x, y), 0)).flip()
}

// swap is the distribution of 1-x.
func (d Beta) swap() Beta { return Beta{A: d.B, B: d.A} }

// logPrefix returns ln(x^A y^B / Beta(A, B)) without cancellation.
func (d Beta) logPrefix(x, y float64) float64 {
	n := d.A + d.B
	p, q := d.A/n, d.B/n
	// A ln(x/p) + B ln(y/q), in which A (x-p)/p + B (y-q)/q = 0. On the side
	// where x is known better than 1-y, the difference is taken there.
	shift := x - p
	if y < x {
		shift = q - y
	}
	deviance := d.A*logRatioExcess(x, p, shift) + d.B*logRatioExcess(y, q, -shift)
	return deviance + math.Log(d.A)/2 + math.Log(q)/2 - halfLog2Pi +
		stirlingError(n) - stirlingError(d.A) - stirlingError(d.B)
}

// logLower returns ln I_x for x at or below the mean.
func (d Beta) logLower(x, y float64) float64 {
	if min(d.A, d.B) >= largeShape {
		fall := func(v float64) float64 {
			return (d.A-1)*log1pmx(-v/x) + (d.B-1)*log1pmx(v/y) - v*((d.A-1)/x-(d.B-1)/y)
		}
		n := d.A + d.B
		if d.A-1 >= (n-2)*x { // at or below the mode the density falls away from x
			width := math.Sqrt(d.A/n*(d.B/n)/n) + x/n
			return d.logPrefix(x, y) - math.Log(x) - math.Log(y) + logTailIntegral(fall, x, width)
		}
	}
	return d.logPrefix(x, y) - math.Log(d.A) + math.Log(d.fraction(x))
}

// fraction is the continued fraction of I_x A/prefix by the modified Lentz
// algorithm; it converges fast at or below the mean.
func (d Beta) fraction(x float64) float64 {
	a, b := d.A, d.B
	c := 1.0
	e := 1 / awayFromZero(1-(a+b)*x/(a+1))
	h := e
	for m := 1.0; m < lentzSteps; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		e = 1 / awayFromZero(1+even*e)
		c = awayFromZero(1 + even/c)
		h *= e * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		e = 1 / awayFromZero(1+odd*e)
		c = awayFromZero(1 + odd/c)
		h *= e * c
		if math.Abs(e*c-1) < 1e-16 {
			break
		}
	}
	return h
}

// Quantile returns the x whose lower tail is p in [0, 1], and NaN outside of it and
// where Tails are.
func (d Beta) Quantile(p float64) float64 {
	if !(p >= 0 && p <= 1) || !d.exists() {
		return math.NaN()
	}
	if p <= 0 {
		return 0
	}
	if p >= 1 {
		return 1
	}
	if p > 0.5 && math.Exp(d.Tails(0.5).LogCDF) < p { // x above one half: 1-x is the exact one
		return 1 - d.swap().lowerQuantile(math.Log1p(-p), false)
	}
	return d.lowerQuantile(math.Log(p), false)
}

// UpperQuantile returns the x whose upper tail is p in [0, 1], and NaN outside of it
// and where Tails are.
func (d Beta) UpperQuantile(p float64) float64 {
	if !(p >= 0 && p <= 1) || !d.exists() {
		return math.NaN()
	}
	if p <= 0 {
		return 1
	}
	if p >= 1 {
		return 0
	}
	return d.lowerQuantile(math.Log(p), true)
}

// lowerQuantile solves ln tail = logP for the lower or the upper tail by
// bisection on ln(x/(1-x)) that Newton's steps accelerate.
func (d Beta) lowerQuantile(logP float64, upper bool) float64 {
	value := func(logit float64) (gap, slope float64) {
		x, y := logistic(logit)
		tails := d.tails(x, y)
		logDensity := d.logPrefix(x, y) // of the logit
		if upper {
			return logP - tails.LogSF, math.Exp(logDensity - tails.LogSF)
		}
		return tails.LogCDF - logP, math.Exp(logDensity - tails.LogCDF)
	}
	mean := math.Log(d.A) - math.Log(d.B)
	logit := monotoneRoot(value, mean, 1/math.Sqrt(min(d.A, d.B)))
	x, _ := logistic(logit)
	return x
}

// logistic returns x = 1/(1+exp(-l)) and 1-x.
func logistic(l float64) (x, y float64) {
	if l < 0 {
		e := math.Exp(l)
		return e / (1 + e), 1 / (1 + e)
	}
	e := math.Exp(-l)
	return 1 / (1 + e), e / (1 + e)
}
