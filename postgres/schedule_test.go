package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

func at(h int) time.Time { return testNow.Add(time.Duration(h) * time.Hour) }

func atPtr(h int) *time.Time {
	t := at(h)
	return &t
}

// get returns one experiment.
func get(t testing.TB, db *DB, key string) experiment.Experiment {
	t.Helper()
	e, err := db.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return e
}

// runSchedule runs the schedule and returns what it changed.
func runSchedule(t testing.TB, db *DB, now time.Time) []Applied {
	t.Helper()
	out, err := db.RunSchedule(t.Context(), now)
	if err != nil {
		t.Fatalf("RunSchedule: %v", err)
	}
	return out
}

// scheduled is a draft that starts after an hour, ramps at two and three, and
// stops after four.
func scheduled() experiment.Spec {
	spec := specOf("a", "player", 500)
	spec.Status, spec.StartAt, spec.StopAt = experiment.StatusDraft, atPtr(1), atPtr(4)
	spec.Ramp = []experiment.RampStep{{At: at(2), Slots: 1000}, {At: at(3), Slots: 4000}}
	return spec
}

func TestScheduleStartsRampsAndStops(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, scheduled())
	if out := runSchedule(t, db, at(1).Add(-time.Microsecond)); len(out) != 0 {
		t.Fatalf("before it is due the schedule changed %+v", out)
	}
	var first []experiment.SlotRange
	for _, step := range []struct {
		hour, slots int
		status      experiment.Status
	}{{1, 500, experiment.StatusRunning}, {2, 1000, experiment.StatusRunning}, {3, 4000, experiment.StatusRunning}, {4, 0, experiment.StatusStopped}} {
		before := configVersion(t, db)
		if out := runSchedule(t, db, at(step.hour)); len(out) != 1 || configVersion(t, db) != before+1 {
			t.Fatalf("hour %d: the schedule changed %+v, configuration %d after %d", step.hour, out, configVersion(t, db), before)
		}
		if out := runSchedule(t, db, at(step.hour)); len(out) != 0 {
			t.Errorf("hour %d: a step was taken twice: %+v", step.hour, out)
		}
		e := get(t, db, "a")
		if e.Status != step.status || experiment.CountSlots(e.SlotRanges) != step.slots || e.Version != 1 {
			t.Errorf("hour %d: %s with %v at version %d, want %s with %d slots at 1", step.hour, e.Status, e.SlotRanges, e.Version, step.status, step.slots)
		}
		if step.hour == 1 {
			first = e.SlotRanges
		}
		if step.slots > 0 && (e.SlotRanges[0].From != first[0].From || e.SlotRanges[0].To < first[0].To) {
			t.Errorf("hour %d: slots %v, want those of the start, %v, and more", step.hour, e.SlotRanges, first)
		}
	}
	entries, err := db.Audit(t.Context(), 0, 10)
	if err != nil || entries[0].Actor != ScheduleActor || entries[0].Action != "experiment.schedule" || !strings.Contains(string(entries[0].Detail), `"stopped"`) {
		t.Errorf("the audit log says %+v, %v; want the schedule's stop", entries, err)
	}
}

// Steps missed while nobody ran the schedule are taken at once.
func TestScheduleCatchesUp(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, scheduled())
	runSchedule(t, db, at(3).Add(time.Minute))
	if e := get(t, db, "a"); e.Status != experiment.StatusRunning || experiment.CountSlots(e.SlotRanges) != 4000 {
		t.Errorf("after three missed steps: %s with %v, want running with 4000 slots", e.Status, e.SlotRanges)
	}
}

