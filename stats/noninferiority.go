package stats

import "math"

// NonInferiority asks whether treatment is worse than control by less than a
// margin: the question of a guardrail. The power of such a test is planned at a
// true effect of zero.
type NonInferiority struct {
	// Margin > 0 is the tolerated loss, on the scale of the effect: in units of
	// the metric, as a fraction, or ln(1+lift) for a log-ratio.
	Margin         float64
	HigherIsBetter bool
	Alpha          float64 // one-sided
}

// NonInferiorityTest is the answer at one look.
type NonInferiorityTest struct {
	T           float64 `json:"t"`
	DF          float64 `json:"df"`
	P           float64 `json:"p"`
	LogP        float64 `json:"log_p"`
	Bound       float64 `json:"bound"` // one-sided limit of the effect on its bad side
	NonInferior bool    `json:"non_inferior"`
}

// Test returns the one-sided t-test with t = (est+margin)/se where higher is
// better and (margin-est)/se where lower is. It refuses with InvalidArgument for
// the settings, and as Welch does for the effect.
func (n NonInferiority) Test(e Effect) (NonInferiorityTest, error) {
	if err := n.check(); err != nil {
		return NonInferiorityTest{}, err
	}
	good := n.goodSide()
	test, err := WelchOneSided(n.shift(e), 1-n.Alpha, good)
	if err != nil {
		return NonInferiorityTest{}, err
	}
	radius := -StudentT{DF: e.DF}.LogQuantile(math.Log(n.Alpha)) * test.SE
	return NonInferiorityTest{
		T: good.sign() * test.T, DF: e.DF, P: test.P, LogP: test.LogP,
		Bound:       e.Estimate - good.sign()*radius,
		NonInferior: test.P < n.Alpha,
	}, nil
}

// GuardrailState is what an anytime-valid guardrail has shown so far.
type GuardrailState string

// The states of a guardrail.
const (
	GuardrailSafe      GuardrailState = "safe"      // any loss is smaller than the margin
	GuardrailHarm      GuardrailState = "harm"      // treatment is worse than control
	GuardrailUndecided GuardrailState = "undecided" // neither is shown yet
)

// GuardrailSequence is the answer of a guardrail that is valid at every look.
// Both directions are watched at once, each with its own error probability.
type GuardrailSequence struct {
	State GuardrailState `json:"state"`
	// WorstCase limits the effect on its bad side, BestCase on its good side;
	// each holds at all looks with probability 1-alpha.
	WorstCase float64 `json:"worst_case"`
	BestCase  float64 `json:"best_case"`
	LogESafe  float64 `json:"log_e_safe"` // against a loss of the margin or more
	LogEHarm  float64 `json:"log_e_harm"` // against no loss
}

// Watch returns the state under one-sided confidence sequences tuned for nOpt
// units of both arms; see AsympCS for their validity. A loss that is real but
// smaller than the margin is Safe. It refuses as Test does.
func (n NonInferiority) Watch(e Effect, nOpt int64) (GuardrailSequence, error) {
	if err := n.check(); err != nil {
		return GuardrailSequence{}, err
	}
	good := n.goodSide()
	bad := Less
	if good == Less {
		bad = Greater
	}
	cs := AsympCS{Alpha: n.Alpha, NOpt: nOpt}
	safe, err := cs.OneSided(n.shift(e), good)
	if err != nil {
		return GuardrailSequence{}, err
	}
	harm, err := cs.OneSided(e, bad)
	if err != nil {
		return GuardrailSequence{}, err
	}
	g := GuardrailSequence{State: GuardrailUndecided, LogESafe: safe.LogE, LogEHarm: harm.LogE}
	if n.HigherIsBetter {
		g.WorstCase, g.BestCase = safe.Lower-n.Margin, harm.Upper
	} else {
		g.WorstCase, g.BestCase = safe.Upper+n.Margin, harm.Lower
	}
	threshold := -math.Log(n.Alpha)
	switch {
	case safe.LogE >= threshold:
		g.State = GuardrailSafe
	case harm.LogE >= threshold:
		g.State = GuardrailHarm
	}
	return g, nil
}

// shift moves the effect so that the loss of the margin becomes zero.
func (n NonInferiority) shift(e Effect) Effect {
	e.Estimate += n.goodSide().sign() * n.Margin
	return e
}

// goodSide is the direction in which treatment is better.
func (n NonInferiority) goodSide() Side {
	if n.HigherIsBetter {
		return Greater
	}
	return Less
}

func (n NonInferiority) check() error {
	if err := checkProbability("alpha", n.Alpha); err != nil {
		return err
	}
	return checkPositive("margin", n.Margin)
}
