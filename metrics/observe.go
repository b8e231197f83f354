package metrics

import (
	"time"

	"github.com/splitcast/splitcast/telemetry"
)

// Excluded reports whether the unit is left out of all outcomes, because it was
// forced into its arm or seen in two.
func (c *Closed) Excluded() bool { return c.Crossed || c.Override }

// Counts reports whether a session belongs to the window of an exposure: it
// started at the exposure or later, and before the span was over.
func (w Window) Counts(exposedAt time.Time, s *telemetry.Session) bool {
	after := s.FirstRecvMs - exposedAt.UnixMilli()
	return after >= 0 && after < w.Span().Milliseconds()
}

// Observe returns the outcome of a unit in window w: a pure function of the
// exposure and its sessions, in whatever order these come. Sessions outside the
// window are ignored; of WindowFirst only the earliest play attempt counts.
func Observe(c *Closed, w Window) Outcome {
	o := Outcome{Unit: c.Unit, Arm: c.Arm, ExposedAt: c.ExposedAt, ClosesAt: c.ClosesAt}
	for i, name := range dimensionNames {
		o.Dims[i] = c.Dims[name]
	}
	q := &o.Quantities
	q[Units], q[WatchUnits] = 1, 1
	if w == WindowFirst {
		if s := earliest(c); s != nil {
			q.add(s)
		}
	} else {
		for i := range c.Sessions {
			if s := &c.Sessions[i]; w.Counts(c.ExposedAt, s) {
				q.add(s)
			}
		}
	}
	q.finish()
	return o
}

// earliest returns the first play attempt in WindowFirst, or nil. Of sessions
// that began in the same millisecond the smaller id is first, so that the order
// in which storage returns them changes nothing.
func earliest(c *Closed) *telemetry.Session {
	var first *telemetry.Session
	for i := range c.Sessions {
		s := &c.Sessions[i]
		if !isAttempt(s) || !WindowFirst.Counts(c.ExposedAt, s) {
			continue
		}
		if first == nil || s.FirstRecvMs < first.FirstRecvMs ||
			s.FirstRecvMs == first.FirstRecvMs && s.SessionID < first.SessionID {
			first = s
		}
	}
	return first
}

// isAttempt reports whether somebody wanted to play.
func isAttempt(s *telemetry.Session) bool { return s.PlayRequested || s.Started }

// add counts one session.
func (q *Quantities) add(s *telemetry.Session) {
	q.addStart(s)
	if s.Observed.Has(telemetry.ObservedPlay) {
		q[WatchMsUncapped] += float64(s.PlayMs)
	} else if s.Started {
		q[WatchUnits] = 0 // a sum is known only when all of it is
	}
	if s.Started && s.Observed.Has(telemetry.ObservedPlay|telemetry.ObservedStalls) {
		q.addStalls(s)
	}
	if s.Observed.Has(telemetry.ObservedBitrate) {
		q[RungKbpsMs] += float64(s.RungKbpsMs)
		q[RungMs] += float64(s.RungMs)
	}
	if s.Observed.Has(telemetry.ObservedLatency) {
		q[LatencySamples] += float64(s.LatencySamples)
		q[LatencyMsUncapped] += float64(s.LatencySumMs)
		q[LatencyMs] += float64(min(s.LatencySumMs, LatencyCapMs*s.LatencySamples))
	}
}

// addStart counts how the session began.
func (q *Quantities) addStart(s *telemetry.Session) {
	if !isAttempt(s) {
		return
	}
	q[Attempts]++
	failed := !s.Started && s.FatalCode != ""
	if s.Started || failed || s.Ended {
		q[CoveredAttempts]++
	}
	if s.Started {
		q[Starts]++
	}
	timed := s.Started && s.FirstFrameMs != nil
	if timed {
		q[TimedStarts]++
		q[StartupMs] += float64(*s.FirstFrameMs)
	}
	waited := failed || !s.Started && s.Last.MonoMs >= MinWaitMs
	// A start whose time is unknown may or may not have been quick.
	if s.Observed.Has(telemetry.ObservedStart) && (timed || waited) {
		q[WaitedAttempts]++
		if timed && *s.FirstFrameMs <= QuickStartMs {
			q[QuickStarts]++
		}
	}
	if s.Observed.Has(telemetry.ObservedStart|telemetry.ObservedFailure) && (s.Started || waited) {
		q[FateAttempts]++
		switch {
		case failed:
			q[Failures]++
		case !s.Started:
			q[Exits]++
		}
	}
}

// addStalls counts the stalls of a started session that reports them.
func (q *Quantities) addStalls(s *telemetry.Session) {
	q[StallSessions]++
	if s.StallMs >= StalledMs {
		q[StalledSessions]++
	}
	play, stall := float64(s.PlayMs), float64(s.StallMs)
	capped := min(stall, StallCapMs)
	q[Stalls] += float64(s.StallN)
	q[StallMs] += capped
	q[StallBaseMs] += play + capped
	q[StallMsUncapped] += stall
	q[StallBaseMsUncapped] += play + stall
}

// finish applies what holds for the unit as a whole.
func (q *Quantities) finish() {
	if q[WatchUnits] == 0 {
		q[WatchMsUncapped] = 0
	}
	q[WatchMs] = min(q[WatchMsUncapped], WatchCapMs)
}
