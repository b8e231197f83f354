package telemetry

import (
	"cmp"
	"strings"
)

// BroadcastObserved is the set of quantities that the source of a broadcast
// reports. A quantity outside the set is unknown, whatever its field holds.
type BroadcastObserved uint16

// The quantities.
const (
	ObservedLive       BroadcastObserved = 1 << iota // LiveMs
	ObservedStarvation                               // StarvationMs, StarvationN
	ObservedStarvationMax
	ObservedDisconnects
	ObservedIngestBitrate // BitrateSamples, BitrateSumKbps, BitrateSumSqKbps
	ObservedFPS           // FpsShortMs
	ObservedKeyframes     // KeyframeOkMs
	ObservedTranscode     // FramesIn, FramesDropped
	ObservedGlass         // LatencySumMs, LatencySamples
)

// Has reports whether every quantity of q is observed.
func (o BroadcastObserved) Has(q BroadcastObserved) bool { return o&q == q }

// BroadcastIdentity says whose broadcast it is, and what sends it.
type BroadcastIdentity struct {
	BroadcasterID  string `json:"broadcaster_id,omitempty"` // randomisation unit
	ChannelID      string `json:"channel_id,omitempty"`
	Region         string `json:"region,omitempty"`   // of the ingest server
	Protocol       string `json:"protocol,omitempty"` // rtmp, srt, whip, ...
	Encoder        string `json:"encoder,omitempty"`
	EncoderVersion string `json:"encoder_version,omitempty"`
	Country        string `json:"country,omitempty"`
}

// BroadcastCounters are cumulative over a part of a broadcast.
type BroadcastCounters struct {
	LiveMs           int64    `json:"live_ms"`            // between stream start and now or end
	StarvationMs     int64    `json:"starvation_ms"`      // of it without frames to transcode
	StarvationN      int64    `json:"starvation_n"`       //
	StarvationMaxMs  int64    `json:"starvation_max_ms"`  // longest; optional
	Disconnects      int64    `json:"disconnects"`        // unintended, that the same part survived
	BitrateSamples   int64    `json:"bitrate_samples"`    // of one second each
	BitrateSumKbps   int64    `json:"bitrate_kbps_sum"`   //
	BitrateSumSqKbps int64    `json:"bitrate_kbps2_sum"`  // of squares: whole numbers, so that nothing cancels
	FpsShortMs       int64    `json:"fps_short_ms"`       // below 90 % of the nominal frame rate
	KeyframeOkMs     int64    `json:"keyframe_ok_ms"`     // with a key frame at least every 2.1 s
	FramesIn         int64    `json:"frames_in"`          // of the transcoder
	FramesDropped    int64    `json:"frames_dropped"`     //
	LatencySumMs     int64    `json:"latency_ms_sum"`     // glass to glass
	LatencySamples   int64    `json:"latency_samples"`    //
	Measures         Measures `json:"measures,omitempty"` // custom

	Observed BroadcastObserved `json:"observed"`
}

// Broadcast is one record of ingest health, and the state of a part of a
// broadcast after any number of them: see [MergeBroadcasts]. A part is what one
// ingest process saw; when another one takes over, or the process restarts, its
// counters begin again and it takes another number for its part. The broadcast
// is the sum of its parts, which the sender names, so that nothing has to be
// guessed.
type Broadcast struct {
	StreamID string `json:"stream_id"`
	Part     int64  `json:"part"` // absent: 0

	BroadcastIdentity
	IdentitySeq int64 `json:"identity_seq"` // of the record that the identity came with
	FirstRecvMs int64 `json:"first_recv_ms"`

	Last          Mark   `json:"last"` // the record with the highest seq
	Ended         bool   `json:"ended"`
	EndReason     string `json:"end_reason,omitempty"` // a word of the sender's
	StreamStartMs *int64 `json:"stream_start_ms"`      // from session created to stream start; nil: not (yet) live
	BroadcastCounters

	// Index is the place of the record within its body, from 0.
	Index int `json:"-"`
}

