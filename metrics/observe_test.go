package metrics_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// exposedAt is when the units of these tests were exposed.
var exposedAt = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// everything is observed by our own heartbeat.
const everything = telemetry.ObservedStart | telemetry.ObservedFailure | telemetry.ObservedPlay |
	telemetry.ObservedStalls | telemetry.ObservedBitrate | telemetry.ObservedLatency

// watched is a session that began some milliseconds after the exposure and
// started after half a second.
func watched(id string, afterMs int64, edit ...func(*telemetry.Session)) telemetry.Session {
	frame := int64(500)
	s := telemetry.Session{
		SessionID: id, FirstRecvMs: exposedAt.UnixMilli() + afterMs, PlayRequested: true,
		Started: true, FirstFrameMs: &frame, Last: telemetry.Mark{MonoMs: 60_500},
		Counters: telemetry.Counters{PlayMs: 60_000, Observed: everything},
	}
	for _, e := range edit {
		e(&s)
	}
	return s
}

// waiting is a session that never showed a picture, in whose last record the
// viewer had waited waitMs.
func waiting(id string, waitMs int64, edit ...func(*telemetry.Session)) telemetry.Session {
	return watched(id, 0, append([]func(*telemetry.Session){func(s *telemetry.Session) {
		s.Started, s.FirstFrameMs, s.PlayMs, s.Last.MonoMs = false, nil, 0, waitMs
	}}, edit...)...)
}

func observe(w metrics.Window, sessions ...telemetry.Session) map[string]float64 {
	o := metrics.Observe(&metrics.Closed{ExposedAt: exposedAt, Sessions: sessions}, w)
	out := map[string]float64{}
	for i, v := range o.Quantities {
		if v != 0 {
			out[metrics.Quantity(i).String()] = v
		}
	}
	return out
}

