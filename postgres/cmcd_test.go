package postgres

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// states are what the players of these tests go through.
var states = [...]string{"s", "p", "r", "p", "k", "p", "w", "p"}

// decode reads a record from its text.
func decode(t testing.TB, raw string, mode telemetry.Mode, recvMs int64) KeyedRecord {
	t.Helper()
	r, rejected, ok := telemetry.DecodeRecord(raw, mode)
	if !ok || len(rejected) > 0 {
		t.Fatalf("DecodeRecord(%q) = %v, %v", raw, ok, rejected)
	}
	r.RecvMs = recvMs
	return KeyedRecord{KeyID: 1, Record: r}
}

// record is the event report of a session with number sn.
func record(sid string, sn int, recvMs int64) KeyedRecord {
	raw := fmt.Sprintf(`br=(5000;v),e=ps,sid=%q,sn=%d,sta=%s,ts=%d,v=2`, sid, sn, states[sn%len(states)], recvMs-40)
	r, _, _ := telemetry.DecodeRecord(raw, telemetry.ModeEvent)
	r.RecvMs = recvMs
	return KeyedRecord{KeyID: 1, Record: r}
}

// series is the records of a session, a second apart.
func series(sid string, n int, from time.Time) []KeyedRecord {
	out := make([]KeyedRecord, n)
	for sn := range out {
		out[sn] = record(sid, sn, from.UnixMilli()+int64(sn)*1000)
	}
	return out
}

func insertRecords(t testing.TB, db *DB, records ...KeyedRecord) {
	t.Helper()
	if err := db.InsertRecords(t.Context(), records); err != nil {
		t.Fatalf("InsertRecords: %v", err)
	}
}

// fold folds and returns how many sessions were looked at.
func fold(t testing.TB, db *DB, now time.Time) int {
	t.Helper()
	n, err := db.FoldSessions(t.Context(), now)
	if err != nil {
		t.Fatalf("FoldSessions: %v", err)
	}
	return n
}

// foldOf is what telemetry makes of the records, by session.
func foldOf(records []KeyedRecord) []telemetry.Session {
	bySession := map[string][]telemetry.Record{}
	for _, k := range records {
		bySession[k.Record.SID] = append(bySession[k.Record.SID], k.Record)
	}
	var out []telemetry.Session
	for _, rs := range bySession {
		out = append(out, telemetry.FoldCMCD(rs))
	}
	slices.SortFunc(out, func(a, b telemetry.Session) int { return cmp.Compare(a.SessionID, b.SessionID) })
	return out
}

func wantSessions(t testing.TB, db *DB, want []telemetry.Session) {
	t.Helper()
	if diff := gocmp.Diff(want, storedSessions(t, db)); diff != "" {
		t.Errorf("sessions differ (-want +stored):\n%s", diff)
	}
}

func TestInsertRecordsOnce(t *testing.T) {
	t.Parallel()
	db := open(t)
	records := series("s", 8, testNow)
	insertRecords(t, db, append(slices.Clone(records), records...)...)
	insertRecords(t, db, records...)
	resent := slices.Clone(records)
	for i := range resent {
		resent[i].Record.RecvMs += 5000 // sent again
	}
	insertRecords(t, db, resent...)
	if got := count(t, db, `select count(*) from cmcd_records`); got != len(records) {
		t.Errorf("%d records are stored, want %d", got, len(records))
	}
	fold(t, db, testNow.Add(time.Hour))
	wantSessions(t, db, foldOf(records))
	insertRecords(t, db, resent...)
	if n := fold(t, db, testNow.Add(2*time.Hour)); n != 0 {
		t.Errorf("repetitions caused the fold of %d sessions, want 0", n)
	}
}

