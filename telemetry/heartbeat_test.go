package telemetry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// beat returns the smallest record of a session.
func beat(seq int) string { return fmt.Sprintf(`{"session_id":"s","seq":%d}`, seq) }

func TestDecodeHeartbeatsFraming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contentType, body string
		seqs                    []int64
		rejected                string // index, field, reason
	}{
		{"array", "application/json", `[` + beat(1) + `,` + beat(2) + `]`, []int64{1, 2}, ""},
		{"empty array", "", ` [ ] `, nil, ""},
		{"single", "application/json; charset=utf-8", beat(1), []int64{1}, ""},
		{"single over lines", "application/json", "{\n \"session_id\": \"s\",\n \"seq\": 1\n}\n", []int64{1}, ""},
		{"lines", "application/x-ndjson", beat(1) + "\n" + beat(2) + "\n", []int64{1, 2}, ""},
		{"lines with CR and blanks", "application/jsonl", "\n" + beat(1) + "\r\n\r\n" + beat(2), []int64{1, 2}, ""},
		{"lines as JSON", "application/json", beat(1) + "\n" + beat(2), []int64{1, 2}, ""},
		{"beacon", "text/plain;charset=UTF-8", `[` + beat(1) + `]`, []int64{1}, ""},

		{"bad in array", "", `[` + beat(1) + `,{"seq":x},` + beat(3) + `]`, []int64{1, 3}, "1  malformed"},
		{"bad nested in array", "", `[{"a":{"b":"}"},!},` + beat(3) + `]`, []int64{3}, "0  malformed"},
		{"no record in array", "", `[7,` + beat(2) + `,"x"]`, []int64{2}, "0  type; 2  type"},
		{"no JSON in array", "", `[` + beat(1) + `,?,` + beat(3) + `]`, []int64{1}, "1  malformed"},
		{"array cut off", "", `[` + beat(1) + `,` + beat(2), []int64{1, 2}, "2  malformed"},
		{"array cut off in a record", "", `[` + beat(1) + `,{"seq":2`, []int64{1}, "1  malformed"},
		{"after the array", "", `[` + beat(1) + `]x`, []int64{1}, "1  malformed"},
		{"bad line", "application/x-ndjson", beat(1) + "\n{\"seq\":\n" + beat(3), []int64{1, 3}, "1  malformed"},
		{"bad first line as JSON", "", "{x}\n" + beat(2), []int64{2}, "0  malformed"},
		{"two on a line", "application/x-ndjson", beat(1) + beat(2) + "\n" + beat(3), []int64{3}, "0  malformed"},
		{"empty array as lines", "application/x-ndjson", "[]\n", nil, ""},
		{"text on a line", "application/x-ndjson", beat(1) + "\nhello\n" + beat(3), []int64{1, 3}, "1  type"},
		{"single cut off", "", `{"session_id":"s",`, nil, "0  malformed"},
		{"NUL after", "", beat(1) + "\x00", nil, "0  malformed"},

		{"missing seq", "", `[{"session_id":"s"},` + beat(2) + `]`, []int64{2}, "0 seq missing"},
		{"missing session", "", `{"seq":1}`, nil, "0 session_id missing"},
		{"null is absent", "", `{"session_id":null,"seq":1}`, nil, "0 session_id missing"},
		{"fraction", "", `{"session_id":"s","seq":1.5}`, nil, "0 seq type"},
		{"exponent", "", `{"session_id":"s","seq":1e3}`, nil, "0 seq type"},
		{"beyond 63 bits", "", `{"session_id":"s","seq":9223372036854775808}`, nil, "0 seq type"},
		{"text for number", "", `{"session_id":"s","seq":1,"play_ms":"5"}`, nil, "0 play_ms type"},
		{"number for text", "", `{"session_id":5,"seq":1}`, nil, "0 session_id type"},
		{"text for bool", "", `{"session_id":"s","seq":1,"play_requested":1}`, nil, "0 play_requested type"},
		{"list for map", "", `{"session_id":"s","seq":1,"rung_ms":[1]}`, nil, "0 rung_ms type"},
		{"key of map", "", `{"session_id":"s","seq":1,"rung_ms":{"hd":1}}`, nil, "0 rung_ms type"},
		{"null in map", "", `{"session_id":"s","seq":1,"rung_ms":{"1":null}}`, nil, "0 rung_ms type"},
		{"kind", "", `{"session_id":"s","seq":1,"kind":"pause"}`, nil, "0 kind range"},
		{"end reason", "", `{"session_id":"s","seq":1,"kind":"end","end_reason":"bored"}`, nil, "0 end_reason range"},
		{"tier", "", `{"session_id":"s","seq":1,"telemetry_tier":"E"}`, nil, "0 telemetry_tier range"},
		{"schema above", "", `{"session_id":"s","seq":1,"schema":2}`, nil, "0 schema version"},
		{"not ASCII", "", `{"session_id":"s","seq":1,"viewer_id":"zoë"}`, nil, "0 viewer_id range"},
		{"control", "", `{"session_id":"s","seq":1,"viewer_id":"a\u0000"}`, nil, "0 viewer_id range"},
		{"unknown fields", "", `{"session_id":"s","x":[{"y":[null,true,-1.5e-3]}],"seq":1,"tags":{}}`, []int64{1}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, rejected, err := telemetry.DecodeHeartbeats([]byte(c.body), c.contentType)
			if err != nil {
				t.Fatalf("DecodeHeartbeats(%q) = %v", c.body, err)
			}
			var seqs []int64
			for _, hb := range got {
				seqs = append(seqs, hb.Seq)
			}
			if diff := cmp.Diff(c.seqs, seqs); diff != "" {
				t.Errorf("DecodeHeartbeats(%q) takes other records (-want +got):\n%s", c.body, diff)
			}
			if got := describe(rejected); got != c.rejected {
				t.Errorf("DecodeHeartbeats(%q) rejects %q, want %q", c.body, got, c.rejected)
			}
		})
	}
}

