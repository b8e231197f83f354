package simulate

import (
	"bytes"
	"slices"
	"time"
)

// Lies are what players tell that is not true, or tell again. None of them
// changes an outcome: what is true was told as well, and the platform knows
// which of the two to believe.
type Lies struct {
	WrongStart  bool // the start delay is 17 ms: as msd beside the states, and in heartbeats once the true one was told
	Starved     bool // bs in every record, whether or not anything starved
	StuckNumber bool // after the end one more record that says otherwise, under the number of the last
	Repeats     bool // every record three times, in any order
	WrongClocks bool // wall clocks of half the devices are years off; of heartbeats they are set right on the way
}

// What lying looks like.
const (
	lieStartMs      = 17
	liesLaterSec    = 900.0
	stuckAfter      = 40 * time.Minute // after the last honest record was sent
	wrongClockShare = 0.5
	wrongClockMs    = 3 * 365 * 24 * 3_600_000
)

// wrongClock draws by how much the clock of a visit is off.
func (w *World) wrongClock(v *Visit) int64 {
	d := newDice(mix(v.seed, purposeLies))
	if off := int64((2*d.Float64() - 1) * wrongClockMs); d.chance(wrongClockShare) {
		return off
	}
	return v.clockOffMs
}

// lie adds what a lying player sends beside the honest parcels of a whole visit.
func (w *World) lie(v *Visit, parcels []Parcel) []Parcel {
	l := w.on.Lies
	if !l.Repeats && !l.StuckNumber || len(parcels) == 0 {
		return parcels
	}
	d := newDice(mix(v.seed, purposeLies, 1))
	out := slices.Clone(parcels)
	if l.Repeats {
		for _, p := range parcels {
			for range 2 {
				p.First, p.Duplicate = false, true
				p.Due = p.Due.Add(time.Duration(d.Float64() * liesLaterSec * float64(time.Second)))
				out = append(out, p)
			}
		}
	}
	if l.StuckNumber {
		out = append(out, stuck(parcels)...)
	}
	return out
}

// stuck returns a record that contradicts the last one of a visit's session,
// long after it: of two that arrive together the server cannot know the first.
func stuck(parcels []Parcel) []Parcel {
	last := -1
	latest := parcels[0].Due
	for i, p := range parcels {
		if p.Due.After(latest) {
			latest = p.Due
		}
		if p.Format != UnitEvent && (last < 0 || p.Seq >= parcels[last].Seq) {
			last = i
		}
	}
	if last < 0 {
		return nil
	}
	p := parcels[last]
	p.First, p.Duplicate, p.Due = false, true, latest.Add(stuckAfter)
	if p.Format == CMCD {
		p.Body = bytes.Replace(p.Body, []byte("bl=("), []byte("bl=(9"), 1)
		p.Body = bytes.Replace(p.Body, []byte(",sta=p"), []byte(",sta=f"), 1)
	} else {
		p.Body = bytes.Replace(p.Body, []byte(`"mono_ms":`), []byte(`"mono_ms":9`), 1)
	}
	if !bytes.Contains(p.Body, []byte(`"first_frame_ms":null`)) { // a picture that any record tells of was seen
		p.Body = bytes.Replace(p.Body, []byte(`"play_ms":`), []byte(`"play_ms":1`), 1)
	}
	return []Parcel{p}
}
