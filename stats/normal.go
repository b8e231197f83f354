package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Tails is a point of a distribution seen from both ends: the natural
// logarithms of the probability at or below it and of the one above it. Each is
// computed on its own, so the small one keeps all its digits.
type Tails struct {
	LogCDF float64
	LogSF  float64
}

// flip exchanges the ends.
func (t Tails) flip() Tails { return Tails{LogCDF: t.LogSF, LogSF: t.LogCDF} }

// noTails is what a distribution has where it does not exist.
func noTails() Tails { return Tails{LogCDF: math.NaN(), LogSF: math.NaN()} }

// upperTails makes Tails of the logarithm of the upper tail, which should be
// the smaller one.
func upperTails(logSF float64) Tails {
	return Tails{LogCDF: logComplement(logSF), LogSF: logSF}
}

// Normal is the standard normal distribution.
type Normal struct{}

// LogDensity returns ln of the density.
func (Normal) LogDensity(x float64) float64 { return -x*x/2 - halfLog2Pi }

// Tails returns both log tails; |x| may be as large as 1e150. Those of NaN are NaN.
func (Normal) Tails(x float64) Tails {
	if x < 0 {
		return Normal{}.Tails(-x).flip()
	}
	return upperTails(Normal{}.logUpper(x))
}

// normalBulk is where the continued fraction takes over from erfc, whose
// argument is rounded: a relative error of x^2 eps.
const normalBulk = 6

// millsRatio returns (1-Phi(x))/phi(x) for x >= normalBulk.
func millsRatio(x float64) float64 { return 1 / (x + millsTail(x)) }

// millsTail returns 1/(x+ 2/(x+ 3/(x+ ...))), what Laplace's continued fraction
// for the inverse of Mills' ratio adds to x >= normalBulk.
func millsTail(x float64) float64 {
	const terms = 40 // 1e-17 at 6, and fewer are needed beyond
	f := x
	for k := terms; k >= 2; k-- {
		f = x + float64(k)/f
	}
	return 1 / f
}

// logUpper returns ln P(X > x), one half of Tails.
func (Normal) logUpper(x float64) float64 {
	if x < normalBulk {
		return math.Log(math.Erfc(x/math.Sqrt2) / 2)
	}
	return -x*x/2 - halfLog2Pi + math.Log(millsRatio(x))
}

// Quantile returns the x whose lower tail is p. p = 0 and p = 1 give the
// infinite ends, and anything outside [0, 1] NaN.
func (Normal) Quantile(p float64) float64 {
	if !(p >= 0 && p <= 1) {
		return math.NaN()
	}
	return mathext.NormalQuantile(p) // Wichura's AS 241, good to 1e-16
}

// LogQuantile returns the x whose lower tail has the logarithm logP <= 0, and NaN for
// any other.
func (Normal) LogQuantile(logP float64) float64 {
	const smallestLog = -690 // of a p that is a normal float64
	switch {
	case logP > -math.Ln2:
		return -Normal{}.LogQuantile(min(log1mexp(logP), -math.Ln2))
	case logP > smallestLog:
		return mathext.NormalQuantile(math.Exp(logP))
	case math.IsInf(logP, -1) || math.IsNaN(logP):
		return logP
	}
	// ln Phi is concave and rising: from the left of the root Newton climbs to
	// it. Phi(x) <= exp(-x^2/2)/2 for x <= 0 puts the start there.
	x := -math.Sqrt(-2 * (logP + math.Ln2))
	for range newtonSteps {
		logCDF := Normal{}.logUpper(-x)
		step := (logP - logCDF) * math.Exp(logCDF-Normal{}.LogDensity(x))
		x += step
		if math.Abs(step) <= newtonSettled*math.Abs(x) {
			break
		}
	}
	return x
}

// newtonSettled is the relative step after which one quadratic step more would
// change nothing: the error left is of the order of its square.
const newtonSettled = 1e-11