// The document that made the schedule may be applied again at any time; a
// person who sets slots wins over steps that are past, not over those to come.
func TestScheduleAndDocumentsAgree(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := scheduled()
	applySpecs(t, db, spec)
	for _, hour := range []int{1, 2} {
		runSchedule(t, db, at(hour))
		if again := applySpecs(t, db, spec)[0]; again.Result != Unchanged {
			t.Errorf("hour %d: the same document changed %+v", hour, again.Changes)
		}
	}
	spec.Slots = 200
	applySpecs(t, db, spec)
	runSchedule(t, db, at(2))
	if e := get(t, db, "a"); experiment.CountSlots(e.SlotRanges) != 200 {
		t.Errorf("after shrinking by hand: %v, want 200 slots", e.SlotRanges)
	}
	runSchedule(t, db, at(3))
	if e := get(t, db, "a"); experiment.CountSlots(e.SlotRanges) != 4000 {
		t.Errorf("after the next step: %v, want 4000 slots", e.SlotRanges)
	}
	without := spec
	without.Ramp = nil
	applySpecs(t, db, without)
	if e := get(t, db, "a"); experiment.CountSlots(e.SlotRanges) != 200 {
		t.Errorf("without a ramp: %v, want the document's 200 slots", e.SlotRanges)
	}
	applySpecs(t, db, spec)
	runSchedule(t, db, at(4))
	if again := applySpecs(t, db, spec)[0]; again.Result != Unchanged {
		t.Errorf("after the stop the same document changed %+v", again.Changes)
	}
}

// A step that cannot be taken stays due and keeps no other waiting.
func TestScheduleStepThatDoesNotFit(t *testing.T) {
	t.Parallel()
	db := open(t)
	other := specOf("other", "player", 9000)
	late := scheduled()
	late.Key, late.Layer = "late", "another"
	applySpecs(t, db, other, scheduled(), late)
	runSchedule(t, db, at(2))
	out, err := db.RunSchedule(t.Context(), at(3))
	wantCode(t, "RunSchedule", err, experiment.CodeConflict)
	if err == nil || !strings.Contains(err.Error(), "other owns 9000") {
		t.Errorf("RunSchedule = %v, want the owner's name", err)
	}
	if len(out) != 1 || out[0].Experiment.Key != "late" {
		t.Errorf("RunSchedule changed %+v, want late", out)
	}
	other.Status = experiment.StatusStopped
	applySpecs(t, db, other)
	runSchedule(t, db, at(3))
	if e := get(t, db, "a"); experiment.CountSlots(e.SlotRanges) != 4000 {
		t.Errorf("with room again: %v, want 4000 slots", e.SlotRanges)
	}
}

// Of several processes one takes each step.
func TestScheduleOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, scheduled())
	const processes = 6
	type result struct {
		changed int
		err     error
	}
	results := make(chan result, processes)
	for range processes {
		go func() {
			out, err := db.RunSchedule(t.Context(), at(1))
			results <- result{len(out), err}
		}()
	}
	changed := 0
	for range processes {
		r := <-results
		if r.err != nil {
			t.Errorf("RunSchedule: %v", r.err)
		}
		changed += r.changed
	}
	if n := count(t, db, `select count(*) from audit_log where actor = $1`, ScheduleActor); changed != 1 || n != 1 {
		t.Errorf("the step was taken %d times with %d entries, want once", changed, n)
	}
}

func TestScheduleWaitsForTheEndOfAFreeze(t *testing.T) {
	t.Parallel()
	db := open(t)
	applySpecs(t, db, scheduled())
	applyDocument(t, db, at(0), experiment.Document{Freezes: []experiment.Freeze{{Key: "cup", From: at(1), To: at(3), Reason: "the cup"}}})
	if out := runSchedule(t, db, at(2)); len(out) != 0 {
		t.Errorf("within the window the schedule changed %+v", out)
	}
	runSchedule(t, db, at(3))
	if e := get(t, db, "a"); e.Status != experiment.StatusRunning || e.RampSlots != 4000 {
		t.Errorf("after the window: %s at %d slots, want running at 4000", e.Status, e.RampSlots)
	}
	if e := get(t, db, "a"); !e.StartedAt.Equal(at(3)) {
		t.Errorf("StartedAt = %v, want the end of the window", e.StartedAt)
	}
}
