package scorecard

import (
	"math"

	"github.com/splitcast/splitcast/stats"
)

// measured is one arm of one metric, ready to be compared.
type measured struct {
	name    string
	arm     stats.Arm
	count   stats.ArmCount
	err     error
	capped  int64
	present int64

	metric   Metric
	adjusted []stats.JointMoments // by stratum; nil: the metric is not adjusted
	clusters []stats.Cluster      // nil: units were randomised
}

// inference is how comparisons are made.
type inference struct {
	alpha    float64
	nOpt     int64
	planned  bool           // nOpt was fixed before the data
	oneLook  *stats.Refusal // why no sequence may be shown; nil when one may
	lower    bool
	compared [][2]int // control and treatment, indices of arms

	stratified bool
	clustered  bool
}

// table compares the arms; adjusted asks for the comparison by covariate or strata
// where the metric has one.
func (inf inference) table(arms []measured, adjusted bool) Table {
	t := Table{Arms: make([]ArmValue, len(arms)), Comparisons: make([]Comparison, len(inf.compared))}
	for i, a := range arms {
		t.Arms[i] = a.value()
	}
	for i, pair := range inf.compared {
		t.Comparisons[i] = inf.compare(arms[pair[0]], arms[pair[1]], adjusted)
	}
	return t
}

func (m measured) value() ArmValue {
	v := ArmValue{Arm: m.name, N: m.present, Capped: m.capped}
	if m.err != nil {
		v.Refused = refusalOf(m.err)
		return v
	}
	mean, sd, se := m.arm.Value, math.Sqrt(m.arm.Variance), math.Sqrt(m.arm.SquaredError())
	if !finite(mean, sd, se) {
		v.Refused = &stats.Refusal{Reason: stats.NonFinite, Message: "The values are too large to compute with."}
		return v
	}
	v.Mean, v.SE = &mean, &se
	if m.clusters == nil { // of a member there is no one variance
		v.SD = &sd
	} else {
		v.Clusters = m.arm.N
	}
	return v
}

func (inf inference) compare(control, treatment measured, adjusted bool) Comparison {
	c := Comparison{Control: control.name, Treatment: treatment.name}
	for _, arm := range []measured{control, treatment} {
		if arm.err == nil {
			continue
		}
		r := refusalOf(arm.err)
		c.Difference = Contrast{Refused: r, SequenceRefused: r}
		c.Lift = c.Difference
		c.Words = "Not computed: " + r.Message
		return c
	}
	ready := inf.oneLook
	if err := stats.Ready(control.count, treatment.count); ready == nil && err != nil {
		ready = refusalOf(err)
	}
	if adjusted && control.adjusted != nil {
		inf.adjust(&c, control, treatment, ready)
	} else {
		effect := unadjusted(control, treatment)
		c.Difference = inf.contrast(ready)(effect(stats.Absolute))
		c.Lift = inf.contrast(ready)(effect(stats.LogRatio))
	}
	c.Words = inf.words(c)
	return c
}

// unadjusted returns the comparison of two arms as a function of the scale.
func unadjusted(control, treatment measured) func(stats.Scale) (stats.Effect, error) {
	if control.clusters != nil {
		return stats.ClusteredRatio{Control: control.clusters, Treatment: treatment.clusters}.Effect
	}
	return func(scale stats.Scale) (stats.Effect, error) {
		if scale == stats.LogRatio {
			return stats.LogLift(control.arm, treatment.arm)
		}
		return stats.Difference(control.arm, treatment.arm)
	}
}

// adjust fills in the comparison by covariate or strata.
func (inf inference) adjust(c *Comparison, control, treatment measured, ready *stats.Refusal) {
	refused := func(err error) {
		r := refusalOf(err)
		c.Difference = Contrast{Refused: r, SequenceRefused: r}
		c.Lift = c.Difference
	}
	a, err := newAdjusting(control.metric, inf.stratified, control.adjusted, treatment.adjusted)
	if err != nil {
		refused(err)
		return
	}
	e, theta, err := a.effect(stats.Absolute)
	c.Difference = inf.contrast(ready)(e, err)
	var adjusted, plain *stats.Effect
	if err == nil {
		adjusted = &e
	}
	if p, err := stats.Difference(control.arm, treatment.arm); err == nil {
		plain = &p
	}
	c.Adjustment = a.describe(adjusted, theta, plain)
	lift, _, err := a.effect(stats.LogRatio)
	c.Lift = inf.contrast(ready)(lift, err)
}

// contrast returns a function of what package stats returns for an effect.
// notReady, if not nil, is why no sequence may be shown.
func (inf inference) contrast(notReady *stats.Refusal) func(stats.Effect, error) Contrast {
	return func(e stats.Effect, err error) Contrast {
		if err != nil {
			r := refusalOf(err)
			return Contrast{Refused: r, SequenceRefused: r}
		}
		var c Contrast
		if c.Fixed, err = inf.fixed(e); err != nil {
			c.Refused = refusalOf(err)
		}
		if notReady == nil && inf.clustered {
			notReady = clusterBurnIn(e)
		}
		if notReady != nil {
			c.SequenceRefused = notReady
			return c
		}
		if c.Sequence, err = inf.sequence(e); err != nil {
			c.SequenceRefused = refusalOf(err)
		}
		return c
	}
}

func (inf inference) fixed(e stats.Effect) (*Fixed, error) {
	test, err := stats.Welch(e, 1-inf.alpha)
	if err != nil {
		return nil, err
	}
	f := Fixed{
		Estimate: test.Estimate, SE: test.SE, Z: test.T, DF: test.DF, P: test.P, LogP: test.LogP,
		Lower: test.Lower, Upper: test.Upper,
	}
	if lift, ok := e.Lift(); ok {
		interval, _ := test.Lift() // the scale is that of e
		f.Estimate, f.Lower, f.Upper = lift, interval.Lower, interval.Upper
	}
	if !finite(f.Estimate, f.SE, f.Z, f.DF, f.P, f.LogP, f.Lower, f.Upper) {
		return nil, tooLarge()
	}
	return &f, nil
}

func (inf inference) sequence(e stats.Effect) (*Sequence, error) {
	q, err := stats.AsympCS{Alpha: inf.alpha, NOpt: inf.nOpt}.TwoSided(e)
	if err != nil {
		return nil, err
	}
	s := Sequence{Lower: q.Lower, Upper: q.Upper, LogE: q.LogE, P: q.P}
	if interval, ok := q.Lift(); ok {
		s.Lower, s.Upper = interval.Lower, interval.Upper
	}
	if !finite(s.Lower, s.Upper, s.LogE, s.P) {
		return nil, tooLarge()
	}
	return &s, nil
}

func tooLarge() *stats.Refusal {
	return &stats.Refusal{Reason: stats.NonFinite, Message: "An end of the interval is too large to be written as a number."}
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
