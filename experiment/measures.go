package experiment

// An experiment that measures a holdout has the holdout's salt and weights, so
// that its first arm is exactly the units that are held out; those of the second
// get whatever runs and shipped. One outcome of each unit since its start says
// what the programme does now, not what it did when the holdout began: to ask
// again, another experiment measures it again.
// (docs/adr/0018-a-holdout-is-measured-by-an-experiment.md)

// validateMeasures checks what makes the first arm the units held out, and what
// the units' past would undo: it is after the holdout began, so that the
// programme has been at work in it, and adjusting by it takes the effect away.
func (e *Spec) validateMeasures(f *faultList) {
	if e.MeasuresHoldout == "" {
		return
	}
	if !ValidKey(e.MeasuresHoldout) {
		f.addf("measures_holdout", "must be the key of a holdout")
	}
	if len(e.Arms) != MinArms {
		f.addf("arms", "of an experiment that measures a holdout: first the units held out, then all others")
	}
	if e.Slots != TotalSlots || len(e.Ramp) > 0 || e.Layer != "" {
		f.addf("slots", "an experiment that measures a holdout is of all units: leave out layer, slots and ramp")
	}
	if len(e.Requires) > 0 {
		f.addf("requires", "units that are held out fulfil no prerequisite: there would be nobody to compare with")
	}
	if e.IgnoreHoldouts != "" {
		f.addf("ignore_holdouts", "leave it out: only the holdout that is measured takes part")
	}
	if e.Plan.Covariates.Days() > 0 {
		f.addf("plan.covariates", "must be off: the past of the units has the effect of the programme in it, which adjusting would take away")
	}
}

// CheckMeasures returns an Error of CodeConflict unless an experiment that
// measures a holdout compares the units that it holds out; h is nil when there is
// no such holdout. Of an experiment that is over nothing is asked.
func (e *Experiment) CheckMeasures(h *Holdout) error {
	switch {
	case e.MeasuresHoldout == "" || e.Status == StatusStopped || e.Status == StatusArchived:
		return nil
	case h == nil:
		return Errorf(CodeConflict, "measures_holdout", "there is no holdout %q", e.MeasuresHoldout)
	case h.Ended:
		return Errorf(CodeConflict, "measures_holdout", "holdout %s has ended: its units take part again", h.Key)
	case h.Unit != e.Unit:
		return Errorf(CodeConflict, "unit", "must be %s, as of the holdout %s", h.Unit, h.Key)
	case e.Salt != h.Salt:
		return Errorf(CodeConflict, "measures_holdout", "what an experiment measures cannot change; make another")
	}
	for i, want := range []int64{int64(h.Slots), TotalSlots - int64(h.Slots)} {
		if e.Arms[i].Weight != want {
			return Errorf(CodeConflict, "arms", "must have the weights %d and %d: holdout %s has %d of %d slots",
				h.Slots, TotalSlots-h.Slots, h.Key, h.Slots, TotalSlots)
		}
	}
	return nil
}

// refuseMeasured returns an Error of CodeConflict for what would make the arms of
// an experiment that measures a holdout other units than those.
func refuseMeasured(e *Spec, doing string) error {
	if e.MeasuresHoldout == "" {
		return nil
	}
	return Errorf(CodeConflict, "measures_holdout", "an experiment that measures a holdout cannot %s: its arms are the units of %s; stop it, and make another", doing, e.MeasuresHoldout)
}
