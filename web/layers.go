package web

import (
	"fmt"

	"github.com/splitcast/splitcast/experiment"
)

// LayersView is the map of layers: which experiment owns which slots.
type LayersView struct {
	Chrome
	Layers []LayerView
}

// LayerView is one layer.
type LayerView struct {
	Key    string
	Unit   experiment.UnitType
	Owners []SlotOwner // ascending
	Free   int         // slots without an owner
}

// SlotOwner is a range of slots of a layer and whose it is.
type SlotOwner struct {
	Experiment string
	Status     experiment.Status
	URL        string
	experiment.SlotRange
}

// layersPage is the map ready for the template.
type layersPage struct {
	Chrome
	Layers []layerPart
}

type layerPart struct {
	Key, Unit, Free string
	Words           string // of the strip, for who cannot see it
	Strip           []stripPart
	Owners          []layerOwner
}

// stripPart is a rectangle in a strip that is experiment.TotalSlots wide.
type stripPart struct {
	From, Width int
	Title       string
	Hue         int  // of stripHues
	New         bool // would be taken by an experiment that is being prepared
}

type layerOwner struct {
	Key, URL, Status, Share, Slots string
	Hue                            int
}

// stripHues is how many fills the style sheet has for neighbours.
const stripHues = 6

func newLayersPage(v LayersView) layersPage {
	p := layersPage{Chrome: v.Chrome}
	for i := range v.Layers {
		p.Layers = append(p.Layers, newLayerPart(&v.Layers[i]))
	}
	return p
}

func newLayerPart(l *LayerView) layerPart {
	out := layerPart{
		Key: l.Key, Unit: string(l.Unit), Free: slotShare(l.Free) + " free",
		Words: "Slots of layer " + l.Key + ": ",
	}
	at := map[string]int{} // index in out.Owners
	owned := map[string]int{}
	for _, o := range l.Owners {
		i, ok := at[o.Experiment]
		if !ok {
			i = len(out.Owners)
			at[o.Experiment] = i
			out.Owners = append(out.Owners, layerOwner{Key: o.Experiment, URL: o.URL, Status: statusWord(o.Status), Hue: i % stripHues})
		}
		owned[o.Experiment] += o.Len()
		out.Owners[i].Slots = appendRange(out.Owners[i].Slots, o.SlotRange)
		out.Strip = append(out.Strip, stripPart{
			From: o.From, Width: o.Len(), Hue: i % stripHues,
			Title: fmt.Sprintf("%s: slots %s", o.Experiment, slotRange(o.SlotRange)),
		})
	}
	for i := range out.Owners {
		o := &out.Owners[i]
		o.Share = slotShare(owned[o.Key])
		out.Words += o.Key + " " + o.Share + ", "
	}
	out.Words += out.Free
	return out
}

func appendRange(list string, r experiment.SlotRange) string {
	if list != "" {
		list += ", "
	}
	return list + slotRange(r)
}

// slotRange writes the first and the last slot.
func slotRange(r experiment.SlotRange) string { return fmt.Sprintf("%d to %d", r.From, r.To-1) }

// slotShare writes a number of slots as a share of the layer.
func slotShare(slots int) string {
	return sharePct(float64(slots) / experiment.TotalSlots)
}
