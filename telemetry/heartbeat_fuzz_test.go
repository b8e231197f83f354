package telemetry_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/telemetry"
)

// slowHeartbeat is the wire form of a heartbeat for encoding/json.
type slowHeartbeat struct {
	SessionID     *string          `json:"session_id"`
	Seq           *int64           `json:"seq"`
	Kind          *string          `json:"kind"`
	EndReason     *string          `json:"end_reason"`
	ViewerID      string           `json:"viewer_id"`
	DeviceID      string           `json:"device_id"`
	ChannelID     string           `json:"channel_id"`
	BroadcasterID string           `json:"broadcaster_id"`
	StreamID      string           `json:"stream_id"`
	Country       string           `json:"country"`
	ASN           json.RawMessage  `json:"asn"`
	DeviceClass   string           `json:"device_class"`
	OS            string           `json:"os"`
	Player        string           `json:"player"`
	PlayerVersion string           `json:"player_version"`
	NetClass      string           `json:"net_class"`
	ClientTsMs    int64            `json:"client_ts_ms"`
	MonoMs        int64            `json:"mono_ms"`
	PlayRequested bool             `json:"play_requested"`
	FirstFrameMs  *int64           `json:"first_frame_ms"`
	PlayMs        *int64           `json:"play_ms"`
	StallMs       *int64           `json:"stall_ms"`
	StallN        int64            `json:"stall_n"`
	StallMaxMs    *int64           `json:"stall_max_ms"`
	SeekStallMs   int64            `json:"seek_stall_ms"`
	PausedMs      int64            `json:"paused_ms"`
	AdMs          int64            `json:"ad_ms"`
	HiddenMs      int64            `json:"hidden_ms"`
	RungMs        map[string]int64 `json:"rung_ms"`
	HeightMs      map[string]int64 `json:"height_ms"`
	SwitchesUp    *int64           `json:"switches_up"`
	SwitchesDown  *int64           `json:"switches_down"`
	Frames        *int64           `json:"frames"`
	DroppedFrames int64            `json:"dropped_frames"`
	Bytes         *int64           `json:"bytes"`
	ErrorsN       int64            `json:"errors_n"`
	FatalCode     json.RawMessage  `json:"fatal_code"`
	LatencySumMs  int64            `json:"latency_ms_sum"`
	LatencySample int64            `json:"latency_samples"`
	LatencyMaxMs  int64            `json:"latency_max"`
	SinceStallMs  *int64           `json:"since_stall_ms"`
	LateMinutes   map[string]int64 `json:"latency_minutes"`
	Tier          *string          `json:"telemetry_tier"`
	Schema        int64            `json:"schema"`
	Measures      json.RawMessage  `json:"measures"`
}

// slowDecodeHeartbeat reads one record with encoding/json; ok is false when it
// is to be refused for its form.
func slowDecodeHeartbeat(text []byte) (hb telemetry.Heartbeat, ok bool) {
	var w slowHeartbeat
	if json.Unmarshal(text, &w) != nil || bytes.TrimSpace(text)[0] != '{' {
		return hb, false
	}
	hb = telemetry.Heartbeat{
		SessionID: deref(w.SessionID), Seq: deref(w.Seq),
		Kind: telemetry.Kind(deref(w.Kind)), EndReason: telemetry.EndReason(deref(w.EndReason)),
		Identity: telemetry.Identity{
			ViewerID: w.ViewerID, DeviceID: w.DeviceID, ChannelID: w.ChannelID,
			BroadcasterID: w.BroadcasterID, StreamID: w.StreamID,
			Dims: telemetry.Dims{
				Country: w.Country, DeviceClass: w.DeviceClass, OS: w.OS,
				Player: w.Player, PlayerVersion: w.PlayerVersion, NetClass: w.NetClass,
			},
		},
		ClientTsMs: w.ClientTsMs, MonoMs: w.MonoMs, PlayRequested: w.PlayRequested, FirstFrameMs: w.FirstFrameMs,
		PlayMs: deref(w.PlayMs), StallMs: deref(w.StallMs), StallN: w.StallN, StallMaxMs: deref(w.StallMaxMs),
		SeekStallMs: w.SeekStallMs, PausedMs: w.PausedMs, AdMs: w.AdMs, HiddenMs: w.HiddenMs,
		SwitchesUp: deref(w.SwitchesUp), SwitchesDown: deref(w.SwitchesDown),
		Frames: deref(w.Frames), DroppedFrames: w.DroppedFrames, Bytes: deref(w.Bytes), ErrorsN: w.ErrorsN,
		LatencySumMs: w.LatencySumMs, LatencySamples: w.LatencySample, LatencyMaxMs: w.LatencyMaxMs,
		SinceStallMs: deref(w.SinceStallMs), Schema: w.Schema, Observed: telemetry.ObservedStart | telemetry.ObservedFailure,
	}
	words := map[string][]string{
		"kind": {"start", "beat", "end"}, "tier": {"A", "B", "C", "D"},
		"reason": {"user", "ended", "error", "app_background", "unknown"},
	}
	rungsOK, heightsOK := slowDwell(w.RungMs, &hb.RungMs), slowDwell(w.HeightMs, &hb.HeightMs)
	lateOK := slowDwell(w.LateMinutes, &hb.LatencyMinutes)
	measuresOK := slowMeasures(w.Measures, &hb.Measures)
	asnOK, fatalOK := slowCode(w.ASN, &hb.ASN), slowCode(w.FatalCode, &hb.FatalCode)
	ok = w.SessionID != nil && *w.SessionID != "" && w.Seq != nil && w.Schema <= 1 &&
		rungsOK && heightsOK && lateOK && measuresOK && asnOK && fatalOK && slowWord(w.Kind, words["kind"]) &&
		slowWord(w.Tier, words["tier"]) && slowWord(w.EndReason, words["reason"])
	for _, text := range []string{
		hb.SessionID, hb.ViewerID, hb.DeviceID, hb.ChannelID, hb.BroadcasterID, hb.StreamID, hb.Country, hb.ASN,
		hb.DeviceClass, hb.OS, hb.Player, hb.PlayerVersion, hb.NetClass, hb.FatalCode,
	} {
		ok = ok && len(text) <= 128 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
	}
	slowDefaults(&hb, &w)
	return hb, ok
}

