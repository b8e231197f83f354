package telemetry

import "math"

// DecodeBroadcasts reads a body of broadcast heartbeats, in the forms of
// DecodeHeartbeats: cumulative ingest health, see [Broadcast] for the fields.
// stream_id and seq are required. A record that cannot be taken is returned as
// a Rejection and spoils no other; quantities that cannot be true are taken out
// singly. Unknown fields are ignored.
//
// The error is an *experiment.Error of CodeInvalid or CodeTooLarge and means
// that no record was read.
func DecodeBroadcasts(body []byte, contentType string) ([]Broadcast, []Rejection, error) {
	if len(body) > MaxBodyBytes {
		return nil, nil, errBodyTooLarge
	}
	d := broadcastDecoder{batch: newBatch[Broadcast](body, len(body)/usualRecordBytes+1)}
	if err := d.read(contentType, d.record); err != nil {
		return nil, nil, err
	}
	return d.items, d.rejected, nil
}

// broadcastDecoder holds one body while it is read.
type broadcastDecoder struct {
	batch[Broadcast]
	seq  bool // the record at hand has one
	kind string
}

// record reads one object and appends it or rejects it. False means that it is
// not JSON.
func (d *broadcastDecoder) record() bool {
	d.items = append(d.items, Broadcast{Index: d.count})
	b := &d.items[len(d.items)-1]
	d.fault, d.seq, d.kind = fault{}, false, ""
	first := len(d.rejected)
	ok := d.object(func(key string) bool { return d.member(b, key) })
	if !ok {
		d.fault = fault{reason: ReasonMalformed, message: "not JSON"}
	}
	switch {
	case d.fault.reason != "":
	case b.StreamID == "":
		d.fail("stream_id", ReasonMissing, "is required")
	case !d.seq:
		d.fail("seq", ReasonMissing, "is required")
	default:
		d.limits(b)
	}
	if d.fault.reason != "" {
		d.rejected = d.rejected[:first]
		d.reject(d.fault)
		d.items = d.items[:len(d.items)-1]
	} else {
		b.Ended = Kind(d.kind) == KindEnd
		d.plausible(b)
	}
	for i := first; i < len(d.rejected); i++ {
		r := &d.rejected[i]
		r.SessionID, r.Player, r.PlayerVersion = b.StreamID, b.Encoder, b.EncoderVersion
	}
	return ok
}

// member reads the value of one key. False means that the text is not JSON.
func (d *broadcastDecoder) member(b *Broadcast, key string) bool {
	if d.at < len(d.text) && d.text[d.at] == 'n' {
		return d.word("null") // an absent field
	}
	if into, observed := b.number(key); into != nil {
		b.Observed |= observed
		d.seq = d.seq || into == &b.Last.Seq
		return d.readNumber(into, key)
	}
	if into := b.text(key); into != nil {
		return d.readText(into, key)
	}
	switch key {
	case "kind":
		return d.readWord(&d.kind, key, kinds)
	case "stream_start_ms":
		b.StreamStartMs = new(int64)
		return d.readNumber(b.StreamStartMs, key)
	case "measures":
		return d.readMeasures(&b.Measures)
	}
	return d.skip(maxDepth)
}

// number returns where the number of a key belongs, nil for other keys, and
// what its presence makes observed.
func (b *Broadcast) number(key string) (*int64, BroadcastObserved) {
	switch key {
	case "part":
		return &b.Part, 0
	case "seq":
		return &b.Last.Seq, 0
	case "client_ts_ms":
		return &b.Last.ClientTsMs, 0
	case "mono_ms":
		return &b.Last.MonoMs, 0
	}
	numbers := b.Numbers()
	for i, f := range broadcastFields {
		if f.name == key {
			return numbers[i], f.observed
		}
	}
	return nil, 0
}

// broadcastFields are the counters in the order of Numbers. Of a group, the
// field that all the others need makes it observed.
var broadcastFields = [14]struct {
	name     string
	observed BroadcastObserved
	most     int64
}{
	{"live_ms", ObservedLive, MaxSessionMs},
	{"starvation_ms", ObservedStarvation, MaxSessionMs},
	{"starvation_n", 0, MaxCount},
	{"starvation_max_ms", ObservedStarvationMax, MaxSessionMs},
	{"disconnects", ObservedDisconnects, MaxCount},
	{"bitrate_samples", ObservedIngestBitrate, MaxCount},
	{"bitrate_kbps_sum", 0, MaxCount},
	{"bitrate_kbps2_sum", 0, math.MaxInt64}, // a month at MaxKbps is 2.7e16
	{"fps_short_ms", ObservedFPS, MaxSessionMs},
	{"keyframe_ok_ms", ObservedKeyframes, MaxSessionMs},
	{"frames_in", ObservedTranscode, MaxCount},
	{"frames_dropped", 0, MaxCount},
	{"latency_ms_sum", 0, MaxCount},
	{"latency_samples", ObservedGlass, MaxCount},
}