// Whatever the order, the grouping and the repetitions, what is stored is what
// telemetry makes of all records: also of sessions across midnight, of records
// that differ under one number, and of requests that have none.
func TestFoldSessionsIsFoldCMCD(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			db := open(t)
			r := rand.New(rand.NewPCG(seed, 1))
			midnight := dayOf(testNow).AddDate(0, 0, 1)
			var all []KeyedRecord
			for s := range 6 {
				from := midnight.Add(time.Duration(r.IntN(60)-40) * time.Second)
				all = append(all, series(fmt.Sprint("s", s), 5+r.IntN(40), from)...)
			}
			for range 20 { // sent again later, some with other content
				again := all[r.IntN(len(all))]
				again.Record.RecvMs += int64(r.IntN(120_000))
				if r.IntN(3) == 0 {
					again = record(again.Record.SID, int(again.Record.SN)+1, again.Record.RecvMs)
				}
				all = append(all, again)
			}
			for i := range 30 { // requests, with and without a number
				raw := fmt.Sprintf(`br=%d,bl=4000,ot=v,sid="s%d"`, 1000+i, r.IntN(6))
				if i%2 == 0 {
					raw += fmt.Sprintf(",sn=%d,v=2", i)
				}
				all = append(all, decode(t, raw, telemetry.ModeRequest, midnight.UnixMilli()+int64(r.IntN(9000))))
			}
			for i := range all { // who played; some are wrong about it
				all[i].Record.Player, all[i].Record.PlayerVersion = "shaka", fmt.Sprint(r.IntN(3))
			}
			want := foldOf(all)
			for i := range want {
				want[i].PlayerVersion = "0"
			}
			sent := append(slices.Clone(all), all[:len(all)/3]...)
			r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
			for len(sent) > 0 {
				n := min(len(sent), 1+r.IntN(60))
				insertRecords(t, db, sent[:n]...)
				sent = sent[n:]
				if r.IntN(3) == 0 {
					fold(t, db, midnight.Add(time.Hour))
				}
			}
			fold(t, db, midnight.Add(time.Hour))
			wantSessions(t, db, want)
		})
	}
}

func TestFoldSessionsWhenTheyClose(t *testing.T) {
	t.Parallel()
	db := open(t)
	records := series("s", 10, testNow)
	insertRecords(t, db, records...)
	last := time.UnixMilli(records[len(records)-1].Record.RecvMs)
	closed := last.Add(telemetry.CloseMinMs * time.Millisecond)
	if n := fold(t, db, closed.Add(-time.Millisecond)); n != 0 {
		t.Errorf("%d sessions were folded a millisecond before they closed, want 0", n)
	}
	if n := fold(t, db, closed); n != 1 {
		t.Errorf("%d sessions were folded when they closed, want 1", n)
	}
	wantSessions(t, db, foldOf(records))
	if n := fold(t, db, closed.Add(time.Hour)); n != 0 {
		t.Errorf("%d sessions were folded again without news, want 0", n)
	}
	late := record("s", 10, closed.UnixMilli())
	insertRecords(t, db, late)
	if n := fold(t, db, closed.Add(time.Hour)); n != 1 {
		t.Errorf("%d sessions were folded after a late record, want 1", n)
	}
	wantSessions(t, db, foldOf(append(records, late)))
}

func TestFoldSessionsThatStayOpen(t *testing.T) {
	t.Parallel()
	db := open(t)
	var records []KeyedRecord
	send := func(minutes float64) time.Time {
		at := minute(minutes)
		records = append(records, record("s", len(records), at.UnixMilli()))
		insertRecords(t, db, records[len(records)-1])
		return at
	}
	send(0)
	for _, c := range []struct {
		minutes float64
		folded  int
	}{
		{0.9, 0},
		{1, 1}, // a minute at least
		{1.9, 0},
		{2, 1},
		{40, 1},
		{53, 0},
		{53.4, 1}, // 40 minutes are three quarters of 53.3
	} {
		if n := fold(t, db, send(c.minutes)); n != c.folded {
			t.Errorf("%d sessions open for %v minutes were folded, want %d", n, c.minutes, c.folded)
		}
		if c.folded > 0 {
			wantSessions(t, db, foldOf(records))
		}
	}
}

