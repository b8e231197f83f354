package telemetry

import (
	"slices"
	"strconv"
)

// ViewerSeek is the custom event (e=ce) by which an application says that the
// viewer sought: the wait that follows within seekWindowMs is no stall. Players
// themselves do not tell the viewer's seeks from their own.
const (
	ViewerSeek   = "viewer-seek"
	seekWindowMs = 1_000
)

// maxSilenceMs is the longest time between two reports that is taken for what
// the first one said. Time reports come every 30 s or less; after more, the
// device slept or reports are lost, and nothing is known.
const maxSilenceMs = 600_000

// eventFold walks the event reports of one session in the order of sn.
type eventFold struct {
	s      Session
	events []*Record
	rungs  rungClock
	late   latencyClock

	state      string // current player state; empty: unknown
	hidden     bool
	kbps       int64 // current bitrate; 0: unknown
	nowMs      int64 // since the first report
	startMs    int64 // of the first s; valid if starting
	starting   bool
	stallMs    int64  // of the stall that goes on
	stallEndMs int64  // of the last stall; valid if there was one
	seekMs     int64  // until when a stall is the viewer's seek
	byViewer   bool   // the stall that goes on began so
	errorCode  string // of the last error, unless play began anew after it
	errorAtMs  int64  // play until that error
}

// foldEvents makes a session of event reports; the requests of the same sid
// add what only they tell.
func foldEvents(events, requests []*Record) Session {
	f := eventFold{events: events}
	f.s.identify(events)
	f.s.Tier = TierB
	if !slices.ContainsFunc(events, func(r *Record) bool { return r.Has.Has(KeySTA) }) {
		f.s.Tier, f.s.PlayRequested = TierC, true
	}
	for i, ms := range passedMs(events) {
		f.pass(ms)
		f.nowMs += ms
		f.take(events[i])
	}
	f.endStall()
	f.marks()
	f.failure()
	f.rungs.into(&f.s)
	f.late.into(&f.s)
	f.sinceStall()
	f.observe()
	f.addRequests(requests)
	return f.s
}

// passedMs returns for each report how long after the one before it was made,
// by the client's clock and never below 0, so that a clock that is set back
// loses one interval only. The ts of rr is that of the request, so its report
// was made ttlb later, but before the next report of another kind.
func passedMs(events []*Record) []int64 {
	before := make([]int64, len(events)) // ts of the next report that is not rr
	next := int64(maxTs)
	for i := len(events) - 1; i >= 0; i-- {
		before[i] = next
		if r := events[i]; r.Has.Has(KeyTS) && r.E != "rr" {
			next = r.TS
		}
	}
	passed := make([]int64, len(events))
	last, known := int64(0), false
	for i, r := range events {
		if !r.Has.Has(KeyTS) {
			continue
		}
		at := r.TS
		if r.E == "rr" {
			at = max(last, min(r.TS+r.TTLB, before[i]))
		}
		if known {
			passed[i] = max(0, at-last)
		}
		last, known = at, true
	}
	return passed
}

// pass lets ms of time go by in the current state. Before the first frame no
// state counts: dash.js calls start-up rebuffering.
func (f *eventFold) pass(ms int64) {
	if ms > maxSilenceMs || !f.s.Started {
		return
	}
	switch f.state {
	case "p", "": // without states, an estimate
		f.s.PlayMs += ms
		if f.kbps > 0 {
			f.rungs.add(f.kbps, ms)
		}
	case "r", "k", "w":
		f.stallMs += ms
	case "a":
		f.s.PausedMs += ms
	default: // it is over: a tab that stays open behind others is not watched
		return
	}
	if f.hidden {
		f.s.HiddenMs += ms
	}
}

