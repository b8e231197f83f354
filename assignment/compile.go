package assignment

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/splitcast/splitcast/experiment"
)

// compiled is an experiment in the form that evaluation reads.
type compiled struct {
	Info

	state     state
	unit      unitIndex
	layerSalt string // with the colon that precedes the unit id
	armSalt   string // likewise
	slots     []experiment.SlotRange
	arms      []arm
	total     uint32           // sum of the weights
	overrides map[string]uint8 // unit id → arm
	audience  *rule            // nil: everyone
	more      *more            // nil: none of it

	digest [sha256.Size]byte // of the text it was compiled from
}

// more is what few experiments have. It stands apart, so that evaluating the
// others reads less memory.
type more struct {
	holdouts   []holdout // that the experiment honours
	wanted     []experiment.Requirement
	requires   []requirement       // wanted, linked
	dropped    uint16              // bit i: arm i is dropped
	shippedArm int                 // when state is stateShipped
	kept       *experiment.UnitSet // when state is stateKept
}

// state is what the status and the shipped arm together mean for a unit.
type state uint8

const (
	stateSplit   state = iota // units are assigned by hash
	stateShipped              // everyone gets one arm
	stateKept                 // paused, but some units keep their arms
	stateOff                  // paused, or stopped without a decision
)

// arm is one arm with everything of its answers that is known beforehand.
type arm struct {
	key   string
	below uint32 // cumulative weight: positions under it, and not under the previous arm's, are this arm's
	value json.RawMessage
	head  []byte // the OFREP answer up to the metadata that varies
}

// maxSaltBytes bounds salts, so that salt and unit id fit on the stack.
const maxSaltBytes = 64

// maxTotalWeight is the largest sum of weights that every flagd provider takes.
const maxTotalWeight = math.MaxInt32

func compileExperiment(e *experiment.Experiment, layer *experiment.Layer, parts *parts) (compiled, error) {
	c := compiled{Info: Info{Key: e.Key, ID: e.ID, Version: e.Version, Unit: e.Unit, Layer: e.LayerKey(), Status: e.Status}}
	if err := checkExperiment(e, layer); err != nil {
		return c, err
	}
	c.unit = unitIndexOf(e.Unit)
	c.layerSalt, c.armSalt = layer.Salt+":", e.Salt+":"
	c.slots = slices.Clone(e.SlotRanges)
	c.state = stateSplit
	if e.ShippedArm != "" {
		c.state = stateShipped
	}
	if e.Status == experiment.StatusPaused || e.Status == experiment.StatusStopped && e.ShippedArm == "" {
		c.state = stateOff
	}
	if parts.kept[e.Key] != nil && e.KeepsArms() {
		c.state = stateKept
	}
	c.more = compileMore(e, c.state, c.unit, parts)
	if err := c.compileArms(e); err != nil {
		return c, err
	}
	if n := len(e.Overrides); n > 0 {
		c.overrides = make(map[string]uint8, n)
		for unit, key := range e.Overrides {
			c.overrides[unit] = uint8(e.ArmIndex(key))
		}
	}
	var err error
	c.audience, err = parts.audiences.compile(e.Audience, c.unit)
	return c, err
}

// compileMore returns the unusual parts of an experiment; nil when it has none.
// Prerequisites are linked later, when all experiments are compiled.
func compileMore(e *experiment.Experiment, st state, unit unitIndex, parts *parts) *more {
	m := &more{kept: parts.kept[e.Key], wanted: slices.Clone(e.Requires)}
	for _, h := range parts.holdouts[unit] {
		if e.IgnoreHoldouts == "" && h.key != e.MeasuresHoldout {
			m.holdouts = append(m.holdouts, h)
		}
	}
	if st == stateShipped {
		m.shippedArm = e.ArmIndex(e.ShippedArm)
	}
	for i := range e.Arms {
		if e.Arms[i].Dropped {
			m.dropped |= 1 << i
		}
	}
	if st == stateSplit && len(m.holdouts) == 0 && len(e.Requires) == 0 && m.dropped == 0 {
		return nil
	}
	return m
}