// TestObserve compares outcomes with ones worked out by hand; what is not in a
// want is 0.
func TestObserve(t *testing.T) {
	t.Parallel()
	failed := func(s *telemetry.Session) { s.FatalCode, s.Ended = "404", true }
	late := func(s *telemetry.Session) { ms := int64(10_001); s.FirstFrameMs = &ms }
	start := map[string]float64{
		"attempts": 1, "covered_attempts": 1, "waited_attempts": 1, "quick_starts": 1, "fate_attempts": 1,
		"starts": 1, "timed_starts": 1, "startup_ms": 500,
		"units": 1, "watch_units": 1, "watch_ms": 60_000, "watch_ms_uncapped": 60_000,
		"stall_sessions": 1, "stall_base_ms": 60_000, "stall_base_ms_uncapped": 60_000, "stall_play_ms": 60_000,
		"distinct_starts": 1, "startup_capped_ms": 500, "startup_imputed_ms": 500, "known_attempts": 1,
		"play_attempts": 1, "engaged_attempts": 1, "play_sessions": 1, "play_ms": 60_000, "play_ms_uncapped": 60_000,
		"failure_starts": 1,
	}
	for _, test := range []struct {
		name     string
		window   metrics.Window
		sessions []telemetry.Session
		want     map[string]float64
	}{
		{"no session", metrics.WindowFirst, nil, map[string]float64{"units": 1, "watch_units": 1}},
		{"a start", metrics.WindowFirst, []telemetry.Session{watched("s", 0)}, start},
		{
			"the first of three attempts, whatever their order", metrics.WindowFirst,
			[]telemetry.Session{watched("b", 2_000, late), watched("c", 9, late), watched("a", 9)},
			start,
		},
		{
			"nobody wanted to play", metrics.WindowFirst,
			[]telemetry.Session{waiting("s", 60_000, func(s *telemetry.Session) { s.PlayRequested = false })},
			map[string]float64{"units": 1, "watch_units": 1},
		},
		{
			"a start after 10,001 ms", metrics.WindowFirst,
			[]telemetry.Session{watched("s", 0, late)},
			with(start, "quick_starts", 0, "startup_ms", 10_001, "startup_capped_ms", 10_001, "startup_imputed_ms", 10_001),
		},
		{
			"a start after 10,000 ms", metrics.WindowFirst,
			[]telemetry.Session{watched("s", 0, func(s *telemetry.Session) { ms := int64(10_000); s.FirstFrameMs = &ms })},
			with(start, "startup_ms", 10_000, "startup_capped_ms", 10_000, "startup_imputed_ms", 10_000),
		},
		{
			"a start at an unknown time is no failure", metrics.WindowFirst,
			[]telemetry.Session{watched("s", 0, func(s *telemetry.Session) { s.FirstFrameMs = nil })},
			with(start, "waited_attempts", 0, "quick_starts", 0, "timed_starts", 0, "startup_ms", 0,
				"startup_capped_ms", 0, "startup_imputed_ms", 0),
		},
		{
			"left after 999 ms: a mis-click", metrics.WindowFirst,
			[]telemetry.Session{waiting("s", 999)},
			map[string]float64{"units": 1, "watch_units": 1, "attempts": 1, "known_attempts": 1, "play_attempts": 1},
		},
		{
			"left after 1,000 ms", metrics.WindowFirst,
			[]telemetry.Session{waiting("s", 1_000)},
			map[string]float64{
				"units": 1, "watch_units": 1, "attempts": 1, "waited_attempts": 1, "fate_attempts": 1, "exits": 1,
				"known_attempts": 1, "play_attempts": 1, "startup_imputed_ms": metrics.NeverStartedMs,
			},
		},
		{
			"failed at once", metrics.WindowFirst,
			[]telemetry.Session{waiting("s", 80, failed)},
			map[string]float64{
				"units": 1, "watch_units": 1, "attempts": 1, "covered_attempts": 1,
				"waited_attempts": 1, "fate_attempts": 1, "failures": 1,
				"known_attempts": 1, "play_attempts": 1, "startup_imputed_ms": metrics.NeverStartedMs,
			},
		},
		{
			"a source that cannot tell failures from exits", metrics.WindowFirst,
			[]telemetry.Session{waiting("s", 5_000, func(s *telemetry.Session) { s.Observed = telemetry.ObservedStart })},
			map[string]float64{
				"units": 1, "watch_units": 1, "attempts": 1, "waited_attempts": 1, "play_attempts": 1,
				"startup_imputed_ms": metrics.NeverStartedMs,
			},
		},
		{
			"a source that observes nothing", metrics.WindowDay,
			[]telemetry.Session{watched("s", 0, func(s *telemetry.Session) { s.Observed = 0; s.StallMs = 9_000 })},
			map[string]float64{
				"units": 1, "attempts": 1, "covered_attempts": 1, "starts": 1, "timed_starts": 1, "startup_ms": 500,
				"distinct_starts": 1, "startup_capped_ms": 500,
			},
		},
		{
			"watch time is unknown when one session hides it", metrics.WindowDay,
			[]telemetry.Session{
				watched("a", 0),
				watched("b", 1, func(s *telemetry.Session) { s.Observed &^= telemetry.ObservedPlay | telemetry.ObservedStalls }),
			},
			with(start, "attempts", 2, "covered_attempts", 2, "waited_attempts", 2, "quick_starts", 2, "fate_attempts", 2,
				"starts", 2, "timed_starts", 2, "startup_ms", 1_000, "watch_units", 0, "watch_ms", 0, "watch_ms_uncapped", 0,
				"startup_capped_ms", 1_000, "startup_imputed_ms", 1_000, "known_attempts", 2, "failure_starts", 2),
		},
	} {
		if diff := cmp.Diff(test.want, observe(test.window, test.sessions...)); diff != "" {
			t.Errorf("%s: Observe differs (-want +got):\n%s", test.name, diff)
		}
	}
}

// with returns base with other values; 0 takes one out.
func with(base map[string]float64, pairs ...any) map[string]float64 {
	out := map[string]float64{}
	maps.Copy(out, base)
	for i := 0; i < len(pairs); i += 2 {
		key := pairs[i].(string)
		if n, _ := pairs[i+1].(int); n != 0 {
			out[key] = float64(n)
			continue
		}
		delete(out, key)
	}
	return out
}

