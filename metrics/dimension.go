package metrics

// DimensionCount is the number of dimensions.
const DimensionCount = 7

// dimensionNames is in the order of storage: append, never reorder.
var dimensionNames = [DimensionCount]string{
	"country", "device_class", "os", "player", "player_version", "net_class", "isp",
}

// Dimensions returns the attributes at exposure by which cells are broken down,
// in the order of Outcome.Dims.
func Dimensions() [DimensionCount]string { return dimensionNames }

// Limits and reserved values of a dimension.
const (
	// MaxDimensionValues is how many values of a dimension have cells of their
	// own: the first distinct ones in closing order. A choice by size would
	// change as data come in, and with it which units a cell holds.
	MaxDimensionValues = 20
	// DimensionOther holds the units of all further values.
	DimensionOther = "other"
	// DimensionUnknown holds the units without the attribute.
	DimensionUnknown = "unknown"
	// TrafficDimension is no attribute at exposure and so not among Dimensions: its
	// only value, TrafficSuspected, has cells of the units that are likely to be
	// programs. What is left of a total without them are people.
	TrafficDimension = "traffic"
	TrafficSuspected = "suspected"
	// MaxSegments is the most dimension values that cells can show, the two
	// reserved ones of each dimension included. Because it is fixed, a
	// correction for looking at this many segments is the same at every look.
	MaxSegments = DimensionCount * (MaxDimensionValues + 2)
)

// DimensionIndex returns the position of a dimension in Dimensions(); ok is false
// for any other name.
func DimensionIndex(name string) (i int, ok bool) {
	for i, d := range dimensionNames {
		if d == name {
			return i, true
		}
	}
	return 0, false
}

// The slots that every dimension has; further values follow as they come.
const (
	slotUnknown = iota
	slotOther
	firstValueSlot
)

// slotTable gives the values of a dimension their slots, first come first
// served, until they are all taken.
type slotTable struct {
	names []string
	slots map[string]int
}

func newSlotTable() slotTable {
	t := slotTable{slots: map[string]int{"": slotUnknown}}
	t.names = []string{DimensionUnknown, DimensionOther}
	t.slots[DimensionUnknown], t.slots[DimensionOther] = slotUnknown, slotOther
	return t
}

func (t *slotTable) slot(value string) int {
	if i, ok := t.slots[value]; ok {
		return i
	}
	if len(t.names) == firstValueSlot+MaxDimensionValues {
		return slotOther
	}
	t.names = append(t.names, value)
	t.slots[value] = len(t.names) - 1
	return len(t.names) - 1
}
