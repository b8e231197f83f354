package stats

import "math"

// Prior is a normal belief about an effect, on the scale of the effect. The zero
// value is flat. A flat prior with peeking guarantees nothing about false
// positives; N(0, 0.1^2) on a lift is a fair start until past experiments say
// better.
type Prior struct {
	Proper   bool    `json:"proper"`
	Mean     float64 `json:"mean"`
	Variance float64 `json:"variance"`
}

// Times returns a prior on a relative effect as one on the absolute effect over a
// baseline.
func (p Prior) Times(baseline float64) Prior {
	p.Mean *= math.Abs(baseline)
	p.Variance *= baseline * baseline
	return p
}

// Posterior is a read-out for decisions: what is believed about the effect after
// the data. It never replaces a stopping rule.
type Posterior struct {
	Interval
	Mean        float64 `json:"mean"`
	SD          float64 `json:"sd"`
	ChanceToWin float64 `json:"chance_to_win"` // that treatment is better
	// The expected loss, in units of the effect, of choosing an arm that is the
	// worse one.
	LossChoosingControl   float64 `json:"loss_choosing_control"`
	LossChoosingTreatment float64 `json:"loss_choosing_treatment"`
}

// NewPosterior combines an effect with a prior by precision and returns the
// equal-tailed interval of the given level. It refuses with InvalidArgument for
// the level or an improper variance of a proper prior, and as Welch does for the
// effect.
func NewPosterior(e Effect, prior Prior, level float64, lowerIsBetter bool) (Posterior, error) {
	if err := checkProbability("level", level); err != nil {
		return Posterior{}, err
	}
	if err := e.checkVariance(); err != nil {
		return Posterior{}, err
	}
	mean, variance := e.Estimate, e.Variance
	if prior.Proper {
		if err := checkPositive("prior variance", prior.Variance); err != nil {
			return Posterior{}, err
		}
		weight := prior.Variance / (prior.Variance + e.Variance) // of the data
		mean = prior.Mean + weight*(e.Estimate-prior.Mean)
		variance = weight * e.Variance
	}
	sd := math.Sqrt(variance)
	z := -Normal{}.Quantile((1 - level) / 2)
	p := Posterior{
		Interval: Interval{Lower: mean - z*sd, Upper: mean + z*sd, Scale: e.Scale}, Mean: mean, SD: sd,
		ChanceToWin:           math.Erfc(-mean/sd/math.Sqrt2) / 2,
		LossChoosingControl:   sd * expectedGain(mean/sd),
		LossChoosingTreatment: sd * expectedGain(-mean/sd),
	}
	if lowerIsBetter {
		p.ChanceToWin = math.Erfc(mean/sd/math.Sqrt2) / 2
		p.LossChoosingControl, p.LossChoosingTreatment = p.LossChoosingTreatment, p.LossChoosingControl
	}
	if !finite(p.Mean, p.Lower, p.Upper, p.ChanceToWin, p.LossChoosingControl, p.LossChoosingTreatment) {
		return Posterior{}, refuse(NonFinite, "The posterior left the range of floating-point numbers.")
	}
	return p, nil
}

// expectedGain returns E[max(X, 0)] = z Phi(z) + phi(z) of X ~ N(z, 1). Below
// -normalBulk the two terms cancel, and phi(z)(1 - |z| M(|z|)), M Mills' ratio,
// is taken from the continued fraction.
func expectedGain(z float64) float64 {
	if z > -normalBulk {
		return z*math.Erfc(-z/math.Sqrt2)/2 + math.Exp(Normal{}.LogDensity(z))
	}
	x := -z
	mills := millsRatio(x)
	// 1/M = x + f, hence 1 - x M = f M.
	return math.Exp(Normal{}.LogDensity(z)) * mills * millsTail(x)
}