// describe returns rejections as "index field reason; ...".
func describe(rejected []telemetry.Rejection) string {
	var words []string
	for _, r := range rejected {
		words = append(words, fmt.Sprintf("%d %s %s", r.Index, r.Field, r.Reason))
	}
	return strings.Join(words, "; ")
}

func TestDecodeHeartbeatsRefusesBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contentType, body string
		code                    experiment.Code
	}{
		{"empty", "", "", experiment.CodeInvalid},
		{"blank", "", " \n", experiment.CodeInvalid},
		{"text", "", "hello", experiment.CodeInvalid},
		{"string", "", `"x"`, experiment.CodeInvalid},
		{"NUL", "", "\x00", experiment.CodeInvalid},
		{"type", "application/xml", beat(1), experiment.CodeInvalid},
		{"no type", "a/b/c", beat(1), experiment.CodeInvalid},
		{"too large", "", beat(1) + strings.Repeat(" ", telemetry.MaxBodyBytes), experiment.CodeTooLarge},
		{"too many", "", "[" + strings.Repeat("0,", telemetry.MaxBatch) + "0]", experiment.CodeTooLarge},
		{"too many lines", "application/x-ndjson", "{}\n" + strings.Repeat("0\n", telemetry.MaxBatch), experiment.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, rejected, err := telemetry.DecodeHeartbeats([]byte(c.body), c.contentType)
			if code, _ := experiment.CodeOf(err); code != c.code || got != nil || rejected != nil {
				t.Errorf("DecodeHeartbeats = %d records, %d rejections, %v; want %s only", len(got), len(rejected), err, c.code)
			}
		})
	}
}

