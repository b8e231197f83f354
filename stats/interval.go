package stats

import "math"

// Interval is a range of effects on the scale of its Effect. An end is infinite
// only where the method that made it says so: for one-sided ones, and for ratios
// over a zero.
type Interval struct {
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
	Scale Scale   `json:"scale"`
}

// around returns the interval of radius r around the estimate.
func (e Effect) around(r float64) Interval {
	return Interval{Lower: e.Estimate - r, Upper: e.Estimate + r, Scale: e.Scale}
}

// Lift returns the interval as fractions of control: exp(x)-1 on the log-ratio
// scale, unchanged on the fraction scale. It is false on the absolute scale.
func (i Interval) Lift() (Interval, bool) {
	switch i.Scale {
	case LogRatio:
		return Interval{Lower: math.Expm1(i.Lower), Upper: math.Expm1(i.Upper), Scale: Fraction}, true
	case Fraction:
		return i, true
	}
	return Interval{}, false
}

// Contains reports whether x lies in the closed interval.
func (i Interval) Contains(x float64) bool { return i.Lower <= x && x <= i.Upper }

// Side is the direction of a one-sided question about the effect.
type Side string

// The two sides.
const (
	// Greater asks whether the effect is above zero; its interval has no upper limit.
	Greater Side = "greater"
	// Less asks whether the effect is below zero; its interval has no lower limit.
	Less Side = "less"
)

// check refuses any other value.
func (s Side) check() error {
	if s != Greater && s != Less {
		return refuse(InvalidArgument, "A side is greater or less, not %q.", string(s))
	}
	return nil
}

// interval returns the one-sided interval of radius r around the estimate.
func (s Side) interval(e Effect, radius float64) Interval {
	if s == Greater {
		return Interval{Lower: e.Estimate - radius, Upper: math.Inf(1), Scale: e.Scale}
	}
	return Interval{Lower: math.Inf(-1), Upper: e.Estimate + radius, Scale: e.Scale}
}

// sign returns +1 for Greater and -1 for Less.
func (s Side) sign() float64 {
	if s == Less {
		return -1
	}
	return 1
}
