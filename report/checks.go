package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// The thresholds of the checks.
const (
	// CrossedFail and CrossedWarn are shares of units seen in two arms. Above
	// 1 % the units that are left no longer stand for those that came.
	CrossedFail = 0.01
	CrossedWarn = 0.001
	// CheckAlpha bounds the chance that a healthy experiment is ever stopped by
	// the comparison of an arm's coverage: the verdict is at stake.
	CheckAlpha = 0.001
	// LossTolerance is the difference of a reporting share between arms, as a
	// fraction, that does no harm: it moves a metric by a fraction of itself.
	LossTolerance = 0.005
	// StaleAfter is the age of the newest look at which somebody should ask.
	StaleAfter = time.Hour
)

// trust runs the checks in the order in which they are read. Of broadcasters those
// that follow the telemetry of players are left out: their audience comes and goes
// with what they do, which is no sign that anything is lost.
func (b *builder) trust() []Check {
	out := slices.Concat(
		[]Check{b.checkBalance(), b.checkReporting(), b.checkCoverage()},
		b.checkHealth(),
		[]Check{b.checkCrossed(), b.checkStartTimes(), b.checkPlan(), b.checkFreshness()},
	)
	if b.exp.Unit == experiment.UnitBroadcaster {
		out = slices.DeleteFunc(out, func(c Check) bool { return ofPlayers(c.Key) })
	}
	return out
}

// ofPlayers reports whether a check follows units from the exposure through the
// telemetry of their players.
func ofPlayers(check string) bool {
	switch check {
	case CheckBalanceReporting, CheckCoverage, CheckStages, CheckStartTimes:
		return true
	}
	return false
}

// checkCrossed looks at units seen in more than one arm.
func (b *builder) checkCrossed() Check {
	c := Check{
		Key: CheckCrossed, Title: "Units seen in two arms", State: CheckUnknown, Statistic: "no units yet",
		Threshold: fmt.Sprintf("fails above %s of units", planned(CrossedFail)),
	}
	judge := func(counts []metrics.ArmCounts) (CheckState, int64, int64) {
		var crossed, all int64
		for _, a := range counts {
			crossed += a.Crossed
			all += a.Crossed + a.Exposed
		}
		part := float64(crossed) / float64(all)
		switch {
		case all < stats.BurnInUnits:
			return CheckUnknown, crossed, all
		case part > CrossedFail:
			return CheckFail, crossed, all
		case part > CrossedWarn:
			return CheckWarn, crossed, all
		}
		return CheckOK, crossed, all
	}
	for _, l := range b.history.looks {
		if state, _, _ := judge(l.Arms); state == CheckFail {
			c.FirstTripped = l.Number
			break
		}
	}
	state, crossed, all := judge(b.counts)
	c.State = state
	if all > 0 {
		c.Statistic = share(float64(crossed)/float64(all), 2)
		c.Detail = fmt.Sprintf("%s of %s units; they are left out of the comparison", count(crossed), count(all))
	}
	if c.alarming() {
		c.Fix = "The same unit id must get the same arm everywhere: look for services with old configurations, shared ids, and ids that change at log-in."
	}
	return c
}

// checkPlan compares the plan with its hash.
func (b *builder) checkPlan() Check {
	c := Check{
		Key: CheckPlan, Title: "Plan as fixed at launch", State: CheckOK,
		Statistic: "hash " + shortHash(b.exp.Plan.Hash()), Threshold: "fails when it is not the hash of the launch",
		Detail: "The criteria shown are those of the launch.",
	}
	switch {
	case b.exp.PlanHash == "" && b.exp.Status == experiment.StatusDraft:
		c.State, c.Statistic, c.Detail = CheckUnknown, "not fixed yet", "The plan is hashed at the launch."
	case !b.planIntact():
		c.State = CheckFail
		c.Detail = "The stored plan is not the one of the launch, which has the hash " + shortHash(b.exp.PlanHash) + "."
		c.Fix = "Restore the plan from the audit log, or start a new version."
	}
	return c
}

// shortHash is the beginning of a hash, enough to compare by eye.
func shortHash(h string) string { return h[:min(12, len(h))] }

// checkFreshness looks at the age of the newest look. It never withholds a
// verdict: old numbers are right as of their watermark.
func (b *builder) checkFreshness() Check {
	c := Check{
		Key: CheckFreshness, Title: "Freshness", State: CheckUnknown, Statistic: "no look yet",
		Threshold: "warns after " + ageWords(StaleAfter) + " without a new look",
	}
	last := b.history.newest()
	if last.Number == 0 {
		return c
	}
	age := b.in.Now.Sub(last.Watermark)
	c.State, c.Statistic = CheckOK, ageWords(age)
	c.Detail = "Windows that closed up to " + last.Watermark.UTC().Format("2006-01-02 15:04:05 UTC") + " are in."
	if b.exp.Status == experiment.StatusRunning && age > StaleAfter {
		c.State = CheckWarn
		c.Fix = "Either nobody was exposed, or the metrics job is not running: see the telemetry health page."
	}
	return c
}

// ageWords prints a duration in its largest unit.
func ageWords(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(max(0, d).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
