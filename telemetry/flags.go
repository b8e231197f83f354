package telemetry

// Flags are doubts about a session. A flagged session is kept; reports show
// their numbers with and without, alike in all arms.
type Flags uint8

// The flags.
const (
	FlagClock    Flags = 1 << iota // the monotonic clock ran faster than any other clock
	FlagNoFrames                   // plays, and not one frame was decoded
	FlagHidden                     // surely hidden for more than HiddenPct of its play
	FlagLong                       // longer than LongSessionMs
)

// Limits beyond which a session is doubted.
const (
	ClockSlackMs  = 60_000         // of mono against the other clocks
	HiddenPct     = 95             // of play
	LongSessionMs = 16 * 3_600_000 // nobody watches longer without a touch
	minPlayMs     = 10_000         // below, frames and hiding say nothing
)

// Flags returns the doubts about s.
//
// FlagHidden takes pauses and stalls for the hidden time, as far as they go: who pauses
// and turns to another tab does not play hidden.
//
// FlagClock compares mono between the first and the last record with the time
// that passed between them by receipt or by the client's wall clock, whichever
// is more: a device that was offline delivers a whole session at once, and the
// session's first records may be lost, so neither the span of receipt alone
// nor mono alone would do.
func (s *Session) Flags() Flags {
	var f Flags
	passedMs := max(s.Last.RecvMs-s.First.RecvMs, s.Last.ClientTsMs-s.First.ClientTsMs)
	if s.Last.MonoMs-s.First.MonoMs > passedMs+ClockSlackMs {
		f |= FlagClock
	}
	if s.PlayMs >= minPlayMs {
		if s.Observed.Has(ObservedFrames) && s.Frames == 0 {
			f |= FlagNoFrames
		}
		if s.HiddenMs-s.PausedMs-s.StallMs > s.PlayMs/100*HiddenPct {
			f |= FlagHidden
		}
	}
	if s.PlayMs+s.PausedMs > LongSessionMs {
		f |= FlagLong
	}
	return f
}
