package report

import (
	"fmt"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// PlannedLooks is the schedule of a group-sequential plan and how far it is.
type PlannedLooks struct {
	Of       int                 `json:"of"` // how many were planned
	Spending experiment.Spending `json:"spending"`
	// Taken are the planned looks that were taken. Several that fell due before one
	// look was taken are that one, under the number of the last of them.
	Taken []PlannedLook `json:"taken"`
	// NextAt is when planned look Next falls due; nil after the last, and before
	// the launch. It lies in the past while nothing new has come since.
	Next   int        `json:"next,omitempty"`
	NextAt *time.Time `json:"next_at,omitempty"`
}

// PlannedLook is one planned look: the first look taken when it was due.
type PlannedLook struct {
	Planned int       `json:"planned"` // from 1
	Look    int       `json:"look"`    // its number among all looks
	DueAt   time.Time `json:"due_at"`
	At      time.Time `json:"at"`
}

// PlannedTimes returns when the looks of a group-sequential plan fall due in the
// present run of the experiment: that of its version. It is empty for a plan of
// another method and before the launch. A report needs the first look at or after
// each of them, besides those of ShownLooks.
func PlannedTimes(e *experiment.Experiment, versions []Version) []time.Time {
	if e.StartedAt == nil {
		return nil
	}
	start := *e.StartedAt
	for _, v := range versions {
		if v.Version == e.Version && v.At.After(start) {
			start = v.At // what runs was changed: its outcomes began anew
		}
	}
	plan := e.Plan.WithDefaults()
	return plan.LookTimes(start)
}

// plannedLook is a planned look with its cells.
type plannedLook struct {
	PlannedLook
	look *metrics.Look
}

// schedule finds the planned looks of the input among its looks.
func (in *Input) schedule() (taken []plannedLook, out *PlannedLooks) {
	plan := in.Experiment.Plan.WithDefaults()
	if !plan.GroupSequential() {
		return nil, nil
	}
	out = &PlannedLooks{Of: plan.Looks, Spending: plan.Spending, Taken: []PlannedLook{}}
	at := 0
	for i, due := range PlannedTimes(&in.Experiment, in.Versions) {
		for at < len(in.Looks) && in.Looks[at].At.Before(due) {
			at++
		}
		if at == len(in.Looks) {
			out.Next, out.NextAt = i+1, &due
			break
		}
		l := &in.Looks[at]
		p := PlannedLook{Planned: i + 1, Look: l.Number, DueAt: due, At: l.At}
		if n := len(taken); n > 0 && taken[n-1].Look == l.Number {
			taken[n-1] = plannedLook{p, l}
			continue
		}
		taken = append(taken, plannedLook{p, l})
	}
	for i := range taken {
		out.Taken = append(out.Taken, taken[i].PlannedLook)
	}
	return taken, out
}

// last reports whether a planned look is the last of the plan.
func (p *PlannedLooks) last(planned int) bool { return planned == p.Of }

// awaits says which planned look is awaited, and when; empty after the last.
func (p *PlannedLooks) awaits() string {
	if p.NextAt == nil {
		return ""
	}
	which := fmt.Sprintf("Planned look %d of %d", p.Next, p.Of)
	switch {
	case p.Next == 1:
		which = fmt.Sprintf("The first of %d planned looks", p.Of)
	case p.last(p.Next):
		which = fmt.Sprintf("The last of %d planned looks", p.Of)
	}
	return which + " is on " + dayAndTime(*p.NextAt) + "."
}

// dayAndTime prints a time in UTC within a sentence.
func dayAndTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
