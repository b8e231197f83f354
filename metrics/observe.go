package metrics

import (
	"maps"
	"slices"

	"github.com/splitcast/splitcast/telemetry"
)

// Excluded reports whether the unit is left out of all outcomes, because it was
// forced into its arm or seen in two.
func (c *Closed) Excluded() bool { return c.Crossed || c.Override }

// Observe returns the outcome of a unit in window w: a pure function of the
// exposure and its sessions, in whatever order these come. Sessions outside the
// window are ignored; of WindowFirst only the earliest play attempt counts.
func Observe(c *Closed, w Window) Outcome {
	o := Outcome{Unit: c.Unit, Arm: c.Arm, ExposedAt: c.ExposedAt, ClosesAt: c.ClosesAt}
	for i, name := range dimensionNames {
		o.Dims[i] = c.Dims[name]
	}
	q := &o.Quantities
	q[Units] = 1
	switch {
	case w.IsReturn():
		if returned(c, w) {
			q[Returned] = 1
		}
		if c.Broadcaster && streamedAgain(c, w) {
			q[StreamedAgain] = 1
		}
	case w == WindowFirst:
		q[WatchUnits] = 1
		if s := earliest(c); s != nil {
			q.add(s, c.ClosesAt.UnixMilli())
			q[DistinctStarts] = q[Starts]
			q.addLatencyMinutes(s)
		}
		q.finish()
	default:
		q[WatchUnits] = 1
		q.addAll(c, w)
		q.finish()
	}
	if c.Broadcaster && !w.IsReturn() {
		q.addStreams(c, w)
		if w != WindowFirst { // the first viewer is no audience
			q.addAudience()
		}
	}
	return o
}

// addAll counts the sessions in the window.
func (q *Quantities) addAll(c *Closed, w Window) {
	starts := make([]int64, 0, startsOnStack)
	within := w.bounds(c.ExposedAt)
	closesMs := c.ClosesAt.UnixMilli()
	var late []*telemetry.Session // few players report it
	for i := range c.Sessions {
		s := &c.Sessions[i]
		if !within.hold(s) {
			continue
		}
		q.add(s, closesMs)
		if s.Observed.Has(telemetry.ObservedLatencyMinutes) {
			late = append(late, s)
		}
		if s.Started {
			starts = append(starts, s.FirstRecvMs)
		}
	}
	q.addStarts(starts)
	q.addLatencyMinutes(late...)
}

// addStarts counts the starts at these moments that are visits of their own.
func (q *Quantities) addStarts(starts []int64) {
	if len(starts) > 1 {
		slices.Sort(starts)
	}
	for i, at := range starts {
		if i == 0 || at-starts[i-1] >= RetryGapMs {
			q[DistinctStarts]++
		}
	}
}

// startsOnStack is how many starts of a unit need no memory of their own; few
// viewers have more in a day.
const startsOnStack = 16

// earliest returns the first play attempt in WindowFirst, or nil. Of sessions
// that began in the same millisecond the smaller id is first, so that the order
// in which storage returns them changes nothing.
func earliest(c *Closed) *telemetry.Session {
	var first *telemetry.Session
	within := WindowFirst.bounds(c.ExposedAt)
	for i := range c.Sessions {
		s := &c.Sessions[i]
		if !within.hold(s) || !isAttempt(s) {
			continue
		}
		if first == nil || s.FirstRecvMs < first.FirstRecvMs ||
			s.FirstRecvMs == first.FirstRecvMs && s.SessionID < first.SessionID {
			first = s
		}
	}
	return first
}

// returned reports whether the unit attempted to play in the window.
func returned(c *Closed, w Window) bool {
	within := w.bounds(c.ExposedAt)
	for i := range c.Sessions {
		if s := &c.Sessions[i]; within.hold(s) && isAttempt(s) {
			return true
		}
	}
	return false
}

// isAttempt reports whether somebody wanted to play.
func isAttempt(s *telemetry.Session) bool { return s.PlayRequested || s.Started }

