package report

import (
	"fmt"
	"strings"

	"github.com/splitcast/splitcast/metrics"
)

// assignedSigmas is how many standard errors an approximate count is shown with:
// as wide as an interval of 95 %.
const assignedSigmas = 1.96

// assigned returns about how many units an arm was given to; nil: nobody counted.
func (b *builder) assigned(arm int) *metrics.AssignedUnits {
	for i := range b.in.Assigned {
		if a := &b.in.Assigned[i]; a.Arm == arm {
			return a
		}
	}
	return nil
}

// assignedWords prints how many units were assigned beside how many were exposed,
// as of now. The numbers are not tested against one another or between arms: they
// are approximate, and in-process clients are not among them.
func (b *builder) assignedWords() string {
	var out []string
	errorPct, fewer := 0.0, false
	for i := range b.exp.Arms {
		a := b.assigned(i)
		if a == nil {
			continue
		}
		c := b.counts[i]
		errorPct = max(errorPct, assignedSigmas*a.ErrorPct)
		most := float64(a.About) * (1 + assignedSigmas*a.ErrorPct/100)
		fewer = fewer || float64(c.Exposed+c.Crossed) > most
		out = append(out, fmt.Sprintf("%s: about %s assigned, %s exposed", b.armLabel(i), count(a.About), count(c.Exposed)))
	}
	if len(out) == 0 {
		return ""
	}
	words := fmt.Sprintf("So far %s. Assigned are distinct units that asked over HTTP, give or take %.1f %%; services that evaluate in process are not counted",
		strings.Join(out, "; "), errorPct)
	if fewer {
		words += ", and some do: more were exposed"
	}
	return words + ". Of those exposed half an hour ago or longer, "
}
