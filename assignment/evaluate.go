package assignment

import "encoding/json"

// Reason tells a service, in OFREP's words, why it got a value.
type Reason string

// The reasons. OFREP 0.3 knows no others besides UNKNOWN.
const (
	ReasonStatic         Reason = "STATIC"          // a shipped arm; or control, because the experiment is not open to the unit
	ReasonTargetingMatch Reason = "TARGETING_MATCH" // an override
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
	CauseHoldout               // the unit is held out of the programme
	CauseShipped               // every unit gets the shipped arm
	CauseKept                  // the experiment is paused, and the unit keeps the arm that the hash chose
	CauseAudience              // the unit is outside the audience
	CauseRequires              // the unit does not fulfil a prerequisite
	CauseSlots                 // the unit's slot of the layer is not the experiment's
	CauseDropped               // the hash chose an arm that was dropped
	CauseSplit                 // the hash chose the arm
)

// String returns the cause as it stands in the metadata of answers.
func (c Cause) String() string {
	switch c {
	case CauseOverride:
		return "override"
	case CauseInactive:
		return "inactive"
	case CauseHoldout:
		return "holdout"
	case CauseShipped:
		return "shipped"
	case CauseKept:
		return "kept"
	case CauseAudience:
		return "audience"
	case CauseRequires:
		return "requires"
	case CauseSlots:
		return "slots"
	case CauseDropped:
		return "dropped"
	case CauseSplit:
		return "split"
	}
	return "no_unit"
}

// Reason returns the cause in OFREP's words.
func (c Cause) Reason() Reason {
	switch c {
	case CauseSplit, CauseKept:
		return ReasonSplit
	case CauseHoldout, CauseShipped, CauseAudience, CauseRequires, CauseSlots, CauseDropped:
		return ReasonStatic
	case CauseInactive:
		return ReasonDisabled
	case CauseOverride:
		return ReasonTargetingMatch
	}
	return ReasonUnknown
}

// hashed reports whether the hash chose an arm, be it served or not.
func (c Cause) hashed() bool { return c == CauseSplit || c == CauseKept || c == CauseDropped }

// serves reports whether the unit gets an arm of its own, rather than
// control's value for want of one.
func (c Cause) serves() bool {
	return c == CauseSplit || c == CauseKept || c == CauseShipped || c == CauseOverride
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
	Slot     int // of the layer; set for CauseSlots and wherever Position is
	Position int // in [0, sum of weights); set for CauseSplit, CauseKept and CauseDropped
	// Mark is a hash of the unit, to count distinct ones in a Sketch; set where
	// Position is.
	Mark uint64

	from *arm
	held *holdout
}

// Holdout returns the key of the holdout that the unit is in when Cause is
// CauseHoldout, and is empty otherwise.
func (r *Result) Holdout() string {
	if r.held == nil {
		return ""
	}
	return r.held.key
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
		Assigned:   d.cause == CauseSplit || d.cause == CauseKept || d.cause == CauseOverride && c.state == stateSplit,
		Override:   d.cause == CauseOverride,
		Layer:      c.Layer,
		Slot:       d.slot,
		Position:   int(d.position),
		Mark:       d.mark,
		from:       a,
		held:       d.held,
	}
}

// decision is the part of a Result that depends on the unit.
type decision struct {
	cause    Cause
	position uint32
	unit     string
	arm      int
	slot     int
	mark     uint64
	held     *holdout
}

// decide takes the steps in their fixed order. An override comes before the
// status, so that QA sees an arm at any time.
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
	if c.more != nil {
		return c.decideMore(ctx, unit)
	}
	if c.audience != nil && !c.audience.holds(ctx) {
		return decision{cause: CauseAudience, unit: unit}
	}
	hash := hashOf(c.layerSalt, unit)
	slot := slotAt(hash)
	if !c.owns(slot) {
		return decision{cause: CauseSlots, unit: unit, slot: slot}
	}
	return c.choose(CauseSplit, unit, hash)
}

// decideMore goes on for an experiment that has more than the usual parts. A
// holdout comes before a shipped arm: units held out show what the programme as
// a whole has done. A shipped arm reaches everyone else, whatever audience and
// slots.
func (c *compiled) decideMore(ctx *Context, unit string) decision {
	m := c.more
	for i := range m.holdouts {
		if m.holdouts[i].holds(unit) {
			return decision{cause: CauseHoldout, unit: unit, held: &m.holdouts[i]}
		}
	}
	switch {
	case c.state == stateShipped:
		return decision{cause: CauseShipped, unit: unit, arm: m.shippedArm}
	case c.state == stateKept && m.kept.Has(unit):
		return c.split(CauseKept, unit, hashOf(c.layerSalt, unit))
	case c.state == stateKept:
		return decision{cause: CauseInactive, unit: unit}
	case c.audience != nil && !c.audience.holds(ctx):
		return decision{cause: CauseAudience, unit: unit}
	case !m.fulfilled(ctx):
		return decision{cause: CauseRequires, unit: unit}
	}
	hash := hashOf(c.layerSalt, unit)
	slot := slotAt(hash)
	if !c.owns(slot) {
		return decision{cause: CauseSlots, unit: unit, slot: slot}
	}
	return c.split(CauseSplit, unit, hash)
}

// choose lets the hash choose an arm.
func (c *compiled) choose(cause Cause, unit string, layerHash uint32) decision {
	armHash := hashOf(c.armSalt, unit)
	pos := scale(armHash, c.total)
	return decision{
		cause: cause, unit: unit, arm: c.armAt(pos), slot: slotAt(layerHash), position: pos, mark: markOf(layerHash, armHash),
	}
}

// split is choose among arms of which some may be dropped.
func (c *compiled) split(cause Cause, unit string, layerHash uint32) decision {
	d := c.choose(cause, unit, layerHash)
	if c.more != nil && c.more.dropped&(1<<d.arm) != 0 {
		d.cause, d.arm = CauseDropped, 0
	}
	return d
}
