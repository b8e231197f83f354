package stats

import "math"

// Scale says in which units an Effect and its intervals are.
type Scale string

// The scales of an Effect.
const (
	// Absolute is treatment minus control in units of the metric.
	Absolute Scale = "absolute"
	// LogRatio is ln(treatment/control). Its intervals become lifts by exp(x)-1
	// and so never pass -100 %.
	LogRatio Scale = "log_ratio"
	// Fraction is (treatment-control)/|control|, with a delta-method variance.
	Fraction Scale = "fraction"
)

// FiellerWarn is the value of Fieller's g above which the relative effect of a
// comparison deserves a warning: the baseline is within about 6 standard errors
// of zero and intervals of a ratio grow visibly asymmetric.
const FiellerWarn = 0.1

// fiellerZ is the standard normal quantile for the 95 % interval at which g is
// evaluated.
const fiellerZ = quantileZ

// Effect is treatment against control: an estimate, its variance (the squared
// standard error) and what inference needs beside them. How it came about no
// longer matters.
type Effect struct {
	Estimate float64 `json:"estimate"`
	Variance float64 `json:"variance"`
	DF       float64 `json:"df"` // Welch-Satterthwaite degrees of freedom
	N        int64   `json:"n"`  // units of both arms
	Scale    Scale   `json:"scale"`
	// FiellerG is z^2 V/mean^2 of the baseline, z for 95 %; 0 on the absolute
	// scale. At 1 the confidence set of the ratio becomes unbounded.
	FiellerG float64 `json:"fieller_g,omitempty"`
}

// SE returns the standard error.
func (e Effect) SE() float64 { return math.Sqrt(e.Variance) }

// Lift returns the estimate as a fraction of control. It is false on the
// absolute scale.
func (e Effect) Lift() (float64, bool) {
	switch e.Scale {
	case LogRatio:
		return math.Expm1(e.Estimate), true
	case Fraction:
		return e.Estimate, true
	}
	return 0, false
}

// check refuses an effect that no inference can be made from.
func (e Effect) check() error {
	if err := e.checkVariance(); err != nil {
		return err
	}
	switch {
	case e.N < 1:
		return refuse(TooFewUnits, "An effect needs units; it has %d.", e.N)
	case !(e.DF > 0):
		return refuse(TooFewUnits, "An effect needs degrees of freedom; it has %v.", e.DF)
	}
	return nil
}

// checkVariance refuses an estimate without a usable variance.
func (e Effect) checkVariance() error {
	switch {
	case !finite(e.Estimate, e.Variance):
		return refuse(NonFinite, "The effect, or its variance, is not a finite number.")
	case e.Variance <= 0:
		return refuse(ZeroVariance, "Nothing varied in either arm, so the uncertainty of the effect is unknown.")
	}
	return nil
}

// Difference compares two arms on the scale of the metric: Estimate is
// treatment minus control, Variance V_c/n_c + V_t/n_t, DF after Welch. It
// refuses with TooFewUnits, NonFinite, InvalidArgument or ZeroVariance (in both
// arms; a single constant arm is legitimate).
func Difference(control, treatment Arm) (Effect, error) {
	if err := checkArms(control, treatment); err != nil {
		return Effect{}, err
	}
	a, b := control.SquaredError(), treatment.SquaredError()
	e := Effect{
		Estimate: treatment.Value - control.Value,
		Variance: a + b,
		N:        control.N + treatment.N,
		DF:       welchDF(a, control.N, b, treatment.N),
		Scale:    Absolute,
	}
	return e, e.check()
}

// LogLift compares two arms as ln(treatment/control), with variance
// V_c/(n_c c^2) + V_t/(n_t t^2) and the degrees of freedom of these two terms.
// It refuses as Difference does, with NonPositiveBaseline when either value is
// at or below zero, and with UnboundedRatio when either lies within 1.96
// standard errors of zero, where a logarithm says nothing.
func LogLift(control, treatment Arm) (Effect, error) {
	if err := checkArms(control, treatment); err != nil {
		return Effect{}, err
	}
	if control.Value <= 0 || treatment.Value <= 0 {
		return Effect{}, refuse(NonPositiveBaseline,
			"A relative effect needs positive values; control is %v and treatment %v.",
			control.Value, treatment.Value)
	}
	a := control.SquaredError() / (control.Value * control.Value)
	b := treatment.SquaredError() / (treatment.Value * treatment.Value)
	e := Effect{
		Estimate: logRatio(treatment.Value, control.Value),
		Variance: a + b,
		N:        control.N + treatment.N,
		DF:       welchDF(a, control.N, b, treatment.N),
		Scale:    LogRatio,
		FiellerG: fiellerZ * fiellerZ * a,
	}
	if e.FiellerG >= 1 || fiellerZ*fiellerZ*b >= 1 {
		return Effect{}, refuse(UnboundedRatio,
			"A value so close to zero, for its uncertainty, leaves the relative effect unbounded.")
	}
	return e, e.check()
}

