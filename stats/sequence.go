package stats

import "math"

// Sequence is an anytime-valid result: the interval covers the effect at all
// looks simultaneously with probability 1-alpha, and P is a p-value at every
// look. LogE is the natural logarithm of the e-value against no effect: reject
// when it reaches ln(1/alpha).
type Sequence struct {
	Interval
	Estimate float64 `json:"estimate"`
	LogE     float64 `json:"log_e"`
	P        float64 `json:"p"` // min(1, 1/E) at this look, without a running minimum
}

// newSequence refuses results that left the range of float64; limits are the
// ends of the interval that have to be finite.
func newSequence(i Interval, estimate, logE float64, limits ...float64) (Sequence, error) {
	if !finite(limits...) || !finite(logE) {
		return Sequence{}, refuse(NonFinite, "The confidence sequence left the range of floating-point numbers.")
	}
	return Sequence{Interval: i, Estimate: estimate, LogE: logE, P: pFromE(logE)}, nil
}

// normalMixture is the normal mixture in units of the standard error: the prior
// of the effect is N(0, k V).
type normalMixture struct{ k float64 }

// logE returns -ln(k+1)/2 + k/(2(k+1)) z^2.
func (m normalMixture) logE(z float64) float64 {
	return -math.Log1p(m.k)/2 + m.k/(2*(m.k+1))*(z*z)
}

// radius returns the z at which ln E reaches ln(1/alpha).
func (m normalMixture) radius(alpha float64) float64 {
	return math.Sqrt(2 * (m.k + 1) / m.k * (math.Log1p(m.k)/2 - math.Log(alpha)))
}

func (m normalMixture) twoSided(e Effect, alpha float64) (Sequence, error) {
	se := e.SE()
	i := e.around(se * m.radius(alpha))
	return newSequence(i, e.Estimate, m.logE(e.Estimate/se), i.Lower, i.Upper)
}

// halfNormalMixture is the normal mixture truncated to positive effects:
// E(z) = 2/sqrt(1+k) exp(k z^2/(2(k+1))) Phi(z sqrt(k/(k+1))).
type halfNormalMixture struct{ k float64 }

func (m halfNormalMixture) logE(z float64) float64 {
	w := z * math.Sqrt(m.k/(m.k+1))
	return math.Ln2 - math.Log1p(m.k)/2 + w*w/2 + Normal{}.Tails(w).LogCDF
}

// bound returns the z at which logE reaches target.
func (m halfNormalMixture) bound(target float64) float64 {
	goal := target - math.Ln2 + math.Log1p(m.k)/2
	return invertHalfNormal(goal) / math.Sqrt(m.k/(m.k+1))
}

// invertHalfNormal returns the w at which w^2/2 + ln Phi(w) reaches goal. The
// function rises and is convex, so Newton from above falls to the root.
func invertHalfNormal(goal float64) float64 {
	w := math.Sqrt(2 * max(goal+math.Ln2, 0)) // Phi(w) >= 1/2 from 0 on
	for range newtonSteps {
		logCDF := Normal{}.Tails(w).LogCDF
		value := w*w/2 + logCDF - goal
		w -= value / (w + math.Exp(Normal{}.LogDensity(w)-logCDF))
		if math.Abs(value) <= newtonSettled*math.Max(1, math.Abs(goal)) {
			break
		}
	}
	return w
}

// MSPRT is the mixture sequential probability ratio test with the prior
// N(Theta0, Tau2) on the effect (Johari, Koomen, Pekelis and Walsh 2022). It is
// exact for normal estimates of known variance. Tau2 is in squared units of the
// effect and must be fixed before the data; one that is a hundred times from the
// squared effect of interest costs most of the power.
type MSPRT struct {
	Alpha  float64
	Tau2   float64
	Theta0 float64 // the effect under the hypothesis that LogE and P test
}

// TwoSided returns ln E = ln(V/(V+tau2))/2 + tau2 (est-theta0)^2/(2V(V+tau2))
// and the interval est -/+ sqrt(V(V+tau2)/tau2 (ln((V+tau2)/V) + 2 ln(1/alpha))).
// It refuses with InvalidArgument for the settings, and as Welch does for the
// effect, of which it needs neither the units nor the degrees of freedom.
func (m MSPRT) TwoSided(e Effect) (Sequence, error) {
	if err := checkProbability("alpha", m.Alpha); err != nil {
		return Sequence{}, err
	}
	if err := checkPositive("prior variance", m.Tau2); err != nil {
		return Sequence{}, err
	}
	if err := e.checkVariance(); err != nil {
		return Sequence{}, err
	}
	shifted := e
	shifted.Estimate -= m.Theta0
	s, err := normalMixture{k: m.Tau2 / e.Variance}.twoSided(shifted, m.Alpha)
	if err != nil {
		return Sequence{}, err
	}
	s.Estimate = e.Estimate
	s.Lower += m.Theta0
	s.Upper += m.Theta0
	if !finite(s.Lower, s.Upper) {
		return Sequence{}, refuse(NonFinite, "The confidence sequence left the range of floating-point numbers.")
	}
	return s, nil
}
