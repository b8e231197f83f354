package stats

import "math"

// StudentT is Student's t distribution with DF > 0 degrees of freedom, which
// need not be whole; DF = +Inf is the normal distribution.
//
// All of it is computed in the variable w = sqrt(DF ln(1+t^2/DF)), in which
// every t distribution, Cauchy's included, is nearly normal: with s = w^2/DF
//
//	P(T > t) = C integral from w of exp(-w^2/2) g(w^2/DF) dw,  g(s) = sqrt(s/(1-exp(-s)))
//
// so that tails of 1e-1000000 cost no more than the middle.
type StudentT struct{ DF float64 }

// Tails returns both log tails of t. They are NaN for degrees of freedom that are not
// positive, and for a t that is NaN.
func (d StudentT) Tails(t float64) Tails {
	if !(d.DF > 0) || math.IsNaN(t) {
		return noTails()
	}
	if t < 0 {
		return d.Tails(-t).flip()
	}
	return upperTails(d.logUpper(t))
}

// logUpper returns ln P(T > t) for t >= 0, one half of Tails.
func (d StudentT) logUpper(t float64) float64 {
	if math.IsInf(d.DF, 1) {
		return Normal{}.logUpper(t)
	}
	if math.IsInf(t, 1) {
		return math.Inf(-1)
	}
	ratio := t * t / d.DF
	logRatio := math.Log1p(ratio)
	if ratio > 1e15 { // t^2 may have overflowed; adding 1 no longer matters
		logRatio = 2*math.Log(t) - math.Log(d.DF)
	}
	w := math.Sqrt(d.DF * logRatio)
	return d.logConstant() - w*w/2 + math.Log(d.scaledTail(w))
}

// Quantile returns the t whose lower tail is p in (0, 1), infinite at its ends, and
// NaN outside of them and where Tails are.
func (d StudentT) Quantile(p float64) float64 {
	if p > 0.5 {
		return -d.LogQuantile(math.Log1p(-p))
	}
	return d.LogQuantile(math.Log(p))
}

// LogQuantile returns the t whose lower tail has the logarithm logP < 0. It is
// infinite where t leaves the range of float64, which needs few degrees of
// freedom and a tail below 1e-300, and NaN for a logP above zero and where Tails are.
func (d StudentT) LogQuantile(logP float64) float64 {
	if !(logP <= 0) || !(d.DF > 0) {
		return math.NaN()
	}
	if logP > -math.Ln2 {
		return -d.LogQuantile(min(log1mexp(logP), -math.Ln2))
	}
	w := -Normal{}.LogQuantile(logP)
	if math.IsInf(d.DF, 1) || math.IsInf(w, 1) || math.IsNaN(w) || w == 0 {
		return -w
	}
	logConstant := d.logConstant()
	for range newtonSteps {
		tail := d.scaledTail(w)
		step := (logConstant - w*w/2 + math.Log(tail) - logP) * tail / tailDensity(w*w/d.DF)
		w = max(w+step, 0)
		// The error that a step leaves is step^2 times half the curvature, which is
		// about w as for the normal distribution.
		if math.Abs(step)*(1+w) <= 1e-8 {
			break
		}
	}
	return -math.Sqrt(d.DF * math.Expm1(w*w/d.DF))
}

// logConstant returns ln C = lnGamma((v+1)/2) - lnGamma(v/2) - ln(2 pi)/2 - ln(v/2)/2,
// with the gamma functions in Stirling's form so that nothing large cancels.
func (d StudentT) logConstant() float64 {
	a := d.DF / 2
	return a*math.Log1p(0.5/a) - 0.5 - halfLog2Pi + stirlingError(a+0.5) - stirlingError(a)
}

// scaledTail returns exp(w^2/2) times the integral from w >= 0 to infinity of
// exp(-x^2/2) g(x^2/DF).
func (d StudentT) scaledTail(w float64) float64 {
	if d.DF >= tailSeriesDF && w*w*tailSeriesShare <= d.DF {
		return d.tailSeries(w)
	}
	// Beyond the cut the integrand has fallen by exp(-40) from its start. The
	// inner panel ends at a quarter, because g bends near zero for small DF.
	const cut = 80
	end := math.Sqrt(w*w+cut) - w
	if end < 1e-3 { // the difference of two large numbers
		end = cut / (math.Sqrt(w*w+cut) + w)
	}
	f := func(v float64) float64 {
		x := w + v
		return math.Exp(-v*(w+v/2)) * tailDensity(x*x/d.DF)
	}
	return integrate(f, 0, end/4) + integrate(f, end/4, end)
}

// The asymptotic series is used from tailSeriesDF degrees of freedom while
// w^2 <= DF/tailSeriesShare; its terms then fall below 1e-16.
const (
	tailSeriesDF    = 60
	tailSeriesShare = 3
)

// tailCoefficients are those of g(s) = sqrt(s/(1-exp(-s))) at zero.
var tailCoefficients = [...]float64{
	1, 1.0 / 4, 1.0 / 96, -1.0 / 384, -1.0 / 10240, 19.0 / 368640, 79.0 / 61931520,
	-55.0 / 49545216, -2339.0 / 118908518400, 11813.0 / 475634073600,
	677.0 / 1993133260800, -2117.0 / 3720515420160, -308963.0 / 48753634065776640,
	64604977.0 / 4875363406577664000,
}

// tailSeries integrates g's power series term by term: the integral of
// x^(2k) exp(-x^2/2) from w is w^(2k-1) exp(-w^2/2) + (2k-1) times the one before.
func (d StudentT) tailSeries(w float64) float64 {
	moment := normalMills(w)
	sum := moment
	power, scale := w, 1/d.DF
	for k := 1; k < len(tailCoefficients); k++ {
		moment = power + float64(2*k-1)*moment
		term := tailCoefficients[k] * moment * scale
		sum += term
		if math.Abs(term) <= 1e-17*sum {
			break
		}
		power *= w * w
		scale /= d.DF
	}
	return sum
}

// tailDensity is g(s) = sqrt(s/(1-exp(-s))), 1 at s = 0.
func tailDensity(s float64) float64 {
	if s < 1e-9 {
		return 1 + s/4
	}
	return math.Sqrt(s / -math.Expm1(-s))
}

// normalMills returns Mills' ratio (1-Phi(x))/phi(x) for x >= 0.
func normalMills(x float64) float64 {
	if x < normalBulk {
		return math.Erfc(x/math.Sqrt2) / 2 * math.Exp(x*x/2+halfLog2Pi)
	}
	return millsRatio(x)
}
