package postgres

import (
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// conflictBeat is record seq of a session, a minute in for each number.
func conflictBeat(id string, seq, playMs int64) telemetry.Heartbeat {
	const wall = 1_762_000_000_000
	return telemetry.Heartbeat{
		SessionID: id, Seq: seq, Kind: telemetry.KindBeat, MonoMs: seq * 60_000, ClientTsMs: wall + seq*60_000, PlayMs: playMs,
		Identity: telemetry.Identity{ViewerID: "v-" + id, Dims: telemetry.Dims{Player: "hls.js", PlayerVersion: "1.6.2"}},
		Observed: telemetry.ObservedPlay,
	}
}

// Two records of one number that say different things are counted, by player and
// version and with the session; a record that is sent again is not.
func TestConflictsAreCounted(t *testing.T) {
	t.Parallel()
	db := open(t)
	recv := testNow.UnixMilli()
	send := func(hbs ...telemetry.Heartbeat) {
		t.Helper()
		recv += 1_000
		if err := db.MergeSessions(t.Context(), telemetry.FoldBatch(hbs, recv)); err != nil {
			t.Fatalf("MergeSessions: %v", err)
		}
	}
	send(conflictBeat("a", 1, 1_000), conflictBeat("b", 1, 1_000), conflictBeat("c", 1, 1_000))
	send(conflictBeat("a", 1, 1_000))                           // sent again
	send(conflictBeat("b", 1, 2_000))                           // another one of the same number
	send(conflictBeat("b", 1, 3_000), conflictBeat("a", 2, 70)) // once more, and one that is newer
	send(conflictBeat("a", 1, 5))                               // the number of an older one: its content is not kept
	send(conflictBeat("b", 1, 1_000))                           // the first again
	counts, err := db.Rejections(t.Context(), testNow)
	if err != nil {
		t.Fatalf("Rejections: %v", err)
	}
	want := []RejectionCount{{
		Day: dayOf(testNow), Count: 2,
		RejectionRow: RejectionRow{
			Source: "heartbeat", Reason: string(telemetry.ReasonConflict), Field: "seq", Whole: true, Player: "hls.js", PlayerVersion: "1.6.2",
		},
	}}
	if diff := gocmp.Diff(want, counts); diff != "" {
		t.Errorf("rejections differ (-want +got):\n%s", diff)
	}
	conflicts := map[string]int{}
	for _, s := range storedSessions(t, db) {
		var n int
		if err := db.sql.GetContext(t.Context(), &n, `select conflicts from sessions where session_id = $1`, s.SessionID); err != nil {
			t.Fatal(err)
		}
		conflicts[s.SessionID] = n
		if s.SessionID == "b" && s.PlayMs != 1_000 {
			t.Errorf("b played %d ms, want what was received first", s.PlayMs)
		}
	}
	if diff := gocmp.Diff(map[string]int{"a": 0, "b": 2, "c": 0}, conflicts); diff != "" {
		t.Errorf("conflicts of sessions differ (-want +got):\n%s", diff)
	}
}

// Records that contradict one another are counted to the record whether they come in
// one request, in one transaction, or one after the other, and whatever else comes
// with them.
func TestConflictsWithinABatchAreCounted(t *testing.T) {
	t.Parallel()
	beat := conflictBeat
	type request []telemetry.Heartbeat
	for name, c := range map[string]struct {
		transactions [][]request
		want         int
		playMs       int64 // what is kept; 0: of equal rank
	}{
		"in one request":               {[][]request{{{beat("s", 1, 10), beat("s", 1, 20)}}}, 1, 0},
		"in two requests":              {[][]request{{{beat("s", 1, 10)}, {beat("s", 1, 20)}}}, 1, 10},
		"one after the other":          {[][]request{{{beat("s", 1, 10)}}, {{beat("s", 1, 20)}}}, 1, 10},
		"three of one number":          {[][]request{{{beat("s", 1, 10), beat("s", 1, 30)}, {beat("s", 1, 20)}}}, 2, 0},
		"sent twice in one request":    {[][]request{{{beat("s", 1, 10), beat("s", 1, 10)}}}, 0, 10},
		"sent twice, once another":     {[][]request{{{beat("s", 1, 10), beat("s", 1, 20), beat("s", 1, 10)}}}, 1, 0},
		"with one that is newer":       {[][]request{{{beat("s", 1, 10), beat("s", 2, 90), beat("s", 1, 20)}}}, 1, 90},
		"newer, in other requests":     {[][]request{{{beat("s", 2, 90)}, {beat("s", 1, 10)}, {beat("s", 1, 20)}}}, 1, 90},
		"of two numbers":               {[][]request{{{beat("s", 1, 10), beat("s", 1, 20), beat("s", 2, 80), beat("s", 2, 90)}}}, 2, 0},
		"what is stored is among them": {[][]request{{{beat("s", 1, 10)}}, {{beat("s", 1, 20), beat("s", 1, 10)}}}, 1, 10},
		"the stored one is a third":    {[][]request{{{beat("s", 1, 10)}}, {{beat("s", 1, 20), beat("s", 1, 30)}}}, 2, 10},
		"of other sessions":            {[][]request{{{beat("s", 1, 10), beat("t", 1, 20)}, {beat("u", 1, 30)}}}, 0, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			recv := testNow.UnixMilli()
			for _, transaction := range c.transactions {
				var states []telemetry.Session
				for _, r := range transaction {
					recv += 1_000
					states = append(states, telemetry.FoldBatch(r, recv)...)
				}
				if err := db.MergeSessions(t.Context(), states); err != nil {
					t.Fatalf("MergeSessions: %v", err)
				}
			}
			if got := count(t, db, `select conflicts from sessions where session_id = 's'`); got != c.want {
				t.Errorf("the session has %d conflicts, want %d", got, c.want)
			}
			if got := count(t, db, `select coalesce(sum(count), 0) from rejections where reason = 'conflict'`); got != c.want {
				t.Errorf("%d records were counted, want %d", got, c.want)
			}
			if got := count(t, db, `select play_ms from sessions where session_id = 's'`); c.playMs != 0 && int64(got) != c.playMs {
				t.Errorf("the session played %d ms, want %d", got, c.playMs)
			}
		})
	}
}

