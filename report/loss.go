package report

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// checkCoverage tests whether telemetry is lost evenly.
func (b *builder) checkCoverage() Check {
	c := b.checkLoss(metrics.CoverageKey)
	c.Key, c.Title = CheckCoverage, "Telemetry loss by arm"
	if c.alarming() {
		c.Fix = "One arm reports less than the other: look for crashes, blocked beacons and players without telemetry in it."
	}
	return c
}

// checkStartTimes tests whether start times are missing evenly. It can withhold
// the verdict only when the plan rests on start times.
func (b *builder) checkStartTimes() Check {
	c := b.checkLoss(metrics.StartTimeKnownKey)
	c.Key, c.Title = CheckStartTimes, "Missing start times by arm"
	if c.State == CheckFail && !b.planUses(metrics.StartupMs) && !b.planUses(metrics.QuickStarts) {
		c.State = CheckWarn
	}
	if c.alarming() {
		c.Fix = "Startup metrics compare different viewers in the arms: find out which starts have no time, and why."
	}
	return c
}

func (b *builder) planUses(numerator metrics.Quantity) bool {
	for _, key := range b.plan.Metrics() {
		if d, ok := b.history.definition(key); ok && d.Numerator.Is(numerator) {
			return true
		}
	}
	return false
}

// loss is the comparison of one treatment's reporting share with control.
type loss struct {
	arm     int
	answer  answer
	state   CheckState
	tripped int // first look at which it failed
}

// sharesOf returns the cell of an arm's share at a look, nil where there is none.
type sharesOf func(look *metrics.Look, arm int) *metrics.Cell

// checkLoss compares a reporting share of each treatment with control.
func (b *builder) checkLoss(metric string) Check {
	d, ok := b.history.definition(metric)
	if !ok {
		return noLoss()
	}
	cursors := make([]cursor, len(b.exp.Arms))
	for arm := range cursors {
		cursors[arm].key = cellKey{d.Key, d.Version, false, arm}
	}
	return b.checkShares(&d, func(look *metrics.Look, arm int) *metrics.Cell { return cursors[arm].total(look.Cells) })
}

// noLoss is the check of shares that nothing is known of.
func noLoss() Check {
	return Check{
		State: CheckUnknown, Statistic: "no units yet",
		Threshold: "fails when the shares differ by more than " + planned(LossTolerance) + " beyond doubt",
	}
}

// checkShares compares a share of each treatment with control. It fails when a
// difference beyond the tolerance is proven, warns when any is, and shows the
// treatment that differs most.
func (b *builder) checkShares(d *metrics.Definition, of sharesOf) Check {
	c := noLoss()
	if len(b.history.looks) == 0 {
		return c
	}
	var worst *loss
	for arm := 1; arm < len(b.exp.Arms); arm++ {
		if b.exp.Arms[arm].Dropped {
			continue
		}
		l := b.lossOf(d, of, arm)
		if worst == nil || l.worseThan(worst) {
			worst = &l
		}
		if l.tripped > 0 && (c.FirstTripped == 0 || l.tripped < c.FirstTripped) {
			c.FirstTripped = l.tripped
		}
	}
	a := &worst.answer
	c.State = worst.state
	c.Detail = fmt.Sprintf("%s %s, %s %s", b.armLabel(0), valueOf(d, nil, &a.control).Text,
		b.armLabel(worst.arm), valueOf(d, nil, &a.treatment).Text)
	switch {
	case a.err == nil:
		c.Statistic = "difference " + effectWords(effectOf(d, a))
	case worst.state == CheckOK:
		c.Statistic = "next to nothing is missing in any arm"
	case worst.state == CheckFail:
		c.Statistic = fmt.Sprintf("lost: %s of %s and %s of %s", count(lost(&a.control)), count(a.control.units),
			count(lost(&a.treatment)), count(a.treatment.units))
	default:
		c.Statistic = refusalOf(a.err).Message
	}
	return c
}

// lossOf follows one treatment's share over the looks.
func (b *builder) lossOf(d *metrics.Definition, of sharesOf, arm int) loss {
	q := question{definition: d, alpha: CheckAlpha / float64(b.treatments()), nOpt: b.pairUnits(arm), unequal: b.unequal(arm), unit: b.exp.Unit}
	l := loss{arm: arm}
	for i := range b.history.looks {
		look := &b.history.looks[i]
		l.answer = q.compare(of(look, 0), of(look, arm))
		l.state = lossState(&l.answer)
		if l.state == CheckUnknown && b.lostUnevenly(&l.answer, arm) {
			l.state = CheckFail
		}
		if l.state == CheckFail && l.tripped == 0 {
			l.tripped = look.Number
		}
	}
	return l
}

// lossState judges a reporting share. Where next to nothing is missing the
// burn-in of rates never ends, because it waits for losses: that is as it should
// be.
func lossState(a *answer) CheckState {
	switch {
	case a.err != nil && nothingLost(&a.control) && nothingLost(&a.treatment):
		return CheckOK
	case a.err != nil:
		return CheckUnknown
	case a.band.Lower > LossTolerance || a.band.Upper < -LossTolerance:
		return CheckFail
	case a.band.Lower > 0 || a.band.Upper < 0:
		return CheckWarn
	}
	return CheckOK
}

// lostUnevenly tests the losses alone, for shares too near 0 or 1 for an
// interval: given how many units were lost, they split as the weights do when
// the arms lose alike, at any number of them.
func (b *builder) lostUnevenly(a *answer, arm int) bool {
	c, t := &a.control, &a.treatment
	if c.err != nil || t.err != nil || math.Abs(c.arm.Value-t.arm.Value) <= LossTolerance {
		return false
	}
	weights := b.exp.Weights()
	srm, err := stats.SampleRatio([]int64{lost(c), lost(t)}, []int64{weights[0], weights[arm]}, stats.SampleRatioConcentration)
	return err == nil && srm.Status == stats.SRMAlert
}

// lost returns the units of an arm that did not report.
func lost(m *measured) int64 {
	return int64(math.Round(float64(m.units) * (1 - m.arm.Value)))
}

func nothingLost(m *measured) bool {
	return m.err == nil && m.units >= stats.BurnInUnits && m.arm.Value >= 1-LossTolerance
}

// worseThan orders losses by state, then by the difference that is proven.
func (l *loss) worseThan(o *loss) bool {
	if l.state != o.state {
		return l.state.severity() > o.state.severity()
	}
	return l.proven() > o.proven()
}

// proven returns the difference that is beyond doubt; negative when none is.
func (l *loss) proven() float64 {
	if l.answer.err != nil {
		return -1
	}
	return max(l.answer.band.Lower, -l.answer.band.Upper)
}
