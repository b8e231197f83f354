package assignment

import (
	"fmt"
	"strconv"
)

// step is the step of an evaluation that tells most about an exposure: the one
// that speaks against it, else one of which not all is known.
type step struct {
	match Match
	cause Cause
	name  string // of a holdout, of an experiment that is required, or what is not known
}

var enrolled = step{match: MatchYes, cause: CauseSplit}

// judge says whether the state gives the unit the exposure's arm.
func (s *auditState) judge(ctx *Context, x *AuditedExposure) step {
	c := s.experiment
	if arm, ok := c.overrides[x.Unit]; ok {
		if int(arm) == x.Arm && x.Override {
			return enrolled
		}
		return step{cause: CauseOverride}
	}
	return c.serving(ctx, x.Unit, 1<<x.Arm)
}

// serving says whether the unit gets one of the arms for its own, as decide does,
// by the logic of three values: what one step refuses is refused, whatever is not
// known of the others.
func (c *compiled) serving(ctx *Context, unit string, arms uint16) step {
	has := func(arm int) bool { return arms&(1<<arm) != 0 }
	if arm, ok := c.overrides[unit]; ok {
		return c.decided(CauseOverride, has(int(arm)))
	}
	if c.state == stateOff {
		return step{cause: CauseInactive}
	}
	m := c.more
	if m == nil {
		m = &more{}
	}
	for i := range m.holdouts {
		if m.holdouts[i].holds(unit) {
			return step{cause: CauseHoldout, name: m.holdouts[i].key}
		}
	}
	if c.state == stateShipped {
		return c.decided(CauseShipped, has(m.shippedArm))
	}
	d := c.split(CauseSplit, unit, hashOf(c.layerSalt, unit))
	if d.cause == CauseDropped || !has(d.arm) {
		return step{cause: d.cause}
	}
	if c.state == stateKept {
		return step{MatchUnknown, CauseKept, c.Key}
	}
	if !c.owns(d.slot) {
		return step{cause: CauseSlots}
	}
	return c.open(ctx, unit, m)
}

func (c *compiled) decided(cause Cause, yes bool) step {
	if yes {
		return step{match: MatchYes, cause: cause}
	}
	return step{cause: cause}
}

// open judges audience and prerequisites.
func (c *compiled) open(ctx *Context, unit string, m *more) step {
	least := enrolled
	if c.audience != nil {
		switch c.audience.match(ctx) {
		case MatchNo:
			return step{cause: CauseAudience}
		case MatchUnknown:
			least = step{MatchUnknown, CauseAudience, c.audience.notKnown(ctx)}
		}
	}
	for i := range m.requires {
		r := &m.requires[i]
		if r.other == nil {
			return step{cause: CauseRequires}
		}
		st := r.other.serving(ctx, unit, r.arms)
		if st.match == MatchNo {
			return step{cause: CauseRequires, name: r.other.Key}
		}
		if st.match == MatchUnknown && least.match == MatchYes {
			least = st
		}
	}
	return least
}

// words says what the step has against an exposure, or does not know.
func (s step) words(c *compiled, x *AuditedExposure) string {
	if s.match == MatchUnknown && s.cause == CauseKept {
		return fmt.Sprintf("which units kept their arms while %s was paused is not known any more", s.name)
	}
	if s.match == MatchUnknown {
		return s.name
	}
	switch s.cause {
	case CauseOverride:
		arm := int(c.overrides[x.Unit])
		if arm == x.Arm {
			return "an override forced the unit into the arm, but the exposure does not say so"
		}
		return fmt.Sprintf("an override forced the unit into arm %s, not %s", c.arms[arm].key, c.arms[x.Arm].key)
	case CauseHoldout:
		return "the unit was held out by " + s.name
	case CauseAudience:
		return "the unit was outside the audience"
	case CauseRequires:
		if s.name == "" {
			return "an experiment that is required was not running"
		}
		return "the unit did not have the arm of " + s.name + " that is required"
	case CauseSlots:
		return "the unit's slot " + strconv.Itoa(slotAt(hashOf(c.layerSalt, x.Unit))) + " was not the experiment's then"
	}
	arm := c.armAt(position(c.armSalt, x.Unit, c.total))
	if s.cause == CauseDropped {
		return fmt.Sprintf("the hash gives arm %s, which was dropped", c.arms[arm].key)
	}
	return fmt.Sprintf("the hash gives arm %s, not %s", c.arms[arm].key, c.arms[x.Arm].key)
}
