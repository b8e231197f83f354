package telemetry

import (
	"strconv"
	"strings"
)

// Kind is the place of a heartbeat in its session.
type Kind string

// The kinds.
const (
	KindStart Kind = "start"
	KindBeat  Kind = "beat"
	KindEnd   Kind = "end"
)

// EndReason says why a session ended.
type EndReason string

// The end reasons.
const (
	EndUser       EndReason = "user"           // the viewer left
	EndEnded      EndReason = "ended"          // the programme ended
	EndError      EndReason = "error"          // a fatal error; FatalCode names it
	EndBackground EndReason = "app_background" // the system put the app away
	EndUnknown    EndReason = "unknown"
)

// Dims are the properties of a session that are fixed when it starts.
type Dims struct {
	Country       string `json:"country,omitempty"`
	ASN           string `json:"asn,omitempty"` // a JSON number is taken, too
	DeviceClass   string `json:"device_class,omitempty"`
	OS            string `json:"os,omitempty"`
	Player        string `json:"player,omitempty"`
	PlayerVersion string `json:"player_version,omitempty"`
	NetClass      string `json:"net_class,omitempty"`
}

// Identity says who watched what, where and with what.
type Identity struct {
	ViewerID      string `json:"viewer_id,omitempty"` // randomisation unit; never inferred from an address
	DeviceID      string `json:"device_id,omitempty"`
	ChannelID     string `json:"channel_id,omitempty"`
	BroadcasterID string `json:"broadcaster_id,omitempty"`
	StreamID      string `json:"stream_id,omitempty"` // one broadcast
	Dims
}

// DwellTime is the time spent at one bitrate (kbit/s) or picture height.
type DwellTime struct {
	At int64
	Ms int64
}

// Dwell is cumulative time by bitrate or height; in JSON an object
// {"at": ms}. A player lists every rung it may choose from, with 0 ms where
// it has not been, so that the top rung is known.
type Dwell []DwellTime

// MarshalJSON writes the object {"at": ms}.
func (d Dwell) MarshalJSON() ([]byte, error) {
	if d == nil {
		return []byte("null"), nil
	}
	b := []byte{'{'}
	for i, e := range d {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = strconv.AppendInt(b, e.At, 10)
		b = append(b, `":`...)
		b = strconv.AppendInt(b, e.Ms, 10)
	}
	return append(b, '}'), nil
}

// Heartbeat is one record of our own format: the state of one viewing so far,
// in cumulative counters that only grow. A lost record costs nothing once a
// later one arrives. Durations come from the client's monotonic clock.
type Heartbeat struct {
	SessionID string    `json:"session_id"` // equals the CMCD sid
	Seq       int64     `json:"seq"`        // from 0, and on across a restart of the client
	Kind      Kind      `json:"kind"`       // absent: beat
	EndReason EndReason `json:"end_reason,omitempty"`
	Identity

	ClientTsMs int64 `json:"client_ts_ms,omitempty"` // wall clock of the client, Unix ms
	MonoMs     int64 `json:"mono_ms"`                // monotonic time since the session (or the client) started

	PlayRequested bool   `json:"play_requested"`
	FirstFrameMs  *int64 `json:"first_frame_ms"` // from the wish to play to the first frame; nil: not (yet) started

	PlayMs      int64 `json:"play_ms"`
	StallMs     int64 `json:"stall_ms"` // without start-up and the viewer's seeks
	StallN      int64 `json:"stall_n"`
	StallMaxMs  int64 `json:"stall_max_ms,omitempty"` // longest stall; optional
	SeekStallMs int64 `json:"seek_stall_ms"`
	PausedMs    int64 `json:"paused_ms"`
	AdMs        int64 `json:"ad_ms"`
	HiddenMs    int64 `json:"hidden_ms"`

	RungMs   Dwell `json:"rung_ms,omitempty"`   // by kbit/s
	HeightMs Dwell `json:"height_ms,omitempty"` // by picture height

	SwitchesUp    int64  `json:"switches_up"`
	SwitchesDown  int64  `json:"switches_down"`
	Frames        int64  `json:"frames"`
	DroppedFrames int64  `json:"dropped_frames"`
	Bytes         int64  `json:"bytes"`
	ErrorsN       int64  `json:"errors_n"`
	FatalCode     string `json:"fatal_code,omitempty"` // a JSON number is taken, too

	LatencySumMs   int64 `json:"latency_ms_sum"`
	LatencySamples int64 `json:"latency_samples"`
	LatencyMaxMs   int64 `json:"latency_max"`

	SinceStallMs   int64 `json:"since_stall_ms"`            // since the last stall ended, 0 while one goes on; absent: none yet
	LatencyMinutes Dwell `json:"latency_minutes,omitempty"` // minutes of play by their mean live latency; optional

	Measures Measures `json:"measures,omitempty"` // custom counters, cumulative, by name

	Tier   Tier  `json:"telemetry_tier,omitempty"` // absent: A
	Schema int64 `json:"schema,omitempty"`

	// Observed is the set of quantities that the record carried. The decoder
	// fills it from the fields that were present and not null.
	Observed Observed `json:"-"`

	// Index is the place of the record within its body, from 0.
	Index int `json:"-"`
}

// MarshalText writes the tier's letter.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the tier's letter; anything else is the zero Tier.
func (t *Tier) UnmarshalText(b []byte) error {
	*t, _ = ParseTier(strings.TrimSpace(string(b)))
	return nil
}
