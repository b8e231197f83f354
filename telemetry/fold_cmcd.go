package telemetry

import (
	"cmp"
	"slices"
	"strings"
)

// FoldCMCD makes the session that the CMCD records of one sid tell of. The
// records may come in any order and any number of times: they are told apart
// by mode and sn, and ordered by sn, never by ts, which is not monotone.
// Records that differ under one number count as one, the one received first.
// The zero Session is returned for no records.
//
// Event reports with player states make a session of tier B: play and stalls
// are sums over the states, where everything in rebuffering (r), seeking (k)
// or waiting (w) after the first frame is a stall, because players answer a
// live stall by seeking to the live edge. Reports without states (Shaka) make
// tier C, in which stalls are not observable. Of requests alone (tier D) only
// bitrate and a lower bound of stalls can be told.
//
// What players are known to report wrongly is held off by limits, see
// Record and the comments of the fold.
func FoldCMCD(records []Record) Session {
	events, requests := distinct(records)
	switch {
	case len(events) > 0:
		return foldEvents(events, requests)
	case len(requests) > 0:
		return foldRequests(requests)
	}
	return Session{}
}

// distinct returns the records of each mode in order, every one once.
func distinct(records []Record) (events, requests []*Record) {
	for i := range records {
		if records[i].Mode == ModeEvent {
			events = append(events, &records[i])
		} else {
			requests = append(requests, &records[i])
		}
	}
	return inOrder(events), inOrder(requests)
}

// inOrder sorts records by number and drops repetitions. Records of v1 have no
// number: they are ordered by receipt, and only equal ones are repetitions.
func inOrder(records []*Record) []*Record {
	slices.SortFunc(records, func(a, b *Record) int {
		return cmp.Or(
			compareBool(a.Has.Has(KeySN), b.Has.Has(KeySN)), cmp.Compare(a.SN, b.SN),
			cmp.Compare(a.RecvMs, b.RecvMs), strings.Compare(a.Raw, b.Raw),
			strings.Compare(a.Player, b.Player), strings.Compare(a.PlayerVersion, b.PlayerVersion),
		)
	})
	return slices.CompactFunc(records, func(a, b *Record) bool {
		if a.Has.Has(KeySN) && b.Has.Has(KeySN) {
			return a.SN == b.SN
		}
		return a.Has.Has(KeySN) == b.Has.Has(KeySN) && a.RecvMs == b.RecvMs && a.Raw == b.Raw
	})
}

// comparePlayer orders the player that a record came from and that of d.
func (r *Record) comparePlayer(d *Dims) int {
	return cmp.Or(strings.Compare(r.Player, d.Player), strings.Compare(r.PlayerVersion, d.PlayerVersion))
}

// identify fills what the records say of themselves: ids, receipt, clock. Of
// several players, which only a sender's mistake makes, the least name stays.
func (s *Session) identify(records []*Record) {
	for _, r := range records {
		if s.SessionID == "" && r.SID != "" {
			s.SessionID = r.SID
		}
		if s.ChannelID == "" && r.CID != "" {
			s.ChannelID, s.IdentitySeq = r.CID, r.SN
		}
		if r.Player != "" && (s.Player == "" || r.comparePlayer(&s.Dims) < 0) {
			s.Player, s.PlayerVersion = r.Player, r.PlayerVersion
		}
		if s.FirstRecvMs == 0 || r.RecvMs < s.FirstRecvMs {
			s.FirstRecvMs = r.RecvMs
		}
		if r.Has.Has(KeyTS) {
			offset := r.RecvMs - r.TS
			s.ClockOffsetMs = leastKnown(s.ClockOffsetMs, &offset)
		}
	}
}

// bitrate returns the bitrate that a list gives for the video, and the
// greatest number of the list where it names no type: hls.js sends the peak of
// the variant, Shaka a sum with the audio.
func (l List) bitrate() (kbps int64, ok bool) {
	for _, it := range l {
		if it.Type == "v" || it.Type == "av" {
			return it.Value, true
		}
		if it.Type == "" {
			kbps, ok = max(kbps, it.Value), true
		}
	}
	return kbps, ok
}

// rungClock adds up the time at each bitrate.
type rungClock struct {
	ms        map[int64]int64
	ladderTop int64 // greatest and least rung offered; 0 while unknown
	ladderLow int64
}

// offer notes what a record says of the ladder.
func (c *rungClock) offer(r *Record) {
	for _, top := range [...]List{r.TB, r.TPB, r.TAB} {
		if kbps, ok := top.bitrate(); ok {
			c.ladderTop = max(c.ladderTop, kbps)
			break
		}
	}
	for _, low := range [...]List{r.LB, r.LAB} {
		if kbps, ok := low.bitrate(); ok && (c.ladderLow == 0 || kbps < c.ladderLow) {
			c.ladderLow = kbps
		}
	}
}

// add notes ms of time at a bitrate.
func (c *rungClock) add(kbps, ms int64) {
	if c.ms == nil {
		c.ms = make(map[int64]int64, MaxDwell)
	}
	c.ms[kbps] += ms
}

// into fills the counters of s.
func (c *rungClock) into(s *Session) {
	for kbps, ms := range c.ms {
		s.RungMs += ms
		s.RungKbpsMs += kbps * ms
		if c.ladderTop > 0 && kbps >= c.ladderTop {
			s.TopRungMs += ms
		}
		if kbps <= c.ladderLow {
			s.BottomRungMs += ms
		}
	}
	if s.RungMs > 0 {
		s.Observed |= ObservedBitrate
		if c.ladderTop > 0 && c.ladderLow > 0 {
			s.Observed |= ObservedLadder
		}
	}
}