// take notes what one report says.
func (f *eventFold) take(r *Record) {
	f.rungs.offer(r)
	if r.Has.Has(KeyMSD) {
		f.startDelay(r)
	}
	if kbps, ok := r.BR.bitrate(); ok && r.OT != "a" {
		f.setBitrate(kbps)
	}
	if r.Has.Has(KeyLTC) && f.s.Started {
		f.addLatency(r.LTC)
	}
	if r.Has.Has(KeyDFA) {
		f.s.DroppedFrames = max(f.s.DroppedFrames, r.DFA)
	}
	switch r.E {
	case "rr":
		if r.Has.Has(KeyRC) && (r.RC >= 400 || r.RC == 0) {
			f.s.ErrorsN++
		}
		return // its state and background are those of no certain time
	case "e":
		f.s.ErrorsN++
		f.errorCode, f.errorAtMs = codeOf(r), f.s.PlayMs
	case "ce":
		if r.CEN == ViewerSeek {
			f.seekMs = f.nowMs + seekWindowMs
			f.byViewer = f.byViewer || f.stallMs > 0 && f.stallMs <= seekWindowMs
		}
	}
	if r.E == "b" || r.Has.Has(KeyBG) {
		f.hidden = r.BG
	}
	if r.Has.Has(KeySTA) {
		f.enter(r)
	}
}

// enter takes over the state of a report.
func (f *eventFold) enter(r *Record) {
	if r.STA == f.state {
		return
	}
	was := f.state
	f.state = r.STA
	if !isStall(f.state) {
		f.endStall()
	} else if !isStall(was) {
		f.byViewer = f.nowMs <= f.seekMs
	}
	switch r.STA {
	case "s":
		f.s.PlayRequested = true
		if !f.starting {
			f.starting, f.startMs = true, f.nowMs
		}
	case "p":
		f.errorCode = ""
		if !f.s.Started {
			f.begin(r)
		}
	}
}

// begin notes the first frame. Its time is known only from the report of the
// change itself; if that is lost, a later one shows that it came, not when.
func (f *eventFold) begin(r *Record) {
	f.s.Started, f.s.StartSeq = true, r.SN
	waitedMs := f.nowMs - f.startMs
	if r.E == "ps" && f.starting && waitedMs <= MaxStartMs {
		f.s.FirstFrameMs = &waitedMs
	}
}

// startDelay takes the start delay that a player reports. It is believed where
// there are no states, and after the first frame if states left its time open:
// dash.js sends one of some ms before anything plays.
func (f *eventFold) startDelay(r *Record) {
	if f.s.FirstFrameMs != nil || f.s.Tier == TierB && !f.s.Started {
		return
	}
	msd := r.MSD
	f.s.FirstFrameMs = &msd
	if !f.s.Started {
		f.s.Started, f.s.StartSeq = true, r.SN
	}
}

func isStall(state string) bool { return state == "r" || state == "k" || state == "w" }

// endStall closes the stall that goes on, if any. Stalls in a row are one.
func (f *eventFold) endStall() {
	if f.stallMs == 0 {
		return
	}
	if f.byViewer {
		f.s.SeekStallMs += f.stallMs
	} else {
		f.s.StallN++
		f.s.StallMs += f.stallMs
		f.s.StallMaxMs = max(f.s.StallMaxMs, f.stallMs)
		f.stallEndMs = f.nowMs
	}
	f.stallMs, f.byViewer = 0, false
}

// sinceStall notes how long ago the last stall ended, as of the last report.
func (f *eventFold) sinceStall() {
	if s := &f.s; s.StallN > 0 && s.Tier == TierB {
		s.SinceStallMs = f.nowMs - f.stallEndMs
		s.Observed |= ObservedSinceStall
	}
}

// setBitrate takes over a bitrate and counts the switch.
func (f *eventFold) setBitrate(kbps int64) {
	if f.s.Started && f.kbps > 0 {
		switch {
		case kbps > f.kbps:
			f.s.SwitchesUp++
		case kbps < f.kbps:
			f.s.SwitchesDown++
		}
	}
	f.kbps = kbps
}

