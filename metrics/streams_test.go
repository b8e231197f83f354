package metrics_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// allIngest is all that an ingest server can report.
const allIngest = telemetry.ObservedLive | telemetry.ObservedStarvation | telemetry.ObservedStarvationMax |
	telemetry.ObservedDisconnects | telemetry.ObservedIngestBitrate | telemetry.ObservedFPS |
	telemetry.ObservedKeyframes | telemetry.ObservedTranscode | telemetry.ObservedGlass

// part is a part of a broadcast that began some milliseconds after the exposure.
func part(stream string, number, afterMs int64, edit func(*telemetry.Broadcast)) telemetry.Broadcast {
	b := telemetry.Broadcast{StreamID: stream, Part: number, FirstRecvMs: exposedAt.UnixMilli() + afterMs}
	b.Observed = allIngest
	if edit != nil {
		edit(&b)
	}
	return b
}

// live says that a part went live after startMs and was so for liveMs.
func live(startMs, liveMs int64) func(*telemetry.Broadcast) {
	return func(b *telemetry.Broadcast) {
		b.StreamStartMs, b.LiveMs = &startMs, liveMs
		b.Observed = telemetry.ObservedLive
	}
}

// truthBroadcasters are four broadcasters, told as a person would:
//
//   - eve goes live 5 s after her session was created. After an hour another
//     ingest server takes over for a second hour. Three hours later she tries
//     again and never goes live; the next day she does.
//   - fay fails at first, tries again ten minutes later and is live for 30 hours.
//     Her ingest server does not tell its longest starvation, but all of it
//     together lasts less than 2 s.
//   - gil was exposed and never created a session.
//   - hal goes live after 8 s, on a server that reports nothing else.
//
// Two viewers watch eve for 4 hours and 1 hour, the first with 400 s of stalls;
// one watches fay for 5 minutes, one hal for 10 hours.
func truthBroadcasters() []metrics.Closed {
	viewer := func(id string, playMs, stallMs int64) telemetry.Session {
		return watched(id, 1_000, func(s *telemetry.Session) {
			s.Observed = allObserved
			s.PlayMs, s.StallMs, s.StallN, s.StallMaxMs = playMs, stallMs, min(stallMs, 1), stallMs
		})
	}
	eve := []telemetry.Broadcast{
		part("e1", 1, hourMs, func(b *telemetry.Broadcast) {
			ownStart := int64(9_000)
			b.StreamStartMs, b.LiveMs = &ownStart, hourMs
			b.StarvationMs, b.StarvationN, b.StarvationMaxMs, b.Disconnects = 700_000, 1, 700_000, 29
			b.BitrateSamples, b.BitrateSumKbps, b.BitrateSumSqKbps = 2, 10_000, 50_000_000 // 5,000 twice
			b.KeyframeOkMs, b.FramesIn, b.FramesDropped = hourMs, 100, 3
			b.LatencySumMs, b.LatencySamples = 400_000, 2
		}),
		part("e1", 0, 0, func(b *telemetry.Broadcast) {
			start := int64(5_000)
			b.StreamStartMs, b.LiveMs = &start, hourMs
			b.StarvationMs, b.StarvationN, b.StarvationMaxMs, b.Disconnects = 10_000, 2, 6_000, 1
			b.BitrateSamples, b.BitrateSumKbps, b.BitrateSumSqKbps = 2, 10_000, 52_000_000 // 4,000 and 6,000
			b.FpsShortMs, b.KeyframeOkMs, b.FramesIn, b.FramesDropped = 36_000, hourMs/2, 100, 1
			b.LatencySumMs, b.LatencySamples = 10_000, 2
		}),
		part("e2", 0, 3*hourMs, nil),
		part("e3", 0, 30*hourMs, live(1_000, hourMs)),
	}
	fay := []telemetry.Broadcast{
		part("f2", 0, 600_000, func(b *telemetry.Broadcast) {
			live(2_000, 30*hourMs)(b)
			b.StarvationMs, b.StarvationN = 1_999, 3
			b.Observed |= telemetry.ObservedStarvation
		}),
		part("f1", 0, 0, nil),
		part("f0", 0, -hourMs, live(1_000, 3*hourMs)), // before the exposure
		part("f0", 1, hourMs, live(1_000, 3*hourMs)),  // a part of the same
	}
	hal := part("h1", 0, 60_000, func(b *telemetry.Broadcast) {
		live(8_000, 0)(b)
		b.Observed = 0
	})
	return []metrics.Closed{
		{Unit: "eve", Broadcasts: eve, Sessions: []telemetry.Session{viewer("v1", 4*hourMs, 400_000), viewer("v2", hourMs, 0)}},
		{Unit: "fay", Broadcasts: fay, Sessions: []telemetry.Session{viewer("v3", 300_000, 0)}},
		{Unit: "gil"},
		{Unit: "hal", Broadcasts: []telemetry.Broadcast{hal}, Sessions: []telemetry.Session{viewer("v4", 10*hourMs, 0)}},
	}
}

