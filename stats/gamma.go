package stats

import "math"

// Gamma is the gamma distribution with shape Shape > 0 and scale 1.
type Gamma struct{ Shape float64 }

// largeShape is where quadrature takes over from the series and the continued
// fraction, which need of the order of sqrt(shape) terms.
const largeShape = 2000

// Tails returns both log tails of x: ln P(Shape, x) and ln Q(Shape, x), the
// regularised incomplete gamma functions. They are NaN for a shape that is not
// positive and finite, and for an x that is NaN.
func (g Gamma) Tails(x float64) Tails {
	switch {
	case !(g.Shape > 0) || math.IsInf(g.Shape, 1) || math.IsNaN(x):
		return noTails()
	case x <= 0:
		return Tails{LogCDF: math.Inf(-1)}
	case math.IsInf(x, 1):
		return Tails{LogSF: math.Inf(-1)}
	}
	a := g.Shape
	if x < a || a < 1 && x < 1 {
		logP := g.logLower(x)
		return Tails{LogCDF: min(logP, 0), LogSF: logComplement(logP)}
	}
	logQ := g.logUpper(x)
	return Tails{LogCDF: logComplement(logQ), LogSF: min(logQ, 0)}
}

// logPrefix returns ln(x^a exp(-x)/Gamma(a)) without cancellation.
func (g Gamma) logPrefix(x float64) float64 {
	a := g.Shape
	return a*logRatioExcess(x, a, x-a) + math.Log(a)/2 - halfLog2Pi - stirlingError(a)
}

func (g Gamma) logLower(x float64) float64 {
	a := g.Shape
	if a >= largeShape {
		// The density at x-v over that at x, v in [0, x].
		fall := func(v float64) float64 { return (a-1)*log1pmx(-v/x) + v*(x-a+1)/x }
		return g.logPrefix(x) - math.Log(x) + logTailIntegral(fall, x, math.Sqrt(a))
	}
	// P = prefix * sum of x^k/(a (a+1) ... (a+k)).
	term := 1 / a
	sum := term
	for k := 1.0; term > 1e-17*sum; k++ {
		term *= x / (a + k)
		sum += term
	}
	return g.logPrefix(x) + math.Log(sum)
}

func (g Gamma) logUpper(x float64) float64 {
	a := g.Shape
	if a >= largeShape {
		fall := func(v float64) float64 { return (a-1)*log1pmx(v/x) + v*(a-1-x)/x }
		return g.logPrefix(x) - math.Log(x) + logTailIntegral(fall, math.Inf(1), math.Sqrt(a))
	}
	// Legendre's continued fraction by the modified Lentz algorithm.
	b := x + 1 - a
	if b < lentzTiny {
		b = lentzTiny
	}
	c, d := 1/lentzTiny, 1/b
	h := d
	for i := 1.0; i < lentzSteps; i++ {
		an := -i * (i - a)
		b += 2
		d = 1 / awayFromZero(an*d+b)
		c = awayFromZero(b + an/c)
		h *= d * c
		if math.Abs(d*c-1) < 1e-16 {
			break
		}
	}
	return g.logPrefix(x) + math.Log(h)
}

// The modified Lentz algorithm (Thompson and Barnett 1986) replaces zeros by
// lentzTiny; lentzSteps bounds it far above the terms that any argument needs.
const (
	lentzTiny  = 1e-300
	lentzSteps = 1_000_000
)

func awayFromZero(x float64) float64 {
	if math.Abs(x) < lentzTiny {
		return lentzTiny
	}
	return x
}

// logComplement returns ln(1-exp(x)) for x <= 0; rounding just above counts as 0.
func logComplement(x float64) float64 {
	if x >= 0 {
		return math.Inf(-1)
	}
	return log1mexp(x)
}

// ChiSquare is the chi-square distribution with DF > 0 degrees of freedom.
type ChiSquare struct{ DF float64 }

// Tails returns both log tails of x, and NaN where Gamma's are.
func (c ChiSquare) Tails(x float64) Tails { return Gamma{Shape: c.DF / 2}.Tails(x / 2) }

// F is Fisher's distribution with DF1 and DF2 > 0 degrees of freedom.
type F struct{ DF1, DF2 float64 }

// Tails returns both log tails of f. They are NaN for degrees of freedom that are not
// positive and finite, and for an f that is NaN.
func (d F) Tails(f float64) Tails {
	if !(d.DF1 > 0) || !(d.DF2 > 0) || !finite(d.DF1, d.DF2) || math.IsNaN(f) {
		return noTails()
	}
	if f <= 0 {
		return Tails{LogCDF: math.Inf(-1)}
	}
	weighted := d.DF1 * f
	sum := weighted + d.DF2
	if math.IsInf(sum, 1) {
		return Tails{LogSF: math.Inf(-1)}
	}
	return Beta{A: d.DF1 / 2, B: d.DF2 / 2}.tails(weighted/sum, d.DF2/sum)
}
