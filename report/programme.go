package report

import (
	"fmt"
	"slices"
)

// programmeLabel is what an experiment that measures a holdout compares with the units
// held out; its treatment arm is only the name of all other units.
const programmeLabel = "What ran and shipped"

// judgeProgramme judges an experiment that measures a holdout. Its arms are not two
// values of a setting, so there is nothing to ship or to take back: it says what the
// programme brought and what it costs.
func (b *builder) judgeProgramme(c *armCase) {
	c.label = programmeLabel
	known := slices.DeleteFunc(slices.Clone(c.primary), func(r *Row) bool { _, ok := r.deciding(); return !ok })
	helped, costs := inState(c.primary, StateBetter), c.harm()
	if len(c.hurt) > 0 {
		costs = append(costs, c.segmentHarm())
	}
	against := " against the units that " + b.exp.MeasuresHoldout + " holds out"
	switch {
	case len(helped) > 0 && len(costs) > 0:
		c.state = VerdictProgrammeMixed
		c.sentence = fmt.Sprintf("%s brought %s,%s. But it costs: %s.", c.label, rowList(helped), against, list(costs))
	case len(costs) > 0:
		c.state = VerdictProgrammeLoss
		c.sentence = fmt.Sprintf("%s costs,%s: %s.", c.label, against, list(costs))
	case len(helped) > 0:
		c.state = VerdictProgrammeGain
		c.sentence = fmt.Sprintf("%s brought %s,%s. %s", c.label, rowList(helped), against, c.programmeGuards())
	case len(known) == 0:
		c.state = VerdictCollecting
		c.sentence = "What the programme brought is not known yet. " + c.primary[0].undecided()
	case len(known) == len(c.primary) && !slices.ContainsFunc(c.primary, b.mayReachMDE):
		c.state = VerdictProgrammeNoGain
		c.sentence = b.noEffectSentence(c)
	default:
		c.state = VerdictKeepRunning
		r := known[0]
		c.sentence = fmt.Sprintf("What the programme brought is not decided yet. %s could be anywhere %s.", r.Metric.Name, r.rangeWords())
		if r.GroupSequential != nil {
			c.sentence += b.nextLook(r)
		} else {
			c.sentence += b.wait(r)
		}
	}
	c.sentence += otherWay(helped, b.exp.Unit)
}

// programmeGuards says how far it is proven that the gain cost nothing.
func (c *armCase) programmeGuards() string {
	safe := inState(c.guardrails, StateSafe)
	switch {
	case len(c.guardrails) == 0:
		return "No guardrail was planned, so what it cost is not measured."
	case len(safe) == len(c.guardrails):
		return "Every guardrail is proven within its margin."
	}
	var open []string
	for _, r := range c.guardrails {
		if r.State != StateSafe {
			open = append(open, lower(r.Metric.Name))
		}
	}
	return "Not yet proven within the margin: " + list(open) + "."
}

// programmeAction says what to do about a verdict on the programme; empty: as of any
// other experiment.
func programmeAction(s VerdictState) string {
	switch s {
	case VerdictProgrammeGain, VerdictProgrammeNoGain:
		return "There is nothing to ship: this measures all that ran and shipped together. Stop measuring when this is known well enough; " +
			"only then may its holdout end, and its units take part again."
	case VerdictProgrammeLoss, VerdictProgrammeMixed:
		return "There is nothing to roll back here: this measures all that ran and shipped together. Look through the conclusions for what shipped and may do it, and take that back."
	}
	return ""
}
