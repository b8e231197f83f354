package metrics

import (
	"slices"
	"time"

	"github.com/splitcast/splitcast/telemetry"
)

// Window names a metric group's window: which of a unit's sessions count.
type Window string

// The windows of viewer A/B experiments.
const (
	// WindowFirst holds the first session that started within FirstSpan of the exposure.
	WindowFirst Window = "first"
	// WindowDay holds the sessions that started within DaySpan of the exposure.
	WindowDay Window = "day"
	// WindowReturnD1 holds the sessions that started on the second day after the
	// exposure, from DaySpan up to two of them. Whoever is in it was exposed
	// long enough ago to have come back: nothing has to be censored.
	WindowReturnD1 Window = "return_d1"
	// WindowReturnD7 holds the sessions of the seven days that follow the first.
	WindowReturnD7 Window = "return_d7"
)

// Spans and graces of the windows. Grace is how long after the span a session's
// records may still arrive and count.
const (
	FirstSpan    = 30 * time.Minute
	FirstGrace   = 2 * time.Minute
	DaySpan      = 24 * time.Hour
	DayGrace     = time.Hour
	ReturnD1Span = 2 * DaySpan
	ReturnD7Span = 8 * DaySpan
)

// WindowCount is the number of windows.
const WindowCount = 4

// windows is in the order in which a look reads them.
var windows = [WindowCount]Window{WindowFirst, WindowDay, WindowReturnD1, WindowReturnD7}

// Windows returns the windows in the order in which a look reads them. A unit's
// first window closes before its day does, and the day before its returns, so
// the values of a dimension that come first are the same however looks fall.
func Windows() [WindowCount]Window { return windows }

// index returns the window's place in Windows, and -1 for no window.
func (w Window) index() int {
	switch w {
	case WindowFirst:
		return 0
	case WindowDay:
		return 1
	}
	return slices.Index(windows[:], w)
}

// IsReturn reports whether the window only says whether the unit came back:
// its outcomes hold Units and Returned, and nothing else.
func (w Window) IsReturn() bool { return w == WindowReturnD1 || w == WindowReturnD7 }

// From returns how long after the exposure a session must start to count.
func (w Window) From() time.Duration {
	if w.IsReturn() {
		return DaySpan
	}
	return 0
}

// Span returns how long after the exposure a session may start to count.
func (w Window) Span() time.Duration {
	switch w {
	case WindowFirst:
		return FirstSpan
	case WindowReturnD1:
		return ReturnD1Span
	case WindowReturnD7:
		return ReturnD7Span
	}
	return DaySpan
}

// Grace returns how long after the span the outcome is fixed.
func (w Window) Grace() time.Duration {
	if w == WindowFirst {
		return FirstGrace
	}
	return DayGrace
}

// ClosesAt returns when the window of an exposure closes: its grace after its
// span. A store that hears of the exposure only after the shortest window is
// over counts from FirstSpan before that, so that no job has passed the closing.
// All windows of an exposure thus close at fixed distances from each other.
func (w Window) ClosesAt(exposedAt, recordedAt time.Time) time.Time {
	if least := recordedAt.Add(-FirstSpan); exposedAt.Before(least) {
		exposedAt = least
	}
	return exposedAt.Add(w.Span() + w.Grace())
}

// AfterFirst returns how much later than WindowFirst the window closes.
func (w Window) AfterFirst() time.Duration {
	return w.Span() + w.Grace() - FirstSpan - FirstGrace
}

// Counts reports whether a session belongs to the window of an exposure: it
// started at From or later, and before the span was over.
func (w Window) Counts(exposedAt time.Time, s *telemetry.Session) bool {
	b := w.bounds(exposedAt)
	return b.hold(s)
}

// bounds are the moments between which the sessions of a window start.
type bounds struct{ fromMs, toMs int64 }

func (w Window) bounds(exposedAt time.Time) bounds {
	at := exposedAt.UnixMilli()
	return bounds{at + w.From().Milliseconds(), at + w.Span().Milliseconds()}
}

// hold reports whether the session started between the bounds.
func (b *bounds) hold(s *telemetry.Session) bool { return b.holdMs(s.FirstRecvMs) }

// holdMs reports whether a moment lies between the bounds.
func (b *bounds) holdMs(ms int64) bool { return ms >= b.fromMs && ms < b.toMs }
