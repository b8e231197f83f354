package assignment

import (
	"fmt"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// AuditSlack is how far the time of an exposure may lie from the configuration
// that decided it without a word: clocks of services differ by seconds, and a
// client that polls has a new configuration after 36 s.
const AuditSlack = time.Minute

// Verdict is what an Auditor makes of one exposure.
type Verdict uint8

// The verdicts.
const (
	// VerdictRight: the configuration of the time gives the unit that arm.
	VerdictRight Verdict = iota
	// VerdictEarlier: only a configuration does that had been replaced for more
	// than AuditSlack. Who evaluated had not heard of the change: a client or a
	// server that was cut off, or a page that was open for long.
	VerdictEarlier
	// VerdictWrong: no configuration of the version gives the unit that arm.
	VerdictWrong
	// VerdictNotJudged: it depends on what is not known any more.
	VerdictNotJudged
)

// Finding is the verdict on one exposure; Why says in words what is wrong or not
// known, and is empty when nothing is.
type Finding struct {
	Verdict Verdict
	Why     string
}

// AuditedExposure is an exposure as it is recorded. What its attributes lack
// counts as not known: who reports exposures need not report all that decided.
type AuditedExposure struct {
	Version    int
	Unit       string
	Arm        int
	At         time.Time
	Override   bool
	Attributes map[string]string
}

// Auditor derives the arms of recorded exposures again, from the history of one
// experiment: it evaluates as was evaluated at the time of each, with salt,
// weights, slots, overrides, audience, holdouts and prerequisites of then. It is
// not safe for concurrent use.
type Auditor struct {
	versions map[int][]auditState // ascending by time
	reads    bool                 // some audience reads attributes
	ctx      Context
}

// NewAuditor returns the Auditor of a history. It returns an error for a history
// that could not have been in force.
func NewAuditor(h *History) (*Auditor, error) {
	states, err := h.states()
	if err != nil {
		return nil, err
	}
	a := &Auditor{versions: map[int][]auditState{}}
	for _, s := range states {
		a.versions[s.experiment.Version] = append(a.versions[s.experiment.Version], s)
		a.reads = a.reads || s.reads
	}
	return a, nil
}

// Check judges an exposure. A configuration never comes from the future, but one
// of the past may still have been in force where the unit was evaluated: so the
// states of the version are asked backwards from the time of the exposure.
func (a *Auditor) Check(x *AuditedExposure) Finding {
	states := a.versions[x.Version]
	switch {
	case len(states) == 0:
		return wrongf("there is no version %d that ran", x.Version)
	case !experiment.ValidUnitID(x.Unit):
		return wrongf("the unit's id is not valid")
	case x.Arm < 0 || x.Arm >= len(states[0].experiment.arms):
		return wrongf("version %d has no arm %d", x.Version, x.Arm)
	case x.At.Before(states[0].from.Add(-AuditSlack)):
		return wrongf("the exposure is dated before version %d ran, which began at %s", x.Version, states[0].from.UTC().Format(time.RFC3339))
	case x.Override && !forced(states, x.Unit):
		return wrongf("no override forced the unit into an arm")
	}
	a.read(x, states[0].experiment.unit)
	var newest, unknown *auditState
	var why, whyUnknown step
	for i := len(states) - 1; i >= 0; i-- {
		s := &states[i]
		if s.from.After(x.At.Add(AuditSlack)) {
			continue
		}
		st := s.judge(&a.ctx, x)
		switch {
		case st.match == MatchYes && s.replaced(x.At):
			return Finding{Verdict: VerdictEarlier}
		case st.match == MatchYes:
			return Finding{Verdict: VerdictRight}
		case st.match == MatchUnknown && unknown == nil:
			unknown, whyUnknown = s, st
		}
		if newest == nil {
			newest, why = s, st
		}
	}
	if unknown != nil {
		return Finding{VerdictNotJudged, whyUnknown.words(unknown.experiment, x)}
	}
	return Finding{VerdictWrong, why.words(newest.experiment, x)}
}

func wrongf(format string, args ...any) Finding {
	return Finding{VerdictWrong, fmt.Sprintf(format, args...)}
}

// forced reports whether an override of the version ever forced the unit: an
// exposure is marked by the first that was forced, whenever that came.
func forced(states []auditState, unit string) bool {
	for i := range states {
		if _, ok := states[i].experiment.overrides[unit]; ok {
			return true
		}
	}
	return false
}

// read makes the context of what is known about the unit. The targeting key is
// not: the unit's id may have come from an attribute.
func (a *Auditor) read(x *AuditedExposure, unit unitIndex) {
	a.ctx.Reset("")
	if a.reads {
		for name, text := range x.Attributes {
			a.ctx.SetString(name, text)
		}
	}
	a.ctx.ids[unit] = newUnitID(x.Unit)
}
