package postgres

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

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
