package postgres

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
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
	want := map[string]metrics.UnitSum{}
	for i := range 300 {
		e := event(fmt.Sprint("v", r.IntN(4)), []string{"chat", "purchase"}[r.IntN(2)], fmt.Sprint("id", i), r.Int64N(2*day), float64(r.IntN(8)))
		all = append(all, e)
		s := want[e.Unit+e.Name]
		want[e.Unit+e.Name] = metrics.UnitSum{Unit: e.Unit, Name: e.Name, N: s.N + 1, Sum: s.Sum + *e.Value}
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
	var windows []metrics.UnitWindow
	var sums []metrics.UnitSum
	for i := range 5 { // the fifth has none
		unit := fmt.Sprint("v", i)
		windows = append(windows, metrics.UnitWindow{Unit: unit, FromMs: now, ToMs: now + 2*day, KnownMs: now + 3*day})
		for _, name := range []string{"chat", "purchase"} {
			if s, ok := want[unit+name]; ok {
				sums = append(sums, s)
			}
		}
	}
	got, err := db.EventSums(t.Context(), experiment.UnitViewer, []string{"chat", "purchase"}, windows)
	if diff := gocmp.Diff(sums, got); err != nil || diff != "" {
		t.Errorf("EventSums: %v (-want +got):\n%s", err, diff)
	}
	if got, err := db.EventSums(t.Context(), experiment.UnitDevice, []string{"chat"}, windows); err != nil || len(got) != 0 {
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
	for knownMs, want := range map[int64][]metrics.UnitSum{
		5000: {{Unit: "v", Name: "m", N: 1, Sum: -32}, {Unit: "v", Name: "n", N: 3, Sum: 6}},
		5001: {{Unit: "v", Name: "m", N: 1, Sum: -32}, {Unit: "v", Name: "n", N: 4, Sum: 70}},
	} {
		got, err := db.EventSums(t.Context(), experiment.UnitViewer, []string{"m", "n"}, []metrics.UnitWindow{{Unit: "v", FromMs: now + 1000, ToMs: now + 3000, KnownMs: now + knownMs}})
		if diff := gocmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("EventSums as known after %d ms: %v (-want +got):\n%s", knownMs, err, diff)
		}
	}
	_, err := db.EventSums(t.Context(), experiment.UnitViewer, nil, make([]metrics.UnitWindow, metrics.MaxUnitWindows+1))
	wantCode(t, "too many windows", err, experiment.CodeTooLarge)
	wantCode(t, "too many events", db.InsertUnitEvents(t.Context(), make([]ReceivedEvent, MaxUnitEventBatch+1)), experiment.CodeTooLarge)
}

// Measures of heartbeats are those of the newest record, and add up over the
// sessions of a unit that began in its window, also of linked ones. Of a unit of
// which a session that started does not report one, it is not known.
func TestCustomReader(t *testing.T) {
	t.Parallel()
	db := open(t)
	now := testNow.UnixMilli()
	send := func(session, viewer string, seq, recvMs int64, measures telemetry.Measures) {
		hb := telemetry.Heartbeat{SessionID: session, Seq: seq, Kind: telemetry.KindBeat, MonoMs: seq, PlayMs: 1, Measures: measures}
		hb.ViewerID = viewer
		if err := db.MergeSessions(t.Context(), telemetry.FoldBatch([]telemetry.Heartbeat{hb}, recvMs)); err != nil {
			t.Fatal(err)
		}
	}
	const day = 24 * 3_600_000
	send("a", "v", 2, now, `{"chat":5,"spent":0.5}`)
	send("a", "v", 1, now+1, `{"chat":4}`) // late
	send("b", "v", 1, now+999, `{"chat":2}`)
	send("c", "v", 1, now+day, `{"chat":100}`)       // after the window
	send("d", "", 1, now+5, `{"chat":1,"follow":1}`) // linked
	send("e", "w", 1, now, `{"chat":7}`)
	mustExec(t, db, fmt.Sprintf(`insert into session_links values ('d', 'viewer', 'v', '%s')`, testNow.Format("2006-01-02")))
	insertEvents(t, db, event("v", "tip", "1", 5, 2.5), event("v", "tip", "2", day, 9), event("v", "other", "3", 5, 9))
	var definitions []metrics.Definition
	for _, name := range []string{"measure:chat", "measure:spent", "event:tip", "value:tip"} {
		d := metrics.Definition{Window: metrics.WindowDay}
		if err := d.Numerator.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		definitions = append(definitions, d)
	}
	inOrder, err := metrics.ParseDefinition([]byte(`{"key":"path","name":"n","description":"d","kind":"funnel","unit":"%",
		"steps":["starts","event:tip","measure:chat"]}`))
	if err != nil {
		t.Fatal(err)
	}
	definitions = append(definitions, inOrder)
	ask := customReader{db: db, unit: experiment.UnitViewer, window: metrics.WindowDay, Customs: metrics.CustomsOf(definitions...)}
	outcomes := []metrics.Outcome{{Unit: "v"}, {Unit: "w"}, {Unit: "x"}}
	for i := range outcomes {
		outcomes[i].ExposedAt, outcomes[i].ClosesAt = testNow, testNow.Add(25*time.Hour)
	}
	if err := ask.fill(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
	want := map[string][]metrics.CustomValue{
		"v": {{Name: "measure:chat", Value: 8}, {Name: "event:tip", Value: 1}, {Name: "value:tip", Value: 2.5}, {Name: "funnel:path", Value: 3}}, // b tells nothing of spent
		"w": {{Name: "measure:chat", Value: 7}, {Name: "event:tip"}, {Name: "value:tip"}, {Name: "funnel:path", Value: 1}},
		"x": {{Name: "measure:chat"}, {Name: "measure:spent"}, {Name: "event:tip"}, {Name: "value:tip"}, {Name: "funnel:path"}},
	}
	for i := range outcomes {
		if diff := gocmp.Diff(want[outcomes[i].Unit], outcomes[i].Custom); diff != "" {
			t.Errorf("custom quantities of %s differ (-want +got):\n%s", outcomes[i].Unit, diff)
		}
	}
}