// CMCD records of one number that say different things are counted, in one batch or in
// several; what is sent again is not, nor are records that have no number.
func TestRecordConflictsAreCounted(t *testing.T) {
	t.Parallel()
	db := open(t)
	at := testNow.UnixMilli()
	say := func(sid string, sn int, bufferMs int, recvMs int64) KeyedRecord {
		k := decode(t, fmt.Sprintf(`bl=(%d),e=t,sid=%q,sn=%d,ts=%d,v=2`, bufferMs, sid, sn, at), telemetry.ModeEvent, recvMs)
		k.Record.Player, k.Record.PlayerVersion = "hls.js", "1.7.4"
		return k
	}
	v1 := func(bufferMs int) KeyedRecord {
		return decode(t, fmt.Sprintf(`bl=%d,ot=v,sid="v1"`, bufferMs), telemetry.ModeRequest, at)
	}
	insertRecords(t, db, say("once", 1, 100, at), say("batch", 1, 100, at), say("batch", 1, 200, at), say("batch", 1, 300, at), say("later", 1, 100, at))
	insertRecords(t, db, say("once", 1, 100, at+5), say("later", 1, 200, at+5), say("later", 2, 200, at+5), v1(100), v1(200), v1(100))
	insertRecords(t, db, say("once", 2, 100, at+9), say("later", 1, 100, at+9))
	// Received before what is there, which gives way.
	insertRecords(t, db, say("earlier", 1, 100, at+5), say("again", 1, 100, at+5), say("third", 1, 100, at+5), say("third", 2, 100, at+8))
	insertRecords(t, db, say("earlier", 2, 100, at+9), say("third", 1, 200, at+9))
	insertRecords(t, db, say("earlier", 1, 300, at+3), say("again", 1, 100, at+3), say("third", 1, 300, at+3))
	conflicts := map[string]int{}
	for _, sid := range []string{"once", "batch", "later", "v1", "earlier", "again", "third"} {
		conflicts[sid] = count(t, db, `select coalesce(sum(conflicts), 0) from cmcd_conflicts where session_id = $1`, sid)
	}
	if diff := gocmp.Diff(map[string]int{"once": 0, "batch": 2, "later": 1, "v1": 0, "earlier": 1, "again": 0, "third": 2}, conflicts); diff != "" {
		t.Errorf("conflicts of sessions differ (-want +got):\n%s", diff)
	}
	if got := count(t, db, `select sum(count) from rejections where source = 'cmcd' and reason = 'conflict' and player = 'hls.js'`); got != 6 {
		t.Errorf("%d records were counted, want 6", got)
	}
}

// Units are counted by arm whether their contradictions came as heartbeats or as CMCD
// records, of a player that does not name them.
func TestAftermathCountsConflictedUnits(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "abr", experiment.UnitViewer)
	at := testNow.UnixMilli()
	exposure := func(unit, session string, arm int) ExposureRow {
		return ExposureRow{ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: unit, Arm: arm, At: testNow, Session: session}
	}
	err := s.InsertExposures(t.Context(), func() time.Time { return testNow }, []ExposureRow{
		exposure("v-a", "", 0), exposure("v-b", "", 1), exposure("v-c", "cmcd", 1), exposure("v-d", "sound", 1), exposure("v-e", "", 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	beats := []telemetry.Heartbeat{conflictBeat("a", 1, 10), conflictBeat("b", 1, 10), conflictBeat("b", 1, 20)}
	if err := s.MergeSessions(t.Context(), telemetry.FoldBatch(beats, at+1_000)); err != nil {
		t.Fatal(err)
	}
	for _, sid := range []string{"cmcd", "sound"} {
		records := series(sid, 4, testNow.Add(time.Second))
		if sid == "cmcd" {
			records = append(records, decode(t, fmt.Sprintf(`bl=(100),e=t,sid=%q,sn=2,ts=%d,v=2`, sid, at), telemetry.ModeEvent, at+9_000))
		}
		insertRecords(t, s.DB, records...)
	}
	fold(t, s.DB, testNow.Add(time.Hour))
	_, err = s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
		got, err := tx.Aftermath(t.Context(), time.Time{}, testNow.AddDate(0, 0, 3), nil)
		want := []metrics.Aftermath{{Awaited: 1, Settled: 1}, {Awaited: 4, Settled: 3, Conflicted: 2}}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("Aftermath differs (-want +got):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
