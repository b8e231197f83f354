package experiment

import "time"

// Ship returns the experiment stopped, with the arm served to every unit of
// its type except those of a holdout. It returns an Error of CodeConflict for
// an experiment that never ran or is archived, and of CodeInvalid for an arm
// that it has not or that was dropped.
func Ship(cur Experiment, arm string) (Experiment, error) {
	if cur.Status == StatusDraft || cur.Status == StatusArchived {
		return Experiment{}, Errorf(CodeConflict, "status", "an experiment that is %s cannot ship an arm", cur.Status)
	}
	if err := refuseMeasured(&cur.Spec, "ship an arm"); err != nil {
		return Experiment{}, err
	}
	i := cur.ArmIndex(arm)
	if i < 0 {
		return Experiment{}, Invalidf("arm", "experiment %s has no arm %q", cur.Key, arm)
	}
	if cur.Arms[i].Dropped {
		return Experiment{}, Invalidf("arm", "arm %q was dropped", arm)
	}
	cur.Status, cur.ShippedArm = StatusStopped, arm
	return cur, nil
}

// Unship returns the experiment without its shipped arm: every unit gets
// control's value again. It returns an Error of CodeConflict when no arm is
// shipped.
func Unship(cur Experiment) (Experiment, error) {
	if cur.ShippedArm == "" {
		return Experiment{}, Errorf(CodeConflict, "shipped_arm", "experiment %s ships no arm", cur.Key)
	}
	cur.ShippedArm = ""
	return cur, nil
}

// Restart returns the experiment running anew: another salt, so that every
// unit is drawn again, and another version, so that what was learnt stays
// visible and is never mixed with what follows. Its ramp begins with the
// document's slots; steps that are past by now are not taken. Arms that were
// dropped stay dropped. It returns an Error of CodeConflict for a draft, an
// archived experiment and one whose schedule or planned looks are over.
func Restart(cur Experiment, salt string, now time.Time) (Experiment, error) {
	if cur.Status == StatusDraft || cur.Status == StatusArchived {
		return Experiment{}, Errorf(CodeConflict, "status", "an experiment that is %s cannot restart", cur.Status)
	}
	if err := refuseMeasured(&cur.Spec, "restart"); err != nil {
		return Experiment{}, err
	}
	if cur.StopAt != nil && !cur.StopAt.After(now) {
		return Experiment{}, Errorf(CodeConflict, "stop_at", "is past: the schedule would stop the experiment at once")
	}
	if err := cur.CheckEnd(now); err != nil {
		return Experiment{}, err
	}
	cur.Status, cur.ShippedArm, cur.StoppedAt = StatusRunning, "", nil
	cur.Salt = salt
	cur.Version++
	cur.StartedAt = &now
	cur.RampSlots, cur.RampedAt = 0, &now
	return cur, nil
}
