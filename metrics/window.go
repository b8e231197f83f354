package metrics

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/telemetry"
)

// Window names a metric group's window: which of a unit's sessions count.
type Window string

// The windows that every experiment has, and the two of built-in retentions. Those
// that people define their own retentions with are "return_K_L": the sessions that
// started on day K up to day L after the exposure, where day 0 is WindowDay and L
// is at most MaxReturnDay.
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
	FirstSpan  = 30 * time.Minute
	FirstGrace = 2 * time.Minute
	DaySpan    = 24 * time.Hour
	DayGrace   = time.Hour
)

// MaxReturnDay is the last day of a return window: four weeks hold every weekly
// rhythm, and telemetry is not kept for ever.
const MaxReturnDay = 28

// WindowCount is the number of windows that Windows returns.
const WindowCount = 4

// windows is in the order in which a look reads them.
var windows = [WindowCount]Window{WindowFirst, WindowDay, WindowReturnD1, WindowReturnD7}

// Windows returns the named windows in the order in which a look reads them. A unit's
// first window closes before its day does, and the day before its returns, so
// the values of a dimension that come first are the same however looks fall.
func Windows() [WindowCount]Window { return windows }

// Valid reports whether there is such a window.
func (w Window) Valid() bool {
	_, _, isReturn := w.returnDays()
	return isReturn || w == WindowFirst || w == WindowDay
}

// returnDays returns the first and the last day of a return window.
func (w Window) returnDays() (first, last int, ok bool) {
	switch w {
	case WindowFirst, WindowDay: // by far the most frequent
		return 0, 0, false
	case WindowReturnD1:
		return 1, 1, true
	case WindowReturnD7:
		return 1, 7, true
	}
	days, ok := strings.CutPrefix(string(w), "return_")
	k, l, two := strings.Cut(days, "_")
	first, firstErr := strconv.Atoi(k)
	last, lastErr := strconv.Atoi(l)
	ok = ok && two && firstErr == nil && lastErr == nil && 1 <= first && first <= last && last <= MaxReturnDay &&
		string(w) == fmt.Sprintf("return_%d_%d", first, last) // one name a window
	return first, last, ok
}

// compare orders windows as looks read them: the named ones first, return windows
// by when they close.
func (w Window) compare(v Window) int {
	return cmp.Or(compareBool(w.IsReturn(), v.IsReturn()), cmp.Compare(w.Span(), v.Span()), cmp.Compare(w.From(), v.From()), strings.Compare(string(w), string(v)))
}

// IsReturn reports whether the window only says whether the unit came back:
// its outcomes hold Units, Returned, StreamedAgain and events, and nothing else.
func (w Window) IsReturn() bool {
	_, _, ok := w.returnDays()
	return ok
}

// From returns how long after the exposure a session must start to count.
func (w Window) From() time.Duration {
	first, _, _ := w.returnDays() // 0 of others
	return time.Duration(first) * DaySpan
}

// Span returns how long after the exposure a session may start to count.
func (w Window) Span() time.Duration {
	if w == WindowFirst {
		return FirstSpan
	}
	_, last, _ := w.returnDays() // 0 of others
	return time.Duration(last+1) * DaySpan
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
