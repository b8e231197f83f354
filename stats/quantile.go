package stats

import "math"

// quantileZ is the standard normal quantile at 0.975. It belongs to the 95 %
// order-statistic interval from which the variance of a quantile is taken. Any
// level would do asymptotically; 95 % is GrowthBook's, so that numbers agree.
const quantileZ = 1.9599639845400542

// Quantile is a quantile of one sample with its order-statistic interval: the
// sample quantiles at nu -/+ z sqrt(nu(1-nu)/n), z for 95 %.
type Quantile struct {
	Nu    float64 `json:"nu"` // the level, 0.95 for p95
	Value float64 `json:"value"`
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
	N     int64   `json:"n"`
}

// Quantile returns the quantile at level nu in (0, 1). It refuses with
// InvalidArgument (nu), NonFinite (a NaN was counted), TooFewUnits (the interval
// would reach beyond the smallest or the largest value) or OutOfRange (the
// interval touches the overflow).
func (h *Histogram) Quantile(nu float64) (Quantile, error) {
	if err := checkProbability("quantile level", nu); err != nil {
		return Quantile{}, err
	}
	if h.nan > 0 {
		return Quantile{}, refuse(NonFinite, "%d values of the histogram are not numbers.", h.nan)
	}
	n := float64(h.total)
	reach := quantileZ * math.Sqrt(n*nu*(1-nu))
	rank := n * nu
	if h.total < 2 || rank-reach < 0 || rank+reach > n {
		return Quantile{}, refuse(TooFewUnits,
			"%d values are too few for an interval of the quantile at %v.", h.total, nu)
	}
	values, ok := h.at([3]float64{rank - reach, rank, rank + reach})
	if !ok {
		return Quantile{}, refuse(OutOfRange,
			"The quantile at %v is above the largest value that the histogram resolves.", nu)
	}
	return Quantile{Nu: nu, N: h.total, Lower: values[0], Value: values[1], Upper: values[2]}, nil
}

// Arm returns the quantile as an Arm of its n values: the squared standard
// error is ((Upper-Lower)/(2z))^2 and the per-value variance n times that.
func (q Quantile) Arm() Arm {
	se := (q.Upper - q.Lower) / (2 * quantileZ)
	return Arm{N: q.N, Value: q.Value, Variance: float64(q.N) * se * se}
}

// quantileFloor is the least variance per unit that GrowthBook takes for a
// quantile of quantileFloorUnits units or more.
const (
	quantileFloor      = 1e-5
	quantileFloorUnits = 100
)

// SampledArm returns the quantile as GrowthBook does: N values were sampled for
// the interval out of those of the units, and the variance per unit is
// (N/units)(units-1) se^2, at least 1e-5 from 100 units on. That floor is in
// squared units of the metric, whatever they are; prefer Arm. It refuses with
// TooFewUnits below 2 units, and NonFinite.
func (q Quantile) SampledArm(units int64) (Arm, error) {
	if units < 2 {
		return Arm{}, refuse(TooFewUnits, "An arm needs at least 2 units; it has %d.", units)
	}
	a := q.scaledArm(units, 1)
	return a, a.check()
}

// ClusteredArm returns the quantile of values that depend on one another within
// clusters, as GrowthBook does: per cluster, y of clusters is the number of
// values at or below the quantile and x the number of values. The variance of
// SampledArm is multiplied by how much larger the delta-method variance of that
// share is than nu(1-nu)/units. It refuses as PairMoments.RatioArm does, and
// with InvalidArgument for a level out of (0, 1).
func (q Quantile) ClusteredArm(units int64, clusters PairMoments) (Arm, error) {
	share, err := clusters.RatioArm()
	if err != nil {
		return Arm{}, err
	}
	if err := checkProbability("quantile level", q.Nu); err != nil {
		return Arm{}, err
	}
	a := q.scaledArm(units, share.SquaredError()*float64(units)/(q.Nu*(1-q.Nu)))
	return a, a.check()
}

// scaledArm is SampledArm with the variance multiplied before the floor.
func (q Quantile) scaledArm(units int64, factor float64) Arm {
	se := (q.Upper - q.Lower) / (2 * quantileZ)
	variance := float64(q.N) / float64(units) * float64(units-1) * se * se * factor
	if units >= quantileFloorUnits {
		variance = max(variance, quantileFloor)
	}
	return Arm{N: units, Value: q.Value, Variance: variance}
}

// QuantileDifference compares the quantiles at level nu on their own scale,
// when every value is a unit of its own. It refuses as Histogram.Quantile and
// Difference do.
func QuantileDifference(control, treatment *Histogram, nu float64) (Effect, error) {
	c, t, err := quantileArms(control, treatment, nu)
	if err != nil {
		return Effect{}, err
	}
	return Difference(c, t)
}

// QuantileLift compares the quantiles at level nu as a log-ratio, when every
// value is a unit of its own. It refuses as Histogram.Quantile and LogLift do.
func QuantileLift(control, treatment *Histogram, nu float64) (Effect, error) {
	c, t, err := quantileArms(control, treatment, nu)
	if err != nil {
		return Effect{}, err
	}
	return LogLift(c, t)
}

func quantileArms(control, treatment *Histogram, nu float64) (c, t Arm, err error) {
	qc, err := control.Quantile(nu)
	if err != nil {
		return Arm{}, Arm{}, err
	}
	qt, err := treatment.Quantile(nu)
	if err != nil {
		return Arm{}, Arm{}, err
	}
	return qc.Arm(), qt.Arm(), nil
}
