package experiment

// Limits of holdouts.
const (
	// MaxHoldouts bounds those of one unit type that are not ended: each costs
	// every evaluation one hash.
	MaxHoldouts = 4
	// MaxReasonBytes bounds what people write about why.
	MaxReasonBytes = 1_000
)

// HoldoutSpec is a holdout as a person writes it: Slots of TotalSlots of the
// units of a type are in no experiment, and get control's value of all that
// ship meanwhile, so that the effect of the whole programme can be measured
// against them.
type HoldoutSpec struct {
	Key   string   `json:"key"`
	Unit  UnitType `json:"unit"`
	Slots int      `json:"slots"`
	// Ended lets the units take part again. It is final: they have begun to
	// see what the others see.
	Ended bool `json:"ended,omitempty"`
}

// Holdout is a stored HoldoutSpec. A unit is held out when its position in
// [0, TotalSlots) under the salt is below Slots, so that growing a holdout
// releases nobody.
type Holdout struct {
	HoldoutSpec

	Salt string `json:"salt"`
}

// Validate returns every fault of the holdout as Errors of CodeInvalid, or nil.
func (h *HoldoutSpec) Validate() error {
	var f faultList
	if !ValidKey(h.Key) {
		f.addf("key", "must be a key as of experiments")
	}
	if !ValidUnitType(h.Unit) {
		f.addf("unit", "must be viewer, broadcaster, device, session or block")
	}
	if h.Slots < 1 || h.Slots >= TotalSlots {
		f.addf("slots", "must be 1 to %d of %d: somebody must be left to compare with", TotalSlots-1, TotalSlots)
	}
	return f.err()
}

// ReviseHoldout returns the holdout that results from giving spec to cur, nil
// for a new one; its salt is the caller's. It returns an Error of CodeConflict
// for a change that is refused.
func ReviseHoldout(cur *Holdout, spec HoldoutSpec) (Holdout, error) {
	if cur == nil {
		if spec.Ended {
			return Holdout{}, Errorf(CodeConflict, "ended", "a new holdout cannot begin as ended")
		}
		return Holdout{HoldoutSpec: spec}, nil
	}
	if spec.Unit != cur.Unit {
		return Holdout{}, Errorf(CodeConflict, "unit", "the unit of a holdout cannot change")
	}
	if cur.Ended && spec != cur.HoldoutSpec {
		return Holdout{}, Errorf(CodeConflict, "ended", "holdout %s has ended: its units take part again; make a new one", cur.Key)
	}
	return Holdout{HoldoutSpec: spec, Salt: cur.Salt}, nil
}

// Grows reports whether next holds out units that cur, nil for none, did not:
// experiments that run lose them, which makes new versions of those.
func (h *Holdout) Grows(cur *Holdout) bool {
	return !h.Ended && (cur == nil || h.Slots > cur.Slots)
}
