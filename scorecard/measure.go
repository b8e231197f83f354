package scorecard

import (
	"math"

	"github.com/splitcast/splitcast/stats"
)

// histogramFloor is the value at and below which stats.Histogram keeps a mere
// count, negative values included.
const histogramFloor = 0x1p-20

// measure turns a tally into an arm. capped asks for the capped mean.
func (t *tally) measure(m Metric, capped, byUnit bool) measured {
	out := measured{name: t.quality.Arm, present: t.quality.Units - t.quality.Unusable}
	moments := t.moments
	if capped {
		moments, out.capped = t.capped, t.above
	}
	out.count = moments.Counted()
	if t.adjustment != nil {
		out.adjusted = t.adjustment.moments(capped)
	}
	switch m.Kind {
	case KindMean:
		out.arm, out.err = moments.Arm()
	case KindProportion:
		out.arm, out.err = moments.Arm()
		if !t.split && out.err == nil { // with shares between 0 and 1 there is no count of events
			out.count = moments.CountedRate()
			ones := int64(math.Round((moments.Mean + moments.Low) * float64(moments.N)))
			// The variance p(1-p), as in the report of an experiment.
			out.arm, out.err = stats.Proportion{Successes: ones, Trials: moments.N}.Arm()
		}
	case KindRatio:
		out.count = stats.ArmCount{Units: t.pair.N}
		out.arm, out.err = t.pair.RatioArm()
	case KindQuantile:
		out.count = stats.ArmCount{Units: out.present}
		out.arm, out.err = t.quantileArm(m.Level, byUnit)
	}
	return out
}

// quantileArm returns the quantile over rows. With units its variance is
// multiplied by the design effect of the share of values at or below it: how
// much larger the delta-method variance of that share is with units as clusters
// than the nu(1-nu)/n of independent values (Deng, Knoblich and Lu 2018).
func (t *tally) quantileArm(level float64, byUnit bool) (stats.Arm, error) {
	q, err := t.histogram.Quantile(level)
	if err != nil {
		return stats.Arm{}, err
	}
	if t.quality.Negative > 0 && q.Lower <= histogramFloor {
		return stats.Arm{}, &stats.Refusal{
			Reason:  stats.OutOfRange,
			Message: "The quantile lies among negative values, which a quantile does not resolve.",
		}
	}
	arm := q.Arm()
	if !byUnit {
		return arm, nil
	}
	clusters, err := t.clusters.RatioArm()
	if err != nil {
		return stats.Arm{}, err
	}
	effect := clusters.SquaredError() * float64(q.N) / (level * (1 - level))
	return stats.Arm{
		N: t.clusters.N, Value: arm.Value,
		Variance: float64(t.clusters.N) * arm.SquaredError() * effect,
	}, nil
}

// capFrom takes the cap of a metric from the pooled values of all arms, by the
// type-7 quantile, and fills the capped moments.
func capFrom(tallies []tally, level float64) (float64, error) {
	var pooled []float64
	for i := range tallies {
		pooled = append(pooled, tallies[i].values...)
	}
	q, err := stats.SampleQuantiles(pooled, []float64{level}, 7)
	if err != nil {
		return math.NaN(), err
	}
	for i := range tallies {
		for _, v := range tallies[i].values {
			tallies[i].addCapped(v, q[0])
		}
		tallies[i].values = nil
	}
	return q[0], nil
}
