package simulate

import "time"

// Parcel is a report on its way to the server, with the moment of its arrival.
type Parcel struct {
	Report
	Due       time.Time
	First     bool // the first report of its session
	Duplicate bool // the client had sent it before
}

// Shares of what goes wrong on the way. It must change no result: heartbeats
// are cumulative and numbered, CMCD is numbered.
const (
	duplicateShare = 0.005 // of reports arrive twice: an answer was lost
	lateShare      = 0.01  // arrive later than those after them
	lateMostSec    = 600.0
)

// dispatch decides how reports of a visit travel. It depends on the reports
// alone, so that a run that was interrupted repeats the same mischief. The
// first report is never late: the server dates a session by it.
func (w *World) dispatch(v *Visit, reports []Report) []Parcel {
	if len(reports) == 0 {
		return nil
	}
	d := newDice(mix(v.seed, purposeMischief, uint64(reports[0].Seq)))
	out := make([]Parcel, 0, len(reports))
	for _, r := range reports {
		p := Parcel{Report: r, Due: r.At, First: r.Seq == 0}
		late, again := d.Float64()*lateMostSec, d.Float64()*lateMostSec
		if d.chance(lateShare) && !p.First {
			p.Due = p.Due.Add(time.Duration(late * float64(time.Second)))
		}
		out = append(out, p)
		if d.chance(duplicateShare) {
			p.Due = p.Due.Add(time.Duration(again * float64(time.Second)))
			p.First, p.Duplicate = false, true
			out = append(out, p)
		}
	}
	return out
}
