package telemetry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/telemetry"
)

// TestValidate probes each rule at its limit and beyond. taken are the fields
// of a record on top of a session id and seq 1.
func TestValidate(t *testing.T) {
	t.Parallel()
	const maxCount = "9007199254740991" // 2^53 - 1
	for _, c := range []struct {
		fields   string
		taken    bool
		rejected string // field reason; ...
	}{
		{`"play_ms":-1,"mono_ms":5`, false, "play_ms range"},
		{`"mono_ms":-1`, false, "mono_ms range"},
		{`"client_ts_ms":-1`, false, "client_ts_ms range"},
		{`"errors_n":-1`, false, "errors_n range"},
		{`"rung_ms":{"600":-1}`, false, "rung_ms range"},
		{`"height_ms":{"360":-1}`, false, "height_ms range"},
		{`"bytes":` + maxCount, true, ""},
		{`"bytes":9007199254740992`, false, "bytes range"},
		{`"mono_ms":2678400000`, true, ""}, // 31 days
		{`"mono_ms":2678400001`, false, "mono_ms range"},

		{`"mono_ms":10000,"play_ms":8000,"stall_ms":2000,"paused_ms":2000`, true, ""},
		{`"mono_ms":10000,"play_ms":8000,"stall_ms":2000,"paused_ms":2001`, false, "mono_ms implausible"},
		{`"play_ms":2001`, false, "mono_ms implausible"},

		{`"first_frame_ms":0`, true, ""},
		{`"first_frame_ms":-1`, true, "first_frame_ms implausible"},
		{`"first_frame_ms":120000`, true, ""},
		{`"first_frame_ms":120001`, true, "first_frame_ms implausible"},

		{`"mono_ms":9,"rung_ms":{"100000":5}`, true, ""},
		{`"mono_ms":9,"rung_ms":{"100001":5}`, true, "rung_ms implausible"},
		{`"mono_ms":1000,"rung_ms":{"1":1500,"2":1500}`, true, ""},
		{`"mono_ms":1000,"rung_ms":{"1":1500,"2":1501}`, true, "rung_ms implausible"},
		{`"mono_ms":9,"height_ms":{"16384":5}`, true, ""},
		{`"mono_ms":9,"height_ms":{"16385":5}`, true, "height_ms implausible"},

		{`"latency_samples":2,"latency_ms_sum":1200000,"latency_max":600000`, true, ""},
		{`"latency_samples":1,"latency_ms_sum":5,"latency_max":600001`, true, "latency_ms_sum implausible"},
		{`"latency_samples":2,"latency_ms_sum":1200002`, true, "latency_ms_sum implausible"},
		{`"latency_samples":0,"latency_ms_sum":1`, true, "latency_ms_sum implausible"},
		{`"frames":5,"dropped_frames":5`, true, ""},
		{`"frames":5,"dropped_frames":6`, true, "dropped_frames implausible"},
		{`"mono_ms":9,"stall_ms":5,"stall_max_ms":5`, true, ""},
		{`"mono_ms":9,"stall_ms":5,"stall_max_ms":6`, true, "stall_max_ms implausible"},
		{`"first_frame_ms":-5,"mono_ms":9,"rung_ms":{"100001":5}`, true, "first_frame_ms implausible; rung_ms implausible"},
	} {
		t.Run(c.fields, func(t *testing.T) {
			t.Parallel()
			body := `{"session_id":"s","seq":1,` + c.fields + `}`
			got, rejected, err := telemetry.DecodeHeartbeats([]byte(body), "")
			if err != nil {
				t.Fatal(err)
			}
			var words []string
			for _, r := range rejected {
				words = append(words, fmt.Sprintf("%s %s", r.Field, r.Reason))
				if r.Whole == c.taken {
					t.Errorf("rejection %+v of a record that is taken = %v", r, c.taken)
				}
			}
			if (len(got) == 1) != c.taken || strings.Join(words, "; ") != c.rejected {
				t.Errorf("record %s: taken = %v, rejected %q; want %v, %q", body, len(got) == 1, words, c.taken, c.rejected)
			}
		})
	}
}

// TestValidateTakesOut: an implausible group leaves no value behind that could
// be read as one.
func TestValidateTakesOut(t *testing.T) {
	t.Parallel()
	tooLate := int64(telemetry.MaxStartMs + 1)
	hb := telemetry.Heartbeat{
		SessionID: "s", MonoMs: 9_000, PlayMs: 5_000, FirstFrameMs: &tooLate,
		RungMs:         telemetry.Dwell{{At: telemetry.MaxKbps + 1, Ms: 5}},
		HeightMs:       telemetry.Dwell{{At: telemetry.MaxHeight + 1, Ms: 5}},
		LatencySamples: 1, LatencySumMs: telemetry.MaxLatencyMs + 1,
		Frames: 1, DroppedFrames: 2, StallMaxMs: 1,
		Observed: ^telemetry.Observed(0),
	}
	if got := telemetry.Validate(&hb); len(got) != 6 {
		t.Errorf("Validate = %v, want 6 objections", got)
	}
	s := telemetry.FoldBatch([]telemetry.Heartbeat{hb}, 1)[0]
	gone := telemetry.ObservedBitrate | telemetry.ObservedLadder | telemetry.ObservedHeight |
		telemetry.ObservedLatency | telemetry.ObservedFrames | telemetry.ObservedStallMax
	if s.Observed&gone != 0 || s.RungMs+s.HeightMs+s.LatencySumMs+s.LatencySamples+s.Frames+s.DroppedFrames+s.StallMaxMs != 0 {
		t.Errorf("session %+v holds values that were objected to", s.Counters)
	}
	if !s.Started || s.FirstFrameMs != nil {
		t.Errorf("started = %v after %v, want a start of unknown time", s.Started, s.FirstFrameMs)
	}
}
