package assignment

import (
	"fmt"
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// Enrolment is what decided arms from one change of an experiment to the next.
type Enrolment struct {
	Version int
	Spec    experiment.Spec
	Salt    string
	Slots   []experiment.SlotRange
	Layer   experiment.Layer
}

// Auditor derives the arms of recorded exposures again, from the history of
// one experiment alone: what was recorded is right when the version's salt,
// weights and slots, or an override, give the unit that arm. Audiences are not
// judged, because an exposure keeps few of the attributes that decided.
type Auditor struct {
	versions map[int]*auditedVersion
}

// auditedVersion is a version as of all its changes: arms, weights and salt are
// the same in each, slots and overrides those of any.
type auditedVersion struct {
	compiled compiled
	forced   map[string]uint16 // unit → arms that some override forced it into
}

// NewAuditor returns the Auditor of a history, oldest change first. Changes
// made as a draft assigned nobody and do not count.
func NewAuditor(history []Enrolment) (*Auditor, error) {
	byVersion := map[int][]Enrolment{}
	for _, e := range history {
		if e.Spec.Status != experiment.StatusDraft {
			byVersion[e.Version] = append(byVersion[e.Version], e)
		}
	}
	a := &Auditor{versions: map[int]*auditedVersion{}}
	for version, changes := range byVersion {
		v, err := newAuditedVersion(changes)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", version, err)
		}
		a.versions[version] = v
	}
	return a, nil
}

func newAuditedVersion(changes []Enrolment) (*auditedVersion, error) {
	first := changes[0]
	v := &auditedVersion{forced: map[string]uint16{}}
	owned := make([]bool, experiment.TotalSlots)
	for i := range changes {
		for _, r := range changes[i].Slots {
			if r.From < 0 || r.To > experiment.TotalSlots {
				return nil, experiment.Invalidf("slots", "[%d, %d) lies outside the layer", r.From, r.To)
			}
			for slot := r.From; slot < r.To; slot++ {
				owned[slot] = true
			}
		}
		for unit, arm := range changes[i].Spec.Overrides {
			if k := first.Spec.ArmIndex(arm); k >= 0 {
				v.forced[unit] |= 1 << k
			}
		}
	}
	e := experiment.Experiment{
		Spec: experiment.Spec{
			Key: first.Spec.Key, Unit: first.Spec.Unit, Layer: first.Spec.Layer, Arms: slices.Clone(first.Spec.Arms),
			Status: experiment.StatusRunning,
		},
		Version: first.Version, Salt: first.Salt, SlotRanges: rangesOf(owned),
	}
	for i := range e.Arms {
		e.Arms[i].Dropped = false // before it was dropped it was served
	}
	var err error
	v.compiled, err = compileExperiment(&e, &first.Layer, &parts{})
	return v, err
}

// rangesOf returns the runs of slots that are owned.
func rangesOf(owned []bool) []experiment.SlotRange {
	var out []experiment.SlotRange
	for slot, mine := range owned {
		switch {
		case !mine:
		case len(out) > 0 && out[len(out)-1].To == slot:
			out[len(out)-1].To++
		default:
			out = append(out, experiment.SlotRange{From: slot, To: slot + 1})
		}
	}
	return out
}

// Check returns, in words, why a unit cannot have been exposed to the arm of
// the version; empty when it can.
func (a *Auditor) Check(version int, unit string, arm int, override bool) string {
	v := a.versions[version]
	switch {
	case v == nil:
		return fmt.Sprintf("there is no version %d that ran", version)
	case !experiment.ValidUnitID(unit):
		return "the unit's id is not valid"
	case arm < 0 || arm >= len(v.compiled.arms):
		return fmt.Sprintf("version %d has no arm %d", version, arm)
	}
	forced := v.forced[unit]
	if forced&(1<<arm) != 0 {
		return ""
	}
	if override && forced == 0 {
		return "no override forced the unit into an arm"
	}
	c := &v.compiled
	d := c.split(CauseSplit, unit, c.slotOf(unit))
	if d.arm != arm {
		return fmt.Sprintf("the hash gives arm %s, not %s", c.arms[d.arm].key, c.arms[arm].key)
	}
	if !c.owns(d.slot) {
		return fmt.Sprintf("the unit's slot %d was never the experiment's", d.slot)
	}
	return ""
}
