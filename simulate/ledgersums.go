package simulate

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// Sums are what arrived of a unit's sessions or broadcasts that began within a
// span: of the newest records, each session once.
type Sums struct {
	Sessions, Starts        int
	PlayMs, StallMs         float64
	LatencySumMs, LatencyN  float64
	LatencyP95Ms            float64 // of its minutes of play; 0: no minute was told
	Chat                    float64
	ChatKnown               bool // every session that started tells it
	Events                  map[string]int
	Values                  map[string]float64
	Streams, LiveStreams    int
	CleanStreams            int // live ones that never starved for 2 s
	LiveMs, StarvedMs       float64
	Disconnects             float64
	FramesIn, FramesDropped float64
	KeyMs                   float64
}

// starvedMs is a starvation that a viewer would notice.
const starvedMs = 2_000

// sums adds up what was known at a moment of the span from an exposure on.
func (l *Ledger) sums(unit string, at time.Time, span time.Duration, known time.Time) Sums {
	s := Sums{ChatKnown: true, Events: map[string]int{}, Values: map[string]float64{}}
	minutes := map[int64]int64{}
	for _, records := range l.sessions[unit] {
		if !inSpan(firstArrival(records), at, span) {
			continue
		}
		if records[0].broadcast {
			s.stream(records, known)
			continue
		}
		r, ok := newest(records, 0, known)
		if !ok {
			continue
		}
		s.session(r)
		for level, n := range r.LateMinutes {
			if ms, err := strconv.ParseInt(level, 10, 64); err == nil {
				minutes[ms] += n
			}
		}
	}
	s.LatencyP95Ms = nearestRank(minutes, 0.95)
	for _, e := range l.events[unit] {
		if inSpan(time.UnixMilli(e.AtMs), at, span) {
			s.Events[e.Name]++
			s.Values[e.Name] += e.Value
		}
	}
	return s
}

// newest returns the record of a part with the highest number that had arrived.
func newest(records []told, part int64, known time.Time) (*toldRecord, bool) {
	var out *toldRecord
	for i := range records {
		r := &records[i]
		if r.record.Part == part && !r.arrived.After(known) && (out == nil || r.record.Seq > out.Seq) {
			out = &r.record
		}
	}
	return out, out != nil
}

func (s *Sums) session(r *toldRecord) {
	s.Sessions++
	s.PlayMs += r.PlayMs
	s.StallMs += r.StallMs
	s.LatencySumMs += r.LatencySum
	s.LatencyN += r.LatencyN
	chat, ok := r.Measures[MeasureChat]
	s.Chat += chat
	if r.FirstFrameMs != nil {
		s.Starts++
		s.ChatKnown = s.ChatKnown && ok
	}
}

func (s *Sums) stream(records []told, known time.Time) {
	live, starved, longest := false, 0.0, 0.0
	for part := range int64(2) {
		r, ok := newest(records, part, known)
		if !ok {
			continue
		}
		live = live || r.StreamStartMs != nil
		starved += r.StarvedMs
		longest = math.Max(longest, r.LongestMs)
		s.LiveMs += r.LiveMs
		s.Disconnects += r.Disconnects
		s.FramesIn += r.FramesIn
		s.FramesDropped += r.FramesDropped
		s.KeyMs += r.KeyMs
	}
	s.Streams++
	s.StarvedMs += starved
	if live {
		s.LiveStreams++
	}
	if live && longest < starvedMs {
		s.CleanStreams++
	}
}

// nearestRank returns the least level that a share of the counts stays within; 0
// of nothing.
func nearestRank(counts map[int64]int64, share float64) float64 {
	var levels []int64
	var total, below int64
	for level, n := range counts {
		levels = append(levels, level)
		total += n
	}
	slices.Sort(levels)
	for _, level := range levels {
		if below += counts[level]; float64(below) >= share*float64(total) {
			return float64(level)
		}
	}
	return 0
}
