package metrics

// Quantity is one base quantity of an outcome: a sum over the unit's sessions
// in the window. Metrics are quotients of two of them.
//
// A quantity and its denominator are summed over the same sessions: those whose
// source observes both. Where nothing was observed the denominator is 0, and
// the unit is not part of the metric; it is never a zero of it.
type Quantity int

// The closed list. Its order is the order in storage: append, never reorder. An
// outcome that was written before a quantity was added does not observe it: what
// its array lacks is unknown, and the unit is no part of metrics that need it.
const (
	// Units is 1 for every outcome.
	Units Quantity = iota
	// Attempts counts sessions in which play was requested or began.
	Attempts
	// CoveredAttempts counts attempts that told how they went: a record after
	// the first frame, a fatal error or an orderly end.
	CoveredAttempts
	// WaitedAttempts counts attempts of which the start is observed and that
	// started in a known time, failed, or waited at least MinWaitMs.
	WaitedAttempts
	// QuickStarts counts WaitedAttempts that started within QuickStartMs.
	QuickStarts
	// FateAttempts counts attempts that started, failed or waited at least
	// MinWaitMs, of which failures are observed.
	FateAttempts
	// Exits counts FateAttempts left without a first frame and without an error.
	Exits
	// Failures counts FateAttempts with a fatal error before the first frame.
	Failures
	// Starts counts sessions with a first frame.
	Starts
	// TimedStarts counts Starts of which the start time is known.
	TimedStarts
	// StartupMs is the start time summed over TimedStarts.
	StartupMs
	// WatchUnits is 1 when the play time of every session is observed; a unit
	// without sessions watched nothing, which is known.
	WatchUnits
	// WatchMs is play time of WatchUnits, at most WatchCapMs a unit.
	WatchMs
	// WatchMsUncapped is WatchMs without its cap.
	WatchMsUncapped
	// StallSessions counts started sessions of which stalls and play time are observed.
	StallSessions
	// StalledSessions counts StallSessions that stalled at least StalledMs in all.
	StalledSessions
	// Stalls counts stalls in StallSessions.
	Stalls
	// StallMs is stall time in StallSessions, at most StallCapMs a session.
	StallMs
	// StallBaseMs is play time plus StallMs in StallSessions.
	StallBaseMs
	// StallMsUncapped is StallMs without its cap.
	StallMsUncapped
	// StallBaseMsUncapped is play time plus StallMsUncapped in StallSessions.
	StallBaseMsUncapped
	// RungKbpsMs is the bitrate in kbit/s times the milliseconds played at it.
	RungKbpsMs
	// RungMs is the time played at a known bitrate.
	RungMs
	// LatencyMs is the sum of live latency samples, at most LatencyCapMs times
	// the samples of a session.
	LatencyMs
	// LatencySamples counts the samples in LatencyMs.
	LatencySamples
	// LatencyMsUncapped is LatencyMs without its cap.
	LatencyMsUncapped
	// Returned is 1 when the unit attempted to play in a return window.
	Returned
	// DistinctStarts counts Starts that came RetryGapMs or more after the one
	// before: a player that starts again at once is the same visit.
	DistinctStarts
	// StartupCappedMs is StartupMs, at most StartupCapMs a session.
	StartupCappedMs
	// StartupImputedMs is the start time of WaitedAttempts, NeverStartedMs of
	// those that never started.
	StartupImputedMs
	// KnownAttempts counts attempts of which start and failure are observed,
	// however short the wait.
	KnownAttempts
	// PlayAttempts counts attempts of which the play time is known: observed, or
	// none because it is observed that the first frame never came.
	PlayAttempts
	// EngagedAttempts counts PlayAttempts that played at least EngagedMs.
	EngagedAttempts
	// PlaySessions counts started sessions of which the play time is observed.
	PlaySessions
	// PlayMs is play time in PlaySessions, at most SessionCapMs a session.
	PlayMs
	// PlayMsUncapped is PlayMs without its cap.
	PlayMsUncapped
	// FailureStarts counts started sessions of which failures are observed.
	FailureStarts
	// PlaybackFailures counts FailureStarts that a fatal error ended, unless the
	// programme was over.
	PlaybackFailures
	// StallPlayMs is play time in StallSessions.
	StallPlayMs
	// StallsCapped is Stalls, at most StallsCap a session.
	StallsCapped
	// LongestStallSessions counts StallSessions of which the longest stall is
	// observed, too.
	LongestStallSessions
	// SevereSessions counts LongestStallSessions that stalled for more than
	// SeverePct of their time, or once for more than SevereStallMs.
	SevereSessions
	// LadderPlayMs is play time in sessions of which the rungs offered are known.
	LadderPlayMs
	// TopRungMs is time at the highest rung offered in those sessions.
	TopRungMs
	// HeightPlayMs is play time in sessions of which the picture height is observed.
	HeightPlayMs
	// LowHeightMs is time at telemetry.LowHeight or less in those sessions.
	LowHeightMs
	// SwitchPlayMs is play time in sessions of which switches are observed.
	SwitchPlayMs
	// Switches counts changes of the rung in those sessions, at most SwitchesCap
	// a session.
	Switches
	// SwitchesUncapped is Switches without its cap.
	SwitchesUncapped
	// Frames counts frames in sessions that report them.
	Frames
	// DroppedFrames counts those of Frames that were not shown.
	DroppedFrames
	// BytesPlayMs is play time in sessions of which the bytes are observed.
	BytesPlayMs
	// Bytes is what those sessions received.
	Bytes

	// LatencyUnits is 1 when the live latency of a minute of play is observed.
	LatencyUnits
	// LatencyP95Ms is the live latency that the unit stayed within in 95 % of its
	// minutes of play, over all sessions that report it.
	LatencyP95Ms
	// StalledEnds counts StalledSessions that were over when the window closed, and
	// of which the end of the last stall is observed.
	StalledEnds
	// StallExits counts StalledEnds that were left during the last stall or within
	// StallExitMs of its end. The end of the programme is no exit.
	StallExits

	// Streams counts the broadcasts that a broadcaster began. This quantity and
	// those that follow are of broadcasters alone; others store none of them.
	Streams
	// LiveStreams counts Streams that went live.
	LiveStreams
	// TimedLiveStreams counts LiveStreams of which the time to go live is known.
	TimedLiveStreams
	// TimeToLiveMs is the time to go live summed over TimedLiveStreams.
	TimeToLiveMs
	// LiveUnits is 1 when the live time of every broadcast is observed; a
	// broadcaster without any was not live, which is known.
	LiveUnits
	// LiveMs is live time of LiveUnits, at most WatchCapMs a unit.
	LiveMs
	// LiveMsUncapped is LiveMs without its cap.
	LiveMsUncapped
	// StarvationLiveMs is live time of broadcasts of which starvation is observed.
	StarvationLiveMs
	// StarvationMs is time without frames to transcode in those broadcasts, at
	// most StarvationCapMs a broadcast.
	StarvationMs
	// StarvationMsUncapped is StarvationMs without its cap.
	StarvationMsUncapped
	// StarvationStreams counts LiveStreams of which the longest starvation is known.
	StarvationStreams
	// CleanStreams counts StarvationStreams that never starved for StarvedMs.
	CleanStreams
	// DisconnectLiveMs is live time of broadcasts of which disconnects are observed.
	DisconnectLiveMs
	// Disconnects counts unintended disconnects in those broadcasts, at most
	// DisconnectsCap a broadcast.
	Disconnects
	// DisconnectsUncapped is Disconnects without its cap.
	DisconnectsUncapped
	// BitrateStreams counts broadcasts of which the bitrate of ingest is observed.
	BitrateStreams
	// BitrateCvPpm is the deviation of the bitrate over its mean, in millionths,
	// summed over BitrateStreams; at most BitrateCvCapPpm a broadcast.
	BitrateCvPpm
	// BitrateCvPpmUncapped is BitrateCvPpm without its cap.
	BitrateCvPpmUncapped
	// FpsLiveMs is live time of broadcasts of which the frame rate is observed.
	FpsLiveMs
	// FpsShortMs is time below 90 % of the nominal frame rate in those broadcasts.
	FpsShortMs
	// KeyframeLiveMs is live time of broadcasts of which key frames are observed.
	KeyframeLiveMs
	// KeyframeOkMs is time with a key frame every 2.1 s in those broadcasts.
	KeyframeOkMs
	// TranscodeFrames counts frames that came into the transcoder.
	TranscodeFrames
	// TranscodeDropped counts those of TranscodeFrames that it dropped.
	TranscodeDropped
	// GlassMs is the sum of samples of the latency from glass to glass, at most
	// LatencyCapMs times the samples of a broadcast.
	GlassMs
	// GlassSamples counts the samples in GlassMs.
	GlassSamples
	// GlassMsUncapped is GlassMs without its cap.
	GlassMsUncapped
	// AudienceLiveMs is LiveMsUncapped of broadcasters of which the play time of
	// every viewer is observed.
	AudienceLiveMs
	// AudienceMs is the play time of their viewers, at most AudienceCap times
	// AudienceLiveMs.
	AudienceMs
	// AudienceMsUncapped is AudienceMs without its cap.
	AudienceMsUncapped
	// StreamedAgain is 1 when the broadcaster went live in a return window.
	StreamedAgain

	// QuantityCount is the number of quantities.
	QuantityCount = int(iota)
)

