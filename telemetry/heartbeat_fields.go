package telemetry

import (
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// member reads the value of one key into hb. False means that the text is not
// JSON; a value that is JSON but not right is a fault of the record.
func (d *heartbeatDecoder) member(hb *Heartbeat, seen *seenFields, key string) bool {
	if d.at < len(d.text) && d.text[d.at] == 'n' {
		return d.word("null") // an absent field
	}
	if into, observed := hb.numberField(key); into != nil {
		hb.Observed |= observed
		seen.seq = seen.seq || into == &hb.Seq
		return d.readNumber(into, key)
	}
	if into := hb.textField(key); into != nil {
		return d.readText(into, key)
	}
	switch key {
	case "kind":
		return d.readWord((*string)(&hb.Kind), key, kinds)
	case "end_reason":
		return d.readWord((*string)(&hb.EndReason), key, endReasons)
	case "telemetry_tier":
		var letter string
		ok := d.readWord(&letter, key, tierLetters)
		hb.Tier, _ = ParseTier(letter)
		return ok
	case "first_frame_ms":
		hb.FirstFrameMs = new(int64)
		return d.readNumber(hb.FirstFrameMs, key)
	case "play_requested":
		return d.readBool(&hb.PlayRequested, key)
	case "rung_ms":
		hb.Observed |= ObservedBitrate
		return d.readDwell(&hb.RungMs, key)
	case "height_ms":
		hb.Observed |= ObservedHeight
		return d.readDwell(&hb.HeightMs, key)
	case "asn", "fatal_code":
		return d.readCode(hb, key)
	case "latency_minutes":
		hb.Observed |= ObservedLatencyMinutes
		return d.readDwell(&hb.LatencyMinutes, key)
	case "measures":
		return d.readMeasures(&hb.Measures)
	}
	return d.skip(maxDepth)
}

// numberField returns where the number of a key belongs, nil for other keys,
// and what its presence makes observed.
func (hb *Heartbeat) numberField(key string) (*int64, Observed) {
	switch key {
	case "seq":
		return &hb.Seq, 0
	case "client_ts_ms":
		return &hb.ClientTsMs, 0
	case "mono_ms":
		return &hb.MonoMs, 0
	case "play_ms":
		return &hb.PlayMs, ObservedPlay
	case "stall_ms":
		return &hb.StallMs, ObservedStalls
	case "stall_n":
		return &hb.StallN, 0
	case "stall_max_ms":
		return &hb.StallMaxMs, ObservedStallMax
	case "since_stall_ms":
		return &hb.SinceStallMs, ObservedSinceStall
	case "seek_stall_ms":
		return &hb.SeekStallMs, 0
	case "paused_ms":
		return &hb.PausedMs, 0
	case "ad_ms":
		return &hb.AdMs, 0
	case "hidden_ms":
		return &hb.HiddenMs, 0
	case "switches_up":
		return &hb.SwitchesUp, ObservedSwitches
	case "switches_down":
		return &hb.SwitchesDown, ObservedSwitches
	case "frames":
		return &hb.Frames, ObservedFrames
	case "dropped_frames":
		return &hb.DroppedFrames, 0
	case "bytes":
		return &hb.Bytes, ObservedBytes
	case "errors_n":
		return &hb.ErrorsN, 0
	case "latency_ms_sum":
		return &hb.LatencySumMs, 0
	case "latency_samples":
		return &hb.LatencySamples, ObservedLatency
	case "latency_max":
		return &hb.LatencyMaxMs, 0
	case "schema":
		return &hb.Schema, 0
	}
	return nil, 0
}

// textField returns where the string of a key belongs, nil for other keys.
func (hb *Heartbeat) textField(key string) *string {
	switch key {
	case "session_id":
		return &hb.SessionID
	case "viewer_id":
		return &hb.ViewerID
	case "device_id":
		return &hb.DeviceID
	case "channel_id":
		return &hb.ChannelID
	case "broadcaster_id":
		return &hb.BroadcasterID
	case "stream_id":
		return &hb.StreamID
	case "country":
		return &hb.Country
	case "device_class":
		return &hb.DeviceClass
	case "os":
		return &hb.OS
	case "player":
		return &hb.Player
	case "player_version":
		return &hb.PlayerVersion
	case "net_class":
		return &hb.NetClass
	}
	return nil
}

// readNumber reads a whole number.
func (d *batch[T]) readNumber(into *int64, key string) bool {
	if c := d.text[d.at:]; c == "" || c[0] != '-' && !isDigit(c[0]) {
		d.fail(key, ReasonType, "must be a whole number")
		return d.skip(maxDepth)
	}
	value, whole, ok := d.number()
	if ok && !whole {
		d.fail(key, ReasonType, "must be a whole number of at most 63 bits")
	}
	*into = value
	return ok
}

// readText reads an id or a dimension.
func (d *batch[T]) readText(into *string, key string) bool {
	value, ok := d.readString(key)
	if ok && value != "" && !experiment.ValidUnitID(value) {
		d.fail(key, ReasonRange, "must be at most %d printable ASCII characters", MaxIDBytes)
		return true
	}
	*into = value
	return ok
}

// readString reads a string; another type is a fault.
func (d *batch[T]) readString(key string) (value string, ok bool) {
	if d.peek() != '"' {
		d.fail(key, ReasonType, "must be a string")
		return "", d.skip(maxDepth)
	}
	return d.str()
}

// readWord reads one of the given words.
func (d *batch[T]) readWord(into *string, key string, words []string) bool {
	value, ok := d.readString(key)
	if !slices.Contains(words, value) {
		d.fail(key, ReasonRange, "must be one of %s", strings.Join(words, ", "))
		return ok
	}
	*into = value
	return ok
}

var (
	kinds       = strings.Fields("start beat end")
	endReasons  = strings.Fields("user ended error app_background unknown")
	tierLetters = strings.Fields("A B C D")
)

// readBool reads true or false.
func (d *batch[T]) readBool(into *bool, key string) bool {
	switch {
	case d.word("true"):
		*into = true
	case d.word("false"):
		*into = false
	default:
		d.fail(key, ReasonType, "must be true or false")
		return d.skip(maxDepth)
	}
	return true
}

// readCode reads an id that many clients send as a number.
func (d *heartbeatDecoder) readCode(hb *Heartbeat, key string) bool {
	into := &hb.ASN
	if key == "fatal_code" {
		into = &hb.FatalCode
	}
	if d.peek() == '"' {
		return d.readText(into, key)
	}
	start := d.at
	ok := d.readNumber(new(int64), key)
	*into = d.text[start:d.at]
	return ok
}

// dwellChunk is how many times are allocated at once for several records.
const dwellChunk = 4 * MaxDwell

// readDwell reads an object of times by bitrate or height. As for any JSON
// object, the last of equal keys counts.
func (d *heartbeatDecoder) readDwell(into *Dwell, key string) bool {
	if d.peek() != '{' {
		d.fail(key, ReasonType, "must be an object of times")
		return d.skip(maxDepth)
	}
	if cap(d.dwell)-len(d.dwell) < MaxDwell {
		d.dwell = make([]DwellTime, 0, dwellChunk)
	}
	start := len(d.dwell)
	ok := d.object(func(at string) bool {
		entry := d.dwellEntry(start, key, at)
		return d.readNumber(entry, key)
	})
	*into = Dwell(d.dwell[start:len(d.dwell):len(d.dwell)])
	return ok
}

// dwellEntry returns where the time at one bitrate or height belongs.
func (d *heartbeatDecoder) dwellEntry(start int, key, at string) *int64 {
	number, err := strconv.ParseUint(at, 10, 31)
	if err != nil {
		d.fail(key, ReasonType, "keys must be whole numbers")
		return new(int64)
	}
	for i := start; i < len(d.dwell); i++ {
		if d.dwell[i].At == int64(number) {
			return &d.dwell[i].Ms
		}
	}
	if len(d.dwell)-start == MaxDwell {
		d.fail(key, ReasonTooMany, "has at most %d entries", MaxDwell)
		return new(int64)
	}
	d.dwell = append(d.dwell, DwellTime{At: int64(number)})
	return &d.dwell[len(d.dwell)-1].Ms
}