// TestBroadcasterTruth compares every built-in metric of broadcasters with what
// its text says of the four, worked out by hand. A metric without a line fails.
func TestBroadcasterTruth(t *testing.T) {
	t.Parallel()
	closed := truthBroadcasters()
	for i := range closed {
		closed[i].Broadcaster, closed[i].ExposedAt = true, exposedAt
	}
	coverage, _ := metrics.Lookup(metrics.CoverageKey)
	compareTruth(t, closed, append(definitionsOf(experiment.UnitBroadcaster), coverage), map[string]truth{
		"telemetry_coverage":          {4, 3, 4},
		"go_live_success":             {3, 2, 3}, // fay's first broadcast never went live
		"time_to_live_p50":            {2, 5_000 + 8_000, 2},
		"time_to_live_p95":            {2, 5_000 + 8_000, 2},
		"ingest_starvation_ratio":     {2, 600_000 + 1_999, 32 * hourMs},
		"starvation_free_streams":     {2, 1, 2},
		"ingest_disconnects_per_hour": {1, 20, 2 * hourMs},
		// sqrt(4 (50 + 52) 10^6 / 20,000^2 - 1) = sqrt(0.02)
		"ingest_bitrate_cv":                 {1, 141_421, 1},
		"ingest_fps_shortfall":              {1, 36_000, 2 * hourMs},
		"keyframe_conformance":              {1, 1.5 * hourMs, 2 * hourMs},
		"live_hours_per_broadcaster":        {3, (2 + 24) * hourMs, 3},
		"broadcaster_return_d7":             {4, 1, 4},
		"viewer_stall_ratio_by_broadcaster": {2, 300_000.0 / (5*hourMs + 300_000), 2},
		"glass_to_glass_latency":            {1, 60_000, 1},
		"transcode_dropped_ratio":           {1, 4, 200},
		"audience_hours_per_live_hour":      {2, 5*hourMs + 300_000, 32 * hourMs},
	}, map[string]truth{
		"ingest_starvation_ratio":      {2, 710_000 + 1_999, 32 * hourMs},
		"ingest_disconnects_per_hour":  {1, 30, 2 * hourMs},
		"ingest_bitrate_cv":            {1, 141_421, 1},
		"live_hours_per_broadcaster":   {3, 32 * hourMs, 3},
		"glass_to_glass_latency":       {1, 410_000 / 4, 1},
		"audience_hours_per_live_hour": {2, 5*hourMs + 300_000, 32 * hourMs},
	})
}

