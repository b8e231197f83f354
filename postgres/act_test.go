package postgres

import (
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

func actAt(now time.Time) ApplyOptions {
	return ApplyOptions{Actor: "ana", Now: now, KnownMetric: anyMetric}
}

// applyDocument applies a document at now as ana, who is no administrator.
func applyDocument(t testing.TB, db *DB, now time.Time, doc experiment.Document) Published {
	t.Helper()
	out, err := db.ApplyDocument(t.Context(), doc, actAt(now))
	if err != nil {
		t.Fatalf("ApplyDocument: %v", err)
	}
	return out
}

func TestShipAndRemove(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 2000)
	applySpecs(t, db, spec)
	opts := actAt(at(1))
	opts.Reason = "less stalling"
	shipped, err := db.Ship(t.Context(), "a", "treatment", opts)
	if err != nil {
		t.Fatal(err)
	}
	e := get(t, db, "a")
	if diff := gocmp.Diff(shipped.Experiment, e); diff != "" {
		t.Errorf("Get differs from what Ship returned:\n%s", diff)
	}
	if e.Status != experiment.StatusStopped || e.ShippedArm != "treatment" || len(e.SlotRanges) != 0 || !e.StoppedAt.Equal(at(1)) || e.Version != 1 {
		t.Errorf("shipped: %+v", e)
	}
	entries, err := db.Audit(t.Context(), 0, 1)
	if err != nil || entries[0].Action != "experiment.ship" || !strings.Contains(string(entries[0].Detail), `"reason":"less stalling"`) {
		t.Errorf("audit = %+v, %v", entries, err)
	}
	spec.Arms[1].Key = "other"
	spec.Status = experiment.StatusStopped
	_, err = db.applyAs(t, ApplyOptions{}, spec)
	wantCode(t, "removing the shipped arm", err, experiment.CodeConflict)

	if _, err := db.Unship(t.Context(), "a", actAt(at(2))); err != nil {
		t.Fatal(err)
	}
	if e := get(t, db, "a"); e.ShippedArm != "" || e.Status != experiment.StatusStopped {
		t.Errorf("removed: %+v", e)
	}
	_, err = db.Unship(t.Context(), "a", actAt(at(2)))
	wantCode(t, "removing nothing", err, experiment.CodeConflict)
	_, err = db.Ship(t.Context(), "none", "treatment", actAt(at(2)))
	wantCode(t, "shipping of nothing", err, experiment.CodeNotFound)
	_, err = db.Ship(t.Context(), "a", "none", actAt(at(2)))
	wantCode(t, "shipping no arm", err, experiment.CodeInvalid)
}

// A restart draws anew under a new version; the old revisions keep their salt.
func TestRestart(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 2000)
	applySpecs(t, db, spec)
	before := get(t, db, "a")
	spec.Status = experiment.StatusStopped
	applySpecs(t, db, spec)
	if _, err := db.Restart(t.Context(), "a", actAt(at(5))); err != nil {
		t.Fatal(err)
	}
	e := get(t, db, "a")
	if e.Status != experiment.StatusRunning || e.Version != 2 || e.Salt == before.Salt || e.StoppedAt != nil || !e.StartedAt.Equal(at(5)) || experiment.CountSlots(e.SlotRanges) != 2000 {
		t.Errorf("restarted: %+v", e)
	}
	revisions, err := db.Versions(t.Context(), "a")
	if err != nil || len(revisions) != 3 {
		t.Fatalf("Versions = %+v, %v, want 3", revisions, err)
	}
	if revisions[0].Salt != before.Salt || revisions[2].Salt != e.Salt || revisions[2].Version != 2 {
		t.Errorf("revisions: %+v", revisions)
	}
	draft := specOf("draft", "", 10_000)
	draft.Status = experiment.StatusDraft
	applySpecs(t, db, draft)
	_, err = db.Restart(t.Context(), "draft", actAt(at(5)))
	wantCode(t, "restart of a draft", err, experiment.CodeConflict)
}

func TestRestartNeedsSlots(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 2000)
	applySpecs(t, db, spec)
	spec.Status = experiment.StatusStopped
	applySpecs(t, db, spec, specOf("b", "player", 9000))
	_, err := db.Restart(t.Context(), "a", actAt(at(5)))
	wantCode(t, "Restart", err, experiment.CodeConflict)
	if err == nil || !strings.Contains(err.Error(), "b owns 9000") {
		t.Errorf("Restart = %v, want the owner named", err)
	}
}

func TestDroppedArmKeepsTheVersion(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 2000)
	spec.Arms = append(spec.Arms, experiment.Arm{Key: "third", Weight: 1, Value: []byte("true")})
	applySpecs(t, db, spec)
	before := get(t, db, "a")
	spec.Arms = slices.Clone(spec.Arms)
	spec.Arms[1].Dropped = true
	applySpecs(t, db, spec)
	e := get(t, db, "a")
	if e.Version != 1 || e.Salt != before.Salt || !e.Arms[1].Dropped {
		t.Errorf("after dropping an arm: %+v", e)
	}
	spec.Arms = slices.Clone(spec.Arms)
	spec.Arms[1].Dropped = false
	_, err := db.applyAs(t, ApplyOptions{}, spec)
	wantCode(t, "taking the arm back", err, experiment.CodeConflict)
	_, err = db.Ship(t.Context(), "a", "treatment", actAt(at(1)))
	wantCode(t, "shipping the dropped arm", err, experiment.CodeInvalid)
}

func TestLayersNameTheOwners(t *testing.T) {
	t.Parallel()
	db := open(t)
	spec := specOf("a", "player", 2000)
	applySpecs(t, db, spec, specOf("b", "player", 3000), specOf("alone", "", 10_000))
	spec.Slots = 2500
	applySpecs(t, db, spec)
	got, err := db.Layers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	running := experiment.StatusRunning
	want := []LayerMap{
		{Key: "alone", Unit: experiment.UnitViewer, Owners: []SlotOwner{{"alone", running, 0, 10_000}}},
		{Key: "player", Unit: experiment.UnitViewer, Free: 4500, Owners: []SlotOwner{{"a", running, 0, 2000}, {"b", running, 2000, 5000}, {"a", running, 5000, 5500}}},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("Layers (-want +got):\n%s", diff)
	}
	for _, key := range []string{"a", "b", "alone"} {
		if _, err := db.Ship(t.Context(), key, "control", actAt(at(1))); err != nil {
			t.Fatal(err)
		}
	}
	if got, err = db.Layers(t.Context()); err != nil || got[0].Free != experiment.TotalSlots || len(got[1].Owners) != 0 {
		t.Errorf("Layers without owners = %+v, %v", got, err)
	}
}