func TestObserveCaps(t *testing.T) {
	t.Parallel()
	stalled := func(stallMs, playMs int64) telemetry.Session {
		return watched("s", 0, func(s *telemetry.Session) { s.StallMs, s.StallN, s.PlayMs = stallMs, 3, playMs })
	}
	got := observe(metrics.WindowDay, stalled(300_000, 600_000), stalled(300_001, 600_000), stalled(499, 1_000), stalled(500, 1_000))
	for quantity, want := range map[string]float64{
		"stall_ms": 600_999, "stall_ms_uncapped": 601_000, "stall_base_ms": 1_802_999, "stall_base_ms_uncapped": 1_803_000,
		"stall_sessions": 4, "stalled_sessions": 3, "stalls": 12,
	} {
		if got[quantity] != want {
			t.Errorf("%s = %v, want %v", quantity, got[quantity], want)
		}
	}
	const day = 86_400_000
	got = observe(metrics.WindowDay, stalled(0, day/2), stalled(0, day/2+1))
	if got["watch_ms"] != day || got["watch_ms_uncapped"] != day+1 {
		t.Errorf("watch_ms = %v, uncapped %v; want %d and %d", got["watch_ms"], got["watch_ms_uncapped"], day, day+1)
	}
	late := watched("s", 0, func(s *telemetry.Session) { s.LatencySamples, s.LatencySumMs = 10, 600_001 })
	got = observe(metrics.WindowDay, late)
	if got["latency_ms"] != 600_000 || got["latency_ms_uncapped"] != 600_001 || got["latency_samples"] != 10 {
		t.Errorf("latency = %v of %v in %v samples", got["latency_ms"], got["latency_ms_uncapped"], got["latency_samples"])
	}
}

func TestWindowBoundaries(t *testing.T) {
	t.Parallel()
	for _, w := range metrics.Windows() {
		from, span := w.From().Milliseconds(), w.Span().Milliseconds()
		for _, test := range []struct {
			afterMs int64
			want    bool
		}{{from - 1, false}, {from, true}, {span - 1, true}, {span, false}} {
			s := watched("s", test.afterMs)
			if got := w.Counts(exposedAt, &s); got != test.want {
				t.Errorf("%s counts a session %d ms after the exposure: %v, want %v", w, test.afterMs, got, test.want)
			}
			seen := observe(w, s)
			if got := seen["starts"]+seen["returned"] == 1; got != test.want {
				t.Errorf("Observe(%s) of a session %d ms after the exposure: %v, want %v", w, test.afterMs, got, test.want)
			}
		}
	}
}

// TestObserveIgnoresOrder shuffles sessions: storage promises no order.
func TestObserveIgnoresOrder(t *testing.T) {
	t.Parallel()
	closed := benchmarkClosed(200)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range closed {
		for _, w := range metrics.Windows() {
			want := metrics.Observe(&closed[i], w)
			shuffled := closed[i]
			shuffled.Sessions = slices.Clone(closed[i].Sessions)
			for j := range shuffled.Sessions { // ids tell equal starts apart
				shuffled.Sessions[j].SessionID = string(rune('a' + j))
			}
			r.Shuffle(len(shuffled.Sessions), func(x, y int) {
				shuffled.Sessions[x], shuffled.Sessions[y] = shuffled.Sessions[y], shuffled.Sessions[x]
			})
			if diff := cmp.Diff(want, metrics.Observe(&shuffled, w)); diff != "" {
				t.Fatalf("unit %d, window %s: the order of sessions matters (-want +got):\n%s", i, w, diff)
			}
		}
	}
}

func TestObserveDims(t *testing.T) {
	t.Parallel()
	o := metrics.Observe(&metrics.Closed{
		Unit: "u", Arm: 3, ExposedAt: exposedAt, ClosesAt: exposedAt.Add(time.Hour),
		Dims: map[string]string{"isp": "Acme", "country": "DE", "plan": "free"},
	}, metrics.WindowDay)
	want := [metrics.DimensionCount]string{0: "DE", 6: "Acme"}
	if o.Dims != want || o.Unit != "u" || o.Arm != 3 || !o.ClosesAt.Equal(exposedAt.Add(time.Hour)) {
		t.Errorf("Observe = %+v, want dims %v", o, want)
	}
}
