package stats

import "math"

// The burn-in of methods that rest on a central limit theorem which is uniform
// over time. Below it their error probability is not what they say: with 10
// units at the first look a nominal 5 % was measured at 5.6 %, and an event
// that has occurred a handful of times is not normal at all.
const (
	BurnInUnits  = 100 // units in each arm
	BurnInEvents = 25  // occurrences, in each arm, of the rarer outcome of a rate
)

// ArmCount is how much one arm has seen.
type ArmCount struct {
	Units int64
	// Rate is true for a metric of zeros and ones; Events is then the number of
	// its rarer outcome: of failures, when nearly all succeed.
	Rate   bool
	Events int64
}

// Counted returns the ArmCount of a mean.
func (m Moments) Counted() ArmCount { return ArmCount{Units: m.N} }

// CountedRate returns the ArmCount of zeros and ones.
func (m Moments) CountedRate() ArmCount {
	ones := int64(math.Round((m.Mean + m.Low) * float64(m.N)))
	return ArmCount{Units: m.N, Rate: true, Events: min(ones, m.N-ones)}
}

// Ready returns nil when both arms are past the burn-in, and otherwise a
// *Refusal with the reason BurnIn that says how far they are.
func Ready(control, treatment ArmCount) error {
	if units := min(control.Units, treatment.Units); units < BurnInUnits {
		return refuse(BurnIn, "The smaller arm has %d of the %d units needed before an interval can be trusted.",
			units, BurnInUnits)
	}
	for _, arm := range []ArmCount{control, treatment} {
		if arm.Rate && arm.Events < BurnInEvents {
			return refuse(BurnIn, "An arm has %d of the %d events needed before an interval can be trusted.",
				arm.Events, BurnInEvents)
		}
	}
	return nil
}
