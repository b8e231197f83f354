package postgres

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// event is an event of a viewer, that long after testNow.
func event(unit, name, id string, afterMs int64, value float64) ReceivedEvent {
	at := testNow.UnixMilli() + afterMs
	return ReceivedEvent{RecvMs: at + 100, UnitEvent: telemetry.UnitEvent{
		UnitType: experiment.UnitViewer, Unit: unit, Name: name, ID: id, AtMs: at, Value: &value,
	}}
}

func insertEvents(t testing.TB, db *DB, events ...ReceivedEvent) {
	t.Helper()
	if err := db.InsertUnitEvents(t.Context(), events); err != nil {
		t.Fatalf("InsertUnitEvents: %v", err)
	}
}

// Each event counts once, whatever the order, the grouping and the repetitions,
// also across midnight and of writers side by side.
func TestUnitEventsOnce(t *testing.T) {
	t.Parallel()
	db := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	const day = 24 * 3_600_000
	var all []ReceivedEvent
	want := map[string]UnitSum{}
	for i := range 300 {
		e := event(fmt.Sprint("v", r.IntN(4)), []string{"chat", "purchase"}[r.IntN(2)], fmt.Sprint("id", i), r.Int64N(2*day), float64(r.IntN(8)))
		all = append(all, e)
		s := want[e.Unit+e.Name]
		want[e.Unit+e.Name] = UnitSum{e.Unit, e.Name, s.N + 1, s.Sum + *e.Value}
	}
	sent := slices.Concat(all, all[:150])
	for i := 300; i < len(sent); i++ {
		sent[i].RecvMs += 60_000 // sent again
	}
	r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
	var wg sync.WaitGroup
	for batch := range slices.Chunk(sent, 40) {
		wg.Go(func() {
			if err := db.InsertUnitEvents(t.Context(), batch); err != nil {
				t.Errorf("InsertUnitEvents: %v", err)
			}
		})
	}
	wg.Wait()
	now := testNow.UnixMilli()
	var windows []UnitWindow
	var sums []UnitSum
	for i := range 5 { // the fifth has none
		unit := fmt.Sprint("v", i)
		windows = append(windows, UnitWindow{Unit: unit, FromMs: now, ToMs: now + 2*day, KnownMs: now + 3*day})
		for _, name := range []string{"chat", "purchase"} {
			if s, ok := want[unit+name]; ok {
				sums = append(sums, s)
			}
		}
	}
	got, err := db.EventSums(t.Context(), experiment.UnitViewer, windows)
	if diff := gocmp.Diff(sums, got); err != nil || diff != "" {
		t.Errorf("EventSums: %v (-want +got):\n%s", err, diff)
	}
	if got, err := db.EventSums(t.Context(), experiment.UnitDevice, windows); err != nil || len(got) != 0 {
		t.Errorf("EventSums of devices = %v, %v; want none", got, err)
	}
}

// A window holds what happened from its first ms to before its last, as known
// when it closed.
func TestEventSumsWithinWindow(t *testing.T) {
	t.Parallel()
	db := open(t)
	none := event("v", "n", "e", 2000, 0)
	none.Value = nil
	insertEvents(t, db, event("v", "n", "a", 999, 1), event("v", "n", "b", 1000, 2), event("v", "n", "c", 2999, 4), event("v", "n", "d", 3000, 8), none,
		event("w", "n", "a", 2000, 16), event("v", "m", "a", 2000, -32))
	late := event("v", "n", "f", 2000, 64)
	late.RecvMs = testNow.UnixMilli() + 5001
	insertEvents(t, db, late, event("v", "n", "b", 1000, 128)) // the first with an id stays
	now := testNow.UnixMilli()
	for knownMs, want := range map[int64][]UnitSum{
		5000: {{"v", "m", 1, -32}, {"v", "n", 3, 6}},
		5001: {{"v", "m", 1, -32}, {"v", "n", 4, 70}},
	} {
		got, err := db.EventSums(t.Context(), experiment.UnitViewer, []UnitWindow{{"v", now + 1000, now + 3000, now + knownMs}})
		if diff := gocmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("EventSums as known after %d ms: %v (-want +got):\n%s", knownMs, err, diff)
		}
	}
	_, err := db.EventSums(t.Context(), experiment.UnitViewer, make([]UnitWindow, MaxUnitWindows+1))
	wantCode(t, "too many windows", err, experiment.CodeTooLarge)
	wantCode(t, "too many events", db.InsertUnitEvents(t.Context(), make([]ReceivedEvent, MaxUnitEventBatch+1)), experiment.CodeTooLarge)
}

// Measures of heartbeats are those of the newest record, and add up over the
// sessions of a unit that began in its window, also of linked ones.
func TestMeasureSums(t *testing.T) {
	t.Parallel()
	db := open(t)
	now := testNow.UnixMilli()
	send := func(session, viewer string, seq, recvMs int64, measures telemetry.Measures) {
		hb := telemetry.Heartbeat{SessionID: session, Seq: seq, Kind: telemetry.KindBeat, MonoMs: seq, Measures: measures}
		hb.ViewerID = viewer
		if err := db.MergeSessions(t.Context(), telemetry.FoldBatch([]telemetry.Heartbeat{hb}, recvMs)); err != nil {
			t.Fatal(err)
		}
	}
	send("a", "v", 2, now, `{"chat":5,"spent":0.5}`)
	send("a", "v", 1, now+1, `{"chat":4}`) // late
	send("b", "v", 1, now+999, `{"chat":2}`)
	send("c", "v", 1, now+1000, `{"chat":100}`) // after the window
	send("d", "", 1, now+5, `{"follow":1}`)     // linked
	send("e", "v", 1, now+5, "")
	send("f", "w", 1, now, `{"chat":7}`)
	mustExec(t, db, fmt.Sprintf(`insert into session_links values ('d', 'viewer', 'v', '%s')`, testNow.Format("2006-01-02")))
	got, err := db.MeasureSums(t.Context(), experiment.UnitViewer, []UnitWindow{{Unit: "v", FromMs: now, ToMs: now + 1000}, {Unit: "x", FromMs: now, ToMs: now + 1000}})
	want := []UnitSum{{"v", "chat", 2, 7}, {"v", "follow", 1, 1}, {"v", "spent", 1, 0.5}}
	if diff := gocmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("MeasureSums: %v (-want +got):\n%s", err, diff)
	}
}
