package metrics

import (
	"time"

	"github.com/splitcast/splitcast/telemetry"
)

// Health is what became of an arm's units on the way to their outcomes, summed up
// over the looks so far. None of it changes an outcome; a difference between arms
// says that outcomes may compare different units.
type Health struct {
	// Of the units whose first window closed: how many tried to play within it,
	// saw a picture, and were heard of after that.
	Closed    int64 `json:"closed"`
	Attempted int64 `json:"attempted"`
	Started   int64 `json:"started"`
	Reported  int64 `json:"reported"`
	// Of the units whose day closed: how many are suspected to be no people.
	Days      int64 `json:"days"`
	Suspected int64 `json:"suspected"`
	Aftermath
}

// Aftermath is what came of units after their outcomes were fixed. Of the units with
// sessions in the day, or events that metrics of the day need, which closed LateSpan
// ago, it counts those of which a record or an event came that was made before the
// closing, and those of which two records of one number said different things.
type Aftermath struct {
	Awaited    int64 `json:"awaited,omitempty"` // units whose day closed LateSpan ago
	Settled    int64 `json:"settled"`           // of them, those with sessions or events
	Late       int64 `json:"late"`
	Conflicted int64 `json:"conflicted"`
}

// Plus returns the sum.
func (a Aftermath) Plus(o Aftermath) Aftermath {
	return Aftermath{
		Awaited: a.Awaited + o.Awaited, Settled: a.Settled + o.Settled,
		Late: a.Late + o.Late, Conflicted: a.Conflicted + o.Conflicted,
	}
}

// LateSpan is how long after the closing of the day records are still waited for,
// to be counted as late: what has not come by then is lost rather than late.
const LateSpan = 24 * time.Hour

// plus returns the sum.
func (h Health) plus(o Health) Health {
	return Health{
		Closed: h.Closed + o.Closed, Attempted: h.Attempted + o.Attempted,
		Started: h.Started + o.Started, Reported: h.Reported + o.Reported,
		Days: h.Days + o.Days, Suspected: h.Suspected + o.Suspected,
		Aftermath: h.Aftermath.Plus(o.Aftermath),
	}
}

// addFirst counts a unit whose first window closed. The stages lie within one
// another: who was heard of afterwards also saw a picture.
func (h *Health) addFirst(c *Closed) {
	h.Closed++
	var attempted, started, reported bool
	within := WindowFirst.bounds(c.ExposedAt)
	for i := range c.Sessions {
		s := &c.Sessions[i]
		if !within.hold(s) {
			continue
		}
		attempted = attempted || isAttempt(s)
		started = started || s.Started
		reported = reported || heardOf(s)
	}
	for _, stage := range [...]struct {
		reached bool
		count   *int64
	}{{attempted, &h.Attempted}, {started, &h.Started}, {reported, &h.Reported}} {
		if stage.reached {
			*stage.count++
		}
	}
}

// heardOf reports whether a session told something after its first frame. Of a
// source that does not observe play the start is all that can be asked for.
func heardOf(s *telemetry.Session) bool {
	return s.Started && (s.PlayMs > 0 || s.Ended || !s.Observed.Has(telemetry.ObservedPlay))
}

// addDay counts a unit whose day closed.
func (h *Health) addDay(o *Outcome) {
	h.Days++
	if o.Suspected {
		h.Suspected++
	}
}

// LateAt reports whether a session of which a window closed at a moment holds a
// record that was made before and came after it. The moment of making is told by
// the client's wall clock, corrected by the least delay that was seen, or else by
// its monotonic clock.
func LateAt(s *telemetry.Session, closesAt time.Time) bool {
	madeMs := s.First.RecvMs + s.Last.MonoMs - s.First.MonoMs
	if s.ClockOffsetMs != nil && s.Last.ClientTsMs != 0 {
		madeMs = s.Last.ClientTsMs + *s.ClockOffsetMs
	}
	closesMs := closesAt.UnixMilli()
	return s.Last.RecvMs > closesMs && madeMs <= closesMs
}
