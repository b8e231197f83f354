package report

import "github.com/splitcast/splitcast/experiment"

// over reports whether the experiment takes no more units for good.
func (b *builder) over() bool {
	return b.exp.Status == experiment.StatusStopped || b.exp.Status == experiment.StatusArchived
}

// unlaunched is the verdict on a draft: there is nothing to judge.
func (b *builder) unlaunched(r *Report) Verdict {
	c := b.armCase(r, 1)
	return Verdict{
		State: VerdictCollecting, Arm: b.exp.Arms[1].Key, Reasons: c.reasons,
		Sentence: "Not launched yet: nobody is assigned, and there is nothing to judge.",
		Action:   "Look through the plan, then launch: the plan is fixed at that moment.",
	}
}

// overAction says what is left to do with an experiment that is over.
func (b *builder) overAction(c *armCase) string {
	shipped := b.exp.ShippedArm
	switch {
	case c.state.OfProgramme():
		return "There is nothing to ship or to take back here: this measured all that ran and shipped together. Its holdout may end, unless another experiment measures it."
	case c.state == VerdictKeepRunning || c.state == VerdictCollecting:
		if b.exp.MeasuresHoldout != "" {
			return "It was stopped before this was decided. To learn more, measure the holdout by another experiment."
		}
		return "It was stopped before this was decided. To learn more, run it again."
	case c.state == VerdictRollBack && shipped == b.exp.Arms[c.arm].Key:
		return "Take " + c.label + " back: it is shipped, and it hurts."
	case c.state == VerdictShip && shipped == "":
		return "It is stopped, and " + c.label + " is not shipped: ship it, or archive this."
	case shipped != "":
		return "Nothing: " + b.shippedLabel() + " is shipped."
	}
	return "Nothing: it is stopped."
}

// shippedLabel names the arm that is shipped.
func (b *builder) shippedLabel() string {
	for i := range b.exp.Arms {
		if b.exp.Arms[i].Key == b.exp.ShippedArm {
			return b.armLabel(i)
		}
	}
	return b.exp.ShippedArm
}
