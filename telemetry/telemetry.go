// Package telemetry turns what players send into sessions: it decodes
// heartbeats and CMCD reports, checks their plausibility, and folds the records
// of one viewing into one [Session], so that replay, loss, reordering and
// duplication change nothing.
//
// It never does I/O, reads no clock and knows neither SQL nor HTTP: the receive
// time is an argument, storage keeps what it returns. What a source cannot
// report is absent from [Session.Observed]; it is never a zero.
//
//	beats, refused, err := telemetry.DecodeHeartbeats(body, contentType)
//	if err != nil {
//		return err // nothing in the body could be read
//	}
//	for _, s := range telemetry.FoldBatch(beats, recvMs) {
//		store.Upsert(ctx, s) // by the rules of Merge
//	}
//	count(refused)
package telemetry

import "strings"

// Tier says how far the source of a session can be trusted; metrics name the
// tiers they may be computed from. The zero Tier is unknown.
type Tier uint8

// The tiers, best first.
const (
	TierA Tier = iota + 1 // our heartbeat: cumulative counters of an SDK
	TierB                 // CMCD v2 events with player states (hls.js, dash.js)
	TierC                 // CMCD v2 events without player states (Shaka)
	TierD                 // CMCD on media requests only
)

// String returns the tier's letter, and "?" for an unknown tier.
func (t Tier) String() string {
	if t < TierA || t > TierD {
		return "?"
	}
	return "ABCD"[t-1 : t]
}

// ParseTier returns the tier of a letter A to D; ok is false for anything else.
func ParseTier(s string) (t Tier, ok bool) {
	if len(s) != 1 || s[0] < 'A' || s[0] > 'D' {
		return 0, false
	}
	return Tier(s[0]-'A') + TierA, true
}

// Observed is the set of quantities that the source of a session reports. A
// quantity outside the set is unknown, whatever its field holds.
type Observed uint16

// The quantities.
const (
	ObservedStart          Observed = 1 << iota // whether the first frame came, and FirstFrameMs
	ObservedFailure                             // fatal errors: a session without frame and without FatalCode is an exit
	ObservedPlay                                // PlayMs, PausedMs
	ObservedStalls                              // StallMs, StallN
	ObservedStallMax                            // StallMaxMs
	ObservedBitrate                             // RungMs, RungKbpsMs
	ObservedHeight                              // HeightMs, LowHeightMs
	ObservedLatency                             // LatencySumMs, LatencySamples, LatencyMaxMs
	ObservedFrames                              // Frames, DroppedFrames
	ObservedBytes                               // Bytes
	ObservedSwitches                            // SwitchesUp, SwitchesDown
	ObservedStallBounds                         // StallN is a lower bound: above 0 means stalled, 0 says nothing
	ObservedLadder                              // TopRungMs, BottomRungMs: the rungs offered are known
	ObservedSinceStall                          // SinceStallMs, of a session that stalled
	ObservedLatencyMinutes                      // LatencyMinutes
)

var observedNames = [...]string{
	"start", "failure", "play", "stalls", "stall_max", "bitrate", "height",
	"latency", "frames", "bytes", "switches", "stall_bounds",
	"ladder", "since_stall", "latency_minutes",
}

// Has reports whether every quantity of q is observed.
func (o Observed) Has(q Observed) bool { return o&q == q }

// String lists the quantities, separated by "|".
func (o Observed) String() string {
	var names []string
	for i, name := range observedNames {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Reason classifies a Rejection. It is a label of counters, hence a short
// closed list.
type Reason string

// The closed list of reasons.
const (
	ReasonMalformed   Reason = "malformed"   // not the syntax it should be
	ReasonMissing     Reason = "missing"     // a required field is absent
	ReasonType        Reason = "type"        // the wrong type of value
	ReasonRange       Reason = "range"       // negative, too long, too large, not in the list
	ReasonImplausible Reason = "implausible" // well formed, but it cannot be true
	ReasonVersion     Reason = "version"     // a version of the format above what is understood
	ReasonTooMany     Reason = "too_many"    // over a limit of number
	ReasonStopped     Reason = "stopped"     // its session was told to stop
	ReasonConflict    Reason = "conflict"    // same session and number as another record, other content
)

// Rejection is one value or one record that was not taken. The sender's other
// values and records are.
type Rejection struct {
	Index   int    `json:"index"`           // of the record within the body, from 0
	Field   string `json:"field,omitempty"` // JSON name or CMCD key; empty when the record as such is meant
	Reason  Reason `json:"reason"`
	Message string `json:"message"` // a sentence for people
	Whole   bool   `json:"whole"`   // the record was refused, not only the field

	// Who sent it, as far as known: rejections are counted by player and
	// version, and by arm through the session.
	SessionID     string `json:"session_id,omitempty"`
	Player        string `json:"player,omitempty"`
	PlayerVersion string `json:"player_version,omitempty"`
}