func TestDecodeHeartbeatsAtLimits(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("x", telemetry.MaxIDBytes)
	rungs := make([]string, telemetry.MaxDwell)
	for i := range rungs {
		rungs[i] = fmt.Sprintf(`"%d":0`, i+1)
	}
	full := strings.Join(rungs, ",")
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	body := beat(1)
	for _, c := range []struct {
		name, body string
		taken      int
		rejected   string
	}{
		{"id", `{"session_id":"` + id + `","seq":1}`, 1, ""},
		{"id + 1", `{"session_id":"` + id + `x","seq":1}`, 0, "0 session_id range"},
		{"rungs", `{"session_id":"s","seq":1,"rung_ms":{` + full + `}}`, 1, ""},
		{"rungs + 1", `{"session_id":"s","seq":1,"rung_ms":{` + full + `,"99":0}}`, 0, "0 rung_ms too_many"},
		{"rungs, one twice", `{"session_id":"s","seq":1,"rung_ms":{` + full + `,"1":0}}`, 1, ""},
		{"depth", `{"session_id":"s","seq":1,"x":` + deep + `}`, 1, ""},
		{"depth + 1", `{"session_id":"s","seq":1,"x":[` + deep + `]}`, 0, "0  malformed"},
		{"body", body + strings.Repeat(" ", telemetry.MaxBodyBytes-len(body)), 1, ""},
		{"batch", "[" + strings.Repeat(body+",", telemetry.MaxBatch-1) + body + "]", telemetry.MaxBatch, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, rejected, err := telemetry.DecodeHeartbeats([]byte(c.body), "")
			if err != nil || len(got) != c.taken || describe(rejected) != c.rejected {
				t.Errorf("DecodeHeartbeats = %d records, %q, %v; want %d, %q", len(got), describe(rejected), err, c.taken, c.rejected)
			}
		})
	}
}

// TestRejectionNamesSender: rejections are counted by player and version.
func TestRejectionNamesSender(t *testing.T) {
	t.Parallel()
	body := `[{"session_id":"s","player":"hls.js","player_version":"1.7.4","seq":"x"},` +
		`{"session_id":"s","player":"hls.js","player_version":"1.7.4","seq":2,"play_ms":-1}]`
	_, rejected, err := telemetry.DecodeHeartbeats([]byte(body), "")
	if err != nil || len(rejected) != 2 {
		t.Fatalf("DecodeHeartbeats rejects %v, %v; want both records", rejected, err)
	}
	for _, r := range rejected {
		if r.SessionID != "s" || r.Player != "hls.js" || r.PlayerVersion != "1.7.4" || !r.Whole || r.Message == "" {
			t.Errorf("rejection %+v does not name its sender", r)
		}
	}
}

// TestObservedByPresence: an absent field is unknown, not 0.
func TestObservedByPresence(t *testing.T) {
	t.Parallel()
	always := telemetry.ObservedStart | telemetry.ObservedFailure
	for field, want := range map[string]telemetry.Observed{
		``:                                     0,
		`,"play_ms":0`:                         telemetry.ObservedPlay,
		`,"play_ms":null`:                      0,
		`,"stall_ms":0`:                        telemetry.ObservedStalls,
		`,"stall_n":0`:                         0,
		`,"stall_max_ms":0`:                    telemetry.ObservedStallMax,
		`,"rung_ms":{"600":0}`:                 telemetry.ObservedBitrate,
		`,"rung_ms":{"600":0,"900":0}`:         telemetry.ObservedBitrate | telemetry.ObservedLadder,
		`,"height_ms":{}`:                      telemetry.ObservedHeight,
		`,"frames":0`:                          telemetry.ObservedFrames,
		`,"bytes":0`:                           telemetry.ObservedBytes,
		`,"switches_down":0`:                   telemetry.ObservedSwitches,
		`,"since_stall_ms":0`:                  telemetry.ObservedSinceStall,
		`,"since_stall_ms":null`:               0,
		`,"latency_minutes":{"3000":1}`:        telemetry.ObservedLatencyMinutes,
		`,"latency_minutes":{}`:                0,
		`,"latency_samples":0`:                 0,
		`,"latency_samples":1,"latency_max":5`: telemetry.ObservedLatency,
	} {
		got, _, err := telemetry.DecodeHeartbeats([]byte(`{"session_id":"s","seq":1`+field+`}`), "")
		if err != nil || len(got) != 1 || got[0].Observed != always|want {
			t.Errorf("record with %q observes %v (%v), want %v", field, got, err, always|want)
		}
	}
}

