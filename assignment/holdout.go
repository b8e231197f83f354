package assignment

import "github.com/splitcast/splitcast/experiment"

// holdout is a Holdout in the form that evaluation reads.
type holdout struct {
	key   string
	salt  string // with the colon that precedes the unit id
	below uint32
}

// holds reports whether the unit is held out.
func (h *holdout) holds(unit string) bool {
	return position(h.salt, unit, experiment.TotalSlots) < h.below
}

// compileHoldouts returns the holdouts in force by unit type.
func compileHoldouts(hs []experiment.Holdout) (byUnit [unitCount][]holdout, err error) {
	for i := range hs {
		h := &hs[i]
		if h.Ended {
			continue
		}
		if !experiment.ValidKey(h.Key) || !experiment.ValidUnitType(h.Unit) || h.Slots < 1 || h.Slots > experiment.TotalSlots ||
			h.Salt == "" || len(h.Salt) > maxSaltBytes {
			return byUnit, experiment.Invalidf("holdouts", "holdout %q of %d slots on units of type %q cannot be", h.Key, h.Slots, h.Unit)
		}
		u := unitIndexOf(h.Unit)
		byUnit[u] = append(byUnit[u], holdout{h.Key, h.Salt + ":", uint32(h.Slots)})
	}
	return byUnit, nil
}