// Quantities holds one value per Quantity. All are whole numbers below 2^53, so
// that float64 holds them exactly.
type Quantities [QuantityCount]float64

// The caps, thresholds and limits of the quantities. They are fixed here, not
// read from data, because a cap that moves between looks would break the
// sequential guarantees.
const (
	MinWaitMs    = 1_000      // shorter waits are previews and mis-clicks, not attempts (Mux, CTA-2066)
	QuickStartMs = 10_000     // a start that took longer was a failure to the viewer
	StalledMs    = 500        // shorter interruptions are hardly seen
	StallCapMs   = 300_000    // a session: beyond 5 min it is a forgotten tab
	WatchCapMs   = 86_400_000 // a unit: nobody watches more than 24 h a day
	LatencyCapMs = 60_000     // a sample on average: beyond 60 s a viewer went back in time
	RetryGapMs   = 30_000     // starts closer together are one visit with retries
	StartupCapMs = 30_000     // a session: whoever waits longer has gone to do something else
	EngagedMs    = 60_000     // a third of sessions end before: they were a look, not a view
	SessionCapMs = 28_800_000 // a session: beyond 8 h a screen was left on
	StallsCap    = 30         // a session: more are one broken connection
	SwitchesCap  = 60         // a session: likewise

	StarvationCapMs = 600_000   // a broadcast: beyond 10 min an encoder was left behind
	StarvedMs       = 2_000     // starvation that viewers notice as a stall
	DisconnectsCap  = 20        // a broadcast: more are one broken line
	BitrateCvCapPpm = 2_000_000 // a broadcast: beyond twice its mean nothing steady was sent
	AudienceCap     = 10_000    // viewers at a time: the few largest channels must not decide

	SeverePct     = 2      // of the time of a session: stalling that viewers complain of
	StallExitMs   = 30_000 // after a stall: whoever leaves later has other reasons
	SevereStallMs = 10_000 // a single stall after which viewers leave

	// NeverStartedMs stands for a start that never came: longer than any that
	// telemetry accepts (120 s), and beyond what a histogram resolves (2^44), so
	// that a quantile that falls on it is refused rather than shown.
	NeverStartedMs = 1 << 45
)

