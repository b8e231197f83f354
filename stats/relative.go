package stats

import "math"

// FiellerKind is the shape of Fieller's confidence set for a ratio of means.
type FiellerKind string

// The shapes of the set.
const (
	// FiellerInterval is the usual case: the set is the interval (Lower, Upper).
	FiellerInterval FiellerKind = "interval"
	// FiellerExclusive means the set is everything outside (Lower, Upper): the
	// control mean is not distinguishable from zero, but the ratio is not free.
	FiellerExclusive FiellerKind = "exclusive"
	// FiellerAll means that no ratio is excluded; there are no limits.
	FiellerAll FiellerKind = "all_reals"
)

// RelativeEffect is the lift (t-c)/c of one mean over another with its normal
// confidence sets at one look, made in three ways. The sign of c is kept, unlike
// in FractionLift. It is for reading how far the ways agree; decisions rest on
// LogLift, which refuses where they do not.
type RelativeEffect struct {
	Lift float64

	DeltaSE float64 // sqrt(se_t^2 + R^2 se_c^2)/|c|, R = t/c
	Delta   Interval

	// LogSE and Log are sqrt((se_t/t)^2+(se_c/c)^2) and the interval
	// R exp(-/+ z LogSE) - 1. HasLog is false when R is not positive.
	HasLog bool
	LogSE  float64
	Log    Interval

	// G is Fieller's g = z^2 se_c^2/c^2, Kind the shape of his set (Fieller
	// 1954), which is exact for normal means, and Fieller its limits unless Kind
	// is FiellerAll.
	G       float64
	Kind    FiellerKind
	Fieller Interval
}

// RelativeLift compares two independent means, at a confidence level with
// normal quantiles. It refuses as Difference does (a result out of range with
// NonFinite), NonPositiveBaseline when the control mean is zero, and
// InvalidArgument for the level.
func RelativeLift(control, treatment Arm, level float64) (RelativeEffect, error) {
	if err := checkProbability("confidence level", level); err != nil {
		return RelativeEffect{}, err
	}
	if err := checkArms(control, treatment); err != nil {
		return RelativeEffect{}, err
	}
	c, t := control.Value, treatment.Value
	if c == 0 {
		return RelativeEffect{}, refuse(NonPositiveBaseline, "The control value is zero, so nothing can be relative to it.")
	}
	z := -Normal{}.Quantile((1 - level) / 2)
	vc, vt := control.SquaredError(), treatment.SquaredError()
	ratio := t / c
	lift := (t - c) / c
	r := RelativeEffect{Lift: lift, DeltaSE: math.Sqrt(vt+ratio*ratio*vc) / math.Abs(c), HasLog: ratio > 0}
	r.Delta = Interval{Lower: lift - z*r.DeltaSE, Upper: lift + z*r.DeltaSE, Scale: Fraction}
	if r.HasLog {
		r.LogSE = math.Sqrt(vt/(t*t) + vc/(c*c))
		r.Log = Interval{Lower: shiftLift(lift, -z*r.LogSE), Upper: shiftLift(lift, z*r.LogSE), Scale: Fraction}
	}
	r.G = z * z * vc / (c * c)
	r.Kind, r.Fieller = fiellerSet(ratio, r.G, z*z*vt/(c*c))
	if !finite(r.Lift, r.Delta.Lower, r.Delta.Upper, r.LogSE, r.Log.Lower, r.Log.Upper, r.G, r.Fieller.Lower, r.Fieller.Upper) {
		return RelativeEffect{}, refuse(NonFinite, "The relative effect left the range of floating-point numbers.")
	}
	return r, nil
}

// shiftLift returns (1+lift) exp(x) - 1.
func shiftLift(lift, x float64) float64 {
	growth := math.Expm1(x)
	return lift + growth + lift*growth
}

// fiellerSet solves (R-x)^2 <= h + g x^2 for x, R the ratio, g and h the squared
// relative errors of control and, in units of control, of treatment; then
// subtracts 1.
func fiellerSet(ratio, g, h float64) (FiellerKind, Interval) {
	discriminant := g*ratio*ratio + h*(1-g) // (b^2 - a c)/c^4 of the quadratic
	root := math.Sqrt(max(0, discriminant))
	switch {
	case g < 1:
		return FiellerInterval, Interval{
			Lower: (ratio - root - (1 - g)) / (1 - g), Upper: (ratio + root - (1 - g)) / (1 - g), Scale: Fraction,
		}
	case g > 1 && discriminant > 0:
		return FiellerExclusive, Interval{
			Lower: (ratio + root - (1 - g)) / (1 - g), Upper: (ratio - root - (1 - g)) / (1 - g), Scale: Fraction,
		}
	}
	return FiellerAll, Interval{}
}
