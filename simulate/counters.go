package simulate

import (
	"math"
	"strconv"
)

// counters are the cumulative quantities of a heartbeat, as whole numbers.
type counters struct {
	monoMs, firstFrameMs          int64 // firstFrameMs is -1 before the first frame
	playMs, stallMs, stallMaxMs   int64
	sinceStallMs                  int64 // of a player that stalled
	stalls, switchUp, switchDown  int64
	rungMs                        [rungs]int64
	frames, dropped, bytes        int64
	errors                        int64
	latencySum, latencyN, lateMax int64
	hiddenMs                      int64
	chats                         bool  // somebody counts messages
	chat                          int64 // messages
	lateMinutes                   [lateLevels]int64
}

// ms returns whole milliseconds, to the nearest: sums of parts of a second come
// out as they should.
func ms(sec float64) int64 { return int64(math.Round(sec * 1000)) }

const bytesPerKbit = 125

// read returns what a player reports at this moment.
func (p *player) read(dropShare float64) counters {
	t := &p.total
	c := counters{
		monoMs: ms(p.now), firstFrameMs: -1,
		playMs: ms(t.playSec), stallMs: ms(t.stallSec), stallMaxMs: ms(max(t.stallMaxSec, p.stall)),
		stalls: t.stalls, switchUp: t.switchUp, switchDown: t.switchDown,
		bytes: int64(t.kbit * bytesPerKbit),
	}
	if c.stalls > 0 && p.stall == 0 {
		c.sinceStallMs = ms(p.now - t.stallEndSec)
	}
	if p.started {
		c.firstFrameMs = ms(p.startupSec)
	}
	frames := 0.0
	for i, sec := range t.rungSec {
		c.rungMs[i] = ms(sec)
		frames += sec * float64(ladder[i].fps)
	}
	c.frames, c.dropped = int64(frames), int64(frames*dropShare)
	// Live latency is sampled once in every second of play.
	if n := int64(t.playSec); n > 0 {
		c.latencyN = n
		c.latencySum = ms(t.lateSec / t.playSec * float64(n))
		c.lateMax = ms(t.lateMax)
	}
	if p.outcome == FailedStart || p.outcome == FailedPlay {
		c.errors = 1
	}
	if p.minutes != nil {
		c.lateMinutes = p.minutes.read(p.outcome != Running)
	}
	return c
}

// appendJSON writes the counters' fields, each led by a comma.
func (c *counters) appendJSON(b []byte) []byte {
	b = append(b, `,"first_frame_ms":`...)
	if c.firstFrameMs < 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, c.firstFrameMs, 10)
	}
	b = appendField(b, "play_ms", c.playMs)
	b = appendField(b, "stall_ms", c.stallMs)
	b = appendField(b, "stall_n", c.stalls)
	b = appendField(b, "stall_max_ms", c.stallMaxMs)
	if c.stalls > 0 {
		b = appendField(b, "since_stall_ms", c.sinceStallMs)
	}
	b = append(b, `,"seek_stall_ms":0,"paused_ms":0,"ad_ms":0`...)
	b = appendField(b, "hidden_ms", c.hiddenMs)
	b = append(b, `,"rung_ms":{`...)
	for i, ms := range c.rungMs {
		b = appendDwell(b, i, ladder[i].kbps, ms)
	}
	b = append(b, `},"height_ms":{`...)
	for i, ms := range c.rungMs {
		b = appendDwell(b, i, ladder[i].height, ms)
	}
	b = append(b, '}')
	b = appendField(b, "switches_up", c.switchUp)
	b = appendField(b, "switches_down", c.switchDown)
	b = appendField(b, "frames", c.frames)
	b = appendField(b, "dropped_frames", c.dropped)
	b = appendField(b, "bytes", c.bytes)
	b = appendField(b, "errors_n", c.errors)
	b = appendField(b, "latency_ms_sum", c.latencySum)
	b = appendField(b, "latency_samples", c.latencyN)
	b = appendField(b, "latency_max", c.lateMax)
	b = appendLateMinutes(b, &c.lateMinutes)
	if c.chats {
		b = append(b, `,"measures":{"`+MeasureChat+`":`...)
		b = append(strconv.AppendInt(b, c.chat, 10), '}')
	}
	return b
}

func appendField(b []byte, name string, v int64) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, v, 10)
}

func appendDwell(b []byte, i int, at, ms int64) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = strconv.AppendInt(b, at, 10)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, ms, 10)
}
