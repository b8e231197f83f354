package telemetry

import (
	"cmp"
	"strings"
)

// Merge joins two states of one session by the rules listed at [Session]. It
// is commutative, associative and idempotent, and the zero Session is neutral,
// so records may be folded in any order, any number of times, in any grouping.
// It is the reference for the upsert in SQL.
//
// States made by FoldCMCD are not merged but made anew from all records.
func Merge(a, b Session) Session {
	if a.SessionID == "" {
		return b
	}
	if b.SessionID == "" {
		return a
	}
	out := a
	out.mergeIdentity(&b)
	out.mergeStart(&b)
	out.Tier = max(a.Tier, b.Tier)
	out.FirstRecvMs = min(a.FirstRecvMs, b.FirstRecvMs)
	out.ClockOffsetMs = leastKnown(a.ClockOffsetMs, b.ClockOffsetMs)
	out.PlayRequested = a.PlayRequested || b.PlayRequested
	if compareFirst(b.First, a.First) < 0 {
		out.First = b.First
	}
	if compareEnd(&b, &a) > 0 {
		out.Last, out.Ended, out.EndReason = b.Last, b.Ended, b.EndReason
		out.FatalCode, out.Epoch = b.FatalCode, b.Epoch
	}
	if a.Epochs == nil && b.Epochs == nil && a.Epoch == b.Epoch {
		if supersedes(b.Last, b.Counters, a.Last, a.Counters) {
			out.Counters = b.Counters
		}
		return out
	}
	out.Epochs = mergeEpochs(a.epochs(), b.epochs())
	out.Counters = totalOf(out.Epochs)
	return out
}

// Apply folds one more record into s; the zero Session is a session without
// records. The record has passed [Validate].
func (s *Session) Apply(hb *Heartbeat, recvMs int64) {
	*s = Merge(*s, hb.session(recvMs))
}

// FoldBatch folds the records of one batch, in any order, into one state for
// each session, in the order of first appearance. Storage merges each into
// what it has. Behind them come the [Contradictions] of the batch, each record as a
// state of its own, so that storage can count them: merging these, too, changes
// nothing.
func FoldBatch(hbs []Heartbeat, recvMs int64) []Session {
	index := make(map[string]int, len(hbs))
	sessions := make([]Session, 0, len(hbs))
	var records [][]*Session // of the sessions that have several in the batch
	var repeated map[int]int // by session: place in records
	for i := range hbs {
		at, seen := index[hbs[i].SessionID]
		if !seen {
			index[hbs[i].SessionID] = len(sessions)
			sessions = append(sessions, hbs[i].session(recvMs))
			continue
		}
		if repeated == nil {
			repeated = map[int]int{}
		}
		list, known := repeated[at]
		if !known {
			list = len(records)
			first := sessions[at]
			repeated[at], records = list, append(records, []*Session{&first})
		}
		one := hbs[i].session(recvMs)
		records[list] = append(records[list], &one)
		sessions[at] = Merge(sessions[at], one)
	}
	for _, list := range records {
		for _, number := range Contradictions(list) {
			for _, s := range number {
				sessions = append(sessions, *s)
			}
		}
	}
	return sessions
}

// session returns the state of a session of which only hb is known.
func (hb *Heartbeat) session(recvMs int64) Session {
	mark := Mark{Seq: hb.Seq, RecvMs: recvMs, ClientTsMs: hb.ClientTsMs, MonoMs: hb.MonoMs}
	s := Session{
		SessionID:     hb.SessionID,
		Identity:      hb.Identity,
		IdentitySeq:   hb.Seq,
		Tier:          max(hb.Tier, TierA),
		FirstRecvMs:   recvMs,
		PlayRequested: hb.PlayRequested,
		First:         mark,
		Last:          mark,
		Ended:         hb.Kind == KindEnd,
		EndReason:     hb.EndReason,
		FatalCode:     hb.FatalCode,
		Counters:      hb.counters(),
		Epoch:         epochKey(hb.ClientTsMs, hb.MonoMs),
	}
	if hb.FirstFrameMs != nil || hb.PlayMs > 0 {
		s.Started, s.StartSeq, s.FirstFrameMs = true, hb.Seq, hb.FirstFrameMs
	}
	if hb.ClientTsMs != 0 {
		offset := recvMs - hb.ClientTsMs
		s.ClockOffsetMs = &offset
	}
	return s
}