// slowDefaults fills what absent fields mean.
func slowDefaults(hb *telemetry.Heartbeat, w *slowHeartbeat) {
	hb.Tier = telemetry.TierA
	if w.Tier != nil {
		hb.Tier, _ = telemetry.ParseTier(*w.Tier)
	}
	if w.Kind == nil {
		hb.Kind = telemetry.KindBeat
	}
	if hb.Kind == telemetry.KindEnd && w.EndReason == nil {
		hb.EndReason = telemetry.EndUnknown
	}
	for bit, present := range map[telemetry.Observed]bool{
		telemetry.ObservedPlay: w.PlayMs != nil, telemetry.ObservedStalls: w.StallMs != nil,
		telemetry.ObservedStallMax: w.StallMaxMs != nil, telemetry.ObservedBitrate: w.RungMs != nil,
		telemetry.ObservedLadder: len(w.RungMs) > 1, telemetry.ObservedHeight: w.HeightMs != nil,
		telemetry.ObservedLatency: w.LatencySample != 0, telemetry.ObservedFrames: w.Frames != nil,
		telemetry.ObservedSinceStall: w.SinceStallMs != nil, telemetry.ObservedLatencyMinutes: len(w.LateMinutes) > 0,
		telemetry.ObservedBytes: w.Bytes != nil, telemetry.ObservedSwitches: w.SwitchesUp != nil || w.SwitchesDown != nil,
	} {
		if present {
			hb.Observed |= bit
		}
	}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func slowWord(w *string, words []string) bool { return w == nil || slices.Contains(words, *w) }

func slowDwell(m map[string]int64, into *telemetry.Dwell) bool {
	for at, ms := range m {
		n, err := strconv.ParseUint(at, 10, 31)
		if err != nil {
			return false
		}
		*into = append(*into, telemetry.DwellTime{At: int64(n), Ms: ms}) //nolint:gosec // 31 bits
	}
	return len(m) <= 32
}

var slowName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// slowMeasures keeps what is right of an object of numbers, the first 16.
func slowMeasures(raw json.RawMessage, into *telemetry.Measures) bool {
	if raw == nil || string(raw) == "null" {
		return true
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, _ := d.Token(); open != json.Delim('{') {
		return false
	}
	kept, dropped := map[string]float64{}, 0
	for d.More() {
		name, _ := d.Token()
		var value any
		_ = d.Decode(&value) // of JSON already read
		n, isNumber := value.(float64)
		_, known := kept[name.(string)]
		if isNumber && slowName.MatchString(name.(string)) && n >= 0 && n < 1<<53 && (known || len(kept) < 16) {
			kept[name.(string)] = n
		} else {
			dropped++
		}
	}
	if len(kept) > 0 {
		text, _ := json.Marshal(kept) // sorted by name
		*into = telemetry.Measures(text)
	}
	return dropped <= 16
}

// slowCode reads a string, or a whole number as one.
func slowCode(raw json.RawMessage, into *string) bool {
	if raw == nil || string(raw) == "null" || json.Unmarshal(raw, into) == nil {
		return true
	}
	var n int64
	err := json.Unmarshal(raw, &n)
	*into = string(raw)
	return err == nil
}

// comparable reports whether encoding/json reads a record by the same rules:
// it joins objects under one key, matches keys in any case, and takes null
// inside maps for 0.
func sameRules(text []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return true
	}
	keys := 0
	d := json.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		default:
			if depth == 1 {
				keys++
			}
		}
	}
	for key, value := range members {
		if key != strings.ToLower(key) || strings.ContainsFunc(key, func(r rune) bool { return r > '~' }) {
			return false
		}
		if strings.HasSuffix(key, "_ms") && bytes.HasPrefix(value, []byte("{")) {
			if bytes.Contains(value, []byte("null")) || bytes.Count(value, []byte(":")) > strings.Count(string(value), ",")+1 {
				return false
			}
		}
		if c := value[0]; c != '{' && c != '[' {
			keys--
		}
		keys--
	}
	return keys == 0 // otherwise a key occurs twice
}

