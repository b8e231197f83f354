package assignment

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Enrolment is an experiment as one change left it.
type Enrolment struct {
	At      time.Time
	Version int
	Spec    experiment.Spec
	Salt    string
	Slots   []experiment.SlotRange
	Layer   experiment.Layer
	Shipped string // key of the arm, if one was
}

// HoldoutChange is a holdout as one change left it.
type HoldoutChange struct {
	At      time.Time
	Holdout experiment.Holdout
}

// ListChange is a list as one change left it.
type ListChange struct {
	At     time.Time
	Key    string
	Digest string // of the ids; empty: the list was removed
}

// History is what an experiment's arms depended on. Changes are in the order in
// which they were made.
type History struct {
	Experiment string // key of the one that is audited
	Changes    map[string][]Enrolment
	Holdouts   []HoldoutChange
	Lists      []ListChange
	// IDs are the lists whose content is known, by digest: of a list that was
	// replaced the former ids are not kept.
	IDs map[string]*experiment.IDSet
}

// auditState is all that decided the experiment's arms, from one change of any
// part of it to the next.
type auditState struct {
	from, until time.Time // until is zero for the present one
	experiment  *compiled
	reads       bool // an audience reads attributes
}

// replaced reports whether the state had been replaced for long at a time.
func (s *auditState) replaced(at time.Time) bool {
	return !s.until.IsZero() && s.until.Before(at.Add(-AuditSlack))
}

// states returns the states in which the experiment ran, oldest first. Nobody is
// exposed in any other: units that keep their arms during a pause were before it.
func (h *History) states() ([]auditState, error) {
	own := h.Changes[h.Experiment]
	others := h.otherTimes()
	var out []auditState
	for i := range own {
		if own[i].Spec.Status != experiment.StatusRunning {
			continue
		}
		from, until := own[i].At, time.Time{}
		if i+1 < len(own) {
			until = own[i+1].At
		}
		for _, cut := range append(between(others, from, until), until) {
			s, err := h.stateAt(&own[i], from)
			if err != nil {
				return nil, fmt.Errorf("version %d as of %s: %w", own[i].Version, from.Format(time.RFC3339), err)
			}
			s.from, s.until = from, cut
			out = append(out, s)
			from = cut
		}
	}
	return out, nil
}

// otherTimes returns when anything but the experiment itself changed that its
// arms depend on, ascending.
func (h *History) otherTimes() []time.Time {
	var times []time.Time
	lists := map[string]bool{}
	units := make(map[experiment.UnitType]bool)
	for key, changes := range h.Changes {
		for i := range changes {
			units[changes[i].Spec.Unit] = true
			for _, list := range changes[i].Spec.Audience.Lists() {
				lists[list] = true
			}
			if key != h.Experiment {
				times = append(times, changes[i].At)
			}
		}
	}
	for i := range h.Holdouts {
		if units[h.Holdouts[i].Holdout.Unit] {
			times = append(times, h.Holdouts[i].At)
		}
	}
	for i := range h.Lists {
		if lists[h.Lists[i].Key] {
			times = append(times, h.Lists[i].At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// between returns the times after from and before until; a zero until is never.
func between(times []time.Time, from, until time.Time) []time.Time {
	var out []time.Time
	for _, t := range times {
		if t.After(from) && (until.IsZero() || t.Before(until)) {
			out = append(out, t)
		}
	}
	return out
}

// stateAt compiles an experiment with all that it depended on at a time.
func (h *History) stateAt(own *Enrolment, at time.Time) (auditState, error) {
	p, err := newParts(&experiment.Config{Holdouts: h.holdoutsAt(at)})
	if err != nil {
		return auditState{}, err
	}
	p.audiences = newAudienceCompiler(h.listsAt(at))
	in := []*Enrolment{own}
	for key := range h.Changes {
		if e := h.enrolmentAt(key, at); key != h.Experiment && e != nil {
			in = append(in, e)
		}
	}
	s := &Snapshot{index: map[string]int{}}
	for i, e := range in {
		c, err := e.compile(p)
		if err != nil {
			return auditState{}, fmt.Errorf("experiment %s: %w", e.Spec.Key, err)
		}
		s.index[c.Key] = i
		s.experiments = append(s.experiments, c)
	}
	if err := s.linkRequires(); err != nil {
		return auditState{}, err
	}
	return auditState{experiment: &s.experiments[0], reads: len(s.audienceAttributes()) > 0}, nil
}

// compile compiles the experiment. Which units kept their arms in a pause of the
// past is not known any more, so the set is an empty one: judge does not ask it.
func (e *Enrolment) compile(p *parts) (compiled, error) {
	if e.Spec.KeepsArms() {
		p.kept[e.Spec.Key] = experiment.NewUnitSet(nil)
	}
	return compileExperiment(&experiment.Experiment{
		Spec: e.Spec, Version: e.Version, Salt: e.Salt, SlotRanges: e.Slots, ShippedArm: e.Shipped,
	}, &e.Layer, p)
}

// enrolmentAt returns an experiment at a time; nil when it was not evaluated.
func (h *History) enrolmentAt(key string, at time.Time) *Enrolment {
	var last *Enrolment
	changes := h.Changes[key]
	for i := range changes {
		if changes[i].At.After(at) {
			break
		}
		last = &changes[i]
	}
	if last == nil || last.Spec.Status == experiment.StatusDraft || last.Spec.Status == experiment.StatusArchived {
		return nil
	}
	return last
}

func (h *History) holdoutsAt(at time.Time) []experiment.Holdout {
	byKey := map[string]experiment.Holdout{}
	for i := range h.Holdouts {
		if c := &h.Holdouts[i]; !c.At.After(at) {
			byKey[c.Holdout.Key] = c.Holdout
		}
	}
	out := make([]experiment.Holdout, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		out = append(out, byKey[key])
	}
	return out
}

// listsAt returns the lists at a time; nil for those whose ids of then are not
// known.
func (h *History) listsAt(at time.Time) map[string]*experiment.IDSet {
	out := map[string]*experiment.IDSet{}
	for i := range h.Lists {
		c := &h.Lists[i]
		switch {
		case c.At.After(at):
		case c.Digest == "":
			delete(out, c.Key)
		default:
			out[c.Key] = h.IDs[c.Digest]
		}
	}
	return out
}