// TestStreamThresholds checks the quantities of broadcasts at their limits and
// one beyond.
func TestStreamThresholds(t *testing.T) {
	t.Parallel()
	of := func(edit func(*telemetry.Broadcast)) telemetry.Broadcast {
		return part("s", 0, 0, func(b *telemetry.Broadcast) {
			b.LiveMs = hourMs
			edit(b)
		})
	}
	starved := func(totalMs, maxMs int64) telemetry.Broadcast {
		return of(func(b *telemetry.Broadcast) { b.StarvationMs, b.StarvationMaxMs = totalMs, maxMs })
	}
	bursts := of(func(b *telemetry.Broadcast) { // 8,000 once in nine seconds
		b.BitrateSamples, b.BitrateSumKbps, b.BitrateSumSqKbps = 9, 8_000, 64_000_000
	})
	crowd := watched("crowd", 0, func(s *telemetry.Session) { s.PlayMs = 20_000 * hourMs })
	for _, test := range []struct {
		name     string
		b        telemetry.Broadcast
		sessions []telemetry.Session
		quantity metrics.Quantity
		want     float64
	}{
		{"starvation of 1,999 ms", starved(9_000, 1_999), nil, metrics.CleanStreams, 1},
		{"starvation of 2 s", starved(9_000, 2_000), nil, metrics.CleanStreams, 0},
		{"10 minutes of starvation", starved(600_000, 9), nil, metrics.StarvationMs, 600_000},
		{"10 minutes and 1 ms", starved(600_001, 9), nil, metrics.StarvationMs, 600_000},
		{"longest starvation unknown", of(func(b *telemetry.Broadcast) {
			b.StarvationMs = 2_000
			b.Observed &^= telemetry.ObservedStarvationMax
		}), nil, metrics.StarvationStreams, 0},
		{"a variation of sqrt 8", bursts, nil, metrics.BitrateCvPpm, 2_000_000},
		{"a variation of sqrt 8 without cap", bursts, nil, metrics.BitrateCvPpmUncapped, 2_828_427},
		{"no bitrate", of(func(*telemetry.Broadcast) {}), nil, metrics.BitrateStreams, 0},
		{"20,000 viewers", starved(0, 0), []telemetry.Session{crowd}, metrics.AudienceMs, 10_000 * hourMs},
		{"20,000 viewers without cap", starved(0, 0), []telemetry.Session{crowd}, metrics.AudienceMsUncapped, 20_000 * hourMs},
		{"never live", part("s", 0, 0, nil), nil, metrics.LiveStreams, 0},
		{"after the day", part("s", 0, 24*hourMs, nil), nil, metrics.Streams, 0},
	} {
		o := metrics.Observe(&metrics.Closed{
			ExposedAt: exposedAt, Broadcaster: true, Broadcasts: []telemetry.Broadcast{test.b}, Sessions: test.sessions,
		}, metrics.WindowDay)
		if got := o.Quantities[test.quantity]; got != test.want {
			t.Errorf("%s: %s = %v, want %v", test.name, test.quantity, got, test.want)
		}
	}
}

// An outcome does not depend on the order in which storage returns parts, and a
// unit that is no broadcaster has none of the quantities.
func TestStreamsInAnyOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for _, w := range metrics.Windows() {
		for _, c := range truthBroadcasters() {
			c.ExposedAt, c.Broadcaster = exposedAt, true
			want := metrics.Observe(&c, w)
			for range 20 {
				r.Shuffle(len(c.Broadcasts), func(i, j int) { c.Broadcasts[i], c.Broadcasts[j] = c.Broadcasts[j], c.Broadcasts[i] })
				if diff := cmp.Diff(want, metrics.Observe(&c, w)); diff != "" {
					t.Fatalf("outcome of %s in %s depends on the order (-first +then):\n%s", c.Unit, w, diff)
				}
			}
			c.Broadcaster = false
			for i, v := range metrics.Observe(&c, w).Quantities {
				if q := metrics.Quantity(i); q.OfBroadcasts() && v != 0 {
					t.Errorf("%s of no broadcaster = %v", q, v)
				}
			}
		}
	}
}
