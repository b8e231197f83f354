package experiment

import (
	"cmp"
	"slices"
)

// TotalSlots is the fixed number of slots of every layer: 0.01 % of the
// traffic each. It never changes, so that growing an experiment moves nobody.
const TotalSlots = 10_000

// Layer makes experiments mutually exclusive: its salt spreads the units of
// one type over TotalSlots slots, and each slot has at most one owner.
type Layer struct {
	Key  string   `json:"key"`
	Unit UnitType `json:"unit"`
	Salt string   `json:"salt"`
}

// SlotRange is the half-open range [From, To) of slots.
type SlotRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Len returns the number of slots in the range.
func (r SlotRange) Len() int { return r.To - r.From }

// CountSlots returns the number of slots in ranges that do not overlap.
func CountSlots(ranges []SlotRange) int {
	n := 0
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}

// ResizeSlots returns ranges changed to hold want slots, given the ranges that
// other experiments of the layer own. Growing takes the lowest free slots and
// keeps every slot already owned; shrinking gives back the highest ones: units
// that stay inside never leave and come back. When the layer has too few free
// slots it returns a CodeConflict Error on field "slots".
func ResizeSlots(own, others []SlotRange, want int) ([]SlotRange, error) {
	own = slices.Clone(own)
	have := CountSlots(own)
	for have > want {
		last := &own[len(own)-1]
		cut := min(last.Len(), have-want)
		last.To -= cut
		have -= cut
		if last.Len() == 0 {
			own = own[:len(own)-1]
		}
	}
	if have == want {
		return own, nil
	}
	taken := sortRanges(slices.Concat(own, others))
	free := TotalSlots - CountSlots(taken)
	if want-have > free {
		return nil, Errorf(CodeConflict, "slots", "the layer has %d free slots, %d more are wanted", free, want-have)
	}
	at := 0
	for _, t := range append(taken, SlotRange{TotalSlots, TotalSlots}) {
		if n := min(t.From-at, want-have); n > 0 {
			own = append(own, SlotRange{at, at + n})
			have += n
		}
		at = max(at, t.To)
	}
	return joinRanges(sortRanges(own)), nil
}

func sortRanges(rs []SlotRange) []SlotRange {
	slices.SortFunc(rs, func(a, b SlotRange) int { return cmp.Compare(a.From, b.From) })
	return rs
}

// joinRanges merges neighbours of a sorted list.
func joinRanges(rs []SlotRange) []SlotRange {
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && out[n-1].To == r.From {
			out[n-1].To = r.To
			continue
		}
		out = append(out, r)
	}
	return out
}