var fullHeartbeat = `{"session_id":"2a1c857d-90c7-495f-ab89-9151b0fe70d4","seq":17,"kind":"beat","viewer_id":"viewer-123456","device_id":"dev-9981","channel_id":"channel-7","broadcaster_id":"bc-44","stream_id":"st-2026-11-22-1","client_ts_ms":1795384837389,"mono_ms":170000,"play_requested":true,"first_frame_ms":812,"play_ms":160000,"stall_ms":4200,"stall_n":3,"seek_stall_ms":0,"paused_ms":5000,"ad_ms":0,"hidden_ms":1000,"rung_ms":{"230":0,"630":4000,"1400":16000,"3000":140000,"6000":0},"height_ms":{"360":4000,"480":16000,"720":140000},"switches_up":3,"switches_down":1,"frames":4800,"dropped_frames":12,"bytes":61000000,"errors_n":0,"latency_ms_sum":72000,"latency_samples":16,"latency_max":6100,"country":"DE","asn":3320,"device_class":"web","os":"Windows 11","player":"hls.js","player_version":"1.7.4","net_class":"cable","telemetry_tier":"A","schema":1}`

// FuzzDecodeHeartbeats holds the decoder against encoding/json, record by
// record, and wants no more records than lines or elements.
func FuzzDecodeHeartbeats(f *testing.F) {
	for _, seed := range []string{
		fullHeartbeat,
		`{"session_id":"s","seq":0,"kind":"start","first_frame_ms":null,"unknown":{"a":[1,{"b":"\u00e9"}]}}`,
		`{"session_id":"s","seq":1,"kind":"end","end_reason":"user","asn":"AS1","fatal_code":27,"play_ms":1e3}`,
		`{"session_id":"s","seq":2,"measures":{"chat.sent":4,"spent":4.5,"Bad":1,"x":"y","z":-1}}`,
		`{"session_id":"a\"b","seq":-1,"rung_ms":{"1":2,"x":3}}`, `{"seq":01}`, `[{"session_id":"s","seq":3},{]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, rejected, err := telemetry.DecodeHeartbeats(body, "application/x-ndjson")
		if err != nil {
			return
		}
		lines := bytes.Split(body, []byte("\n"))
		if len(got)+len(rejected) > 64*len(lines) && body[0] == '{' {
			t.Fatalf("%d records and %d rejections of %d lines", len(got), len(rejected), len(lines))
		}
		if len(lines) != 1 || bytes.TrimLeft(body, " \t\r\n")[0] != '{' || !sameRules(body) || bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) > 50 {
			return
		}
		want, ok := slowDecodeHeartbeat(body)
		if ok {
			for _, r := range telemetry.Validate(&want) {
				ok = ok && !r.Whole
			}
		}
		if ok != (len(got) == 1) {
			t.Fatalf("DecodeHeartbeats(%q) took %d records, want ok = %v: %v", body, len(got), ok, rejected)
		}
		if !ok {
			return
		}
		byRung := cmpopts.SortSlices(func(a, b telemetry.DwellTime) bool { return a.At < b.At })
		byNumber := cmp.Comparer(func(a, b telemetry.Measures) bool { return cmp.Equal(a.List(), b.List()) }) // 1e21 or its digits
		if diff := cmp.Diff(want, got[0], byRung, byNumber, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("DecodeHeartbeats(%q) differs from encoding/json (-want +got):\n%s", body, diff)
		}
	})
}