// counters returns the quantities of one record.
func (hb *Heartbeat) counters() Counters {
	c := Counters{
		PlayMs: hb.PlayMs, StallMs: hb.StallMs, StallN: hb.StallN, StallMaxMs: hb.StallMaxMs,
		SeekStallMs: hb.SeekStallMs, PausedMs: hb.PausedMs, AdMs: hb.AdMs, HiddenMs: hb.HiddenMs,
		SwitchesUp: hb.SwitchesUp, SwitchesDown: hb.SwitchesDown,
		Frames: hb.Frames, DroppedFrames: hb.DroppedFrames, Bytes: hb.Bytes, ErrorsN: hb.ErrorsN,
		LatencySumMs: hb.LatencySumMs, LatencySamples: hb.LatencySamples, LatencyMaxMs: hb.LatencyMaxMs,
		SinceStallMs: hb.SinceStallMs, LatencyMinutes: latencyMinutesOf(hb.LatencyMinutes),
		Measures: hb.Measures, Observed: hb.Observed,
	}
	c.addRungs(hb.RungMs)
	for _, h := range hb.HeightMs {
		c.HeightMs += h.Ms
		if h.At <= LowHeight {
			c.LowHeightMs += h.Ms
		}
	}
	return c
}

// addRungs adds the time at each rung; the first and last by bitrate are the
// bottom and the top of the ladder.
func (c *Counters) addRungs(rungs Dwell) {
	if len(rungs) == 0 {
		return
	}
	top, bottom := rungs[0], rungs[0]
	for _, r := range rungs {
		c.RungMs += r.Ms
		c.RungKbpsMs += r.At * r.Ms
		if r.At > top.At {
			top = r
		}
		if r.At < bottom.At {
			bottom = r
		}
	}
	c.TopRungMs += top.Ms
	c.BottomRungMs += bottom.Ms
}

// add sums the counters of two epochs, of which d is the later.
func (c *Counters) add(d Counters) {
	into, from := c.fields(), d.fields()
	for i := range into {
		*into[i] += *from[i]
	}
	c.StallMaxMs = max(c.StallMaxMs, d.StallMaxMs)
	c.LatencyMaxMs = max(c.LatencyMaxMs, d.LatencyMaxMs)
	if d.StallN > 0 {
		c.SinceStallMs = d.SinceStallMs
	} else {
		c.SinceStallMs += d.PlayMs + d.PausedMs // what passed at least
	}
	c.Observed |= d.Observed
	c.LatencyMinutes = LatencyMinutes{c.LatencyMinutes.Plus(d.LatencyMinutes.Measures)}
	c.Measures = c.Measures.Plus(d.Measures)
}

// fields returns the quantities that add up over epochs.
func (c *Counters) fields() [21]*int64 {
	return [21]*int64{
		&c.PlayMs, &c.StallMs, &c.StallN, &c.SeekStallMs, &c.PausedMs, &c.AdMs, &c.HiddenMs,
		&c.RungMs, &c.RungKbpsMs, &c.TopRungMs, &c.BottomRungMs, &c.HeightMs, &c.LowHeightMs,
		&c.SwitchesUp, &c.SwitchesDown, &c.Frames, &c.DroppedFrames, &c.Bytes, &c.ErrorsN,
		&c.LatencySumMs, &c.LatencySamples,
	}
}

// compare orders counters by content, whatever the order; it decides between
// records that claim the same number.
func (c *Counters) compare(d *Counters) int {
	a, b := c.fields(), d.fields()
	for i := range a {
		if o := cmp.Compare(*a[i], *b[i]); o != 0 {
			return o
		}
	}
	return cmp.Or(
		cmp.Compare(c.StallMaxMs, d.StallMaxMs), cmp.Compare(c.LatencyMaxMs, d.LatencyMaxMs),
		cmp.Compare(c.SinceStallMs, d.SinceStallMs), cmp.Compare(c.Observed, d.Observed),
		strings.Compare(string(c.Measures), string(d.Measures)),
		strings.Compare(string(c.LatencyMinutes.Measures), string(d.LatencyMinutes.Measures)),
	)
}

