package assignment

import "github.com/splitcast/splitcast/experiment"

// unitIndex numbers the unit types, so that a Context finds ids without a search.
type unitIndex uint8

const (
	unitViewer unitIndex = iota
	unitBroadcaster
	unitDevice
	unitSession
	unitBlock
	unitCount
)

// unitIndexOf numbers a valid unit type.
func unitIndexOf(t experiment.UnitType) unitIndex {
	switch t {
	case experiment.UnitBroadcaster:
		return unitBroadcaster
	case experiment.UnitDevice:
		return unitDevice
	case experiment.UnitSession:
		return unitSession
	case experiment.UnitBlock:
		return unitBlock
	}
	return unitViewer
}

// unitAttr returns the attribute that carries ids of the unit type.
func unitAttr(u unitIndex) string {
	return [unitCount]string{AttrViewerID, AttrBroadcasterID, AttrDeviceID, AttrSessionID, AttrBlockID}[u]
}

func unitIndexOfAttr(name string) (unitIndex, bool) {
	switch name {
	case AttrViewerID:
		return unitViewer, true
	case AttrBroadcasterID:
		return unitBroadcaster, true
	case AttrDeviceID:
		return unitDevice, true
	case AttrSessionID:
		return unitSession, true
	case AttrBlockID:
		return unitBlock, true
	}
	return 0, false
}

// unitID is an id and what is known about it.
type unitID struct {
	text  string
	state idState
}

type idState uint8

const (
	idAbsent idState = iota
	idValid
	idInvalid
)

func newUnitID(text string) unitID {
	if experiment.ValidUnitID(text) {
		return unitID{text, idValid}
	}
	return unitID{text, idInvalid}
}

// Unit returns the id of the unit of type t: the attribute of that type, else
// the targeting key. It is false when there is none or it is not valid.
func (c *Context) Unit(t experiment.UnitType) (string, bool) { return c.unit(unitIndexOf(t)) }

func (c *Context) unit(u unitIndex) (string, bool) {
	id := &c.ids[u]
	if id.state == idAbsent {
		id = &c.keyID
	}
	return id.text, id.state == idValid
}
