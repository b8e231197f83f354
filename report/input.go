package report

import (
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// Input is all that a report is made from.
type Input struct {
	Experiment experiment.Experiment
	Versions   []Version // all versions, oldest first; may be empty
	// Looks are those of the experiment's version, oldest first; the last is the
	// one reported on and needs its dimension cells, of the others the totals
	// are enough. A report reads the looks of ShownLooks, and of a group-sequential
	// plan the first at or after each of PlannedTimes, and ignores others.
	Looks []metrics.Look
	// Counts are the units known now, per arm in order; empty: those of the
	// newest look.
	Counts []metrics.ArmCounts
	// Assigned are the units that evaluation over HTTP has given each arm by now;
	// of the past nothing is known.
	Assigned []metrics.AssignedUnits
	Now      time.Time
	// Running are the experiments that run now, this one or not; of the past
	// nothing is known.
	Running []experiment.Experiment
	// Catalogue defines the metrics; nil is metrics.Builtin.
	Catalogue *metrics.Catalogue
}

// MaxSeriesPoints bounds the looks of a report: more points than a chart has
// columns of pixels cannot be seen, and an experiment that is looked at every
// minute has 20,000 looks in two weeks.
const MaxSeriesPoints = 400

// ShownLooks returns the numbers of the looks that a report on look newest is
// made from, in order: look 1 and every 2^k-th after it, k as small as
// MaxSeriesPoints allows, and the newest. As looks are added points disappear
// but never move. "First" and "since" of a report are among these looks.
func ShownLooks(newest int) []int {
	if newest < 1 {
		return nil
	}
	stride := 1
	for (newest-1)/stride+1 > MaxSeriesPoints-1 && newest > MaxSeriesPoints {
		stride *= 2
	}
	out := make([]int, 0, MaxSeriesPoints)
	for n := 1; n <= newest; n += stride {
		out = append(out, n)
	}
	if out[len(out)-1] != newest {
		out = append(out, newest)
	}
	return out
}

// shown returns the looks of the input that the report is made from.
func (in *Input) shown() []metrics.Look {
	if len(in.Looks) == 0 {
		return nil
	}
	numbers := ShownLooks(in.Looks[len(in.Looks)-1].Number)
	out := make([]metrics.Look, 0, len(numbers))
	at := 0
	for _, n := range numbers {
		for at < len(in.Looks) && in.Looks[at].Number < n {
			at++
		}
		if at < len(in.Looks) && in.Looks[at].Number == n {
			out = append(out, in.Looks[at])
		}
	}
	return out
}

// At returns the input as it stood at look number look, so that Build gives the
// report of that time; ok is false when the input does not hold that look. It
// needs the looks of ShownLooks(look) and the planned ones until then, which an
// input that was made for a later look may lack. When the look has no dimension cells the report says that its
// segments were not read.
func (in Input) At(look int) (past Input, ok bool) {
	for i := range in.Looks {
		if in.Looks[i].Number != look {
			continue
		}
		in.Looks = in.Looks[: i+1 : i+1]
		in.Counts, in.Assigned, in.Running = nil, nil, nil
		in.Now = in.Looks[i].At
		return in, true
	}
	return Input{}, false
}
