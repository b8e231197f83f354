package stats

import "math"

// MidExperimentPower asks, while an experiment runs, for the chance to be
// significant if it went on: at F times the units of now more, when the true
// effect is MDE (on the scale of the effect, either direction). Power that falls
// short is a reason to stop for futility or to widen the audience, not evidence.
type MidExperimentPower struct {
	MDE   float64
	Alpha float64
	// Sequence, if its NOpt is not 0, is the confidence sequence that decides, with
	// its own Alpha; else a fixed-horizon interval does.
	Sequence AsympCS
}

// mostFurther is how many times the units of now anybody may still hope for.
const mostFurther = 1e9

// At returns the power after further units, further times those of now; 0 is now.
// It refuses with InvalidArgument, and as Welch does for the effect.
func (m MidExperimentPower) At(e Effect, further float64) (float64, error) {
	if err := checkProbability("alpha", m.Alpha); err != nil {
		return 0, err
	}
	if !(further >= 0 && further <= mostFurther) || !finite(m.MDE) {
		return 0, refuse(InvalidArgument, "Power is for a finite effect and no fewer units than now; they are %v and %v times.",
			m.MDE, further)
	}
	if err := e.check(); err != nil {
		return 0, err
	}
	se := e.SE() / math.Sqrt(1+further)
	reach := -Normal{}.Quantile(m.Alpha / 2)
	if m.Sequence.NOpt != 0 {
		rho2, err := m.Sequence.Rho2()
		if err != nil {
			return 0, err
		}
		reach = normalMixture{k: float64(e.N) * (1 + further) * rho2}.radius(m.Sequence.Alpha)
	}
	shift := m.MDE / se
	return (math.Erfc((reach-shift)/math.Sqrt2) + math.Erfc((reach+shift)/math.Sqrt2)) / 2, nil
}
