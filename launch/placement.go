package launch

import (
	"cmp"
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// Placement is where an experiment would stand among the others.
type Placement struct {
	Layer  string              `json:"layer"`
	New    bool                `json:"new"` // nobody is in the layer yet
	Unit   experiment.UnitType `json:"unit"`
	Owners []SlotOwner         `json:"owners"` // in the order of slots
	Free   int                 `json:"free"`
	Wanted int                 `json:"wanted"` // at the end of the ramp
	// Ranges are the slots that it would get; none with Conflict.
	Ranges   []experiment.SlotRange `json:"ranges"`
	Conflict string                 `json:"conflict,omitempty"`
	// Meets are running experiments of other layers on the same units: a unit can
	// be in both, independently.
	Meets []Meeting `json:"meets"`
}

// SlotOwner is a range of slots and whose it is.
type SlotOwner struct {
	Experiment string            `json:"experiment"`
	Status     experiment.Status `json:"status"`
	experiment.SlotRange
}

// Meeting is an experiment that shares units with the new one.
type Meeting struct {
	Experiment string                `json:"experiment"`
	Name       string                `json:"name"`
	Layer      string                `json:"layer"`
	Change     experiment.ChangeKind `json:"change,omitempty"`
	// Share is the part of the new one's units that are in it too, were the
	// audiences the same.
	Share float64 `json:"share"`
	// SameChange: both change the same thing, so that their effects can add up to
	// something that neither shows.
	SameChange bool `json:"same_change"`
}

// maxMeetings bounds the list: those with the most shared units matter.
const maxMeetings = 12

// place finds the slots that a new experiment would get.
func place(in *Input) *Placement {
	spec := &in.Spec
	out := &Placement{
		Layer: spec.LayerKey(), New: true, Unit: spec.Unit, Wanted: finalSlots(spec),
		Owners: []SlotOwner{}, Ranges: []experiment.SlotRange{}, Meets: []Meeting{},
	}
	var taken []experiment.SlotRange
	for i := range in.Others {
		e := &in.Others[i]
		if e.Key == spec.Key {
			continue
		}
		if e.LayerKey() == out.Layer {
			out.New = false
			if e.Unit != spec.Unit {
				out.Conflict = "the layer splits units of type " + string(e.Unit)
			}
			for _, r := range e.SlotRanges {
				taken = append(taken, r)
				out.Owners = append(out.Owners, SlotOwner{e.Key, e.Status, r})
			}
			continue
		}
		if e.Status == experiment.StatusRunning && e.Unit == spec.Unit {
			out.Meets = append(out.Meets, Meeting{
				Experiment: e.Key, Name: e.Name, Layer: e.LayerKey(), Change: e.Change,
				Share:      float64(experiment.CountSlots(e.SlotRanges)) / experiment.TotalSlots,
				SameChange: e.Change != "" && e.Change == spec.Change,
			})
		}
	}
	slices.SortFunc(out.Owners, func(a, b SlotOwner) int { return cmp.Compare(a.From, b.From) })
	out.Free = experiment.TotalSlots - experiment.CountSlots(taken)
	slices.SortFunc(out.Meets, func(a, b Meeting) int {
		return cmp.Or(-compareBool(a.SameChange, b.SameChange), cmp.Compare(b.Share, a.Share), cmp.Compare(a.Experiment, b.Experiment))
	})
	out.Meets = out.Meets[:min(len(out.Meets), maxMeetings)]
	if out.Conflict != "" {
		return out
	}
	ranges, err := experiment.ResizeSlots(nil, taken, out.Wanted)
	if err != nil {
		for _, fault := range experiment.Faults(err) {
			out.Conflict = fault.Message
		}
		return out
	}
	out.Ranges = ranges
	return out
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