var quantityNames = [QuantityCount]string{
	"units", "attempts", "covered_attempts",
	"waited_attempts", "quick_starts", "fate_attempts", "exits", "failures",
	"starts", "timed_starts", "startup_ms",
	"watch_units", "watch_ms", "watch_ms_uncapped",
	"stall_sessions", "stalled_sessions", "stalls",
	"stall_ms", "stall_base_ms", "stall_ms_uncapped", "stall_base_ms_uncapped",
	"rung_kbps_ms", "rung_ms",
	"latency_ms", "latency_samples", "latency_ms_uncapped",
	"returned", "distinct_starts", "startup_capped_ms", "startup_imputed_ms",
	"known_attempts", "play_attempts", "engaged_attempts",
	"play_sessions", "play_ms", "play_ms_uncapped", "failure_starts", "playback_failures",
	"stall_play_ms", "stalls_capped", "longest_stall_sessions", "severe_sessions",
	"ladder_play_ms", "top_rung_ms", "height_play_ms", "low_height_ms",
	"switch_play_ms", "switches", "switches_uncapped",
	"frames", "dropped_frames", "bytes_play_ms", "bytes",
	"latency_units", "latency_p95_ms", "stalled_ends", "stall_exits",
	"streams", "live_streams", "timed_live_streams", "time_to_live_ms", "live_units", "live_ms", "live_ms_uncapped",
	"starvation_live_ms", "starvation_ms", "starvation_ms_uncapped", "starvation_streams", "clean_streams",
	"disconnect_live_ms", "disconnects", "disconnects_uncapped",
	"bitrate_streams", "bitrate_cv_ppm", "bitrate_cv_ppm_uncapped",
	"fps_live_ms", "fps_short_ms", "keyframe_live_ms", "keyframe_ok_ms", "transcode_frames", "transcode_dropped",
	"glass_ms", "glass_samples", "glass_ms_uncapped",
	"audience_live_ms", "audience_ms", "audience_ms_uncapped", "streamed_again",
}

// String returns the quantity's name, as in the catalogue and in storage.
func (q Quantity) String() string {
	if q < 0 || int(q) >= QuantityCount {
		return "?"
	}
	return quantityNames[q]
}

// ParseQuantity returns the quantity of a name; ok is false for any other text.
func ParseQuantity(name string) (q Quantity, ok bool) {
	for i := range quantityNames {
		if quantityNames[i] == name {
			return Quantity(i), true
		}
	}
	return 0, false
}

// OfBroadcasts reports whether only broadcasters have q.
func (q Quantity) OfBroadcasts() bool { return q >= Streams && int(q) < QuantityCount }

// UnmarshalText reads a name. It returns an UnknownQuantityError for any other text.
func (q *Quantity) UnmarshalText(b []byte) error {
	v, ok := ParseQuantity(string(b))
	if !ok {
		return &UnknownQuantityError{Name: string(b)}
	}
	*q = v
	return nil
}

// MarshalText writes the name.
func (q Quantity) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnknownQuantityError is the error of a name that is no quantity.
type UnknownQuantityError struct{ Name string }

// Error names the offender.
func (e *UnknownQuantityError) Error() string {
	return "\"" + e.Name + "\" is neither a base quantity nor a custom one, such as " + SourceEvent + "follow or " + SourceMeasure + "chat"
}
