package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/telemetry"
)

// Folding.
const (
	// foldChunk bounds the sessions folded in one transaction.
	foldChunk = 500
	// An open session is folded again once it has become longer by
	// foldOpenLeast, and by one part in foldOpenPart: a fold reads all its
	// records, so that the folds of a session cost together foldOpenPart times
	// the last one, however long it gets.
	foldOpenLeast = time.Minute
	foldOpenPart  = 4
)

// FoldSessions makes sessions of the CMCD records that no fold has seen, of
// sessions that closed before now or have become longer by a quarter, and a
// minute, and returns how many it looked at. A fold is pure, so that repeating it is
// harmless; several processes may fold at once. A session that also sends
// heartbeats is told by those.
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

// chooseSessions claims sessions to fold. What another process folds or writes
// just now is left to the next call.
const chooseSessions = `
	with chosen as materialized (
		select session_id from cmcd_sessions
		where dirty and (last_recv_ms <= $1 or last_recv_ms - coalesce(folded_recv_ms, first_recv_ms)
			>= greatest($2, (last_recv_ms - first_recv_ms) / $4))
		order by session_id limit $3 for update skip locked
	)
	update cmcd_sessions s set dirty = false, folded_recv_ms = s.last_recv_ms
	from chosen where s.session_id = chosen.session_id
	returning s.session_id`

// foldSome folds up to foldChunk sessions.
func (db *DB) foldSome(ctx context.Context, now time.Time) (n int, err error) {
	err = db.inConnTx(ctx, func(tx *connTx) error {
		var ids []string
		if err := tx.SelectContext(ctx, &ids, chooseSessions,
			now.UnixMilli()-telemetry.CloseMinMs, foldOpenLeast.Milliseconds(), foldChunk, foldOpenPart); err != nil {
			return fmt.Errorf("choose: %w", err)
		}
		n = len(ids)
		if n == 0 {
			return nil
		}
		sessions, err := tx.foldRecords(ctx, ids)
		if err != nil || len(sessions) == 0 {
			return err
		}
		return tx.replaceSessions(ctx, sessions, replaceFolded)
	})
	return n, err
}

// recordsOf reads the records of sessions, session by session in the order of
// their ids, without those of which heartbeats tell.
const recordsOf = `
	select r.session_id, r.mode, r.recv_ms, r.raw, c.player, c.player_version
	from cmcd_sessions c join cmcd_records r on r.session_id = c.session_id
		and r.day between (to_timestamp(c.first_recv_ms / 1000.0) at time zone 'utc')::date
		and (to_timestamp(c.last_recv_ms / 1000.0) at time zone 'utc')::date
	where c.session_id = any ($1)
		and not exists (select from sessions s where s.session_id = c.session_id and not s.folded)
	order by r.session_id`

// foldRecords folds all records of the sessions, holding those of one at a time.
func (tx *connTx) foldRecords(ctx context.Context, ids []string) ([]*telemetry.Session, error) {
	var out []*telemetry.Session
	var records []telemetry.Record
	var current string
	fold := func() {
		if len(records) > 0 {
			s := telemetry.FoldCMCD(records)
			out = append(out, &s)
		}
		records = records[:0]
	}
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var id, raw, player, version string
		var mode telemetry.Mode
		var recvMs int64
		if err := rows.Scan(&id, &mode, &recvMs, &raw, &player, &version); err != nil {
			return err
		}
		if id != current {
			fold()
			current = id
		}
		r, _, ok := telemetry.DecodeRecord(raw, mode)
		if ok { // it was when it came; a decoder that grew stricter leaves it out
			r.RecvMs, r.Player, r.PlayerVersion = recvMs, player, version
			records = append(records, r)
		}
		return nil
	}, recordsOf, pq.Array(ids))
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	fold()
	return out, nil
}
