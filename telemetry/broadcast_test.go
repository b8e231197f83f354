package telemetry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

const fullBroadcast = `{"stream_id":"st-1","part":2,"seq":5,"kind":"end","end_reason":"user","broadcaster_id":"bc-1","channel_id":"ch-1","region":"fra",
	"protocol":"rtmp","encoder":"obs","encoder_version":"30.1","country":"DE","client_ts_ms":1795384837389,"mono_ms":63000,"stream_start_ms":3000,
	"live_ms":60000,"starvation_ms":4000,"starvation_n":2,"starvation_max_ms":3000,"disconnects":1,"bitrate_samples":4,"bitrate_kbps_sum":24000,
	"bitrate_kbps2_sum":146000000,"fps_short_ms":2000,"keyframe_ok_ms":58000,"frames_in":3600,"frames_dropped":12,"latency_ms_sum":9000,"latency_samples":3,
	"measures":{"scenes":4}}`

func TestDecodeBroadcasts(t *testing.T) {
	t.Parallel()
	start := int64(3000)
	want := []telemetry.Broadcast{{
		StreamID: "st-1", Part: 2, Ended: true, EndReason: "user", StreamStartMs: &start,
		BroadcastIdentity: telemetry.BroadcastIdentity{
			BroadcasterID: "bc-1", ChannelID: "ch-1", Region: "fra", Protocol: "rtmp", Encoder: "obs", EncoderVersion: "30.1", Country: "DE",
		},
		Last: telemetry.Mark{Seq: 5, ClientTsMs: 1795384837389, MonoMs: 63000},
		BroadcastCounters: telemetry.BroadcastCounters{
			LiveMs: 60000, StarvationMs: 4000, StarvationN: 2, StarvationMaxMs: 3000, Disconnects: 1, BitrateSamples: 4, BitrateSumKbps: 24000,
			BitrateSumSqKbps: 146000000, FpsShortMs: 2000, KeyframeOkMs: 58000, FramesIn: 3600, FramesDropped: 12, LatencySumMs: 9000, LatencySamples: 3,
			Measures: `{"scenes":4}`, Observed: 1<<9 - 1,
		},
	}}
	got, rejected, err := telemetry.DecodeBroadcasts([]byte(fullBroadcast), "")
	if diff := cmp.Diff(want, got); diff != "" || rejected != nil || err != nil {
		t.Errorf("%v, %v (-want +got):\n%s", rejected, err, diff)
	}
}

// What cannot be true is taken out alone; what cannot be told from other records
// or be stored is refused.
func TestBroadcastRejections(t *testing.T) {
	t.Parallel()
	with := func(changes ...string) string { return strings.NewReplacer(changes...).Replace(fullBroadcast) }
	for _, c := range []struct{ name, body, rejected string }{
		{"no stream", with(`"stream_id":"st-1",`, ""), "0 stream_id missing whole"},
		{"no number", with(`"seq":5,`, ""), "0 seq missing whole"},
		{"a negative number", with(`"seq":5`, `"seq":-1`), "0 seq range whole"},
		{"a negative counter", with(`"frames_in":3600`, `"frames_in":-1`), "0 frames_in range whole"},
		{"a text for a counter", with(`"live_ms":60000`, `"live_ms":"a"`), "0 live_ms type whole"},
		{"a kind that is none", with(`"kind":"end"`, `"kind":"stop"`), "0 kind range whole"},
		{"longer live than it is", with(`"mono_ms":63000`, `"mono_ms":57999`), "0 mono_ms implausible whole"},
		{"no JSON", `{"stream_id":`, "0  malformed whole"},
		{"just as long live", with(`"mono_ms":63000`, `"mono_ms":58000`), ""},
		{"a start after now", with(`"stream_start_ms":3000`, `"stream_start_ms":65001`), "0 stream_start_ms implausible"},
		{"not started", with(`"stream_start_ms":3000`, `"stream_start_ms":null`), ""},
		{"starved longer than live", with(`"starvation_ms":4000`, `"starvation_ms":62001`), "0 starvation_ms implausible"},
		{"a longest starvation above the sum", with(`"starvation_max_ms":3000`, `"starvation_max_ms":4001`), "0 starvation_max_ms implausible"},
		{"squares below the square of the sum", with(`"bitrate_kbps2_sum":146000000`, `"bitrate_kbps2_sum":143000000`), "0 bitrate_kbps_sum implausible"},
		{"a bitrate of no sample", with(`"bitrate_samples":4`, `"bitrate_samples":0`), "0 bitrate_kbps_sum implausible"},
		{"short of frames longer than live", with(`"fps_short_ms":2000`, `"fps_short_ms":62001`), "0 fps_short_ms implausible"},
		{"key frames longer than live", with(`"keyframe_ok_ms":58000`, `"keyframe_ok_ms":62001`), "0 keyframe_ok_ms implausible"},
		{"more dropped than came", with(`"frames_dropped":12`, `"frames_dropped":3601`), "0 frames_dropped implausible"},
		{"a latency of an hour", with(`"latency_ms_sum":9000`, `"latency_ms_sum":9000000`), "0 latency_ms_sum implausible"},
		{"a measure", with(`"scenes":4`, `"scenes":-4`), "0 measures range"},
	} {
		got, rejected, err := telemetry.DecodeBroadcasts([]byte(strings.ReplaceAll(c.body, "\n", "")), "")
		if err != nil || rejectionWords(rejected) != c.rejected {
			t.Errorf("%s: rejected %q, %v; want %q", c.name, rejectionWords(rejected), err, c.rejected)
		}
		if whole := strings.Contains(c.rejected, "whole"); whole != (len(got) == 0) {
			t.Errorf("%s: %d records", c.name, len(got))
		}
		for _, r := range rejected {
			if c.name != "no JSON" && (r.Player != "obs" || r.PlayerVersion != "30.1") {
				t.Errorf("%s: counted for %q %q, want the encoder", c.name, r.Player, r.PlayerVersion)
			}
		}
	}
	_, _, err := telemetry.DecodeBroadcasts(make([]byte, telemetry.MaxBodyBytes+1), "")
	if code, _ := experiment.CodeOf(err); code != experiment.CodeTooLarge {
		t.Errorf("a body too large: %v", err)
	}
}