// MergeBroadcasts joins two states of one part. The record with the highest seq
// tells all but the identity, which the lowest does, and FirstRecvMs, the least.
// Of equal numbers what was received first stays; what was received together is
// decided by content. So it is commutative, associative and idempotent, and the
// zero Broadcast is neutral. It is the reference for the upsert in SQL.
func MergeBroadcasts(a, b Broadcast) Broadcast {
	if a.StreamID == "" {
		return b
	}
	if b.StreamID == "" {
		return a
	}
	out := a
	if b.compareLast(&a) > 0 {
		out = b
	}
	out.BroadcastIdentity, out.IdentitySeq = a.BroadcastIdentity, a.IdentitySeq
	if b.compareIdentity(&a) < 0 {
		out.BroadcastIdentity, out.IdentitySeq = b.BroadcastIdentity, b.IdentitySeq
	}
	out.FirstRecvMs = min(a.FirstRecvMs, b.FirstRecvMs)
	out.Index = 0
	return out
}

// FoldBroadcasts folds the records of one batch, in any order, into one state a
// part, in the order of first appearance.
func FoldBroadcasts(records []Broadcast, recvMs int64) []Broadcast {
	type key struct {
		stream string
		part   int64
	}
	index := make(map[key]int, len(records))
	out := make([]Broadcast, 0, len(records))
	for i := range records {
		b := records[i]
		b.FirstRecvMs, b.Last.RecvMs, b.IdentitySeq, b.Index = recvMs, recvMs, b.Last.Seq, 0
		k := key{b.StreamID, b.Part}
		if at, seen := index[k]; seen {
			out[at] = MergeBroadcasts(out[at], b)
			continue
		}
		index[k] = len(out)
		out = append(out, b)
	}
	return out
}

// compareLast orders states by newness.
func (b *Broadcast) compareLast(c *Broadcast) int {
	if o := cmp.Or(compareLast(b.Last, c.Last), compareBool(b.Ended, c.Ended), strings.Compare(b.EndReason, c.EndReason)); o != 0 {
		return o
	}
	if o := cmp.Compare(orMinusOne(b.StreamStartMs), orMinusOne(c.StreamStartMs)); o != 0 {
		return o
	}
	x, y := b.Numbers(), c.Numbers()
	for i := range x {
		if o := cmp.Compare(*x[i], *y[i]); o != 0 {
			return o
		}
	}
	return cmp.Or(cmp.Compare(b.Observed, c.Observed), strings.Compare(string(b.Measures), string(c.Measures)))
}

func orMinusOne(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// compareIdentity orders states by their identities: that of the lowest seq,
// which names a broadcaster, is first.
func (b *Broadcast) compareIdentity(c *Broadcast) int {
	if o := cmp.Or(compareBool(b.BroadcasterID == "", c.BroadcasterID == ""), cmp.Compare(b.IdentitySeq, c.IdentitySeq)); o != 0 {
		return o
	}
	x, y := b.Texts(), c.Texts()
	for i := range x {
		if o := strings.Compare(*x[i], *y[i]); o != 0 {
			return o
		}
	}
	return 0
}

// Texts returns the strings of an identity in the order of comparison, which
// storage shares.
func (b *BroadcastIdentity) Texts() [7]*string {
	return [7]*string{&b.BroadcasterID, &b.ChannelID, &b.Region, &b.Protocol, &b.Encoder, &b.EncoderVersion, &b.Country}
}

// Numbers returns the counters in the order of comparison, which storage shares.
func (c *BroadcastCounters) Numbers() [14]*int64 {
	return [14]*int64{
		&c.LiveMs, &c.StarvationMs, &c.StarvationN, &c.StarvationMaxMs, &c.Disconnects,
		&c.BitrateSamples, &c.BitrateSumKbps, &c.BitrateSumSqKbps, &c.FpsShortMs, &c.KeyframeOkMs,
		&c.FramesIn, &c.FramesDropped, &c.LatencySumMs, &c.LatencySamples,
	}
}