// FractionLift compares two arms as (treatment-control)/|control| with the
// delta-method variance V_t/(n_t c^2) + V_c t^2/(n_c c^4), the convention of
// GrowthBook and PostHog, and with the degrees of freedom of the difference.
// Control may be negative; the direction is kept. Its intervals may pass
// -100 %; prefer LogLift for decisions. It refuses as Difference does, and with
// NonPositiveBaseline when control is zero; it does not refuse a large FiellerG,
// above which the delta method means nothing, so look at it.
func FractionLift(control, treatment Arm) (Effect, error) {
	if err := checkArms(control, treatment); err != nil {
		return Effect{}, err
	}
	if control.Value == 0 {
		return Effect{}, refuse(NonPositiveBaseline, "The control value is zero, so nothing can be relative to it.")
	}
	a, b := control.SquaredError(), treatment.SquaredError()
	base := math.Abs(control.Value)
	ratio := treatment.Value / base
	e := Effect{
		Estimate: (treatment.Value - control.Value) / base,
		Variance: b/base/base + a/base/base*ratio*ratio,
		N:        control.N + treatment.N,
		DF:       welchDF(a, control.N, b, treatment.N),
		Scale:    Fraction,
		FiellerG: fiellerZ * fiellerZ * a / base / base,
	}
	if !finite(e.FiellerG) {
		return Effect{}, refuse(NonFinite, "The relative effect left the range of floating-point numbers.")
	}
	return e, e.check()
}

// MeanDifference compares two means on their own scale; see Difference.
func MeanDifference(control, treatment Moments) (Effect, error) {
	return compareMeans(control, treatment, Difference)
}

// MeanLift compares two means as a log-ratio; see LogLift.
func MeanLift(control, treatment Moments) (Effect, error) {
	return compareMeans(control, treatment, LogLift)
}

// RatioDifference compares two ratios of means y/x on their own scale; see
// PairMoments.RatioArm and Difference.
func RatioDifference(control, treatment PairMoments) (Effect, error) {
	return compareRatios(control, treatment, Difference)
}

// RatioLift compares two ratios of means y/x as a log-ratio; see
// PairMoments.RatioArm and LogLift.
func RatioLift(control, treatment PairMoments) (Effect, error) {
	return compareRatios(control, treatment, LogLift)
}

// MeanEffect is the mean of one sample against zero: of the differences between
// matched pairs, such as the treated and the control block of a switchback pair.
// It refuses with TooFewUnits, NonFinite or ZeroVariance.
func MeanEffect(differences Moments) (Effect, error) {
	a, err := differences.Arm()
	if err != nil {
		return Effect{}, err
	}
	e := Effect{
		Estimate: a.Value, Variance: a.SquaredError(), DF: float64(a.N - 1), N: a.N, Scale: Absolute,
	}
	return e, e.check()
}

func compareMeans(control, treatment Moments, compare func(c, t Arm) (Effect, error)) (Effect, error) {
	c, err := control.Arm()
	if err != nil {
		return Effect{}, err
	}
	t, err := treatment.Arm()
	if err != nil {
		return Effect{}, err
	}
	return compare(c, t)
}

func compareRatios(control, treatment PairMoments, compare func(c, t Arm) (Effect, error)) (Effect, error) {
	c, err := control.RatioArm()
	if err != nil {
		return Effect{}, err
	}
	t, err := treatment.RatioArm()
	if err != nil {
		return Effect{}, err
	}
	return compare(c, t)
}

func checkArms(control, treatment Arm) error {
	if err := control.check(); err != nil {
		return err
	}
	if err := treatment.check(); err != nil {
		return err
	}
	if control.Variance == 0 && treatment.Variance == 0 {
		return refuse(ZeroVariance, "Nothing varied in either arm, so the uncertainty of the effect is unknown.")
	}
	return nil
}

// welchDF returns the Welch-Satterthwaite degrees of freedom of the squared
// standard errors a and b. Dividing by their sum first keeps squares in range.
func welchDF(a float64, na int64, b float64, nb int64) float64 {
	wa, wb := a/(a+b), b/(a+b)
	return 1 / (wa*wa/float64(na-1) + wb*wb/float64(nb-1))
}

// logRatio returns ln(y/x) for positive y and x, exact also for y near x.
func logRatio(y, x float64) float64 {
	if r := (y - x) / x; math.Abs(r) < 0.5 {
		return math.Log1p(r)
	}
	return math.Log(y) - math.Log(x)
}