// text returns where the string of a key belongs, nil for other keys.
func (b *Broadcast) text(key string) *string {
	switch key {
	case "stream_id":
		return &b.StreamID
	case "end_reason":
		return &b.EndReason
	case "broadcaster_id":
		return &b.BroadcasterID
	case "channel_id":
		return &b.ChannelID
	case "region":
		return &b.Region
	case "protocol":
		return &b.Protocol
	case "encoder":
		return &b.Encoder
	case "encoder_version":
		return &b.EncoderVersion
	case "country":
		return &b.Country
	}
	return nil
}

// limits refuses numbers that storage could not hold, and more time live than
// passed.
func (d *broadcastDecoder) limits(b *Broadcast) {
	for _, n := range [...]struct {
		field string
		value int64
		most  int64
	}{
		{"part", b.Part, MaxCount}, {"seq", b.Last.Seq, MaxCount}, {"client_ts_ms", b.Last.ClientTsMs, MaxCount}, {"mono_ms", b.Last.MonoMs, MaxSessionMs},
	} {
		if n.value < 0 || n.value > n.most {
			d.fail(n.field, ReasonRange, "must be 0 to %d", n.most)
		}
	}
	for i, value := range b.Numbers() {
		if f := broadcastFields[i]; *value < 0 || *value > f.most {
			d.fail(f.name, ReasonRange, "must be 0 to %d", f.most)
		}
	}
	if b.LiveMs > b.Last.MonoMs+slackMs {
		d.fail("mono_ms", ReasonImplausible, "%d ms live, but only %d ms passed", b.LiveMs, b.Last.MonoMs)
	}
}

// plausible takes out quantities that cannot be true.
func (d *broadcastDecoder) plausible(b *Broadcast) {
	if s := b.StreamStartMs; s != nil && (*s < 0 || *s > b.Last.MonoMs+slackMs) {
		b.StreamStartMs = nil
		d.drop(b, "stream_start_ms", 0)
	}
	most := b.LiveMs + slackMs
	meanKbps, meanSq := ratio(b.BitrateSumKbps, b.BitrateSamples), ratio(b.BitrateSumSqKbps, b.BitrateSamples)
	for _, c := range [...]struct {
		wrong bool
		field string
		group BroadcastObserved
		clear []*int64
	}{
		{b.StarvationMs > most, "starvation_ms", ObservedStarvation | ObservedStarvationMax, []*int64{&b.StarvationMs, &b.StarvationN, &b.StarvationMaxMs}},
		{b.StarvationMaxMs > b.StarvationMs, "starvation_max_ms", ObservedStarvationMax, []*int64{&b.StarvationMaxMs}},
		// The mean of squares is no less than the square of the mean (Jensen);
		// the slack is for the rounding of a sender that counts in floats.
		{
			meanKbps > MaxKbps || meanSq > MaxKbps*MaxKbps || meanSq < meanKbps*meanKbps*(1-1e-6) || b.BitrateSamples == 0 && b.BitrateSumKbps > 0,
			"bitrate_kbps_sum", ObservedIngestBitrate,
			[]*int64{&b.BitrateSamples, &b.BitrateSumKbps, &b.BitrateSumSqKbps},
		},
		{b.FpsShortMs > most, "fps_short_ms", ObservedFPS, []*int64{&b.FpsShortMs}},
		{b.KeyframeOkMs > most, "keyframe_ok_ms", ObservedKeyframes, []*int64{&b.KeyframeOkMs}},
		{b.FramesDropped > b.FramesIn, "frames_dropped", ObservedTranscode, []*int64{&b.FramesIn, &b.FramesDropped}},
		{ratio(b.LatencySumMs, b.LatencySamples) > MaxLatencyMs, "latency_ms_sum", ObservedGlass, []*int64{&b.LatencySumMs, &b.LatencySamples}},
	} {
		if !c.wrong {
			continue
		}
		for _, n := range c.clear {
			*n = 0
		}
		d.drop(b, c.field, c.group)
	}
	if b.BitrateSamples == 0 {
		b.Observed &^= ObservedIngestBitrate
	}
	if b.LatencySamples == 0 {
		b.Observed &^= ObservedGlass
	}
}

// ratio is a mean; 0 of nothing.
func ratio(sum, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// drop notes that a quantity is not taken.
func (d *broadcastDecoder) drop(b *Broadcast, field string, group BroadcastObserved) {
	b.Observed &^= group
	d.rejected = append(d.rejected, Rejection{Index: b.Index, Field: field, Reason: ReasonImplausible, Message: "cannot be true; it is left out"})
}
