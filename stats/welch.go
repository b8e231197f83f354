package stats

import "math"

// Test is a fixed-horizon test and interval: valid at the one look that was
// planned for it, and at no other. For looks at any time see Sequence.
type Test struct {
	Interval
	Estimate float64 `json:"estimate"`
	SE       float64 `json:"se"`
	T        float64 `json:"t"`
	DF       float64 `json:"df"`
	P        float64 `json:"p"`
	LogP     float64 `json:"log_p"` // ln P, right even where P underflows to 0
}

// Welch returns the two-sided t-test of no effect and the interval at
// confidence level, estimate -/+ t_{df} se (Welch 1947). The p-value is a tail
// of Student's t, never 1 - cdf. It refuses with InvalidArgument for a level
// outside (0, 1), and with NonFinite, ZeroVariance or TooFewUnits for an effect
// that carries no information.
func Welch(e Effect, level float64) (Test, error) {
	test, err := newTest(e, level)
	if err != nil {
		return Test{}, err
	}
	radius := -StudentT{DF: e.DF}.LogQuantile(math.Log1p(-level)-math.Ln2) * test.SE
	test.Interval = e.around(radius)
	test.LogP = min(0, StudentT{DF: e.DF}.logUpper(math.Abs(test.T))+math.Ln2)
	test.P = math.Exp(test.LogP)
	return test, test.check(test.Lower, test.Upper)
}

// WelchOneSided returns the t-test against the side and the one-sided interval
// at confidence level, whose other end is infinite. It refuses as Welch does.
func WelchOneSided(e Effect, level float64, side Side) (Test, error) {
	test, err := newTest(e, level)
	if err != nil {
		return Test{}, err
	}
	if err := side.check(); err != nil {
		return Test{}, err
	}
	radius := -StudentT{DF: e.DF}.LogQuantile(math.Log1p(-level)) * test.SE
	test.Interval = side.interval(e, radius)
	test.LogP = StudentT{DF: e.DF}.Tails(-side.sign() * test.T).LogCDF
	test.P = math.Exp(test.LogP)
	return test, test.check(e.Estimate-radius, e.Estimate+radius)
}

// check refuses a test that left the range of float64; limits are the ends that
// have to be finite.
func (t Test) check(limits ...float64) error {
	if !finite(limits...) || !finite(t.T, t.LogP) {
		return refuse(NonFinite, "The test left the range of floating-point numbers.")
	}
	return nil
}

func newTest(e Effect, level float64) (Test, error) {
	if err := checkProbability("confidence level", level); err != nil {
		return Test{}, err
	}
	if err := e.check(); err != nil {
		return Test{}, err
	}
	se := e.SE()
	return Test{Estimate: e.Estimate, SE: se, T: e.Estimate / se, DF: e.DF}, nil
}
