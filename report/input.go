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
	// Looks are those of the experiment's version, oldest first, from number 1
	// without gaps. The newest needs its dimension cells; older ones may have
	// only totals.
	Looks []metrics.Look
	// Counts are the units known now, per arm in order; empty: those of the
	// newest look.
	Counts []metrics.ArmCounts
	Now    time.Time
}

// At returns the input as it stood at look number look, so that Build gives the
// report of that time; ok is false when there is no such look. When the look
// has no dimension cells the report says that its segments were not read.
func (in Input) At(look int) (past Input, ok bool) {
	if look < 1 || look > len(in.Looks) {
		return Input{}, false
	}
	in.Looks = in.Looks[:look:look]
	in.Counts = nil
	in.Now = in.Looks[look-1].At
	return in, true
}
