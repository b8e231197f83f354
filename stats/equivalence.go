package stats

import "math"

// Equivalence asks whether an effect lies within a margin of zero on both sides:
// the question of a change that must not be noticed. It is two non-inferiority
// tests, each at Alpha, of which both must pass (two one-sided tests, Schuirmann
// 1987); the probability to pass when the effect is at or beyond either margin is
// at most Alpha.
type Equivalence struct {
	Margin float64 // > 0, on the scale of the effect
	Alpha  float64
}

// EquivalenceTest is the answer at one look.
type EquivalenceTest struct {
	Interval           // with 1-2 Alpha: equivalent when it lies within the margins
	P          float64 `json:"p"` // the larger one of the two tests
	LogP       float64 `json:"log_p"`
	Equivalent bool    `json:"equivalent"`
}

// Test returns the two one-sided t-tests. It refuses as NonInferiority.Test does.
func (q Equivalence) Test(e Effect) (EquivalenceTest, error) {
	above, err := NonInferiority{Margin: q.Margin, Alpha: q.Alpha, HigherIsBetter: true}.Test(e)
	if err != nil {
		return EquivalenceTest{}, err
	}
	below, err := NonInferiority{Margin: q.Margin, Alpha: q.Alpha}.Test(e)
	if err != nil {
		return EquivalenceTest{}, err
	}
	return EquivalenceTest{
		Interval:   Interval{Lower: above.Bound, Upper: below.Bound, Scale: e.Scale},
		P:          max(above.P, below.P),
		LogP:       max(above.LogP, below.LogP),
		Equivalent: above.NonInferior && below.NonInferior,
	}, nil
}

// EquivalenceState is what an anytime-valid test of equivalence has shown so far.
type EquivalenceState string

// The states of equivalence.
const (
	Equivalent         EquivalenceState = "equivalent" // the effect is within the margins
	NotEquivalent      EquivalenceState = "different"  // it is beyond one of them
	EquivalenceUnknown EquivalenceState = "undecided"  // neither is shown yet
)

// EquivalenceSequence is the answer that is valid at every look.
type EquivalenceSequence struct {
	Interval                        // both one-sided bounds, each at Alpha
	State          EquivalenceState `json:"state"`
	LogEEquivalent float64          `json:"log_e_equivalent"` // the smaller of the two
	LogEDifferent  float64          `json:"log_e_different"`  // the mean of those against an effect at or within either margin
}

// Watch returns the state under one-sided confidence sequences tuned for nOpt
// units of both arms; see AsympCS for their validity. Each of Equivalent and
// NotEquivalent is false with probability at most Alpha at all looks together:
// equivalence must pass against both margins, and what speaks for a difference is
// averaged over them (MeanLogE). It refuses as Test does.
func (q Equivalence) Watch(e Effect, nOpt int64) (EquivalenceSequence, error) {
	if err := (NonInferiority{Margin: q.Margin, Alpha: q.Alpha}).check(); err != nil {
		return EquivalenceSequence{}, err
	}
	cs := AsympCS{Alpha: q.Alpha, NOpt: nOpt}
	// One-sided e-values against the effect being on the other side of a point.
	against := func(point float64, side Side) (Sequence, error) {
		moved := e
		moved.Estimate -= point
		return cs.OneSided(moved, side)
	}
	aboveLow, err := against(-q.Margin, Greater)
	if err != nil {
		return EquivalenceSequence{}, err
	}
	belowHigh, err := against(q.Margin, Less)
	if err != nil {
		return EquivalenceSequence{}, err
	}
	aboveHigh, err := against(q.Margin, Greater)
	if err != nil {
		return EquivalenceSequence{}, err
	}
	belowLow, err := against(-q.Margin, Less)
	if err != nil {
		return EquivalenceSequence{}, err
	}
	different, err := MeanLogE([]float64{aboveHigh.LogE, belowLow.LogE})
	if err != nil {
		return EquivalenceSequence{}, err
	}
	s := EquivalenceSequence{
		Interval:       Interval{Lower: aboveLow.Lower - q.Margin, Upper: belowHigh.Upper + q.Margin, Scale: e.Scale},
		State:          EquivalenceUnknown,
		LogEEquivalent: min(aboveLow.LogE, belowHigh.LogE),
		LogEDifferent:  different,
	}
	switch goal := -math.Log(q.Alpha); {
	case s.LogEEquivalent >= goal:
		s.State = Equivalent
	case s.LogEDifferent >= goal:
		s.State = NotEquivalent
	}
	return s, nil
}
