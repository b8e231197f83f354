package telemetry

import "strconv"

// Live latency minute by minute is kept as {"ms": minutes}: how many minutes of
// play were that late on average. Latencies are rounded up to steps, so that
// a session keeps at most some ninety of them however it was, and usually five.
const (
	latencyFineStepMs   = 250    // up to latencyFineMs: low-latency modes differ by less than a second
	latencyFineMs       = 10_000 //
	latencyCoarseStepMs = 1_000  // up to latencyTopMs
	latencyTopMs        = 60_000 // beyond, a viewer went back in time
)

// LatencyStepMs returns the step that a latency belongs to: the least one that
// is not below it. All above a minute are one.
func LatencyStepMs(ms int64) int64 {
	switch {
	case ms <= latencyFineMs:
		return roundUp(max(ms, 0), latencyFineStepMs)
	case ms <= latencyTopMs:
		return roundUp(ms, latencyCoarseStepMs)
	}
	return latencyTopMs + latencyCoarseStepMs
}

func roundUp(ms, step int64) int64 { return (ms + step - 1) / step * step }

// LatencyMinutes is how many minutes of play had which live latency, by steps of
// LatencyStepMs. It adds up over epochs and sessions as Measures do.
type LatencyMinutes struct{ Measures }

// latencyMinutesOf returns the minutes of latencies as clients report them.
func latencyMinutesOf(minutes Dwell) LatencyMinutes {
	if len(minutes) == 0 {
		return LatencyMinutes{}
	}
	list := make([]Measure, 0, len(minutes))
	for _, d := range minutes {
		if d.Ms > 0 {
			list = append(list, Measure{stepName(d.At), float64(d.Ms)})
		}
	}
	return LatencyMinutes{sumOf(list)}
}

func stepName(ms int64) string { return strconv.FormatInt(LatencyStepMs(ms), 10) }

// Each calls yield for every step with its minutes.
func (m LatencyMinutes) Each(yield func(stepMs, minutes int64)) {
	for _, one := range m.List() {
		if ms, err := strconv.ParseInt(one.Name, 10, 64); err == nil {
			yield(ms, int64(one.Value))
		}
	}
}

// latencyClock sorts latency samples into minutes of play.
type latencyClock struct {
	minute, sumMs, samples int64
	done                   []Measure
}

// add notes a sample of a moment of the session, in order.
func (c *latencyClock) add(nowMs, latencyMs int64) {
	if minute := nowMs / 60_000; minute != c.minute {
		c.flush()
		c.minute = minute
	}
	c.sumMs += latencyMs
	c.samples++
}

// flush closes the minute at hand.
func (c *latencyClock) flush() {
	if c.samples > 0 {
		c.done = append(c.done, Measure{stepName(c.sumMs / c.samples), 1})
	}
	c.sumMs, c.samples = 0, 0
}

// into fills the counters of s.
func (c *latencyClock) into(s *Session) {
	c.flush()
	if len(c.done) > 0 {
		s.LatencyMinutes = LatencyMinutes{sumOf(c.done)}
		s.Observed |= ObservedLatencyMinutes
	}
}
