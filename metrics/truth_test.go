package metrics_test

import (
	"math"
	"slices"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// allObserved is what a session of our own heartbeat reports.
const allObserved = everything | telemetry.ObservedStallMax | telemetry.ObservedHeight | telemetry.ObservedFrames |
	telemetry.ObservedBytes | telemetry.ObservedSwitches | telemetry.ObservedLadder |
	telemetry.ObservedSinceStall | telemetry.ObservedLatencyMinutes

const hourMs = 3_600_000

// truthViewers are four viewers, told as a person would:
//
//   - ann presses play and sees a picture after 2 s. She watches an hour at
//     4,000 kbit/s with two stalls, 12 s and 8 s, and leaves. Ten seconds after
//     that start her player had started again, for 30 s at 1,000 kbit/s. The next
//     day she comes back.
//   - ben waits 40 s for the picture, watches 9 hours without a stall, and is
//     thrown out by an error. He returns on the fifth day.
//   - cem gives up after 5 s without a picture; an hour later his player fails at
//     once; later that day it starts, after 1 s, and plays 59 s with 40 short
//     stalls of 15 s in all, until the broadcast is over.
//   - dia was exposed and never pressed play.
func truthViewers() map[string][]telemetry.Session {
	of := func(id string, afterMs int64, edit func(*telemetry.Session)) telemetry.Session {
		s := telemetry.Session{SessionID: id, FirstRecvMs: exposedAt.UnixMilli() + afterMs, PlayRequested: true}
		s.Observed = allObserved
		edit(&s)
		return s
	}
	started := func(s *telemetry.Session, frameMs, playMs int64) {
		s.Started, s.FirstFrameMs, s.PlayMs = true, &frameMs, playMs
		s.Ended, s.EndReason = true, telemetry.EndUser
	}
	return map[string][]telemetry.Session{
		"ann": {
			of("a1", 0, func(s *telemetry.Session) {
				started(s, 2_000, hourMs)
				s.StallMs, s.StallN, s.StallMaxMs = 20_000, 2, 12_000
				s.RungMs, s.RungKbpsMs, s.TopRungMs = hourMs, 4_000*hourMs, hourMs/2
				s.HeightMs, s.LowHeightMs = hourMs, hourMs/4
				s.SwitchesUp, s.SwitchesDown = 5, 1
				s.Frames, s.DroppedFrames, s.Bytes = 216_000, 216, 1_800_000_000
				s.LatencySamples, s.LatencySumMs = 100, 400_000
				s.LatencyMinutes.Measures, s.SinceStallMs = `{"4000":57,"9000":3}`, 5_000
			}),
			of("a2", 10_000, func(s *telemetry.Session) {
				started(s, 1_000, 30_000)
				s.RungMs, s.RungKbpsMs = 30_000, 1_000*30_000
			}),
			of("a3", 30*hourMs, func(s *telemetry.Session) { started(s, 1_000, 1_000) }),
		},
		"ben": {
			of("b1", 60_000, func(s *telemetry.Session) {
				started(s, 40_000, 9*hourMs)
				s.EndReason, s.FatalCode = telemetry.EndError, "decode"
				s.LatencySamples, s.LatencySumMs = 10, 900_000
				s.LatencyMinutes.Measures = `{"61000":10}`
			}),
			of("b2", 110*hourMs, func(s *telemetry.Session) { started(s, 1_000, 1_000) }),
		},
		"cem": {
			of("c1", 0, func(s *telemetry.Session) { s.Last.MonoMs, s.Ended, s.EndReason = 5_000, true, telemetry.EndUser }),
			of("c2", hourMs, func(s *telemetry.Session) {
				s.Last.MonoMs, s.FatalCode, s.Ended, s.EndReason = 100, "404", true, telemetry.EndError
			}),
			of("c3", 2*hourMs, func(s *telemetry.Session) {
				started(s, 1_000, 59_000)
				s.StallMs, s.StallN, s.StallMaxMs = 15_000, 40, 900
				s.SwitchesUp, s.SwitchesDown = 50, 50
				s.SinceStallMs = 20_000
				s.EndReason, s.FatalCode = telemetry.EndEnded, "gone"
			}),
		},
		"dia": nil,
	}
}

// TestCatalogueTruth compares every built-in metric with what its text says of
// the four viewers, worked out by hand. A metric without a line fails.
func TestCatalogueTruth(t *testing.T) {
	t.Parallel()
	const never = metrics.NeverStartedMs
	// Play of the first day: ann 3,630 s, ben 32,400 s, cem 59 s.
	const playMs = hourMs + 30_000 + 9*hourMs + 59_000
	want := map[string]truth{
		"watch_hours_per_viewer": {4, playMs, 4},
		"sessions_per_viewer":    {4, 1 + 1 + 1, 4}, // a2 is a retry of a1
		"minutes_per_session":    {3, hourMs + 30_000 + 8*hourMs + 59_000, 4},
		"engaged_view_rate":      {3, 2, 6}, // a1 and b1 of a1 a2 b1 c1 c2 c3
		"return_d1":              {4, 1, 4},
		"return_d7":              {4, 2, 4},
		"video_start_failure":    {3, 0, 3}, // the first attempt of cem was an exit
		"exit_before_start":      {3, 1, 3},
		"start_success":          {3, 1, 3}, // ben waited 40 s
		"startup_time_mean":      {2, 2_000 + 30_000, 2},
		"startup_first_p50":      {2, 2_000 + 40_000, 2},
		"startup_first_p95":      {2, 2_000 + 40_000, 2},
		"startup_imputed_p50":    {3, 2_000 + 40_000 + never, 3},
		"stall_ratio":            {3, 35_000, playMs + 35_000},
		"stall_ratio_mean":       {3, 20_000.0/(hourMs+50_000) + 0 + 15_000.0/74_000, 3},
		"stalled_session_rate":   {3, 2, 4},
		"stalls_per_hour":        {3, 2 + 30, playMs},
		"severe_stall_rate":      {3, 2, 4}, // a1 by its stall of 12 s, c3 by its share
		"playback_failure":       {3, 1, 4}, // ben; the end of cem's broadcast is none
		"bitrate":                {1, 4_000*hourMs + 1_000*30_000, hourMs + 30_000},
		"top_rung_share":         {3, hourMs / 2, playMs},
		"low_quality_share":      {3, hourMs / 4, playMs},
		"switches_per_minute":    {3, 6 + 60, playMs},
		"live_latency_mean":      {2, 400_000 + 600_000, 110},
		"dropped_frame_ratio":    {1, 216, 216_000},
		"bytes_per_hour":         {3, 1_800_000_000, playMs},
		"live_latency_p95":       {2, 4_000 + 61_000, 2}, // 57 of ann's 60 minutes are 95 %
		"rebuffer_exit_rate":     {2, 1, 2},              // cem's broadcast was over
		"telemetry_coverage":     {4, 3, 4},
		"start_time_known":       {2, 2, 2},
	}
	uncapped := map[string]truth{
		"watch_hours_per_viewer": {4, playMs, 4},
		"sessions_per_viewer":    {4, 3, 4},
		"minutes_per_session":    {3, playMs, 4},
		"startup_time_mean":      {2, 2_000 + 40_000, 2},
		"stall_ratio":            {3, 35_000, playMs + 35_000},
		"stalls_per_hour":        {3, 42, playMs},
		"switches_per_minute":    {3, 106, playMs},
		"live_latency_mean":      {2, 400_000 + 900_000, 110},
	}
	var closed []metrics.Closed
	for _, sessions := range truthViewers() {
		closed = append(closed, metrics.Closed{ExposedAt: exposedAt, Sessions: sessions})
	}
	compareTruth(t, closed, definitionsOf(""), want, uncapped)
}

// definitionsOf returns the built-in metrics that only a type of unit has; of
// none, those of every unit.
func definitionsOf(unit experiment.UnitType) []metrics.Definition {
	return slices.DeleteFunc(metrics.All(), func(d metrics.Definition) bool { return d.Of != unit })
}

// truth is what a metric of an arm adds up to.
type truth struct{ units, numerator, denominator float64 }

// compareTruth compares the cells of units with what they should hold.
func compareTruth(t *testing.T, closed []metrics.Closed, definitions []metrics.Definition, want, uncapped map[string]truth) {
	t.Helper()
	cells, err := metrics.NewAccumulator(metrics.CellSpec{Definitions: definitions, Arms: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range closed {
		for _, w := range metrics.Windows() {
			o := metrics.Observe(&closed[i], w)
			cells.Add(w, &o)
		}
	}
	for _, c := range cells.Cells() {
		if !c.IsTotal() || c.Arm != 0 {
			continue
		}
		table := want
		if c.Uncapped {
			table = uncapped
		}
		w, ok := table[c.Metric]
		if !ok {
			t.Errorf("%s (uncapped %v) has no truth", c.Metric, c.Uncapped)
			continue
		}
		n := float64(c.Pair.N)
		got := truth{n, n * (c.Pair.MeanY + c.Pair.LowY), n * (c.Pair.MeanX + c.Pair.LowX)}
		for part, pair := range map[string][2]float64{
			"units": {got.units, w.units}, "numerator": {got.numerator, w.numerator}, "denominator": {got.denominator, w.denominator},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-9*math.Abs(pair[1]) {
				t.Errorf("%s of %s (uncapped %v) = %v, want %v", part, c.Metric, c.Uncapped, pair[0], pair[1])
			}
		}
	}
}

// TestThresholds checks the quantities at their limits and one beyond.
func TestThresholds(t *testing.T) {
	t.Parallel()
	session := func(afterMs int64, edit func(*telemetry.Session)) telemetry.Session {
		return watched("s", afterMs, func(s *telemetry.Session) {
			s.Observed = allObserved
			edit(s)
		})
	}
	play := func(ms int64) func(*telemetry.Session) { return func(s *telemetry.Session) { s.PlayMs = ms } }
	stalls := func(playMs, stallMs, maxMs int64) func(*telemetry.Session) {
		return func(s *telemetry.Session) { s.PlayMs, s.StallMs, s.StallMaxMs = playMs, stallMs, maxMs }
	}
	for _, test := range []struct {
		name     string
		sessions []telemetry.Session
		quantity string
		want     float64
	}{
		{"a play of 59,999 ms", []telemetry.Session{session(0, play(59_999))}, "engaged_attempts", 0},
		{"a play of a minute", []telemetry.Session{session(0, play(60_000))}, "engaged_attempts", 1},
		{"exactly 2 % stalled", []telemetry.Session{session(0, stalls(980_000, 20_000, 10_000))}, "severe_sessions", 0},
		{"above 2 %", []telemetry.Session{session(0, stalls(980_000, 20_001, 10_000))}, "severe_sessions", 1},
		{"a stall of 10,001 ms", []telemetry.Session{session(0, stalls(9_800_000, 20_000, 10_001))}, "severe_sessions", 1},
		{"starts 29,999 ms apart", []telemetry.Session{session(29_999, play(1)), session(0, play(1))}, "distinct_starts", 1},
		{"starts 30,000 ms apart", []telemetry.Session{session(30_000, play(1)), session(0, play(1))}, "distinct_starts", 2},
		{
			"a chain of retries is one visit",
			[]telemetry.Session{session(0, play(1)), session(20_000, play(1)), session(40_000, play(1))},
			"distinct_starts", 1,
		},
		{"left 30 s after a stall", []telemetry.Session{session(0, func(s *telemetry.Session) {
			s.StallMs, s.SinceStallMs, s.Ended = 500, 30_000, true
		})}, "stall_exits", 1},
		{"left 30,001 ms after a stall", []telemetry.Session{session(0, func(s *telemetry.Session) {
			s.StallMs, s.SinceStallMs, s.Ended = 500, 30_001, true
		})}, "stall_exits", 0},
		{"an interruption of 499 ms", []telemetry.Session{session(0, func(s *telemetry.Session) {
			s.StallMs, s.Ended = 499, true
		})}, "stalled_ends", 0},
		{"a session that goes on", []telemetry.Session{session(0, func(s *telemetry.Session) {
			s.StallMs, s.Last.RecvMs = 500, exposedAt.UnixMilli()
		})}, "stalled_ends", 0},
		{"an end of the last stall that is not told", []telemetry.Session{session(0, func(s *telemetry.Session) {
			s.StallMs, s.Ended = 500, true
			s.Observed &^= telemetry.ObservedSinceStall
		})}, "stalled_ends", 0},
		{"95 % of twenty minutes", []telemetry.Session{session(0, func(s *telemetry.Session) {
			s.LatencyMinutes.Measures = `{"3000":19,"8000":1}`
		})}, "latency_p95_ms", 3_000},
		{"less than 95 %, over two sessions", []telemetry.Session{
			session(0, func(s *telemetry.Session) { s.LatencyMinutes.Measures = `{"3000":10,"8000":1}` }),
			session(9, func(s *telemetry.Session) { s.LatencyMinutes.Measures = `{"10000":1,"3000":8}` }),
		}, "latency_p95_ms", 8_000},
		{"no minute", []telemetry.Session{session(0, func(*telemetry.Session) {})}, "latency_units", 0},
		{"8 hours", []telemetry.Session{session(0, play(28_800_000))}, "play_ms", 28_800_000},
		{"8 hours and 1 ms", []telemetry.Session{session(0, play(28_800_001))}, "play_ms", 28_800_000},
		{
			"severity unknown without the longest stall",
			[]telemetry.Session{session(0, func(s *telemetry.Session) {
				s.StallMs = 50_000
				s.Observed &^= telemetry.ObservedStallMax
			})},
			"longest_stall_sessions", 0,
		},
		{
			"a ladder that is not known",
			[]telemetry.Session{session(0, func(s *telemetry.Session) { s.TopRungMs = 9; s.Observed &^= telemetry.ObservedLadder })},
			"ladder_play_ms", 0,
		},
	} {
		if got := observe(metrics.WindowDay, test.sessions...)[test.quantity]; got != test.want {
			t.Errorf("%s: %s = %v, want %v", test.name, test.quantity, got, test.want)
		}
	}
	many := make([]telemetry.Session, 40) // more than fit on the stack
	for i := range many {
		many[i] = session(int64(i)*60_000, play(1))
	}
	if got := observe(metrics.WindowDay, many...)["distinct_starts"]; got != 40 {
		t.Errorf("distinct starts of 40 sessions = %v", got)
	}
}

func TestReturnWindowsHoldNothingElse(t *testing.T) {
	t.Parallel()
	back := watched("s", 25*hourMs)
	for _, w := range []metrics.Window{metrics.WindowReturnD1, metrics.WindowReturnD7} {
		got := observe(w, back, watched("t", 26*hourMs))
		if len(got) != 2 || got["units"] != 1 || got["returned"] != 1 {
			t.Errorf("Observe(%s) = %v, want units and returned alone", w, got)
		}
		got = observe(w, watched("s", 0), waiting("t", 0, func(s *telemetry.Session) {
			s.PlayRequested = false
			s.FirstRecvMs += 25 * hourMs
		}))
		if len(got) != 1 {
			t.Errorf("Observe(%s) of who did not come back = %v, want units alone", w, got)
		}
	}
}
