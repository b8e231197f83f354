package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

func cup(from, to int) experiment.Document {
	return experiment.Document{Freezes: []experiment.Freeze{{Key: "cup", From: at(from), To: at(to), Reason: "the final of the cup"}}}
}

// Within a window nothing that changes assignment is published, and the error
// names the window and its end. Words, plans and drafts are free.
func TestFreezeRefusesChangesOfAssignment(t *testing.T) {
	t.Parallel()
	db := open(t)
	draft := specOf("draft", "", 10_000)
	draft.Status = experiment.StatusDraft
	applySpecs(t, db, specOf("a", "player", 2000), draft)
	if out := applyDocument(t, db, at(0), cup(1, 3)); out.Freezes[0].Result != Created {
		t.Errorf("the window is %+v", out.Freezes)
	}
	with := func(edit func(*experiment.Spec)) experiment.Document {
		spec := specOf("a", "player", 2000)
		edit(&spec)
		return experiment.Document{Experiments: []experiment.Spec{spec}}
	}
	launch := draft
	launch.Status = experiment.StatusRunning
	frozen := map[string]experiment.Document{
		"slots":     with(func(s *experiment.Spec) { s.Slots = 3000 }),
		"pause":     with(func(s *experiment.Spec) { s.Status = experiment.StatusPaused }),
		"stop":      with(func(s *experiment.Spec) { s.Status = experiment.StatusStopped }),
		"override":  with(func(s *experiment.Spec) { s.Overrides = map[string]string{"qa": "control"} }),
		"audience":  with(func(s *experiment.Spec) { s.Audience = &experiment.Audience{Attr: "os", Op: experiment.OpPresent} }),
		"value":     with(func(s *experiment.Spec) { s.Arms[1].Value = []byte("false") }),
		"launch":    {Experiments: []experiment.Spec{launch}},
		"new":       {Experiments: []experiment.Spec{specOf("b", "", 10_000)}},
		"holdout":   holdoutOf(100),
		"no stop":   {Experiments: []experiment.Spec{launch}, BreakFreeze: "because"},
		"no right":  {Experiments: with(func(s *experiment.Spec) { s.Status = experiment.StatusStopped }).Experiments, BreakFreeze: "it stalls"},
		"shortened": cup(1, 2),
	}
	for name, doc := range frozen {
		for _, hour := range []int{1, 2} {
			_, err := db.ApplyDocument(t.Context(), doc, actAt(at(hour)))
			code, _ := experiment.CodeOf(err)
			forbidden := name == "no right" || name == "shortened"
			if forbidden && code != experiment.CodeForbidden || !forbidden && code != experiment.CodeConflict {
				t.Errorf("%s at hour %d = %v, want it refused", name, hour, err)
				continue
			}
			if !forbidden && (!strings.Contains(err.Error(), "cup (the final of the cup)") || !strings.Contains(err.Error(), at(3).Format(time.RFC3339))) {
				t.Errorf("%s = %v, want the window and its end", name, err)
			}
		}
	}
	if _, err := db.Ship(t.Context(), "a", "treatment", actAt(at(1))); err == nil {
		t.Error("an arm was shipped within the window")
	}
	if _, err := db.Restart(t.Context(), "a", actAt(at(1))); err == nil {
		t.Error("an experiment was restarted within the window")
	}
	free := with(func(s *experiment.Spec) { s.Name, s.Plan.Units = "Words", 5000 })
	later := specOf("later", "", 10_000)
	later.Status = experiment.StatusDraft
	free.Experiments = append(free.Experiments, later)
	applyDocument(t, db, at(2), free)
	applyDocument(t, db, at(3), with(func(s *experiment.Spec) { s.Slots = 3000 }))
}

// An administrator who says why may take treatment away, and nothing else.
func TestFreezeIsBrokenForSafety(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 2000)
	spec.Arms = append(spec.Arms, experiment.Arm{Key: "third", Weight: 1, Value: []byte("true")})
	applySpecs(t, db, spec, specOf("b", "", 10_000))
	if _, err := db.Ship(t.Context(), "b", "treatment", actAt(at(0))); err != nil {
		t.Fatal(err)
	}
	applyDocument(t, db, at(0), cup(1, 9))
	admin := actAt(at(2))
	admin.Admin, admin.BreakFreeze = true, "it stalls"

	larger := spec
	larger.Slots = 3000
	_, err := db.applyAs(t, admin, larger)
	wantCode(t, "growing", err, experiment.CodeConflict)
	_, err = db.Ship(t.Context(), "a", "third", admin)
	wantCode(t, "shipping", err, experiment.CodeConflict)

	dropped := spec
	dropped.Arms = append([]experiment.Arm(nil), spec.Arms...)
	dropped.Arms[1].Dropped = true
	for _, status := range []experiment.Status{experiment.StatusRunning, experiment.StatusPaused, experiment.StatusStopped} {
		dropped.Status = status
		if _, err := db.applyAs(t, admin, dropped); err != nil {
			t.Errorf("dropping an arm, then %s: %v", status, err)
		}
	}
	if _, err := db.Unship(t.Context(), "b", admin); err != nil {
		t.Errorf("removing a shipped arm: %v", err)
	}
	entries, err := db.Audit(t.Context(), 0, 1)
	if err != nil || !strings.Contains(string(entries[0].Detail), `"break_freeze":"it stalls"`) {
		t.Errorf("audit = %+v, %v, want the reason", entries, err)
	}
	if out, err := db.ApplyDocument(t.Context(), cup(1, 2), admin); err != nil || out.Freezes[0].Result != Updated {
		t.Errorf("an administrator ends the window: %+v, %v", out, err)
	}
	if left, err := db.Freezes(t.Context(), at(3)); err != nil || len(left) != 0 {
		t.Errorf("Freezes = %+v, %v, want none", left, err)
	}
}
