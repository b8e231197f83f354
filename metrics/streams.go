package metrics

import (
	"cmp"
	"math"
	"slices"

	"github.com/splitcast/splitcast/telemetry"
)

// stream is one broadcast: the sum of its parts. A quantity is observed when
// every part reports it.
type stream struct {
	id          string
	firstRecvMs int64
	startPart   int64 // that timeToLive is of
	timeToLive  *int64
	telemetry.BroadcastCounters
}

// wentLive reports whether the broadcast was live at all.
func (s *stream) wentLive() bool { return s.timeToLive != nil || s.LiveMs > 0 }

// streamsOf joins the parts of each broadcast that began in the window, in the
// order of their beginning and, of those that began together, of their ids.
func streamsOf(c *Closed, w Window) []stream {
	var out []stream
	for i := range c.Broadcasts {
		b := &c.Broadcasts[i]
		at := slices.IndexFunc(out, func(s stream) bool { return s.id == b.StreamID })
		if at < 0 {
			out = append(out, stream{
				id: b.StreamID, firstRecvMs: b.FirstRecvMs, startPart: b.Part, timeToLive: b.StreamStartMs, BroadcastCounters: b.BroadcastCounters,
			})
			continue
		}
		out[at].add(b)
	}
	within := w.bounds(c.ExposedAt)
	out = slices.DeleteFunc(out, func(s stream) bool { return !within.holdMs(s.firstRecvMs) })
	slices.SortFunc(out, func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.firstRecvMs, b.firstRecvMs), cmp.Compare(a.id, b.id))
	})
	return out
}

// add joins another part.
func (s *stream) add(b *telemetry.Broadcast) {
	s.firstRecvMs = min(s.firstRecvMs, b.FirstRecvMs)
	if b.StreamStartMs != nil && (s.timeToLive == nil || b.Part < s.startPart) {
		s.timeToLive, s.startPart = b.StreamStartMs, b.Part
	}
	longest := max(s.StarvationMaxMs, b.StarvationMaxMs)
	into, from := s.Numbers(), b.Numbers()
	for i := range into {
		*into[i] += *from[i]
	}
	s.StarvationMaxMs = longest
	s.Measures = s.Measures.Plus(b.Measures)
	s.Observed &= b.Observed
}

// addStreams counts the broadcasts of a broadcaster in the window: of
// WindowFirst the earliest alone.
func (q *Quantities) addStreams(c *Closed, w Window) {
	streams := streamsOf(c, w)
	if w == WindowFirst && len(streams) > 1 {
		streams = streams[:1]
	}
	q[LiveUnits] = 1
	for i := range streams {
		q.addStream(&streams[i])
	}
	if q[LiveUnits] == 0 {
		q[LiveMsUncapped] = 0
	}
	q[LiveMs] = min(q[LiveMsUncapped], WatchCapMs)
}

// addStream counts one broadcast.
func (q *Quantities) addStream(s *stream) {
	q[Streams]++
	if !s.wentLive() {
		return
	}
	q[LiveStreams]++
	if s.timeToLive != nil {
		q[TimedLiveStreams]++
		q[TimeToLiveMs] += float64(*s.timeToLive)
	}
	if !s.Observed.Has(telemetry.ObservedLive) {
		q[LiveUnits] = 0 // a sum is known only when all of it is
		return           // what is measured against the time live is unknown, too
	}
	live := float64(s.LiveMs)
	q[LiveMsUncapped] += live
	if s.Observed.Has(telemetry.ObservedStarvation) {
		q.addStarvation(s, live)
	}
	if s.Observed.Has(telemetry.ObservedDisconnects) {
		q[DisconnectLiveMs] += live
		q[Disconnects] += float64(min(s.Disconnects, DisconnectsCap))
		q[DisconnectsUncapped] += float64(s.Disconnects)
	}
	if s.Observed.Has(telemetry.ObservedFPS) {
		q[FpsLiveMs] += live
		q[FpsShortMs] += float64(s.FpsShortMs)
	}
	if s.Observed.Has(telemetry.ObservedKeyframes) {
		q[KeyframeLiveMs] += live
		q[KeyframeOkMs] += float64(s.KeyframeOkMs)
	}
	q.addSignal(s)
}

// addStarvation counts how long the ingest of a broadcast starved. Starvation
// of less than StarvedMs in all cannot hold a longer one, whether or not the
// longest is reported.
func (q *Quantities) addStarvation(s *stream, live float64) {
	q[StarvationLiveMs] += live
	q[StarvationMs] += float64(min(s.StarvationMs, StarvationCapMs))
	q[StarvationMsUncapped] += float64(s.StarvationMs)
	short := s.StarvationMs < StarvedMs
	if !short && !s.Observed.Has(telemetry.ObservedStarvationMax) {
		return
	}
	q[StarvationStreams]++
	if short || s.StarvationMaxMs < StarvedMs {
		q[CleanStreams]++
	}
}

// addSignal counts what is not measured against the time live.
func (q *Quantities) addSignal(s *stream) {
	if cv, ok := s.bitrateCv(); ok {
		ppm := math.Round(cv * 1e6)
		q[BitrateStreams]++
		q[BitrateCvPpm] += min(ppm, BitrateCvCapPpm)
		q[BitrateCvPpmUncapped] += ppm
	}
	if s.Observed.Has(telemetry.ObservedTranscode) {
		q[TranscodeFrames] += float64(s.FramesIn)
		q[TranscodeDropped] += float64(s.FramesDropped)
	}
	if s.Observed.Has(telemetry.ObservedGlass) {
		q[GlassSamples] += float64(s.LatencySamples)
		q[GlassMs] += float64(min(s.LatencySumMs, LatencyCapMs*s.LatencySamples))
		q[GlassMsUncapped] += float64(s.LatencySumMs)
	}
}

// bitrateCv returns the standard deviation of the bitrate over its mean, from
// whole sums: sqrt(n sum(x^2) - sum(x)^2) / sum(x). ok is false for one that is
// not observed or has no mean.
func (s *stream) bitrateCv() (cv float64, ok bool) {
	n, sum, squares := float64(s.BitrateSamples), float64(s.BitrateSumKbps), float64(s.BitrateSumSqKbps)
	if !s.Observed.Has(telemetry.ObservedIngestBitrate) || !(sum > 0) {
		return 0, false
	}
	return math.Sqrt(max(0, n*squares/(sum*sum)-1)), true
}

// streamedAgain reports whether a broadcast that began in the window went live.
func streamedAgain(c *Closed, w Window) bool {
	streams := streamsOf(c, w)
	return slices.ContainsFunc(streams, func(s stream) bool { return s.wentLive() })
}

// addAudience sets how much was watched while the broadcaster was live. It is
// known when all of both is.
func (q *Quantities) addAudience() {
	if q[WatchUnits] == 0 || q[LiveUnits] == 0 {
		return
	}
	live := q[LiveMsUncapped]
	q[AudienceLiveMs] = live
	q[AudienceMsUncapped] = q[WatchMsUncapped]
	q[AudienceMs] = min(q[WatchMsUncapped], AudienceCap*live)
}
