package simulate

import (
	"math"
	"strconv"
)

// Live latency minute by minute: minutes of play by their mean. Means are
// rounded up to half a second up to ten, and to a second above, which makes no
// more levels than a heartbeat may have.
const (
	minuteSec      = 60.0
	lateFineLevels = 20 // of half a second each
	lateLevels     = 32 // the last holds all that is later
)

// lateMinutes counts them for one player.
type lateMinutes struct {
	count  [lateLevels]int64
	sum    float64 // integral of the latency over the minute under way
	played float64 // of that minute, s
}

// add notes that sec of play began late behind the encoder, while the player
// caught up at a rate of gain.
func (m *lateMinutes) add(sec, late, gain float64) {
	for sec > 0 {
		step := min(sec, minuteSec-m.played)
		m.sum += step * (late - gain*step/2)
		late -= gain * step
		sec -= step
		if m.played += step; m.played >= minuteSec-instantSec {
			m.count[lateLevel(m.sum/m.played)]++
			m.sum, m.played = 0, 0
		}
	}
}

// read returns the minutes so far, of a viewing that is over with the last one,
// which was not whole.
func (m *lateMinutes) read(over bool) [lateLevels]int64 {
	out := m.count
	if over && m.played > instantSec {
		out[lateLevel(m.sum/m.played)]++
	}
	return out
}

func lateLevel(sec float64) int {
	at := int(math.Ceil(2*sec)) - 1
	if at >= lateFineLevels {
		at = lateFineLevels + int(math.Ceil(sec)) - lateFineLevels/2 - 1
	}
	return max(0, min(at, lateLevels-1))
}

// lateLevelMs returns the upper end of a level.
func lateLevelMs(at int) int64 {
	if at < lateFineLevels {
		return int64(at+1) * 500
	}
	return int64(at-lateFineLevels+lateFineLevels/2+1) * 1000
}

// appendLateMinutes writes the field of a heartbeat; none without a minute,
// which is not observed.
func appendLateMinutes(b []byte, minutes *[lateLevels]int64) []byte {
	first := true
	for at, n := range minutes {
		if n == 0 {
			continue
		}
		if first {
			b = append(b, `,"latency_minutes":{`...)
		} else {
			b = append(b, ',')
		}
		first = false
		b = strconv.AppendInt(append(b, '"'), lateLevelMs(at), 10)
		b = strconv.AppendInt(append(b, '"', ':'), n, 10)
	}
	if !first {
		b = append(b, '}')
	}
	return b
}
