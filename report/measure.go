package report

import (
	"errors"
	"fmt"
	"math"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// Codes of refusals that are not of package stats.
const (
	CodeNoLook        = "no_look"        // no window has closed
	CodeNoUnits       = "no_units"       // no unit has a value yet
	CodeUnknownMetric = "unknown_metric" // the catalogue does not have it
)

// MinEffectiveUnits is the burn-in of means and ratios: the number of units
// that a sum really rests on, (sum y)^2 / sum y^2 (Kish). Of zeros and ones it
// is the number of ones, so it extends the rule for rates to heavy tails, where
// a hundred viewers may be one viewer.
const MinEffectiveUnits = stats.BurnInEvents

// maxLift is the largest lift that is printed: a change by a factor of a
// million is a baseline of nothing, not an effect.
const maxLift = 1e6

// refusalOf turns an error of package stats into a Refusal.
func refusalOf(err error) *Refusal {
	if r, ok := errors.AsType[*stats.Refusal](err); ok {
		return &Refusal{Code: string(r.Reason), Message: r.Message}
	}
	return &Refusal{Code: string(stats.InvalidArgument), Message: err.Error()}
}

// question is what is asked of a comparison.
type question struct {
	definition *metrics.Definition
	alpha      float64
	nOpt       int64
	guardrail  bool // each bound on its own side, each with alpha
	unequal    bool // the plan gives one arm more units than the other
	// unit is what was randomised; of some types each is a cluster of what is measured.
	unit experiment.UnitType
}

// measured is one arm's cell made ready for comparison.
type measured struct {
	arm  stats.Arm // in base quantities
	pair stats.PairMoments
	// Of clusters: how many of equal size they are worth, and the largest share that
	// one of them can have.
	effective, largest float64
	units              int64
	err                error // why arm is not known
	ready              error // why it may not be tested yet
}

// ok reports whether the arm may be compared.
func (m *measured) ok() bool { return m.err == nil && m.ready == nil }

// measure makes an arm of a cell; a missing cell is an empty one.
func (q *question) measure(c *metrics.Cell) measured {
	d := q.definition
	if c == nil || c.Pair.N == 0 {
		return measured{err: &stats.Refusal{Reason: CodeNoUnits, Message: "No unit of an arm has a value of this metric yet."}}
	}
	s := measured{units: c.Pair.N, pair: c.Pair}
	switch d.Kind.Estimator() {
	case metrics.KindProportion:
		y := c.Pair.Y()
		ones := int64(math.Round((y.Mean + y.Low) * float64(y.N)))
		s.arm, s.err = stats.Proportion{Successes: ones, Trials: y.N}.Arm()
		s.ready = ready(y.CountedRate())
	case metrics.KindQuantile:
		if c.Hist == nil {
			s.err = &stats.Refusal{Reason: stats.InvalidArgument, Message: "The look has no histogram of this metric."}
			break
		}
		var q stats.Quantile
		if q, s.err = c.Hist.Quantile(d.Level); s.err == nil {
			s.arm = q.Arm()
		}
		tail := float64(s.units) * min(d.Level, 1-d.Level)
		s.ready = ready(stats.ArmCount{Units: s.units, Rate: true, Events: int64(tail)})
	case metrics.KindRatio:
		s.ready = effectiveReady(c.Pair.Y())
		if q.clustered() {
			q.measureClusters(&s)
			break
		}
		s.arm, s.err = c.Pair.RatioArm()
	default:
		y := c.Pair.Y()
		s.arm, s.err = y.Arm()
		s.ready = effectiveReady(y)
	}
	return s
}

// ready applies the burn-in of package stats to one arm.
func ready(c stats.ArmCount) error { return stats.Ready(c, c) }

func effectiveReady(y stats.Moments) error {
	if err := ready(y.Counted()); err != nil {
		return err
	}
	if units := effectiveUnits(y); units < MinEffectiveUnits {
		return &stats.Refusal{Reason: stats.BurnIn, Message: fmt.Sprintf(
			"The sum of an arm rests on about %d units; %d are needed before an interval can be trusted.",
			int(units), MinEffectiveUnits)}
	}
	return nil
}

// effectiveUnits returns (sum y)^2 / sum y^2.
func effectiveUnits(y stats.Moments) float64 {
	n, mean := float64(y.N), y.Mean+y.Low
	squares := y.M2/n + mean*mean
	if !(squares > 0) {
		return 0
	}
	return n * (mean * mean / squares)
}

// floored reports whether the variance is at least the pooled one: without that
// a small arm of skew values is surer than it may be (docs/calibration.md, arms of
// nine to one). Rates and quantiles do not need it.
func (q *question) floored() bool {
	kind := q.definition.Kind.Estimator()
	return q.unequal && (kind == metrics.KindMean || kind == metrics.KindRatio)
}

// lift is the effect that is tested, without the past.
func (q *question) lift(a *answer) (stats.Effect, error) {
	switch c, t := a.control.arm, a.treatment.arm; {
	case q.clustered():
		return q.clusters(a).Effect(stats.LogRatio)
	case q.floored():
		return stats.FlooredLogLift(c, t)
	default:
		return stats.LogLift(c, t)
	}
}

// difference is treatment minus control in the metric's own unit.
func (q *question) difference(a *answer) (stats.Effect, error) {
	switch c, t := a.control.arm, a.treatment.arm; {
	case a.past[0] != nil:
		e, err := q.adjustment(a).Effect(stats.Absolute)
		return e.Effect, err
	case q.clustered():
		return q.clusters(a).Effect(stats.Absolute)
	case q.floored():
		return stats.FlooredDifference(c, t)
	default:
		return stats.Difference(c, t)
	}
}

// answer is a comparison of treatment with control.
type answer struct {
	control, treatment measured
	past               [2]*stats.JointMoments // of the arms; nil when the effect is not adjusted
	effect             stats.Effect           // log-ratio
	reduction          float64                // of its variance, by the past
	band               Band
	logE, p            float64
	err                error // why the rest is not known
}

// compare answers a question about two cells, without the interval that holds
// at one look only.
func (q *question) compare(control, treatment *metrics.Cell) answer {
	a := answer{control: q.measure(control), treatment: q.measure(treatment)}
	if q.adjusts(control, treatment) {
		a.past = [2]*stats.JointMoments{control.Joint, treatment.Joint}
	}
	a.err = q.infer(&a)
	return a
}

// compareFully answers a question with both intervals.
func (q *question) compareFully(control, treatment *metrics.Cell) answer {
	a := q.compare(control, treatment)
	q.fix(&a)
	return a
}

// fix adds the interval that holds at one look only. It costs more than all the
// rest, so it is asked for where it is shown.
func (q *question) fix(a *answer) {
	if a.err != nil {
		return
	}
	test, err := stats.Welch(a.effect, 1-q.alpha)
	if err != nil {
		a.err = err
		return
	}
	a.band.FixedLower, a.band.FixedUpper = math.Expm1(test.Lower), math.Expm1(test.Upper)
	if a.band.FixedUpper > maxLift {
		a.err = noUpperLimit()
	}
}

func noUpperLimit() error {
	return &stats.Refusal{Reason: stats.UnboundedRatio, Message: "The relative effect has no useful upper limit yet."}
}

func (q *question) infer(a *answer) error {
	for _, err := range []error{a.control.err, a.treatment.err, a.control.ready, a.treatment.ready} {
		if err != nil {
			return err
		}
	}
	var err error
	if a.effect, err = q.lift(a); err != nil {
		return err
	}
	if a.past[0] != nil {
		if err := q.adjust(a); err != nil {
			return err
		}
	}
	if err := q.sequence(a); err != nil {
		return err
	}
	a.band.Estimate = math.Expm1(a.effect.Estimate)
	if a.band.Upper > maxLift {
		return noUpperLimit()
	}
	return nil
}

// sequence fills in what is valid at every look: for a goal the two-sided
// interval, for a guardrail two one-sided bounds and the e-value against "no
// harm".
func (q *question) sequence(a *answer) error {
	cs := stats.AsympCS{Alpha: q.alpha, NOpt: q.nOpt}
	if !q.guardrail {
		s, err := q.twoSided(a.effect)
		if err != nil {
			return err
		}
		a.band.Lower, a.band.Upper = math.Expm1(s.Lower), math.Expm1(s.Upper)
		a.logE, a.p = s.LogE, s.P
		return nil
	}
	// The one-sided bounds lie symmetrically about the estimate, so the one that
	// the e-value comes with gives the other.
	harm := stats.Greater
	if q.definition.Direction > 0 {
		harm = stats.Less
	}
	one := func(e stats.Effect) (stats.Sequence, float64, error) {
		s, err := cs.OneSided(e, harm)
		if harm == stats.Less {
			return s, s.Upper - e.Estimate, err
		}
		return s, e.Estimate - s.Lower, err
	}
	s, radius, err := q.studentised(a.effect, one)
	if err != nil {
		return err
	}
	a.band.Lower, a.band.Upper = math.Expm1(a.effect.Estimate-radius), math.Expm1(a.effect.Estimate+radius)
	a.logE, a.p = s.LogE, s.P
	if q.definition.Direction != 0 {
		return nil
	}
	// Where neither side is good, harm is a change to either.
	if s, err = q.twoSided(a.effect); err != nil {
		return err
	}
	a.logE, a.p = s.LogE, s.P
	return nil
}

// twoSided is the sequence that holds at every look, on both sides.
func (q *question) twoSided(e stats.Effect) (stats.Sequence, error) {
	s, _, err := q.studentised(e, func(e stats.Effect) (stats.Sequence, float64, error) {
		s, err := stats.AsympCS{Alpha: q.alpha, NOpt: q.nOpt}.TwoSided(e)
		return s, s.Upper - e.Estimate, err
	})
	return s, err
}

// goalState says what the interval of a goal proves.
func goalState(direction int, b Band) State {
	chart := b.Facing(direction)
	above, below := chart.Lower > 0, chart.Upper < 0
	switch {
	case direction == 0 && (above || below):
		return StateChanged
	case above:
		return StateBetter
	case below:
		return StateWorse
	}
	return StateUnproven
}

// guardState says what the interval of a guardrail proves about its margin, a
// fraction of control. A metric without a good side may move neither way.
func guardState(direction int, margin float64, b Band) State {
	chart := b.Facing(direction)
	leastLoss, mostLoss := -chart.Upper, -chart.Lower
	if direction == 0 {
		mostLoss = max(mostLoss, chart.Upper)
		leastLoss = max(leastLoss, chart.Lower)
	}
	switch {
	case leastLoss > margin:
		return StateBreached
	case mostLoss < margin:
		return StateSafe
	case leastLoss > 0:
		return StateHarmed
	}
	return StateUnproven
}
