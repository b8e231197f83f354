package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// MaxSessionBatch bounds one call of MergeSessions: a transaction of a second.
const MaxSessionBatch = 50_000

// MergeSessions merges states of sessions, such as telemetry.FoldBatch returns,
// into those stored, by the rules of telemetry.Merge. When it returns nil they
// are durable. Any order, repetition or grouping of calls gives the same.
//
// It returns experiment.CodeTooLarge for more than MaxSessionBatch sessions.
func (db *DB) MergeSessions(ctx context.Context, sessions []telemetry.Session) error {
	return db.mergeAnd(ctx, sessions, func(*connTx) error { return nil })
}

// ImportSessions is MergeSessions for sessions of the past: that they were imported is
// in the audit log as the actor's doing, or they were not.
func (db *DB) ImportSessions(ctx context.Context, at time.Time, actor string, sessions []telemetry.Session) error {
	act := importAct{actor, "sessions", func(accepted int) map[string]any { return map[string]any{"accepted": accepted} }}
	return db.mergeAnd(ctx, sessions, func(tx *connTx) error { return act.audit(ctx, tx.Tx, at, len(sessions)) })
}

// mergeAnd merges sessions, and does what belongs into their transaction.
func (db *DB) mergeAnd(ctx context.Context, sessions []telemetry.Session, and func(*connTx) error) error {
	if len(sessions) > MaxSessionBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d sessions at once", MaxSessionBatch)
	}
	if len(sessions) == 0 {
		return nil
	}
	batch := foldSessions(sessions)
	merge := func(lock string) error {
		return db.inConnTx(ctx, func(tx *connTx) error {
			if err := tx.mergeSessions(ctx, &batch, lock); err != nil {
				return err
			}
			return and(tx)
		})
	}
	err := merge(withOthers)
	if pq.As(err, pqerror.TRDeadlockDetected) != nil {
		// Another batch holds some of the same sessions: both lock in the order
		// of ids, but in several goes.
		err = merge(alone)
	}
	return wrap("merge sessions", err)
}

// How a batch is merged: beside others, or when no other one is under way.
const (
	withOthers = `select pg_advisory_xact_lock_shared($1)`
	alone      = `select pg_advisory_xact_lock($1)`
)

// mergeSessions merges a folded batch.
func (tx *connTx) mergeSessions(ctx context.Context, batch *sessionBatch, lock string) error {
	if err := tx.stageSessions(ctx, batch.sessions); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, lock, lockSessions); err != nil {
		return fmt.Errorf("lock sessions: %w", err)
	}
	for _, statement := range []string{
		// Looking sessions up keeps the cost of a batch the same however many are
		// stored, and the order of locks that of the batch.
		`set local enable_hashjoin = off; set local enable_mergejoin = off`,
		mergeNewer,
		`set local enable_hashjoin = on`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, countConflicts); err != nil {
		return fmt.Errorf("count conflicts: %w", err)
	}
	var restarted []string
	if err := tx.SelectContext(ctx, &restarted, mergeStaged); err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	if len(restarted) > 0 {
		if err := tx.mergeEpochs(ctx, batch.sessions, restarted); err != nil {
			return err
		}
	}
	return tx.countContradicting(ctx, batch.contradicting)
}

// countContradicting counts the records that contradict another one of their batch.
func (tx *connTx) countContradicting(ctx context.Context, sessions []*telemetry.Session) error {
	if len(sessions) == 0 {
		return nil
	}
	if err := tx.restageSessions(ctx, sessions); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, countContradicting)
	return wrap("count conflicts within the batch", err)
}

// sessionBatch is what is written at once.
type sessionBatch struct {
	sessions []*telemetry.Session // each once, in the order of their ids
	// contradicting are the states of records that contradict one that is in sessions.
	contradicting []*telemetry.Session
}

