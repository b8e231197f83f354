package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

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

// InsertRecords stores CMCD records, each once however often it is sent: of
// repetitions the one received first stays. Records without a session id tell of
// no session and are left out. When it returns nil they are durable;
// FoldSessions makes sessions of them.
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
		_, err := tx.ExecContext(ctx, insertStagedRecords)
		return wrap("insert", err)
	})
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
		day date, session_id text collate "C", mode smallint, sn bigint, recv_ms bigint, key_id bigint, raw text collate "C"
	) on commit delete rows`

const copyRecords = `copy record_batch (day, session_id, mode, sn, recv_ms, key_id, raw) from stdin`

// insertStagedRecords keeps of each record the one received first, as the fold
// does, whichever is stored first; and marks the sessions that learnt something.
// Rows are locked in one order, so that writers cannot deadlock.
const insertStagedRecords = `
	with fresh as (
		insert into cmcd_records as r (day, session_id, mode, sn, recv_ms, key_id, raw)
		select distinct on (day, session_id, mode, sn) day, session_id, mode, sn, recv_ms, key_id, raw
		from record_batch
		order by day, session_id, mode, sn, recv_ms, raw
		on conflict (day, session_id, mode, sn) do update set
			recv_ms = excluded.recv_ms, key_id = excluded.key_id, raw = excluded.raw
		where (excluded.recv_ms, excluded.raw collate "C") < (r.recv_ms, r.raw collate "C")
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
	for _, n := range [...]int64{int64(r.Mode), recordNumber(r), r.RecvMs, k.KeyID} {
		buf = append(buf, '\t')
		buf = strconv.AppendInt(buf, n, 10)
	}
	buf = append(buf, '\t')
	return appendText(buf, r.Raw)
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
