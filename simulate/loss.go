package simulate

import "github.com/splitcast/splitcast/experiment"

// KeyReporter is the experiment on what reports from the player: its arms are
// the old and the new reporter, which lose what Switches.Loss says. Nothing
// else differs between them, so that any effect is made by the loss.
const KeyReporter = "new-reporter"

// Loss is what a reporter loses: shares of viewers, each of whom loses one of
// these things at most, in all sessions, and a share of the worst sessions of
// the others. Viewers who report by CMCD lose nothing.
type Loss struct {
	Exposures  float64 // it is never told that they met an experiment
	Sessions   float64 // nothing arrives of any session
	AfterStart float64 // nothing arrives after the wish to play
	AfterFrame float64 // nothing arrives after the first frame
	First      float64 // nothing arrives up to the first frame, and all after it does
	// WorstSessions is the share of sessions with a noticed stall of which
	// nothing arrives after the wish to play.
	WorstSessions float64
}

// lost is what a viewing loses.
type lost uint8

const (
	nothingLost lost = iota
	exposuresLost
	sessionsLost
	afterStartLost
	afterFrameLost
	firstLost
)

// loses reports whether any reporter of the world loses anything.
func (w *World) loses() bool { return w.on.Loss != [2]Loss{} }

// lost returns what a visit loses under the settings.
func (w *World) lost(v *Visit, set Settings) lost {
	if !w.loses() || v.Who.CMCD {
		return nothingLost
	}
	l := w.on.Loss[0]
	if set.NewReporter {
		l = w.on.Loss[1]
	}
	x := newDice(mix(v.Who.seed, purposeLoss)).Float64()
	for _, part := range [...]struct {
		share float64
		is    lost
	}{
		{l.Exposures, exposuresLost},
		{l.Sessions, sessionsLost},
		{l.AfterStart, afterStartLost},
		{l.AfterFrame, afterFrameLost},
		{l.First, firstLost},
	} {
		if x -= part.share; x < 0 {
			return part.is
		}
	}
	if l.WorstSessions > 0 && newDice(mix(v.seed, purposeLoss)).chance(l.WorstSessions) {
		p := w.play(v, set)
		p.runTo(MaxSession.Seconds())
		if p.stalled() {
			return afterStartLost
		}
	}
	return nothingLost
}

// drops reports whether a heartbeat of this kind is lost: the first of the
// session, the one at the first frame, or one after it.
func (l lost) drops(seq int64, atFrame bool) bool {
	switch l {
	case sessionsLost:
		return true
	case afterStartLost:
		return seq > 0
	case afterFrameLost:
		return seq > 0 && !atFrame
	case firstLost:
		return seq == 0 || atFrame
	}
	return false
}

// arrives returns those of the exposures that a visit met which arrive.
func (l lost) arrives(met []experiment.Exposure) []experiment.Exposure {
	if l == exposuresLost {
		return nil
	}
	return met
}
