package postgres

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// MaxRecordBatch bounds one call of InsertRecords: a transaction of a second.
const MaxRecordBatch = 50_000

// MaxSessionRecords is how many records of one session are asked for. Players
// that report all that happens send 100 a minute, so that this is a day of
// viewing at a third of it; a fold of so many takes 50 MB. Beyond it the player
// is told to stop.
const MaxSessionRecords = 50_000

// KeyedRecord is a CMCD record and the API key that it came with.
type KeyedRecord struct {
	KeyID  int64
	Record telemetry.Record
}

// InsertRecords stores CMCD records, each once however often it is sent: of
// repetitions the one received first stays. Records without a session id tell of
// no session and are left out. When it returns nil they are durable;
// FoldSessions makes sessions of them. A session that has more than
// MaxSessionRecords is added to the Stops.
//
// It returns experiment.CodeTooLarge for more than MaxRecordBatch records.
func (db *DB) InsertRecords(ctx context.Context, records []KeyedRecord) error {
	if len(records) > MaxRecordBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d records at once", MaxRecordBatch)
	}
	if slices.ContainsFunc(records, withoutSession) {
		records = slices.DeleteFunc(slices.Clone(records), withoutSession)
	}
	if len(records) == 0 {
		return nil
	}
	err := db.insertRecords(ctx, records)
	if lacksPartition(err) { // dropped by retention since this process met the day
		db.days.forget()
		err = db.insertRecords(ctx, records)
	}
	return wrap("insert CMCD records", err)
}

func withoutSession(k KeyedRecord) bool { return k.Record.SID == "" }

func (db *DB) insertRecords(ctx context.Context, records []KeyedRecord) error {
	if err := db.haveDays(ctx, tableCMCDRecords, daysOfRecords(records)); err != nil {
		return err
	}
	return db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, recordStaging); err != nil {
			return fmt.Errorf("make staging table: %w", err)
		}
		if err := tx.copyIn(ctx, copyRecords, len(records), func(buf []byte, i int) []byte {
			return appendRecord(buf, &records[i])
		}); err != nil {
			return err
		}
		var did struct {
			Fresh    int            `db:"fresh"`    // records that were not there, or later ones
			Replaced int            `db:"replaced"` // of them, those instead of later ones
			TooMany  pq.StringArray `db:"too_many"`
		}
		if err := tx.GetContext(ctx, &did, insertStagedRecords, MaxSessionRecords); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		if did.Fresh < len(records) || did.Replaced > 0 { // most batches repeat nothing
			for _, statement := range []string{planClosed, countRecordConflicts} {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("count conflicts: %w", err)
				}
			}
		}
		return tx.stopSessions(ctx, did.TooMany, newestReceipt(records))
	})
}

// newestReceipt is the last time at which one of the records was received.
func newestReceipt(records []KeyedRecord) time.Time {
	newest := slices.MaxFunc(records, func(a, b KeyedRecord) int { return cmp.Compare(a.Record.RecvMs, b.Record.RecvMs) })
	return time.UnixMilli(newest.Record.RecvMs)
}

func daysOfRecords(records []KeyedRecord) []time.Time {
	var days []time.Time
	for i := range records {
		if day := dayOf(time.UnixMilli(records[i].Record.RecvMs)); !slices.ContainsFunc(days, day.Equal) {
			days = append(days, day)
		}
	}
	return days
}

const recordStaging = `
	create temporary table if not exists record_batch (
		day date, session_id text collate "C", mode smallint, sn bigint, recv_ms bigint, key_id bigint, raw text collate "C",
		player text collate "C", player_version text collate "C"
	) on commit delete rows`

const copyRecords = `copy record_batch (day, session_id, mode, sn, recv_ms, key_id, raw, player, player_version) from stdin`

