package experiment

import "time"

// Method is how goals are decided: the rule that turns an interval into a
// verdict. It is fixed with the plan; choosing it when data were seen would void
// every method.
type Method string

// The methods.
const (
	// MethodSequential decides at any look. The default, and the zero value means it.
	MethodSequential Method = "sequential"
	// MethodGroupSequential decides at planned looks until a planned end.
	MethodGroupSequential Method = "group_sequential"
)

// Spending is how a group-sequential plan spends alpha by information.
type Spending string

// The spending functions (Lan and DeMets 1983; Kim and DeMets 1987).
const (
	// SpendingOBrienFleming spends almost nothing early: the default.
	SpendingOBrienFleming Spending = "obrien_fleming"
	// SpendingPocock spends about evenly: it stops earlier and finds less at the end.
	SpendingPocock Spending = "pocock"
	// SpendingKimDeMets spends alpha t^2, between the two.
	SpendingKimDeMets Spending = "kim_demets"
)

// Looks of a group-sequential plan.
const (
	MinLooks = 2 // one look is a fixed test, of which the plan language has none
	// MaxLooks is a look a day for four weeks. More cost time to compute and save
	// next to nothing: the expected number of units hardly falls after ten.
	MaxLooks = 28
	// DefaultLooks is a look a day for two weeks.
	DefaultLooks = 14
)

// GroupSequential reports whether goals are decided at planned looks.
func (p *Plan) GroupSequential() bool { return p.Method == MethodGroupSequential }

// LookTimes returns when the planned looks of a group-sequential plan are due in
// a run that began at start: look k of N at start + k/N (end-start), the last one
// at 00:00 UTC of the end's day. It is empty for another method. A plan that ends
// before it starts has all its looks at its end.
//
// They are calendar times. A pause moves none of them, for its length may come
// from what was seen.
func (p *Plan) LookTimes(start time.Time) []time.Time {
	if !p.GroupSequential() || p.End == nil {
		return nil
	}
	end := p.End.Time
	span := max(0, end.Sub(start))
	out := make([]time.Time, p.Looks)
	for k := range out {
		left := time.Duration(float64(span) * float64(p.Looks-1-k) / float64(p.Looks))
		out[k] = end.Add(-left)
	}
	return out
}

// methodDefaults sets what a group-sequential plan leaves open. The sequential
// method is written as none, so that plans have the hash that they had before
// there was a choice.
func (p *Plan) methodDefaults() {
	if p.Method == MethodSequential {
		p.Method = ""
	}
	if !p.GroupSequential() {
		return
	}
	if p.Looks == 0 {
		p.Looks = DefaultLooks
	}
	if p.Spending == "" {
		p.Spending = SpendingOBrienFleming
	}
}

func (p *Plan) validateMethod(f *faultList) {
	switch p.Method {
	case "", MethodSequential:
		if p.Looks != 0 {
			f.addf("plan.looks", "only a plan with method: group_sequential has planned looks; a sequential one may be looked at whenever")
		}
		if p.Spending != "" {
			f.addf("plan.spending", "only a plan with method: group_sequential spends alpha over looks")
		}
		return
	case MethodGroupSequential:
	default:
		f.addf("plan.method", "must be sequential or group_sequential")
		return
	}
	if p.End == nil {
		f.addf("plan.end", "a group-sequential plan needs a planned end: its looks are spread until then")
	}
	if p.Looks < MinLooks || p.Looks > MaxLooks {
		f.addf("plan.looks", "must be %d to %d planned looks", MinLooks, MaxLooks)
	}
	switch p.Spending {
	case SpendingOBrienFleming, SpendingPocock, SpendingKimDeMets:
	default:
		f.addf("plan.spending", "must be obrien_fleming, pocock or kim_demets")
	}
}

// CheckEnd returns an Error of CodeConflict for an experiment whose run begins at
// start although its group-sequential plan ends by then: it would have no look.
func (e *Spec) CheckEnd(start time.Time) error {
	if e.Plan.GroupSequential() && e.Plan.End != nil && !e.Plan.End.After(start) {
		return Errorf(CodeConflict, "plan.end", "the planned looks end on %s, but the experiment begins on %s",
			e.Plan.End.Format(time.DateOnly), start.UTC().Format(time.DateOnly))
	}
	return nil
}

// CheckRun returns what CheckEnd does when next begins a run at now that cur, nil
// for a new experiment, was not: a launch, or another version of what runs.
func CheckRun(cur, next *Experiment, now time.Time) error {
	if next.Status != StatusRunning && next.Status != StatusPaused {
		return nil
	}
	if cur != nil && cur.Status != StatusDraft && cur.Version == next.Version {
		return nil
	}
	return next.CheckEnd(now)
}
