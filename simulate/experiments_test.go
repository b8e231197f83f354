package simulate

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// The document is what `splitcast apply` takes: written and read it is the
// same, and the platform's rules find nothing wrong with it.
func TestDocumentIsTaken(t *testing.T) {
	t.Parallel()
	doc := Document()
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	read, err := experiment.ParseDocument(b)
	if diff := cmp.Diff(doc, read, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Fatalf("read again: %v, (-written +read)\n%s", err, diff)
	}
	slots := map[string]int{}
	for i := range read.Experiments {
		e := &read.Experiments[i]
		if err := e.Validate(metrics.Known); err != nil {
			t.Errorf("%s: %v", e.Key, err)
		}
		slots[e.LayerKey()] += e.Slots
		if e.Status != experiment.StatusRunning {
			t.Errorf("%s is %s", e.Key, e.Status)
		}
	}
	if slots[LayerPlayer] != experiment.TotalSlots || len(slots) != 4 {
		t.Errorf("slots by layer %v, want a shared layer of %d and three of their own", slots, experiment.TotalSlots)
	}
}

// In control the player is as shipped; in treatment it differs, except for the A/A.
func TestArmsAreUnderstood(t *testing.T) {
	t.Parallel()
	doc := Document()
	for i := range doc.Experiments {
		e := &doc.Experiments[i]
		set := [2]Settings{DefaultSettings(), DefaultSettings()}
		for arm := range set {
			if !set[arm].Set(e.Key, e.Arms[arm].Value) {
				t.Errorf("%s: the player does not understand %s", e.Key, e.Arms[arm].Value)
			}
		}
		if set[0] != DefaultSettings() {
			t.Errorf("%s: control is %+v", e.Key, set[0])
		}
		if (set[1] == DefaultSettings()) != (e.Key == KeyAACheck) {
			t.Errorf("%s: treatment is %+v", e.Key, set[1])
		}
	}
}

// Whatever the order in which flags are served, a treatment changes what Truth
// says it does, and the control values of the others change nothing of it.
func TestFlagsDoNotMeet(t *testing.T) {
	t.Parallel()
	doc := Document()
	for treated := range doc.Experiments {
		want := DefaultSettings()
		want.Set(doc.Experiments[treated].Key, doc.Experiments[treated].Arms[1].Value)
		for first := range doc.Experiments {
			got := DefaultSettings()
			for i := range doc.Experiments {
				at := (first + i) % len(doc.Experiments)
				e := &doc.Experiments[at]
				got.Set(e.Key, e.Arms[count(at == treated)].Value)
			}
			if got != want {
				t.Errorf("%s, flags from %s on: %+v, want %+v", doc.Experiments[treated].Key, doc.Experiments[first].Key, got, want)
			}
		}
	}
}