func (f *eventFold) addLatency(ms int64) {
	f.s.LatencySamples++
	f.s.LatencySumMs += ms
	f.s.LatencyMaxMs = max(f.s.LatencyMaxMs, ms)
	if f.state != "a" { // who pauses falls behind by choice
		f.late.add(f.nowMs, ms)
	}
}

// codeOf returns the first error code of a report, or what is known instead.
func codeOf(r *Record) string {
	if len(r.EC) > 0 && r.EC[0].Value != "" {
		return r.EC[0].Value
	}
	return "unknown"
}

// marks notes the places of the first and the last report.
func (f *eventFold) marks() {
	first, last := f.events[0], f.events[len(f.events)-1]
	f.s.First = Mark{Seq: first.SN, RecvMs: first.RecvMs, ClientTsMs: first.TS}
	f.s.Last = Mark{Seq: last.SN, RecvMs: last.RecvMs, ClientTsMs: last.TS, MonoMs: f.nowMs}
}

// drainMs is the longest time for which a player plays on after a fatal error:
// what its buffer holds.
const drainMs = 60_000

// failure names the error that ended the session, if one did: the state f, an
// error after which play drained and hung (dash.js has no fatal state), or,
// before the first frame, any failed request.
func (f *eventFold) failure() {
	s := &f.s
	switch {
	case f.state == "f":
		s.FatalCode = f.errorCode
		if s.FatalCode == "" {
			s.FatalCode = "unknown"
		}
	case f.errorCode != "" && !s.Started,
		f.errorCode != "" && isStall(f.state) && s.PlayMs-f.errorAtMs <= drainMs:
		s.FatalCode = f.errorCode
	case !s.Started && s.Tier == TierB:
		s.FatalCode = f.failedRequest()
	}
	switch f.state {
	case "f":
		s.Ended, s.EndReason = true, EndError
	case "e":
		s.Ended, s.EndReason = true, EndEnded
	case "q":
		s.Ended, s.EndReason = true, EndUser
	}
}

// failedRequest returns a code for the last request that failed, if any did.
// A response code of 0 is not one: that is what a request becomes when the
// viewer leaves.
func (f *eventFold) failedRequest() string {
	for _, r := range slices.Backward(f.events) {
		if r.E == "rr" && r.RC >= 400 {
			return "http_" + strconv.FormatInt(r.RC, 10)
		}
	}
	return ""
}

// observe tells what the reports could tell.
func (f *eventFold) observe() {
	s := &f.s
	if s.LatencySamples > 0 {
		s.Observed |= ObservedLatency
	}
	if s.Tier == TierB {
		s.Observed |= ObservedStart | ObservedFailure | ObservedPlay | ObservedStalls | ObservedStallMax
		if f.kbps > 0 {
			s.Observed |= ObservedSwitches
		}
		return
	}
	if s.Started || !f.fetchedMedia() {
		s.Observed |= ObservedStart
	}
}

// fetchedMedia reports whether a response with media came: without states it
// may have been played.
func (f *eventFold) fetchedMedia() bool {
	for _, r := range f.events {
		if bl, ok := r.BL.max(); ok && bl > 0 {
			return true
		}
		if r.E == "rr" && r.RC == 200 && isMedia(r.OT) {
			return true
		}
	}
	return false
}

// addRequests adds what only the requests of a session without states tell:
// Shaka reports latency and the buffer there, and an empty buffer after the
// start means a stall; how many there were is not known.
func (f *eventFold) addRequests(requests []*Record) {
	s := &f.s
	if s.Tier != TierC || len(requests) == 0 {
		return
	}
	var d requestFold
	d.walk(requests)
	if d.s.LatencySamples > 0 && s.LatencySamples == 0 {
		s.LatencySumMs, s.LatencySamples, s.LatencyMaxMs = d.s.LatencySumMs, d.s.LatencySamples, d.s.LatencyMaxMs
		s.Observed |= ObservedLatency
	}
	s.StallN = d.s.StallN
	s.Observed |= d.s.Observed & ObservedStallBounds
}