// checkExperiment repeats at the border of evaluation what the database and
// Spec.Validate promise, because a breach would move units silently.
func checkExperiment(e *experiment.Experiment, layer *experiment.Layer) error {
	if !experiment.ValidKey(e.Key) {
		return experiment.Invalidf("key", "%q is not a key", e.Key)
	}
	if layer == nil {
		return experiment.Invalidf("layer", "there is no layer %q", e.LayerKey())
	}
	if layer.Unit != e.Unit || !experiment.ValidUnitType(e.Unit) {
		return experiment.Invalidf("unit", "is %q, but the layer splits units of type %q", e.Unit, layer.Unit)
	}
	for field, salt := range map[string]string{"salt": e.Salt, "layer": layer.Salt} {
		if salt == "" || len(salt) > maxSaltBytes {
			return experiment.Invalidf(field, "a salt has 1 to %d bytes, not %d", maxSaltBytes, len(salt))
		}
	}
	end := 0
	for _, r := range e.SlotRanges {
		if r.From < end || r.To <= r.From || r.To > experiment.TotalSlots {
			return experiment.Invalidf("slot_ranges", "[%d, %d) is not an ascending range within %d slots", r.From, r.To, experiment.TotalSlots)
		}
		end = r.To
	}
	if n := len(e.Arms); n < experiment.MinArms || n > experiment.MaxArms {
		return experiment.Invalidf("arms", "must be %d to %d arms, not %d", experiment.MinArms, experiment.MaxArms, n)
	}
	if e.Arms[0].Dropped {
		return experiment.Invalidf("arms", "control is dropped")
	}
	if e.ShippedArm != "" && e.ArmIndex(e.ShippedArm) < 0 {
		return experiment.Invalidf("shipped_arm", "there is no arm %q", e.ShippedArm)
	}
	for unit, key := range e.Overrides {
		if e.ArmIndex(key) < 0 || !experiment.ValidUnitID(unit) {
			return experiment.Invalidf("overrides", "%q in arm %q cannot be", unit, key)
		}
	}
	return nil
}

func (c *compiled) compileArms(e *experiment.Experiment) error {
	var total int64
	c.Arms, c.arms = make([]string, 0, len(e.Arms)), make([]arm, 0, len(e.Arms))
	for i := range e.Arms {
		a := &e.Arms[i]
		if a.Weight < 1 || a.Weight > maxTotalWeight-total {
			return experiment.Invalidf("arms", "the weight of arm %q is not positive, or the sum exceeds %d", a.Key, maxTotalWeight)
		}
		total += a.Weight
		var value bytes.Buffer
		if err := json.Compact(&value, a.Value); err != nil {
			return experiment.Invalidf("arms", "the value of arm %q is not JSON: %v", a.Key, err)
		}
		c.Arms = append(c.Arms, a.Key)
		c.arms = append(c.arms, arm{key: a.Key, below: uint32(total), value: bytes.Clone(value.Bytes())})
	}
	c.total = uint32(total)
	for i := range c.arms {
		c.arms[i].head = answerHead(c, &c.arms[i], e.Salt)
	}
	return nil
}

// answerHead renders the part of an OFREP answer that is the same for every
// unit in the arm. Keys and unit types need no escaping: ValidKey.
func answerHead(c *compiled, a *arm, salt string) []byte {
	b := make([]byte, 0, 160+len(a.value))
	b = append(b, `{"key":"`...)
	b = append(b, c.Key...)
	b = append(b, `","variant":"`...)
	b = append(b, a.key...)
	b = append(b, `","value":`...)
	b = append(b, a.value...)
	b = append(b, `,"metadata":{"version":`...)
	b = strconv.AppendInt(b, int64(c.Version), 10)
	b = append(b, `,"unit":"`...)
	b = append(b, c.Unit...)
	b = append(b, `","layer":"`...)
	b = append(b, c.Layer...)
	b = append(b, `","salt":`...)
	b = appendString(b, salt)
	return bytes.Clone(b)
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		panic("a string always marshals: " + err.Error())
	}
	return append(b, q...)
}
