package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Names of ramps, as the form sends them.
const (
	rampNone   = ""
	rampHourly = "hourly"
	rampDaily  = "daily"
	rampStored = "stored" // of the draft that is edited
)

// launchRamp is a way to grow.
type launchRamp struct {
	Name, Text string
	Every      time.Duration
	Shares     []float64 // of the experiment's share, the last is all of it
}

// launchRamps are the ramps in the order in which they are offered. A day holds
// all hours of viewing; an hour shows whether players start at all.
func launchRamps() []launchRamp {
	return []launchRamp{
		{rampDaily, "Careful: 1, 5, 25, 50, 100 % of the share, a step a day", 24 * time.Hour, []float64{0.01, 0.05, 0.25, 0.5, 1}},
		{rampHourly, "Quick: 10, 50, 100 % of the share, a step an hour", time.Hour, []float64{0.1, 0.5, 1}},
		{rampNone, "At once", 0, nil},
	}
}

// rampOf returns with how many slots an experiment begins and how they grow.
func rampOf(name string, slots int, startAt *time.Time, now time.Time) (first int, steps []experiment.RampStep) {
	begin := now
	if startAt != nil {
		begin = *startAt
	}
	for _, r := range launchRamps() {
		if r.Name != name || r.Every == 0 {
			continue
		}
		last := 0
		for i, share := range r.Shares {
			n := int(math.Round(share * float64(slots)))
			if n <= last { // of a small share the first steps are less than a slot
				continue
			}
			last = n
			if first == 0 {
				first = n
				continue
			}
			steps = append(steps, experiment.RampStep{At: begin.Add(time.Duration(i) * r.Every).Truncate(time.Second), Slots: n})
		}
		return first, steps
	}
	return slots, nil
}

// storedRamp returns the ramp of a stored draft, of which the experiment takes slots
// in the end: the steps stay at their times, and grow or shrink with the whole.
func storedRamp(stored *experiment.Spec, slots int) (first int, steps []experiment.RampStep) {
	all := rampEnd(stored)
	if slots == all || all == 0 {
		return stored.Slots, stored.Ramp
	}
	share := func(n int) int { return int(math.Round(float64(n) * float64(slots) / float64(all))) }
	first = max(1, share(stored.Slots))
	last := first
	for _, step := range stored.Ramp {
		if n := share(step.Slots); n > last { // of a small share some steps are less than a slot
			steps, last = append(steps, experiment.RampStep{At: step.At, Slots: n}), n
		}
	}
	return first, steps
}

// rampEnd is what an experiment owns when its ramp is over.
func rampEnd(e *experiment.Spec) int {
	if n := len(e.Ramp); n > 0 {
		return e.Ramp[n-1].Slots
	}
	return e.Slots
}

// rampWords says a ramp: "1 %, then 5 % on 2 Dec, 25 % on 3 Dec".
func rampWords(spec *experiment.Spec) string {
	var b strings.Builder
	b.WriteString(slotShare(spec.Slots) + " of the layer")
	for i, step := range spec.Ramp {
		word := ","
		if i == 0 {
			word = ", then"
		}
		fmt.Fprintf(&b, "%s %s on %s", word, slotShare(step.Slots), step.At.UTC().Format(listFormat))
	}
	return b.String()
}
