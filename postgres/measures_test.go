package postgres

import (
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// measuringOf measures the holdout h of so many slots.
func measuringOf(key string, slots int64) experiment.Spec {
	spec := specOf(key, "", experiment.TotalSlots)
	spec.MeasuresHoldout = "h"
	spec.Arms[0].Weight, spec.Arms[1].Weight = slots, experiment.TotalSlots-slots
	return spec
}

// A measurement has the salt of its holdout and is not adjusted; while it runs
// the holdout stays as it is.
func TestMeasuringAHoldout(t *testing.T) {
	t.Parallel()
	db := open(t)
	_, err := db.Apply(t.Context(), []experiment.Spec{measuringOf("early", 200)}, actAt(at(0)))
	wantCode(t, "measuring what is not there", err, experiment.CodeConflict)
	doc := holdoutOf(200) // of one document with what measures it
	doc.Experiments = []experiment.Spec{measuringOf("m", 200)}
	out := applyDocument(t, db, at(1), doc)
	m := get(t, db, "m")
	if m.Salt != out.Holdouts[0].Holdout.Salt || m.Plan.Covariates != experiment.CovariatesOff || m.Version != 1 {
		t.Errorf("the measurement has salt %q, is adjusted by %q, in version %d; want %q, off, 1", m.Salt, m.Plan.Covariates, m.Version, out.Holdouts[0].Holdout.Salt)
	}
	_, err = db.Apply(t.Context(), []experiment.Spec{measuringOf("m", 300)}, actAt(at(2)))
	wantCode(t, "other weights", err, experiment.CodeConflict)
	_, err = db.Restart(t.Context(), "m", actAt(at(2)))
	wantCode(t, "a restart", err, experiment.CodeConflict)
	ended := holdoutOf(200)
	ended.Holdouts[0].Ended = true
	for doing, doc := range map[string]experiment.Document{"growing": holdoutOf(300), "shrinking": holdoutOf(100), "ending": ended} {
		_, err := db.ApplyDocument(t.Context(), doc, actAt(at(3)))
		wantCode(t, doing+" a holdout that is measured", err, experiment.CodeConflict)
	}
	if _, err := db.SetStatus(t.Context(), "m", experiment.StatusStopped, actAt(at(4))); err != nil {
		t.Fatal(err)
	}
	applyDocument(t, db, at(5), holdoutOf(300))
	draft := measuringOf("next", 300)
	draft.Status = experiment.StatusDraft
	applyDocument(t, db, at(6), experiment.Document{Experiments: []experiment.Spec{draft}})
	applyDocument(t, db, at(7), holdoutOf(400)) // a draft measures nothing yet
	_, err = db.SetStatus(t.Context(), "next", experiment.StatusRunning, actAt(at(8)))
	wantCode(t, "launching what no longer fits", err, experiment.CodeConflict)
	renamed := measuringOf("m", 200)
	renamed.Status, renamed.Name = experiment.StatusStopped, "The year"
	applyDocument(t, db, at(9), experiment.Document{Experiments: []experiment.Spec{renamed}}) // it is over: nothing is asked of it
}