// add counts one session as it was known at a moment.
func (q *Quantities) add(s *telemetry.Session, knownMs int64) {
	q.addStart(s)
	switch {
	case s.Observed.Has(telemetry.ObservedPlay):
		q[WatchMsUncapped] += float64(s.PlayMs)
		q.addPlay(s, knownMs)
	case s.Started:
		q[WatchUnits] = 0 // a sum is known only when all of it is
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
	if s.Observed.Has(telemetry.ObservedFrames) {
		q[Frames] += float64(s.Frames)
		q[DroppedFrames] += float64(s.DroppedFrames)
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
	waitMs := int64(NeverStartedMs)
	if timed {
		waitMs = *s.FirstFrameMs
		q[TimedStarts]++
		q[StartupMs] += float64(waitMs)
		q[StartupCappedMs] += float64(min(waitMs, StartupCapMs))
	}
	waited := failed || !s.Started && s.Last.MonoMs >= MinWaitMs
	// A start whose time is unknown may or may not have been quick.
	if s.Observed.Has(telemetry.ObservedStart) && (timed || waited) {
		q[WaitedAttempts]++
		q[StartupImputedMs] += float64(waitMs)
		if waitMs <= QuickStartMs {
			q[QuickStarts]++
		}
	}
	if s.Observed.Has(telemetry.ObservedStart | telemetry.ObservedFailure) {
		q.addFate(s, failed, waited)
	}
	playKnown := s.Observed.Has(telemetry.ObservedPlay)
	if playKnown || !s.Started && s.Observed.Has(telemetry.ObservedStart) {
		q[PlayAttempts]++
		if playKnown && s.PlayMs >= EngagedMs {
			q[EngagedAttempts]++
		}
	}
}

// addFate counts how an attempt ended of which start and failure are observed.
func (q *Quantities) addFate(s *telemetry.Session, failed, waited bool) {
	q[KnownAttempts]++
	if s.Started || waited {
		q[FateAttempts]++
		switch {
		case failed:
			q[Failures]++
		case !s.Started:
			q[Exits]++
		}
	}
	if s.Started {
		q[FailureStarts]++
		if s.FatalCode != "" && s.EndReason != telemetry.EndEnded {
			q[PlaybackFailures]++
		}
	}
}

// addPlay counts a session of which the play time is observed.
func (q *Quantities) addPlay(s *telemetry.Session, knownMs int64) {
	play := float64(s.PlayMs)
	if s.Started {
		q[PlaySessions]++
		q[PlayMs] += min(play, SessionCapMs)
		q[PlayMsUncapped] += play
		if s.Observed.Has(telemetry.ObservedStalls) {
			q.addStalls(s)
			q.addStallEnd(s, knownMs)
		}
	}
	if s.Observed.Has(telemetry.ObservedLadder) {
		q[LadderPlayMs] += play
		q[TopRungMs] += float64(s.TopRungMs)
	}
	if s.Observed.Has(telemetry.ObservedHeight) {
		q[HeightPlayMs] += play
		q[LowHeightMs] += float64(s.LowHeightMs)
	}
	if s.Observed.Has(telemetry.ObservedSwitches) {
		switches := float64(s.SwitchesUp + s.SwitchesDown)
		q[SwitchPlayMs] += play
		q[Switches] += min(switches, SwitchesCap)
		q[SwitchesUncapped] += switches
	}
	if s.Observed.Has(telemetry.ObservedBytes) {
		q[BytesPlayMs] += play
		q[Bytes] += float64(s.Bytes)
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
	q[StallsCapped] += min(float64(s.StallN), StallsCap)
	q[StallMs] += capped
	q[StallBaseMs] += play + capped
	q[StallMsUncapped] += stall
	q[StallBaseMsUncapped] += play + stall
	q[StallPlayMs] += play
	if s.Observed.Has(telemetry.ObservedStallMax) {
		q[LongestStallSessions]++
		if 100*stall > SeverePct*(play+stall) || s.StallMaxMs > SevereStallMs {
			q[SevereSessions]++
		}
	}
}

// addStallEnd counts whether a session that stalled was left for it. One that
// sent no end is over when it has been silent for long enough; then its last
// record stands for the end, which came up to an interval later.
func (q *Quantities) addStallEnd(s *telemetry.Session, knownMs int64) {
	over := s.Ended || s.Last.RecvMs+telemetry.CloseMinMs <= knownMs
	if s.StallMs < StalledMs || !over || !s.Observed.Has(telemetry.ObservedSinceStall) {
		return
	}
	q[StalledEnds]++
	if s.SinceStallMs <= StallExitMs && s.EndReason != telemetry.EndEnded {
		q[StallExits]++
	}
}

// addLatencyMinutes sets the latency that the sessions together stayed within for
// latencyLevelPct of their minutes: the nearest rank, as steps of the latency are
// coarser than any interpolation.
func (q *Quantities) addLatencyMinutes(sessions ...*telemetry.Session) {
	minutes := map[int64]int64{}
	var total int64
	for _, s := range sessions {
		if !s.Observed.Has(telemetry.ObservedLatencyMinutes) {
			continue
		}
		s.LatencyMinutes.Each(func(stepMs, n int64) {
			minutes[stepMs] += n
			total += n
		})
	}
	if total == 0 {
		return
	}
	var below int64
	for _, stepMs := range slices.Sorted(maps.Keys(minutes)) {
		if below += minutes[stepMs]; 100*below >= latencyLevelPct*total {
			q[LatencyUnits], q[LatencyP95Ms] = 1, float64(stepMs)
			return
		}
	}
}

// latencyLevelPct is the share of the minutes that LatencyP95Ms is of.
const latencyLevelPct = 95

// finish applies what holds for the unit as a whole.
func (q *Quantities) finish() {
	if q[WatchUnits] == 0 {
		q[WatchMsUncapped] = 0
	}
	q[WatchMs] = min(q[WatchMsUncapped], WatchCapMs)
	q[StartupImputedMs] = min(q[StartupImputedMs], NeverStartedMs)
}
