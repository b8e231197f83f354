package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// stitching is the constants of the stitched boundaries of Howard et al. 2021.
type stitching struct{ s, eta float64 }

func (k stitching) check() error {
	const mostExponent, mostSpacing = 20, 1e6 // 1.4 and 2 are usual
	if !(k.s > 1 && k.s <= mostExponent) || !(k.eta > 1 && k.eta <= mostSpacing) {
		return refuse(InvalidArgument, "Stitching needs an exponent from 1 to %v and a spacing from 1 to %v; they are %v and %v.",
			mostExponent, mostSpacing, k.s, k.eta)
	}
	return nil
}

// k1 and k2 of equation 10 of the paper.
func (k stitching) k1() float64 { return (math.Pow(k.eta, 0.25) + math.Pow(k.eta, -0.25)) / math.Sqrt2 }
func (k stitching) k2() float64 { return (math.Sqrt(k.eta) + 1) / 2 }

func zeta(s float64) float64 { return mathext.Zeta(s, 1) }

// PolynomialStitching is the closed-form boundary that grows like
// sqrt(V ln ln V) from VMin on, for sub-gamma processes with scale C >= 0. S > 1
// is the exponent and Eta > 1 the spacing of the epochs; 1.4 and 2 are usual.
type PolynomialStitching struct{ VMin, C, S, Eta float64 }

// Bound returns sqrt(k1^2 w l + (k2 c l)^2) + k2 c l at w = max(v, VMin), with
// l = s ln ln(eta w/VMin) + ln(zeta(s)/(alpha ln^s eta)). It refuses with
// InvalidArgument.
func (p PolynomialStitching) Bound(v, alpha float64) (float64, error) {
	k := stitching{s: p.S, eta: p.Eta}
	if err := k.check(); err != nil {
		return 0, err
	}
	if err := checkBetween("smallest intrinsic time", p.VMin, leastTime, mostTime); err != nil {
		return 0, err
	}
	if err := checkBetween("scale of the process", p.C, 0, mostScale); err != nil {
		return 0, err
	}
	if err := checkBound(v, alpha); err != nil {
		return 0, err
	}
	w := max(v, p.VMin)
	l := p.S*math.Log(math.Log(p.Eta*w/p.VMin)) +
		math.Log(zeta(p.S)) - p.S*math.Log(math.Log(p.Eta)) - math.Log(alpha)
	linear := k.k2() * p.C * l
	return ranged("bound", math.Sqrt(k.k1()*k.k1()*w*l+linear*linear)+linear)
}

// DoubleStitching is the boundary for the deviation of an empirical cdf that
// holds for all times and all quantile levels at once (Howard and Ramdas 2022).
// TOpt is the number of values from which it is meant to be tight, Delta the
// spacing of levels on the logit scale.
type DoubleStitching struct{ TOpt, Delta, S, Eta float64 }

// Bound returns the limit on t (F_t(q_p) - p), the deviation in values, at time
// t and quantile level p. It refuses with InvalidArgument.
func (d DoubleStitching) Bound(p, t, alpha float64) (float64, error) {
	k := stitching{s: d.S, eta: d.Eta}
	if err := k.check(); err != nil {
		return 0, err
	}
	if err := checkProbability("quantile level", p); err != nil {
		return 0, err
	}
	if err := checkBetween("time of the tuning", d.TOpt, leastTime, mostTime); err != nil {
		return 0, err
	}
	if err := checkBetween("spacing of levels", d.Delta, leastScale, mostScale); err != nil {
		return 0, err
	}
	if err := checkBound(t, alpha); err != nil {
		return 0, err
	}
	t = max(t, d.TOpt)
	logit := math.Log(p) - math.Log1p(-p)
	level := p
	if p < 0.5 {
		raised, _ := logistic(logit + 2*d.Delta*math.Sqrt(d.TOpt*d.Eta/t))
		level = min(0.5, raised)
	}
	q := level * (1 - level)
	j := math.Sqrt(t/d.TOpt)*math.Abs(logit)/(2*d.Delta) + 1
	z := zeta(d.S)
	l := d.S*math.Log(math.Log(d.Eta*t/d.TOpt)) + d.S*math.Log(j) +
		math.Log(2*z*(2*z+1)) - math.Log(alpha) - d.S*math.Log(math.Log(d.Eta))
	linear := k.k2() * (1 - 2*p) / 3 * l
	return ranged("bound", d.Delta*math.Sqrt(d.Eta*t*q/d.TOpt)+math.Sqrt(k.k1()*k.k1()*q*t*l+linear*linear)+linear)
}

// EmpiricalProcessLIL is the time-uniform band for a whole empirical cdf (Howard
// and Ramdas 2022, theorem 2): sup |F_t - F| stays below Bound from TMin on. A
// must exceed 1/sqrt(2); 0.85 is usual.
type EmpiricalProcessLIL struct{ TMin, A float64 }

// Bound returns A sqrt((ln(1+ln(t/TMin)) + C)/t), where C makes the crossing
// probability alpha. It is infinite before TMin, where nothing is promised. It
// refuses with InvalidArgument, or NoSolution.
func (e EmpiricalProcessLIL) Bound(t, alpha float64) (float64, error) {
	if err := checkBetween("first time", e.TMin, leastTime, mostTime); err != nil {
		return 0, err
	}
	const mostFactor = 100
	if !(e.A > math.Sqrt2/2 && e.A <= mostFactor) {
		return 0, refuse(InvalidArgument, "The factor of the band lies above 0.7071 and at most at %v; it is %v.", mostFactor, e.A)
	}
	if err := checkBound(t, alpha); err != nil {
		return 0, err
	}
	if t < e.TMin {
		return math.Inf(1), nil
	}
	logAlpha := math.Log(alpha)
	enough := func(c float64) bool { return e.logCrossing(c) <= logAlpha }
	const largest = 1e6 // C is of the order of ln(1/alpha)
	if !enough(largest) {
		return 0, refuse(NoSolution, "No band with the factor %v has the crossing probability %v.", e.A, alpha)
	}
	c := bisect(enough, 0, largest)
	return e.A * math.Sqrt((math.Log1p(math.Log(t/e.TMin))+c)/t), nil
}

// logCrossing returns ln of the least over eta of
// 4 exp(-g C)(1+1/((g-1) ln eta)), g = (2/eta)(A - sqrt(2(eta-1)/C))^2 > 1.
func (e EmpiricalProcessLIL) logCrossing(c float64) float64 {
	gamma := func(eta float64) float64 {
		root := e.A - math.Sqrt(2*(eta-1)/c)
		if root <= 0 {
			return 0
		}
		return 2 / eta * root * root
	}
	// gamma falls from 2A^2 > 1 at eta = 1; let x = eta-1 in (0, xMax).
	xMax := 1.0
	for gamma(1+xMax) > 1 {
		xMax *= 2
	}
	xMax = bisect(func(x float64) bool { return gamma(1+x) <= 1 }, 0, xMax)
	value := func(logit float64) float64 {
		share, _ := logistic(logit)
		x := share * xMax
		g := gamma(1 + x)
		if g <= 1 || x == 0 {
			return math.Inf(-1)
		}
		return g*c - math.Log1p(1/((g-1)*math.Log1p(x))) // to be maximised
	}
	return math.Log(4) - value(maximum(value, 0, 1))
}
