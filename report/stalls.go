package report

import (
	"math"
)

// The metrics whose sums make up stall time.
const (
	metricStallRatio    = "stall_ratio"
	metricStalledShare  = "stalled_session_rate"
	metricStallsPerHour = "stalls_per_hour"
)

// StallFactors takes the stall time of a session apart: the share of sessions that
// stall at all, how often those stall, and how long a stall lasts. Their product is
// the stall time of the average session, so the logarithms of their changes add up
// to that of the whole: which says what kind of stalls a change makes or removes.
type StallFactors struct {
	Arm     int           `json:"arm"`
	ArmKey  string        `json:"arm_key"`
	ArmName string        `json:"arm_name"`
	Factors []StallFactor `json:"factors,omitempty"` // in that order, then their product
	// Missing are the metrics whose sums are needed and not in the plan; there are
	// no factors then.
	Missing []string `json:"missing,omitempty"`
}

// StallFactor is one factor, as observed. Only the share of sessions has an
// interval, that of its row: the sums of the others are of different metrics, whose
// joint variance is not kept, and no interval can be made without it.
type StallFactor struct {
	Name      string   `json:"name"`
	Unit      string   `json:"unit"`
	Control   float64  `json:"control"`
	Treatment float64  `json:"treatment"`
	Change    *float64 `json:"change,omitempty"` // treatment over control, less 1; nil: control is 0
	Range     string   `json:"range,omitempty"`  // at any look; empty: there is none
	Product   bool     `json:"product,omitempty"`
}

// stalls takes the stall time of every treatment apart; nothing when the plan does
// not ask for stall time, or before the first look.
func (b *builder) stalls(r *Report) []StallFactors {
	var out []StallFactors
	for arm := 1; arm < len(b.exp.Arms); arm++ {
		if r.find(metricStallRatio, arm) == nil || b.history.newest().Number == 0 {
			return nil
		}
		out = append(out, b.stallFactors(r, arm))
	}
	return out
}

func (b *builder) stallFactors(r *Report, arm int) StallFactors {
	out := StallFactors{Arm: arm, ArmKey: b.exp.Arms[arm].Key, ArmName: b.exp.Arms[arm].Name}
	for _, metric := range []string{metricStalledShare, metricStallsPerHour} {
		if r.find(metric, arm) == nil {
			out.Missing = append(out.Missing, metric)
		}
	}
	if len(out.Missing) > 0 {
		return out
	}
	c, okC := b.stallSums(0)
	t, okT := b.stallSums(arm)
	if !okC || !okT {
		return out
	}
	out.Factors = []StallFactor{
		factor("Sessions that stall", "%", c.stalled/c.sessions*100, t.stalled/t.sessions*100),
		factor("Stalls of such a session", "n", c.stalls/c.stalled, t.stalls/t.stalled),
		factor("Length of a stall", "s", c.stallMs/c.stalls/1000, t.stallMs/t.stalls/1000),
		factor("Stall time of the average session", "s", c.stallMs/c.sessions/1000, t.stallMs/t.sessions/1000),
	}
	out.Factors[len(out.Factors)-1].Product = true
	if row := r.find(metricStalledShare, arm); row.Effect != nil {
		out.Factors[0].Range = row.Effect.Range
	}
	return out
}

// stallSums is the sums of one arm over its sessions.
type stallSums struct{ sessions, stalled, stalls, stallMs float64 }

// stallSums reads the sums out of the cells of three metrics; ok is false when one
// is missing, zero or no number.
func (b *builder) stallSums(arm int) (s stallSums, ok bool) {
	cells := b.history.newest().Cells
	sum := func(metric string) (y, x float64) {
		d, ok := b.history.definition(metric)
		if !ok {
			return 0, 0
		}
		at := cursor{key: cellKey{metric, d.Version, false, arm}}
		c := at.total(cells)
		if c == nil {
			return 0, 0
		}
		n := float64(c.Pair.N)
		return n * (c.Pair.MeanY + c.Pair.LowY), n * (c.Pair.MeanX + c.Pair.LowX)
	}
	s.stalled, s.sessions = sum(metricStalledShare)
	s.stalls, _ = sum(metricStallsPerHour)
	s.stallMs, _ = sum(metricStallRatio)
	for _, v := range []float64{s.stalled, s.sessions, s.stalls, s.stallMs} {
		if !(v > 0) || math.IsInf(v, 1) {
			return stallSums{}, false
		}
	}
	return s, true
}

func factor(name, unit string, control, treatment float64) StallFactor {
	f := StallFactor{Name: name, Unit: unit, Control: finite(control), Treatment: finite(treatment)}
	if control > 0 {
		f.Change = known(treatment/control - 1)
	}
	return f
}
