package assignment

import "github.com/splitcast/splitcast/experiment"

// ArmOf returns the arm that a unit has whenever it takes part in the
// experiment, whatever its attributes, and whether it is forced into it. It is
// false when the experiment is not known or the id is not valid. An arm that was
// dropped since counts: its units met it before. It serves to check what others
// say of a unit.
func (s *Snapshot) ArmOf(key, unit string) (variant string, override, ok bool) {
	i, known := s.index[key]
	if !known || !experiment.ValidUnitID(unit) {
		return "", false, false
	}
	c := &s.experiments[i]
	if arm, forced := c.overrides[unit]; forced {
		return c.arms[arm].key, true, true
	}
	return c.arms[c.armAt(position(c.armSalt, unit, c.total))].key, false, true
}
