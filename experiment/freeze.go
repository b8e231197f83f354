package experiment

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// Limits of freeze windows.
const (
	// MaxFreezes bounds the windows that are not over.
	MaxFreezes = 100
	// MaxFreezeSpan is longer than any event; a longer one is a slip of the pen
	// that would stop all work.
	MaxFreezeSpan = 31 * 24 * time.Hour
)

// Freeze is a window, such as that of a big event, within which nothing that
// changes assignment is published. Key names it; a document with the same key
// moves it.
type Freeze struct {
	Key    string    `json:"key"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"` // the first moment after
	Reason string    `json:"reason"`
}

// Validate returns every fault of the window as Errors of CodeInvalid, or nil.
func (z *Freeze) Validate() error {
	var f faultList
	if !ValidKey(z.Key) {
		f.addf("key", "must be a key as of experiments")
	}
	switch {
	case z.From.IsZero() || z.To.IsZero():
		f.addf("from", "from and to must be times such as 2026-12-01T08:00:00Z")
	case !z.To.After(z.From):
		f.addf("to", "must be after from")
	case z.To.Sub(z.From) > MaxFreezeSpan:
		f.addf("to", "a window lasts at most %d days", MaxFreezeSpan/(24*time.Hour))
	}
	if z.Reason == "" || len(z.Reason) > MaxReasonBytes {
		f.addf("reason", "must say why, in at most %d bytes", MaxReasonBytes)
	}
	return f.err()
}

// Normalize gives times the form in which they are stored and compared.
func (z *Freeze) Normalize() {
	z.From, z.To = z.From.UTC().Truncate(time.Second), z.To.UTC().Truncate(time.Second)
}

// Holds reports whether now is within the window.
func (z *Freeze) Holds(now time.Time) bool { return !now.Before(z.From) && now.Before(z.To) }

// Refusal is the Error of CodeConflict of a change within the window.
func (z *Freeze) Refusal() *Error {
	return Errorf(CodeConflict, "break_freeze", "nothing that changes assignment is published during %s (%s), which ends at %s; "+
		"to pause, stop, drop an arm or remove a shipped one all the same, an administrator says why in break_freeze",
		z.Key, z.Reason, z.To.Format(time.RFC3339))
}

// inForce reports whether assignment knows the experiment.
func inForce(e *Experiment) bool {
	return e != nil && e.Status != StatusDraft && e.Status != StatusArchived
}

// ChangesAssignment reports whether some unit could get another answer from
// next than from cur, which is nil for a new experiment.
func ChangesAssignment(cur, next *Experiment) bool {
	if !inForce(cur) && !inForce(next) {
		return false
	}
	if inForce(cur) != inForce(next) {
		return true
	}
	return cur.Status != next.Status || cur.TargetSlots() != next.TargetSlots() || cur.Salt != next.Salt ||
		cur.ShippedArm != next.ShippedArm || (cur.IgnoreHoldouts == "") != (next.IgnoreHoldouts == "") ||
		cur.KeepsArms() != next.KeepsArms() || cur.LayerKey() != next.LayerKey() ||
		!reflect.DeepEqual(cur.Audience, next.Audience) || !reflect.DeepEqual(cur.Requires, next.Requires) ||
		!maps.Equal(cur.Overrides, next.Overrides) || !sameArms(cur.Arms, next.Arms) || !sameDropped(cur.Arms, next.Arms)
}

func sameDropped(a, b []Arm) bool {
	return slices.EqualFunc(a, b, func(x, y Arm) bool { return x.Dropped == y.Dropped })
}

// OnlyStops reports whether next differs from cur, as far as assignment is
// concerned, in nothing but taking treatment away: paused or stopped, an arm
// dropped, a shipped arm removed. That is what a freeze window may be broken for.
func OnlyStops(cur, next *Experiment) bool {
	if !inForce(cur) || !inForce(next) || len(cur.Arms) != len(next.Arms) {
		return false
	}
	alike := *next
	alike.Arms = slices.Clone(next.Arms)
	if next.Status == StatusPaused && cur.Status == StatusRunning || next.Status == StatusStopped && next.ShippedArm == "" {
		alike.Status, alike.OnPause = cur.Status, cur.OnPause
		alike.ShippedArm = cur.ShippedArm
	}
	for i := range alike.Arms {
		if alike.Arms[i].Dropped {
			alike.Arms[i].Dropped = cur.Arms[i].Dropped
		}
	}
	return !ChangesAssignment(cur, &alike)
}
