package assignment

import "encoding/json"

// Reason tells a service, in OFREP's words, why it got a value.
type Reason string

// The reasons. OFREP 0.3 knows no others besides UNKNOWN.
const (
	ReasonStatic         Reason = "STATIC"          // control, because the experiment is not open to the unit
	ReasonTargetingMatch Reason = "TARGETING_MATCH" // an override or a shipped arm
	ReasonSplit          Reason = "SPLIT"           // an arm by hash
	ReasonDisabled       Reason = "DISABLED"        // control, because the experiment is paused or stopped
	ReasonUnknown        Reason = "UNKNOWN"         // control, because there is no id of the unit
)

// Cause says precisely which step of the evaluation decided.
type Cause uint8

// The causes, in the order in which they are tried.
const (
	CauseNoUnit   Cause = iota // the context holds no id of the experiment's unit type
	CauseOverride              // the unit is forced into its arm
	CauseInactive              // the experiment is paused or stopped
	CauseAudience              // the unit is outside the audience
	CauseShipped               // the audience gets the shipped arm
	CauseSlots                 // the unit's slot of the layer is not the experiment's
	CauseSplit                 // the hash chose the arm
)

// String returns the cause as it stands in the metadata of answers.
func (c Cause) String() string {
	switch c {
	case CauseOverride:
		return "override"
	case CauseInactive:
		return "inactive"
	case CauseAudience:
		return "audience"
	case CauseShipped:
		return "shipped"
	case CauseSlots:
		return "slots"
	case CauseSplit:
		return "split"
	}
	return "no_unit"
}

// Reason returns the cause in OFREP's words.
func (c Cause) Reason() Reason {
	switch c {
	case CauseOverride, CauseShipped:
		return ReasonTargetingMatch
	case CauseInactive:
		return ReasonDisabled
	case CauseAudience, CauseSlots:
		return ReasonStatic
	case CauseSplit:
		return ReasonSplit
	}
	return ReasonUnknown
}

// Result is the answer for one unit and one experiment, with all that is
// needed to derive it again.
type Result struct {
	Experiment string
	Version    int
	Unit       string // the id that decided; empty when Cause is CauseNoUnit
	Arm        int    // index; 0 is control
	Variant    string // the arm's key
	Value      json.RawMessage
	Reason     Reason
	Cause      Cause
	// Assigned is true when the unit takes part: its exposure counts. Units
	// that merely get control's value do not take part.
	Assigned bool
	// Override is true for a unit forced into its arm; when it is exposed it
	// must be marked so, and it is not analysed.
	Override bool
	Layer    string
	Slot     int // of the layer; set for CauseSlots and CauseSplit
	Position int // in [0, sum of weights); set for CauseSplit

	from *arm
}

// Evaluate answers for the experiment with the given key; false when it is
// unknown, a draft or archived.
func (s *Snapshot) Evaluate(key string, ctx *Context) (Result, bool) {
	i, ok := s.index[key]
	if !ok {
		return Result{}, false
	}
	return s.EvaluateAt(i, ctx), true
}

// EvaluateAt answers for experiment i of Len.
func (s *Snapshot) EvaluateAt(i int, ctx *Context) Result {
	c := &s.experiments[i]
	d := c.decide(ctx)
	a := &c.arms[d.arm]
	return Result{
		Experiment: c.Key,
		Version:    c.Version,
		Unit:       d.unit,
		Arm:        d.arm,
		Variant:    a.key,
		Value:      a.value,
		Reason:     d.cause.Reason(),
		Cause:      d.cause,
		Assigned:   d.cause == CauseSplit || d.cause == CauseOverride && c.state == stateSplit,
		Override:   d.cause == CauseOverride,
		Layer:      c.Layer,
		Slot:       d.slot,
		Position:   int(d.position),
		from:       a,
	}
}

// decision is the part of a Result that depends on the unit.
type decision struct {
	cause    Cause
	unit     string
	arm      int
	slot     int
	position uint32
}

// decide takes the steps in their fixed order. An override comes before the
// status, so that QA sees an arm at any time; a shipped arm reaches the whole
// audience whatever its slots, and nobody outside, where it was never tested.
func (c *compiled) decide(ctx *Context) decision {
	unit, ok := ctx.unit(c.unit)
	if !ok {
		return decision{cause: CauseNoUnit}
	}
	if c.overrides != nil {
		if i, forced := c.overrides[unit]; forced {
			return decision{cause: CauseOverride, unit: unit, arm: int(i)}
		}
	}
	if c.state == stateOff {
		return decision{cause: CauseInactive, unit: unit}
	}
	if c.audience != nil && !c.audience.holds(ctx) {
		return decision{cause: CauseAudience, unit: unit}
	}
	if c.state == stateShipped {
		return decision{cause: CauseShipped, unit: unit, arm: c.shippedArm}
	}
	slot := c.slotOf(unit)
	if !c.owns(slot) {
		return decision{cause: CauseSlots, unit: unit, slot: slot}
	}
	pos := position(c.armSalt, unit, c.total)
	return decision{cause: CauseSplit, unit: unit, arm: c.armAt(pos), slot: slot, position: pos}
}