// foldSessions leaves one state for each session, in the order of their ids:
// writers that lock in one order cannot deadlock.
func foldSessions(sessions []telemetry.Session) sessionBatch {
	all := make([]*telemetry.Session, len(sessions))
	for i := range sessions {
		all[i] = &sessions[i]
	}
	slices.SortFunc(all, func(a, b *telemetry.Session) int { return cmp.Compare(a.SessionID, b.SessionID) })
	out := sessionBatch{sessions: make([]*telemetry.Session, 0, len(all))}
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].SessionID == all[0].SessionID {
			n++
		}
		out.add(all[:n])
		all = all[n:]
	}
	return out
}

// add adds the states of one session.
func (b *sessionBatch) add(states []*telemetry.Session) {
	if len(states) == 1 {
		b.sessions = append(b.sessions, states[0])
		return
	}
	var merged telemetry.Session
	for _, s := range states {
		merged = telemetry.Merge(merged, *s)
	}
	b.sessions = append(b.sessions, &merged)
	for _, number := range telemetry.Contradictions(states) {
		b.contradicting = append(b.contradicting, number[1:]...)
	}
}

// stagingTables makes the tables of the connection that a batch goes through on
// its way. Temporary tables are neither logged nor shared.
const stagingTables = `
	create temporary table if not exists session_batch (like sessions including defaults) on commit delete rows;
	create temporary table if not exists session_newer (session_id text collate "C") on commit delete rows`

var copySessions = `copy session_batch (` + strings.Join(sessionColumns, ", ") + `) from stdin`

// stageSessions fills the staging table in the order of the batch.
func (tx *connTx) stageSessions(ctx context.Context, batch []*telemetry.Session) error {
	if _, err := tx.ExecContext(ctx, stagingTables); err != nil {
		return fmt.Errorf("make staging tables: %w", err)
	}
	return tx.copyIn(ctx, copySessions, len(batch), func(buf []byte, i int) []byte {
		return appendSession(buf, batch[i])
	})
}

// mergeEpochs merges, in Go, the sessions that mergeStaged marked because their
// epochs differ: rare, and the rule is too long for SQL. A session folded from
// CMCD records gives way to the batch. Their rows are locked since they were
// marked.
func (tx *connTx) mergeEpochs(ctx context.Context, batch []*telemetry.Session, ids []string) error {
	var rows []struct {
		Folded bool   `db:"folded"`
		Text   string `db:"text"`
	}
	query := `select s.folded, ` + selectSession("s") + ` as text from sessions s where s.session_id = any ($1)`
	if err := tx.SelectContext(ctx, &rows, query, pq.Array(ids)); err != nil {
		return fmt.Errorf("read sessions of several epochs: %w", err)
	}
	merged := make([]*telemetry.Session, len(rows))
	for i, row := range rows {
		stored, err := parseSession(row.Text)
		if err != nil {
			return err
		}
		at, ok := slices.BinarySearchFunc(batch, stored.SessionID, func(s *telemetry.Session, id string) int {
			return cmp.Compare(s.SessionID, id)
		})
		if !ok {
			return fmt.Errorf("session %s was marked but is not in the batch", stored.SessionID)
		}
		merged[i] = batch[at]
		if !row.Folded {
			both := telemetry.Merge(stored, *batch[at])
			merged[i] = &both
		}
	}
	return tx.replaceSessions(ctx, merged, replaceStaged)
}

// replaceSessions stores states as they are, by replaceStaged or replaceFolded.
func (tx *connTx) replaceSessions(ctx context.Context, sessions []*telemetry.Session, statement string) error {
	if err := tx.restageSessions(ctx, sessions); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, statement)
	return wrap("replace", err)
}

// restageSessions fills the staging table anew.
func (tx *connTx) restageSessions(ctx context.Context, sessions []*telemetry.Session) error {
	if _, err := tx.ExecContext(ctx, stagingTables); err != nil {
		return fmt.Errorf("make staging tables: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `truncate session_batch`); err != nil {
		return fmt.Errorf("empty staging table: %w", err)
	}
	return tx.stageSessions(ctx, sessions)
}
