package telemetry

// Counters are the cumulative quantities of a session. Which of them mean
// something is in Observed.
type Counters struct {
	PlayMs      int64 `json:"play_ms"`
	StallMs     int64 `json:"stall_ms"` // after the first frame, without the viewer's seeks
	StallN      int64 `json:"stall_n"`
	StallMaxMs  int64 `json:"stall_max_ms"`
	SeekStallMs int64 `json:"seek_stall_ms"`
	PausedMs    int64 `json:"paused_ms"`
	AdMs        int64 `json:"ad_ms"`
	HiddenMs    int64 `json:"hidden_ms"`

	RungMs       int64 `json:"rung_ms"`        // time at a known bitrate
	RungKbpsMs   int64 `json:"rung_kbps_ms"`   // bitrate = RungKbpsMs / RungMs
	TopRungMs    int64 `json:"top_rung_ms"`    // time at the highest rung offered
	BottomRungMs int64 `json:"bottom_rung_ms"` // time at the lowest rung offered
	HeightMs     int64 `json:"height_ms"`      // time at a known picture height
	LowHeightMs  int64 `json:"low_height_ms"`  // of it at LowHeight or less

	SwitchesUp    int64 `json:"switches_up"`
	SwitchesDown  int64 `json:"switches_down"`
	Frames        int64 `json:"frames"`
	DroppedFrames int64 `json:"dropped_frames"`
	Bytes         int64 `json:"bytes"`
	ErrorsN       int64 `json:"errors_n"`

	LatencySumMs   int64 `json:"latency_ms_sum"` // live latency = sum / samples
	LatencySamples int64 `json:"latency_samples"`
	LatencyMaxMs   int64 `json:"latency_max"`

	SinceStallMs   int64          `json:"since_stall_ms,omitempty"` // since the last stall ended, as of the newest record
	LatencyMinutes LatencyMinutes `json:"latency_minutes,omitzero"` // minutes by live latency

	Measures Measures `json:"measures,omitempty"` // custom

	Observed Observed `json:"observed"`
}

// LowHeight is the picture height up to which a picture counts as low quality.
const LowHeight = 360

// Mark is one record's place in its session: its number and its clocks.
type Mark struct {
	Seq        int64 `json:"seq"`
	RecvMs     int64 `json:"recv_ms"`      // when the server first had it
	ClientTsMs int64 `json:"client_ts_ms"` // 0: not given
	MonoMs     int64 `json:"mono_ms"`
}

// Session is the folded state of one viewing: what storage keeps and metrics
// read. Field by field, the rule by which two states of one session are merged
// (see [Merge]):
//
//	SessionID                   key
//	Identity, IdentitySeq       of the least (viewer is empty, IdentitySeq)
//	Tier                        greatest (the least trusted source)
//	FirstRecvMs                 least
//	ClockOffsetMs               least of those known
//	PlayRequested, Started      or
//	StartSeq, FirstFrameMs      of the least StartSeq of those Started
//	First                       of the least seq
//	Last, Ended, EndReason,
//	FatalCode, Epoch            of the greatest seq
//	Counters                    of the greatest seq, while all records are of
//	                            one epoch; otherwise see [Epoch]
//	Epochs                      by key, see [Epoch]
//
// Where numbers are equal and the content is not, what was received first
// stays; what was received together is decided by content.
type Session struct {
	SessionID string `json:"session_id"`
	Identity
	IdentitySeq int64 `json:"identity_seq"` // of the record that Identity came with

	Tier          Tier   `json:"telemetry_tier"`
	FirstRecvMs   int64  `json:"first_recv_ms"`             // the session belongs to this moment
	ClockOffsetMs *int64 `json:"clock_offset_ms,omitempty"` // least recv - client_ts; nil: no client clock

	PlayRequested bool   `json:"play_requested"`
	Started       bool   `json:"started"`        // the first frame came
	StartSeq      int64  `json:"start_seq"`      // of the first record after the first frame, if Started
	FirstFrameMs  *int64 `json:"first_frame_ms"` // start time; nil: not started, or not known

	First Mark `json:"first"` // the record with the lowest seq
	Last  Mark `json:"last"`  // the record with the highest seq

	Ended     bool      `json:"ended"`
	EndReason EndReason `json:"end_reason,omitempty"`
	FatalCode string    `json:"fatal_code,omitempty"`

	Counters         // totals over all epochs
	Epoch    int64   `json:"epoch"`            // key of the epoch of Last
	Epochs   []Epoch `json:"epochs,omitempty"` // nil while all records are of one epoch
}

// The rule by which a session closes: reports, sequential tests above all,
// read closed sessions only.
const (
	CloseIntervals = 3      // silent heartbeat intervals
	CloseMinMs     = 90_000 // but at least this long
)

// ClosesAtMs returns the server time at which the session counts as closed:
// the moment of its end record, or of silence for CloseIntervals intervals.
func (s *Session) ClosesAtMs(intervalMs int64) int64 {
	if s.Ended {
		return s.Last.RecvMs
	}
	return s.Last.RecvMs + max(CloseIntervals*intervalMs, CloseMinMs)
}

// BeatsAfterStart returns how many records the client had sent since the first
// frame, counted by number, so that lost ones count; 0 if it never came.
func (s *Session) BeatsAfterStart() int64 {
	if !s.Started {
		return 0
	}
	return s.Last.Seq - s.StartSeq + 1
}
