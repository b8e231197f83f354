package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// MaxRecordBatch bounds one call of InsertRecords: a transaction of a second.
const MaxRecordBatch = 50_000

// KeyedRecord is a CMCD record and the API key that it came with.
type KeyedRecord struct {
	KeyID  int64
	Record telemetry.Record
}

// InsertRecords stores CMCD event records, each once however often it is sent.
// When it returns nil they are durable; FoldSessions makes sessions of them.
//
// It returns experiment.CodeTooLarge for more than MaxRecordBatch records.
func (db *DB) InsertRecords(ctx context.Context, records []KeyedRecord) error {
	if len(records) > MaxRecordBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d records at once", MaxRecordBatch)
	}
	if len(records) == 0 {
		return nil
	}
	if err := db.ensureDays(ctx, tableCMCDRecords, daysOfRecords(records)); err != nil {
		return err
	}
	return wrap("insert CMCD records", db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, recordStaging); err != nil {
			return fmt.Errorf("make staging table: %w", err)
		}
		if err := tx.copyIn(ctx, copyRecords, len(records), func(buf []byte, i int) []byte {
			return appendRecord(buf, &records[i])
		}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, insertStagedRecords)
		return wrap("insert", err)
	}))
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
		day date, session_id text collate "C", mode smallint, sn bigint, recv_ms bigint, key_id bigint, raw text
	) on commit delete rows`

const copyRecords = `copy record_batch (day, session_id, mode, sn, recv_ms, key_id, raw) from stdin`

// insertStagedRecords keeps of each record the one received first, and marks
// the sessions that learnt something. Rows are locked in one order, so that
// writers cannot deadlock.
const insertStagedRecords = `
	with fresh as (
		insert into cmcd_records (day, session_id, mode, sn, recv_ms, key_id, raw)
		select distinct on (day, session_id, mode, sn) day, session_id, mode, sn, recv_ms, key_id, raw
		from record_batch
		order by day, session_id, mode, sn, recv_ms
		on conflict do nothing
		returning session_id, recv_ms
	)
	insert into cmcd_sessions as s (session_id, first_recv_ms, last_recv_ms, dirty)
	select session_id, min(recv_ms), max(recv_ms), true from fresh group by session_id order by session_id
	on conflict (session_id) do update set
		first_recv_ms = least(s.first_recv_ms, excluded.first_recv_ms),
		last_recv_ms = greatest(s.last_recv_ms, excluded.last_recv_ms),
		dirty = true`

func appendRecord(buf []byte, k *KeyedRecord) []byte {
	r := &k.Record
	buf = time.UnixMilli(r.RecvMs).UTC().AppendFormat(buf, time.DateOnly)
	buf = append(buf, '\t')
	buf = appendText(buf, r.SID)
	for _, n := range [...]int64{int64(r.Mode), r.SN, r.RecvMs, k.KeyID} {
		buf = append(buf, '\t')
		buf = strconv.AppendInt(buf, n, 10)
	}
	buf = append(buf, '\t')
	return appendText(buf, r.Raw)
}

// Folding.
const (
	// foldChunk bounds the sessions folded in one transaction.
	foldChunk = 500
	// foldOpenEvery is how much longer an open session must have become to be
	// folded again: a fold reads all its records.
	foldOpenEvery = 10 * time.Minute
)

// FoldSessions makes sessions of the CMCD records that no fold has seen, of
// sessions that closed before now or have been open for another ten minutes.
// A fold is pure, so that repeating it is harmless; several processes may fold
// at once. A session that also sends heartbeats is told by those.
func (db *DB) FoldSessions(ctx context.Context, now time.Time) (int, error) {
	total := 0
	for {
		n, err := db.foldSome(ctx, now)
		total += n
		if err != nil || n < foldChunk {
			return total, wrap("fold CMCD sessions", err)
		}
	}
}

func (db *DB) foldSome(ctx context.Context, now time.Time) (n int, err error) {
	err = db.inConnTx(ctx, func(tx *connTx) error {
		var ids []string
		if err := tx.SelectContext(ctx, &ids, `
			update cmcd_sessions set dirty = false, folded_recv_ms = last_recv_ms
			where session_id in (
				select session_id from cmcd_sessions
				where dirty and (last_recv_ms <= $1 or last_recv_ms - coalesce(folded_recv_ms, first_recv_ms) >= $2)
				order by session_id limit $3 for update skip locked)
			returning session_id`,
			now.UnixMilli()-telemetry.CloseMinMs, foldOpenEvery.Milliseconds(), foldChunk); err != nil {
			return fmt.Errorf("choose: %w", err)
		}
		n = len(ids)
		if n == 0 {
			return nil
		}
		sessions, err := tx.foldRecords(ctx, ids)
		if err != nil {
			return err
		}
		return tx.replaceSessions(ctx, sessions)
	})
	return n, err
}

// foldRecords folds all records of the sessions, but of those that heartbeats
// tell of.
func (tx *connTx) foldRecords(ctx context.Context, ids []string) ([]*telemetry.Session, error) {
	var rows []struct {
		SessionID string `db:"session_id"`
		Mode      int    `db:"mode"`
		RecvMs    int64  `db:"recv_ms"`
		Raw       string `db:"raw"`
	}
	err := tx.SelectContext(ctx, &rows, `
		select r.session_id, r.mode, r.recv_ms, r.raw
		from cmcd_sessions c join cmcd_records r on r.session_id = c.session_id
			and r.day between (to_timestamp(c.first_recv_ms / 1000.0) at time zone 'utc')::date
			and (to_timestamp(c.last_recv_ms / 1000.0) at time zone 'utc')::date
		where c.session_id = any ($1)
			and not exists (select from sessions s where s.session_id = c.session_id and s.telemetry_tier = $2)
		order by r.session_id`, pq.Array(ids), int(telemetry.TierA))
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	var out []*telemetry.Session
	var records []telemetry.Record
	for i := range rows {
		r, _, ok := telemetry.DecodeRecord(rows[i].Raw, telemetry.Mode(rows[i].Mode))
		if ok { // it was when it came; a decoder that grew stricter leaves it out
			r.RecvMs = rows[i].RecvMs
			records = append(records, r)
		}
		if i == len(rows)-1 || rows[i+1].SessionID != rows[i].SessionID {
			if len(records) > 0 {
				s := telemetry.FoldCMCD(records)
				out = append(out, &s)
			}
			records = records[:0]
		}
	}
	return out, nil
}