// TestHeartbeatRoundTrip: what encoding/json writes of a Heartbeat is read
// back as it was.
func TestHeartbeatRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawHeartbeat(t, rapid.StringMatching(`[ -~]{1,128}`))
		body, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, rejected, err := telemetry.DecodeHeartbeats(body, "application/json")
		if err != nil || len(got) != 1 || len(rejected) != 0 {
			t.Fatalf("DecodeHeartbeats(%s) = %v, %v, %v", body, got, rejected, err)
		}
		got[0].Observed, want.Observed = 0, 0
		if diff := cmp.Diff(want, got[0], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("DecodeHeartbeats(%s) (-want +got):\n%s", body, diff)
		}
	})
}

// drawHeartbeat draws a record that passes Validate.
func drawHeartbeat(t *rapid.T, ids *rapid.Generator[string]) telemetry.Heartbeat {
	text := rapid.StringMatching(`[ -~]{0,20}`)
	small := rapid.Int64Range(0, 1000)
	hb := telemetry.Heartbeat{
		SessionID: ids.Draw(t, "session"), Seq: rapid.Int64Range(0, 30).Draw(t, "seq"),
		Kind: rapid.SampledFrom([]telemetry.Kind{"start", "beat", "end"}).Draw(t, "kind"),
		Identity: telemetry.Identity{
			ViewerID: text.Draw(t, "viewer"), ChannelID: text.Draw(t, "channel"),
			Dims: telemetry.Dims{Country: text.Draw(t, "country"), ASN: text.Draw(t, "asn"), Player: text.Draw(t, "player")},
		},
		MonoMs: rapid.Int64Range(0, 40_000).Draw(t, "mono"), PlayRequested: rapid.Bool().Draw(t, "requested"),
		StallN: small.Draw(t, "stalls"), SwitchesUp: small.Draw(t, "up"), ErrorsN: small.Draw(t, "errors"),
		Bytes: rapid.Int64Range(0, telemetry.MaxCount).Draw(t, "bytes"), FatalCode: text.Draw(t, "fatal"),
		Frames: 1000, DroppedFrames: small.Draw(t, "dropped"), LatencySamples: 1 + small.Draw(t, "samples"),
		LatencySumMs: small.Draw(t, "latency"), LatencyMaxMs: small.Draw(t, "most"),
		Tier: telemetry.Tier(rapid.IntRange(1, 4).Draw(t, "tier")), Schema: 1, //nolint:gosec // in range
		Observed: telemetry.Observed(rapid.Uint16().Draw(t, "observed")),
	}
	if hb.Kind == telemetry.KindEnd {
		hb.EndReason = rapid.SampledFrom([]telemetry.EndReason{"user", "ended", "error"}).Draw(t, "reason")
	}
	// A few start instants, so that several records share an epoch.
	if at := rapid.Int64Range(0, 15).Draw(t, "clock"); at > 0 {
		hb.ClientTsMs = 1_795_384_000_000 + at*7_000 + hb.MonoMs
	}
	hb.PlayMs = rapid.Int64Range(0, hb.MonoMs).Draw(t, "play")
	hb.StallMs = rapid.Int64Range(0, hb.MonoMs-hb.PlayMs).Draw(t, "stall")
	hb.StallMaxMs = rapid.Int64Range(0, hb.StallMs).Draw(t, "longest")
	if rapid.Bool().Draw(t, "started") {
		first := rapid.Int64Range(0, telemetry.MaxStartMs).Draw(t, "first")
		hb.FirstFrameMs = &first
	}
	hb.SinceStallMs = rapid.Int64Range(0, hb.MonoMs).Draw(t, "since")
	if rapid.Bool().Draw(t, "late") {
		hb.LatencyMinutes = telemetry.Dwell{{At: rapid.Int64Range(0, telemetry.MaxLatencyMs).Draw(t, "step"), Ms: 1}}
	}
	for i := range rapid.Int64Range(0, 3).Draw(t, "rungs") {
		hb.RungMs = append(hb.RungMs, telemetry.DwellTime{At: 600 * (i + 1), Ms: hb.PlayMs / 4})
	}
	return hb
}
