package metrics

// over lists the denominators of each quantity: those that are summed over the
// same sessions, or over sessions of which these are a part that is known to be
// one. Any other pair would divide what was observed in some sessions by what
// was observed in others.
var over = [QuantityCount][]Quantity{
	Attempts:        {Units},
	CoveredAttempts: {Attempts, Units},
	WaitedAttempts:  {Attempts},
	QuickStarts:     {WaitedAttempts},
	FateAttempts:    {KnownAttempts, Attempts},
	Exits:           {FateAttempts},
	Failures:        {FateAttempts, KnownAttempts},
	Starts:          {Attempts, Units},
	TimedStarts:     {Starts},
	StartupMs:       {TimedStarts},

	WatchUnits:      {Units},
	WatchMs:         {WatchUnits},
	WatchMsUncapped: {WatchUnits},

	StallSessions:       {PlaySessions, Starts},
	StalledSessions:     {StallSessions},
	Stalls:              {StallSessions, StallPlayMs, StallBaseMs},
	StallMs:             {StallBaseMs, StallSessions, StallPlayMs},
	StallBaseMs:         {StallSessions},
	StallMsUncapped:     {StallBaseMsUncapped, StallSessions, StallPlayMs},
	StallBaseMsUncapped: {StallSessions},

	RungKbpsMs:        {RungMs},
	LatencyMs:         {LatencySamples},
	LatencyMsUncapped: {LatencySamples},

	Returned:         {Units},
	DistinctStarts:   {Units},
	StartupCappedMs:  {TimedStarts},
	StartupImputedMs: {WaitedAttempts},
	KnownAttempts:    {Attempts},
	PlayAttempts:     {Attempts},
	EngagedAttempts:  {PlayAttempts, PlaySessions},
	PlaySessions:     {Starts, PlayAttempts},
	PlayMs:           {PlaySessions},
	PlayMsUncapped:   {PlaySessions},
	FailureStarts:    {Starts},
	PlaybackFailures: {FailureStarts},

	StallPlayMs:          {StallSessions},
	StallsCapped:         {StallPlayMs, StallSessions},
	LongestStallSessions: {StallSessions},
	SevereSessions:       {LongestStallSessions},

	TopRungMs:        {LadderPlayMs},
	LowHeightMs:      {HeightPlayMs},
	Switches:         {SwitchPlayMs},
	SwitchesUncapped: {SwitchPlayMs},
	DroppedFrames:    {Frames},
	Bytes:            {BytesPlayMs},

	LatencyUnits: {Units},
	LatencyP95Ms: {LatencyUnits},
	StalledEnds:  {StalledSessions},
	StallExits:   {StalledEnds},

	Streams:              {Units},
	LiveStreams:          {Streams, Units},
	TimedLiveStreams:     {LiveStreams, Streams},
	TimeToLiveMs:         {TimedLiveStreams},
	LiveUnits:            {Units},
	LiveMs:               {LiveUnits},
	LiveMsUncapped:       {LiveUnits},
	StarvationMs:         {StarvationLiveMs},
	StarvationMsUncapped: {StarvationLiveMs},
	StarvationStreams:    {LiveStreams},
	CleanStreams:         {StarvationStreams},
	Disconnects:          {DisconnectLiveMs},
	DisconnectsUncapped:  {DisconnectLiveMs},
	BitrateStreams:       {LiveStreams},
	BitrateCvPpm:         {BitrateStreams},
	BitrateCvPpmUncapped: {BitrateStreams},
	FpsShortMs:           {FpsLiveMs},
	KeyframeOkMs:         {KeyframeLiveMs},
	TranscodeDropped:     {TranscodeFrames},
	GlassMs:              {GlassSamples},
	GlassMsUncapped:      {GlassSamples},
	AudienceMs:           {AudienceLiveMs},
	AudienceMsUncapped:   {AudienceLiveMs},
	StreamedAgain:        {Units},
}

// Over returns the quantities that q may be divided by, because both are known
// of the same sessions; none for one that is only a denominator.
func (q Quantity) Over() []Quantity {
	if q < 0 || int(q) >= QuantityCount {
		return nil
	}
	return over[q]
}

// counting are the quantities that count units, attempts or sessions: 0
// or 1 for a single session.
var counting = [QuantityCount]bool{
	Units: true, Attempts: true, CoveredAttempts: true, WaitedAttempts: true, QuickStarts: true, FateAttempts: true,
	Exits: true, Failures: true, Starts: true, TimedStarts: true, WatchUnits: true, StallSessions: true,
	StalledSessions: true, Returned: true, DistinctStarts: true, KnownAttempts: true, PlayAttempts: true,
	EngagedAttempts: true, PlaySessions: true, FailureStarts: true, PlaybackFailures: true,
	LongestStallSessions: true, SevereSessions: true,
	LatencyUnits: true, StalledEnds: true, StallExits: true,
	Streams: true, LiveStreams: true, TimedLiveStreams: true, LiveUnits: true, StarvationStreams: true,
	CleanStreams: true, BitrateStreams: true, StreamedAgain: true,
}

// Counts reports whether q counts units, attempts or sessions: each adds 0 or 1.
func (q Quantity) Counts() bool { return q >= 0 && int(q) < QuantityCount && counting[q] }

// tiersOf returns the telemetry tiers that can observe a quotient.
func tiersOf(q Quotient) string {
	tiers := "ABCD"
	for _, part := range [...]Term{q.Numerator, q.Denominator} {
		if t := part.tiers(); len(t) < len(tiers) {
			tiers = t
		}
	}
	return tiers
}

// tiers returns the telemetry tiers that can observe q (reference tables of the
// heartbeat and of CMCD version 2).
func (q Quantity) tiers() string {
	if q.OfBroadcasts() {
		return "A" // heartbeats of ingest servers
	}
	switch q {
	case Units, Attempts, CoveredAttempts, WatchUnits, WatchMs, WatchMsUncapped, Starts, TimedStarts,
		Returned, DistinctStarts:
		return "ABCD"
	case RungKbpsMs, RungMs, WaitedAttempts, QuickStarts, StartupImputedMs:
		return "ABC"
	case LowHeightMs, HeightPlayMs, Frames, DroppedFrames, Bytes, BytesPlayMs:
		return "A"
	default:
		return "AB"
	}
}
