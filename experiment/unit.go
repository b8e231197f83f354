package experiment

// UnitType is what an experiment randomises.
type UnitType string

// The unit types.
const (
	UnitViewer      UnitType = "viewer"
	UnitBroadcaster UnitType = "broadcaster"
	UnitDevice      UnitType = "device"
	UnitSession     UnitType = "session"
	UnitBlock       UnitType = "block" // a cluster value x time slice of a switchback
)

// MaxUnitIDBytes bounds a unit id: room for two UUIDs and a prefix.
const MaxUnitIDBytes = 128

// ValidUnitType reports whether t is one of the unit types.
func ValidUnitType(t UnitType) bool {
	switch t {
	case UnitViewer, UnitBroadcaster, UnitDevice, UnitSession, UnitBlock:
		return true
	}
	return false
}

// ValidUnitID reports whether id is 1 to MaxUnitIDBytes printable ASCII
// characters. Other ids are refused because in-process SDKs in other
// languages hash UTF-16 units and would choose another arm.
func ValidUnitID(id string) bool {
	if id == "" || len(id) > MaxUnitIDBytes {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return true
}
