package experiment

import (
	"fmt"
	"time"
)

// MaxRampSteps bounds a ramp: more than one step an hour over two days is a
// curve nobody reads.
const MaxRampSteps = 50

// RampStep is one step of a ramp: from At on the experiment owns Slots slots.
type RampStep struct {
	At    time.Time `json:"at"`
	Slots int       `json:"slots"`
}

// validateSchedule checks the times among themselves; whether they are past is
// not known here and no fault: a step that is due is done at once.
func (e *Spec) validateSchedule(f *faultList) {
	if e.StartAt != nil && e.StopAt != nil && !e.StopAt.After(*e.StartAt) {
		f.addf("stop_at", "must be after start_at")
	}
	if e.StartAt != nil && e.CheckEnd(*e.StartAt) != nil {
		f.addf("plan.end", "must be after start_at: the planned looks lie between them")
	}
	if len(e.Ramp) > MaxRampSteps {
		f.addf("ramp", "at most %d steps", MaxRampSteps)
		return
	}
	for i, step := range e.Ramp {
		field := fmt.Sprintf("ramp[%d]", i)
		if step.At.IsZero() {
			f.addf(field+".at", "must be a time such as 2026-12-01T08:00:00Z")
		}
		if step.Slots < 1 || step.Slots > TotalSlots {
			f.addf(field+".slots", "must be 1 to %d of the layer's %d slots", TotalSlots, TotalSlots)
		}
		if i == 0 {
			continue
		}
		if !step.At.After(e.Ramp[i-1].At) {
			f.addf(field+".at", "must be after the step before")
		}
		if step.Slots <= e.Ramp[i-1].Slots {
			f.addf(field+".slots", "must be more than in the step before: a ramp only grows; a person may shrink it by slots")
		}
	}
}

// normalizeSchedule gives times the form in which they are stored and compared.
func (e *Spec) normalizeSchedule() {
	plain := func(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
	for _, t := range []**time.Time{&e.StartAt, &e.StopAt} {
		if *t != nil {
			at := plain(**t)
			*t = &at
		}
	}
	if e.Ramp == nil {
		return
	}
	steps := make([]RampStep, len(e.Ramp)) // the caller's slice is left alone
	for i, step := range e.Ramp {
		steps[i] = RampStep{plain(step.At), step.Slots}
	}
	e.Ramp = steps
}

// TargetSlots returns how many slots the experiment owns while it runs: what
// the ramp has reached, else what the document says.
func (e *Experiment) TargetSlots() int {
	if e.RampSlots > 0 {
		return e.RampSlots
	}
	return e.Slots
}

// NextStep returns when the schedule next changes the experiment in its present
// status; false when it never does. Steps of a ramp wait while it is paused.
func (e *Experiment) NextStep() (time.Time, bool) {
	var at *time.Time
	switch e.Status {
	case StatusDraft:
		at = e.StartAt
	case StatusRunning:
		at = e.StopAt
		if step := e.nextRampStep(); step != nil && (at == nil || !step.At.After(*at)) {
			at = &step.At
		}
	case StatusPaused:
		at = e.StopAt
	}
	if at == nil {
		return time.Time{}, false
	}
	return *at, true
}

func (e *Experiment) nextRampStep() *RampStep {
	for i := range e.Ramp {
		if e.RampedAt == nil || e.Ramp[i].At.After(*e.RampedAt) {
			return &e.Ramp[i]
		}
	}
	return nil
}

// Advance returns the experiment after every step of its schedule that is due
// at now, and what they change. due is false when there is none. A step of the
// ramp that is not above what the experiment owns passes without effect.
func Advance(cur Experiment, now time.Time) (next Experiment, changes []Change, due bool) {
	next = cur
	for {
		at, ok := next.NextStep()
		if !ok || at.After(now) {
			break
		}
		due = true
		next.advance()
	}
	if next.Status != cur.Status {
		changes = append(changes, Change{"status", mustMarshal(cur.Status), mustMarshal(next.Status)})
	}
	if a, b := cur.TargetSlots(), next.TargetSlots(); a != b {
		changes = append(changes, Change{"slots", mustMarshal(a), mustMarshal(b)})
	}
	return next, changes, due
}

// advance does the step that NextStep returns.
func (e *Experiment) advance() {
	if e.Status == StatusDraft {
		e.Status = StatusRunning
		return
	}
	step := e.nextRampStep()
	if e.Status == StatusPaused || step == nil || e.StopAt != nil && e.StopAt.Before(step.At) {
		e.Status = StatusStopped
		return
	}
	at := step.At
	e.RampedAt = &at
	if step.Slots > e.TargetSlots() {
		e.RampSlots = step.Slots
	}
}

// afterSchedule gives spec the status that the schedule has brought about. A
// document that says what it said before a step is no order to undo the step.
func (e *Experiment) afterSchedule(spec *Spec) {
	started := e.StartAt != nil && sameTime(e.StartAt, spec.StartAt) && e.StartedAt != nil && !e.StartedAt.Before(*e.StartAt)
	if started && spec.Status == StatusDraft {
		spec.Status = e.Status
	}
	stopped := e.StopAt != nil && sameTime(e.StopAt, spec.StopAt) && e.StoppedAt != nil && !e.StoppedAt.Before(*e.StopAt)
	if stopped && (spec.Status == StatusRunning || spec.Status == StatusPaused) {
		spec.Status = e.Status
	}
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// Outlook says how far the ramp of an experiment has come, and what its schedule
// will change next.
type Outlook struct {
	// Slots are those owned while it runs; Goal is what the ramp leads to.
	Slots int `json:"slots"`
	Goal  int `json:"goal"`
	// NextAt is when the next step is; nil: there is none. NextSlots is what it
	// grows to; 0: the step starts or stops the experiment.
	NextAt    *time.Time `json:"next_at,omitempty"`
	NextSlots int        `json:"next_slots,omitempty"`
}

// Outlook returns the outlook.
func (e *Experiment) Outlook() Outlook {
	o := Outlook{Slots: e.TargetSlots()}
	o.Goal = o.Slots
	if e.nextRampStep() != nil {
		o.Goal = e.Ramp[len(e.Ramp)-1].Slots
	}
	at, ok := e.NextStep()
	if !ok {
		return o
	}
	o.NextAt = &at
	if step := e.nextRampStep(); e.Status == StatusRunning && step != nil && step.At.Equal(at) {
		o.NextSlots = step.Slots
	}
	return o
}