// The same play told by heartbeats and by CMCD counts once, by the heartbeats,
// whatever came first.
func TestHeartbeatsWinOverCMCD(t *testing.T) {
	t.Parallel()
	beat := func(seq int64, tier telemetry.Tier) []telemetry.Session {
		return telemetry.FoldBatch([]telemetry.Heartbeat{{
			SessionID: "s", Seq: seq, Kind: telemetry.KindBeat, Tier: tier, PlayMs: 1000 * seq,
			ClientTsMs: testNow.UnixMilli() + 1000*seq, MonoMs: 1000 * seq,
		}}, testNow.UnixMilli()+1000*seq)
	}
	for _, tier := range []telemetry.Tier{telemetry.TierA, telemetry.TierB} {
		beats := [][]telemetry.Session{beat(1, tier), beat(2, tier)}
		want := []telemetry.Session{telemetry.Merge(beats[0][0], beats[1][0])}
		report := func(t *testing.T, db *DB) {
			for _, b := range beats {
				if err := db.MergeSessions(t.Context(), b); err != nil {
					t.Fatalf("MergeSessions: %v", err)
				}
			}
		}
		t.Run(tier.String()+"/heartbeats first", func(t *testing.T) {
			t.Parallel()
			db := open(t)
			report(t, db)
			insertRecords(t, db, series("s", 30, testNow)...)
			fold(t, db, testNow.Add(time.Hour))
			wantSessions(t, db, want)
		})
		t.Run(tier.String()+"/CMCD first", func(t *testing.T) {
			t.Parallel()
			db := open(t)
			insertRecords(t, db, series("s", 30, testNow)...)
			fold(t, db, testNow.Add(time.Hour))
			report(t, db)
			insertRecords(t, db, record("s", 31, testNow.UnixMilli()))
			fold(t, db, testNow.Add(time.Hour))
			wantSessions(t, db, want)
			if n := count(t, db, `select count(*) from sessions where folded or needs_merge`); n != 0 {
				t.Error("the session is still marked as folded or to merge")
			}
		})
		t.Run(tier.String()+"/at once", func(t *testing.T) {
			t.Parallel()
			db := open(t)
			var wg sync.WaitGroup
			for round := range 20 {
				insertRecords(t, db, record("s", round, testNow.UnixMilli()+int64(round)))
				wg.Go(func() { report(t, db) })
				wg.Go(func() { fold(t, db, testNow.Add(time.Hour)) })
				wg.Wait()
			}
			wantSessions(t, db, want)
		})
	}
}

func TestFoldSessionsInSeveralProcesses(t *testing.T) {
	t.Parallel()
	db := open(t)
	var all []KeyedRecord
	for i := range foldChunk + 20 {
		all = append(all, series(fmt.Sprintf("s%04d", i), 3, testNow)...)
	}
	var wg sync.WaitGroup
	for w := range 3 { // writers, while others fold
		wg.Go(func() {
			for chunk := range slices.Chunk(all[w*len(all)/3:(w+1)*len(all)/3], 100) {
				if err := db.InsertRecords(t.Context(), chunk); err != nil {
					t.Errorf("InsertRecords: %v", err)
				}
			}
		})
		wg.Go(func() {
			for range 5 {
				if _, err := db.FoldSessions(t.Context(), testNow.Add(time.Hour)); err != nil {
					t.Errorf("FoldSessions: %v", err)
				}
			}
		})
	}
	wg.Wait()
	fold(t, db, testNow.Add(time.Hour))
	wantSessions(t, db, foldOf(all))
}

func TestInsertRecordsLimits(t *testing.T) {
	t.Parallel()
	db := open(t)
	many := slices.Repeat([]KeyedRecord{record("s", 1, testNow.UnixMilli())}, MaxRecordBatch+1)
	wantCode(t, "a batch above the limit", db.InsertRecords(t.Context(), many), experiment.CodeTooLarge)
	insertRecords(t, db, many[1:]...)
	nameless := decode(t, `br=5000,bl=4000`, telemetry.ModeRequest, testNow.UnixMilli())
	before := []KeyedRecord{nameless, record("s", 2, testNow.UnixMilli())}
	insertRecords(t, db, before...)
	insertRecords(t, db, nameless)
	insertRecords(t, db)
	if before[0].Record.SID != "" {
		t.Error("InsertRecords changed its argument")
	}
	if got := count(t, db, `select count(*) from cmcd_records`); got != 2 {
		t.Errorf("%d records are stored, want the two of session s", got)
	}
}

// Texts that PostgreSQL cannot hold, or that its COPY would take for its own.
func TestInsertRecordsOfAnyText(t *testing.T) {
	t.Parallel()
	db := open(t)
	r := record("s", 0, testNow.UnixMilli())
	r.Record.Raw += ",x-y=\"a\x00b\xffc\\d\te\nf\\N\\.\""
	end := record("s", 1, testNow.UnixMilli())
	end.Record.Raw = "\\."
	insertRecords(t, db, r, end)
	var raw string
	if err := db.sql.GetContext(t.Context(), &raw, `select raw from cmcd_records where sn = 0`); err != nil {
		t.Fatal(err)
	}
	want := record("s", 0, testNow.UnixMilli()).Record.Raw + ",x-y=\"a\uFFFDb\uFFFDc\\d\te\nf\\N\\.\""
	if raw != want {
		t.Errorf("raw = %q, want %q", raw, want)
	}
}