// TestMergeBroadcastsLaws: any order and multiset of records gives the same.
func TestMergeBroadcastsLaws(t *testing.T) {
	t.Parallel()
	records := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) telemetry.Broadcast {
		small := rapid.Int64Range(0, 2)
		b := telemetry.Broadcast{
			StreamID: "st", FirstRecvMs: small.Draw(t, "recv"), EndReason: rapid.SampledFrom([]string{"", "user"}).Draw(t, "reason"),
			Last: telemetry.Mark{Seq: small.Draw(t, "seq"), MonoMs: small.Draw(t, "mono")}, Ended: rapid.Bool().Draw(t, "ended"),
		}
		b.Last.RecvMs, b.IdentitySeq = b.FirstRecvMs, b.Last.Seq
		b.BroadcasterID, b.Region = rapid.SampledFrom([]string{"", "bc"}).Draw(t, "caster"), rapid.SampledFrom([]string{"", "fra"}).Draw(t, "region")
		b.LiveMs, b.FramesDropped = small.Draw(t, "live"), small.Draw(t, "dropped")
		b.Measures = rapid.SampledFrom([]telemetry.Measures{"", `{"a":1}`}).Draw(t, "measures")
		if rapid.Bool().Draw(t, "started") {
			b.StreamStartMs = new(int64)
		}
		return b
	}), 1, 12)
	fold := func(records []telemetry.Broadcast) (out telemetry.Broadcast) {
		for _, r := range records {
			out = telemetry.MergeBroadcasts(out, r)
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		once := records.Draw(t, "records")
		again := append(append([]telemetry.Broadcast{}, once...), once[:len(once)/2]...)
		shuffled := rapid.Permutation(again).Draw(t, "order")
		cut := rapid.IntRange(0, len(shuffled)).Draw(t, "cut")
		got := telemetry.MergeBroadcasts(fold(shuffled[:cut]), fold(shuffled[cut:]))
		if diff := cmp.Diff(fold(once), got); diff != "" {
			t.Errorf("(-once +replayed):\n%s", diff)
		}
	})
}

// FuzzDecodeBroadcasts wants of what encoding/json can read the same record.
func FuzzDecodeBroadcasts(f *testing.F) {
	f.Add([]byte(fullBroadcast))
	f.Add([]byte(`[{"stream_id":"a","seq":0},{"stream_id":"b","seq":1,"bitrate_samples":1,"bitrate_kbps_sum":5,"bitrate_kbps2_sum":25}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, rejected, err := telemetry.DecodeBroadcasts(body, "")
		if err != nil && len(got)+len(rejected) > 0 {
			t.Errorf("records beside the error %v", err)
		}
		for i := range got {
			b := &got[i]
			text := fmt.Sprintf(`{"stream_id":%q,"seq":%d,"part":%d,"mono_ms":%d,"client_ts_ms":%d`, b.StreamID, b.Last.Seq, b.Part, b.Last.MonoMs, b.Last.ClientTsMs)
			counters, err := json.Marshal(b.BroadcastCounters)
			if err != nil {
				t.Fatal(err)
			}
			again, bad, err := telemetry.DecodeBroadcasts([]byte(text+","+string(counters[1:])), "")
			if err != nil || len(bad) > 0 || len(again) != 1 {
				t.Fatalf("what was taken is refused: %s, %v, %v", counters, bad, err)
			}
			b.Observed, again[0].Observed = 0, 0 // written are zeros, too
			if diff := cmp.Diff(b.BroadcastCounters, again[0].BroadcastCounters); diff != "" {
				t.Errorf("(-first +again):\n%s", diff)
			}
		}
	})
}