// compareLast orders records by newness: the greater seq is newer; of the same
// seq the one received first stays.
func compareLast(a, b Mark) int {
	return cmp.Or(
		cmp.Compare(a.Seq, b.Seq), cmp.Compare(b.RecvMs, a.RecvMs),
		cmp.Compare(a.MonoMs, b.MonoMs), cmp.Compare(a.ClientTsMs, b.ClientTsMs),
	)
}

// compareFirst orders records by seq, and as mergeEpoch does by mono.
func compareFirst(a, b Mark) int {
	return cmp.Or(
		cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.MonoMs, b.MonoMs),
		cmp.Compare(a.RecvMs, b.RecvMs), cmp.Compare(a.ClientTsMs, b.ClientTsMs),
	)
}

// supersedes reports whether counters c of record m take the place of d of n.
func supersedes(m Mark, c Counters, n Mark, d Counters) bool {
	if o := compareLast(m, n); o != 0 {
		return o > 0
	}
	return c.compare(&d) > 0
}

// compareEnd orders states by what their newest record says of the end.
func compareEnd(a, b *Session) int {
	if o := compareLast(a.Last, b.Last); o != 0 {
		return o
	}
	return cmp.Or(
		compareBool(a.Ended, b.Ended), strings.Compare(string(a.EndReason), string(b.EndReason)),
		strings.Compare(a.FatalCode, b.FatalCode), cmp.Compare(a.Epoch, b.Epoch),
	)
}

// mergeIdentity keeps the identity that the lowest record with a viewer gave.
func (s *Session) mergeIdentity(b *Session) {
	o := cmp.Or(
		compareBool(b.ViewerID == "", s.ViewerID == ""),
		cmp.Compare(b.IdentitySeq, s.IdentitySeq),
	)
	if o == 0 {
		o = b.Identity.compare(&s.Identity)
	}
	if o < 0 {
		s.Identity, s.IdentitySeq = b.Identity, b.IdentitySeq
	}
}

// compare orders identities by content.
func (id *Identity) compare(other *Identity) int {
	a, b := id.fields(), other.fields()
	for i := range a {
		if o := strings.Compare(*a[i], *b[i]); o != 0 {
			return o
		}
	}
	return 0
}

// fields returns the strings of an identity.
func (id *Identity) fields() [12]*string {
	return [12]*string{
		&id.ViewerID, &id.DeviceID, &id.ChannelID, &id.BroadcasterID, &id.StreamID,
		&id.Country, &id.ASN, &id.DeviceClass, &id.OS, &id.Player, &id.PlayerVersion, &id.NetClass,
	}
}

// mergeStart keeps the start that the lowest record after it reported.
func (s *Session) mergeStart(b *Session) {
	if !b.Started {
		return
	}
	earlier := cmp.Or(
		cmp.Compare(b.StartSeq, s.StartSeq), compareKnown(b.FirstFrameMs, s.FirstFrameMs),
	) < 0
	if earlier || !s.Started {
		s.Started, s.StartSeq, s.FirstFrameMs = true, b.StartSeq, b.FirstFrameMs
	}
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareKnown orders numbers by size, the unknown last.
func compareKnown(a, b *int64) int {
	if a == nil || b == nil {
		return compareBool(a == nil, b == nil)
	}
	return cmp.Compare(*a, *b)
}

// leastKnown returns the lesser number; nil only if both are unknown.
func leastKnown(a, b *int64) *int64 {
	if compareKnown(a, b) <= 0 {
		return a
	}
	return b
}

// Imported returns the state of a session that began at startMs and of which hb is
// the last record: received when it had lasted as long as the client's monotonic
// clock says.
func (hb *Heartbeat) Imported(startMs int64) Session {
	s := hb.session(startMs)
	s.Last.RecvMs = startMs + hb.MonoMs
	return s
}