// insertStagedRecords keeps of each record the one received first, as the fold
// does, whichever is stored first; marks the sessions that learnt something; and
// returns those that have too many records. Rows are locked in one order, so
// that writers cannot deadlock.
//
// A record that gives way to one received before it joins the batch, so that it is
// counted where the two contradict one another. It is read in the state before this
// statement, and looked for only where its session was heard of later than the new
// one: seldom, as receipts come in their order.
const insertStagedRecords = `
	with fresh as (
		insert into cmcd_records as r (day, session_id, mode, sn, recv_ms, key_id, raw)
		select distinct on (day, session_id, mode, sn) day, session_id, mode, sn, recv_ms, key_id, raw
		from record_batch
		order by day, session_id, mode, sn, recv_ms, raw
		on conflict (day, session_id, mode, sn) do update set
			recv_ms = excluded.recv_ms, key_id = excluded.key_id, raw = excluded.raw
		where (excluded.recv_ms, excluded.raw collate "C") < (r.recv_ms, r.raw collate "C")
		returning day, session_id, mode, sn, recv_ms
	), played as (
		select session_id, min(array[player, player_version]) as by from record_batch where player <> '' group by session_id
	), learnt as (
		insert into cmcd_sessions as s (session_id, first_recv_ms, last_recv_ms, dirty, records, player, player_version)
		select f.session_id, min(f.recv_ms), max(f.recv_ms), true, count(*), coalesce((min(p.by))[1], ''), coalesce((min(p.by))[2], '')
		from fresh f left join played p using (session_id)
		group by f.session_id order by f.session_id
		on conflict (session_id) do update set
			first_recv_ms = least(s.first_recv_ms, excluded.first_recv_ms),
			last_recv_ms = greatest(s.last_recv_ms, excluded.last_recv_ms),
			dirty = true, records = s.records + excluded.records,
			player = case when ` + playerIsNews + ` then excluded.player else s.player end,
			player_version = case when ` + playerIsNews + ` then excluded.player_version else s.player_version end
		returning session_id, records, last_recv_ms
	), replaced as (
		insert into record_batch (day, session_id, mode, sn, recv_ms, key_id, raw, player, player_version)
		select r.day, r.session_id, r.mode, r.sn, r.recv_ms, r.key_id, r.raw, '', ''
		from learnt l join fresh f on f.session_id = l.session_id and f.recv_ms < l.last_recv_ms
		cross join lateral (
			select c.day, c.session_id, c.mode, c.sn, c.recv_ms, c.key_id, c.raw from cmcd_records c
			where c.day = f.day and c.session_id = f.session_id and c.mode = f.mode and c.sn = f.sn
			offset 0) r -- not merged: one look-up a record
		returning 1
	)
	select (select count(*) from fresh) as fresh, (select count(*) from replaced) as replaced, array(select session_id from learnt where records > $1) as too_many`

// countRecordConflicts counts the records of the batch that say something else than
// the one that is kept under their number, each content once: those of one batch, and
// those that come after the one that is kept, and the one that gave way to it. Records
// of v1 have no number.
var countRecordConflicts = `
	with contradicting as (
		select b.session_id, count(distinct b.raw) as n, max(b.recv_ms) as last_mark_recv_ms
		from record_batch b
		join cmcd_records r on r.day = b.day and r.session_id = b.session_id and r.mode = b.mode and r.sn = b.sn
		where b.sn >= 0 and r.raw <> b.raw
		group by b.session_id),
	counted as (
		insert into cmcd_conflicts as k (session_id, conflicts)
		select session_id, n from contradicting order by session_id
		on conflict (session_id) do update set conflicts = k.conflicts + excluded.conflicts),
	contradicted as (
		select s.player, s.player_version, c.last_mark_recv_ms, c.n
		from contradicting c join cmcd_sessions s on s.session_id = c.session_id)` + rejectConflicts("cmcd", "sn")

// playerIsNews holds where the batch tells who played, or a lesser name than is
// known: as in the fold, the order of arrival must not matter.
const playerIsNews = `(excluded.player <> '' and (s.player = ''
	or (excluded.player, excluded.player_version) < (s.player, s.player_version)))`

func appendRecord(buf []byte, k *KeyedRecord) []byte {
	r := &k.Record
	buf = time.UnixMilli(r.RecvMs).UTC().AppendFormat(buf, time.DateOnly)
	buf = append(buf, '\t')
	buf = appendText(buf, r.SID)
	for _, n := range [...]int64{int64(r.Mode), recordNumber(r), r.RecvMs, k.KeyID} {
		buf = append(buf, '\t')
		buf = strconv.AppendInt(buf, n, 10)
	}
	buf = append(buf, '\t')
	buf = appendText(buf, r.Raw)
	buf = append(buf, '\t')
	buf = appendText(buf, r.Player)
	buf = append(buf, '\t')
	return appendText(buf, r.PlayerVersion)
}

// recordNumber returns the number by which a record is told from others of its
// session and mode. Those of CMCD v1 have none, and only equal ones are
// repetitions: they get one below 0, made of their content.
func recordNumber(r *telemetry.Record) int64 {
	if r.Has.Has(telemetry.KeySN) {
		return r.SN
	}
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendInt(nil, r.RecvMs, 10)) // a hash takes everything
	_, _ = h.Write([]byte(r.Raw))
	return -1 - int64(h.Sum64()>>1) //nolint:gosec // 63 bits
}
