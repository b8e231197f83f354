package telemetry

import (
	"fmt"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of what a heartbeat can truthfully say.
const (
	MaxStartMs   = 120_000             // nobody waits longer; a greater value is a suspended page
	MaxKbps      = 100_000             // above any streamed rung
	MaxHeight    = 16_384              // above any picture
	MaxLatencyMs = 600_000             // live is not longer behind; more is a wrong clock
	MaxSessionMs = 31 * 24 * 3_600_000 // one viewing is not longer than a month
	MaxCount     = 1<<53 - 1           // what a JavaScript counter can hold exactly
	slackMs      = 2_000               // timers of one client against each other
)

// Validate checks whether hb can be true and returns what it objects to. A
// Rejection with Whole set refuses the record: counters below 0, or more time
// spent than passed. Otherwise the group of fields concerned is taken out of
// hb and of hb.Observed: a start time outside 0 to MaxStartMs, bitrates above
// MaxKbps, latencies above MaxLatencyMs.
//
// DecodeHeartbeats validates; a record made in another way must be validated
// before it is folded. What only the session as a whole can show, [Session.Flags] tells.
func Validate(hb *Heartbeat) []Rejection {
	v := validation{hb: hb}
	v.limits()
	if len(v.found) == 0 {
		v.times()
	}
	if len(v.found) > 0 {
		return v.found
	}
	v.start()
	v.rungs()
	v.heights()
	v.latency()
	v.frames()
	v.longestStall()
	v.sinceStall()
	v.latencyMinutes()
	return v.found
}

// validation gathers the objections to one record.
type validation struct {
	hb    *Heartbeat
	found []Rejection
}

func (v *validation) object(whole bool, reason Reason, field, format string, args ...any) {
	v.found = append(v.found, Rejection{
		Index: v.hb.Index, Field: field, Reason: reason, Message: fmt.Sprintf(format, args...), Whole: whole,
		SessionID: v.hb.SessionID, Player: v.hb.Player, PlayerVersion: v.hb.PlayerVersion,
	})
}

// limits refuses ids and numbers that storage could not hold.
func (v *validation) limits() {
	hb := v.hb
	if !experiment.ValidUnitID(hb.SessionID) {
		v.object(true, ReasonRange, "session_id", "must be 1 to %d printable ASCII characters", MaxIDBytes)
		return
	}
	for _, n := range [...]struct {
		field string
		value int64
		most  int64
	}{
		{"seq", hb.Seq, MaxCount},
		{"client_ts_ms", hb.ClientTsMs, MaxCount},
		{"mono_ms", hb.MonoMs, MaxSessionMs},
		{"play_ms", hb.PlayMs, MaxSessionMs},
		{"stall_ms", hb.StallMs, MaxSessionMs},
		{"stall_n", hb.StallN, MaxCount},
		{"stall_max_ms", hb.StallMaxMs, MaxSessionMs},
		{"since_stall_ms", hb.SinceStallMs, MaxSessionMs},
		{"seek_stall_ms", hb.SeekStallMs, MaxSessionMs},
		{"paused_ms", hb.PausedMs, MaxSessionMs},
		{"ad_ms", hb.AdMs, MaxSessionMs},
		{"hidden_ms", hb.HiddenMs, MaxSessionMs},
		{"switches_up", hb.SwitchesUp, MaxCount},
		{"switches_down", hb.SwitchesDown, MaxCount},
		{"frames", hb.Frames, MaxCount},
		{"dropped_frames", hb.DroppedFrames, MaxCount},
		{"bytes", hb.Bytes, MaxCount},
		{"errors_n", hb.ErrorsN, MaxCount},
		{"latency_ms_sum", hb.LatencySumMs, MaxCount},
		{"latency_samples", hb.LatencySamples, MaxCount},
		{"latency_max", hb.LatencyMaxMs, MaxCount},
	} {
		if n.value < 0 || n.value > n.most {
			v.object(true, ReasonRange, n.field, "must be 0 to %d", n.most)
			return
		}
	}
	v.dwellLimits("rung_ms", hb.RungMs)
	v.dwellLimits("height_ms", hb.HeightMs)
	v.dwellLimits("latency_minutes", hb.LatencyMinutes)
}

func (v *validation) dwellLimits(field string, dwell Dwell) {
	if len(dwell) > MaxDwell {
		v.object(true, ReasonTooMany, field, "has at most %d entries", MaxDwell)
		return
	}
	for _, d := range dwell {
		if d.Ms < 0 || d.Ms > MaxSessionMs {
			v.object(true, ReasonRange, field, "times must be 0 to %d", int64(MaxSessionMs))
			return
		}
	}
}

// times refuses a record that spent more time than passed.
func (v *validation) times() {
	hb := v.hb
	if spent := hb.PlayMs + hb.StallMs + hb.PausedMs; spent > hb.MonoMs+slackMs {
		v.object(true, ReasonImplausible, "mono_ms", "play, stall and pause take %d ms, but only %d ms passed", spent, hb.MonoMs)
	}
}

func (v *validation) start() {
	if f := v.hb.FirstFrameMs; f != nil && (*f < 0 || *f > MaxStartMs) {
		v.object(false, ReasonImplausible, "first_frame_ms", "%d is not within 0 to %d", *f, MaxStartMs)
		v.hb.FirstFrameMs = nil
	}
}

func (v *validation) rungs() {
	v.dwell("rung_ms", &v.hb.RungMs, MaxKbps, ObservedBitrate|ObservedLadder)
}

func (v *validation) heights() {
	v.dwell("height_ms", &v.hb.HeightMs, MaxHeight, ObservedHeight)
}

// dwell takes out the times of which a key or the sum cannot be true.
func (v *validation) dwell(field string, dwell *Dwell, most int64, group Observed) {
	var sum int64
	for _, d := range *dwell {
		sum += d.Ms
		if d.At < 0 || d.At > most {
			v.object(false, ReasonImplausible, field, "%d is above %d", d.At, most)
			v.drop(dwell, group)
			return
		}
	}
	if sum > v.hb.MonoMs+slackMs {
		v.object(false, ReasonImplausible, field, "takes %d ms, but only %d ms passed", sum, v.hb.MonoMs)
		v.drop(dwell, group)
	}
}

func (v *validation) drop(dwell *Dwell, group Observed) {
	*dwell = nil
	v.hb.Observed &^= group
}

func (v *validation) latency() {
	hb := v.hb
	// The sum may exceed samples times the limit without an overflow of the
	// comparison: both sides are divided.
	over := hb.LatencyMaxMs > MaxLatencyMs ||
		hb.LatencySamples > 0 && hb.LatencySumMs/hb.LatencySamples > MaxLatencyMs ||
		hb.LatencySamples == 0 && hb.LatencySumMs > 0
	if !over {
		return
	}
	v.object(false, ReasonImplausible, "latency_ms_sum", "a mean or maximum above %d ms", MaxLatencyMs)
	hb.LatencySumMs, hb.LatencySamples, hb.LatencyMaxMs = 0, 0, 0
	hb.Observed &^= ObservedLatency
}

func (v *validation) frames() {
	hb := v.hb
	if hb.Observed.Has(ObservedFrames) && hb.DroppedFrames > hb.Frames {
		v.object(false, ReasonImplausible, "dropped_frames", "%d of %d frames", hb.DroppedFrames, hb.Frames)
		hb.Frames, hb.DroppedFrames = 0, 0
		hb.Observed &^= ObservedFrames
	}
}

func (v *validation) longestStall() {
	hb := v.hb
	if hb.StallMaxMs > hb.StallMs {
		v.object(false, ReasonImplausible, "stall_max_ms", "%d ms of %d ms stalled", hb.StallMaxMs, hb.StallMs)
		hb.StallMaxMs = 0
		hb.Observed &^= ObservedStallMax
	}
}

func (v *validation) sinceStall() {
	hb := v.hb
	if hb.SinceStallMs > hb.MonoMs+slackMs {
		v.object(false, ReasonImplausible, "since_stall_ms", "%d ms, but only %d ms passed", hb.SinceStallMs, hb.MonoMs)
		hb.SinceStallMs = 0
		hb.Observed &^= ObservedSinceStall
	}
}

// latencyMinutes takes out more minutes than began, and latencies that are none.
func (v *validation) latencyMinutes() {
	var minutes int64
	for _, d := range v.hb.LatencyMinutes {
		minutes += d.Ms
		if d.At > MaxLatencyMs {
			v.object(false, ReasonImplausible, "latency_minutes", "%d is above %d", d.At, MaxLatencyMs)
			v.drop(&v.hb.LatencyMinutes, ObservedLatencyMinutes)
			return
		}
	}
	if began := (v.hb.MonoMs+slackMs)/60_000 + 1; minutes > began {
		v.object(false, ReasonImplausible, "latency_minutes", "%d minutes, but only %d began", minutes, began)
		v.drop(&v.hb.LatencyMinutes, ObservedLatencyMinutes)
	}
}
