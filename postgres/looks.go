package postgres

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

var _ metrics.Store = (*DB)(nil)

// Look runs do in one transaction that holds the lock of the experiment's
// version, see metrics.Store. When it returns true and no error, all that do
// wrote is durable.
func (db *DB) Look(ctx context.Context, exp *experiment.Experiment, do func(metrics.LookTx) error) (ran bool, err error) {
	// Exposures recorded before now are still on their way as long as their
	// transactions hold the shared lock. Each of these lasts one statement.
	if _, err := db.sql.ExecContext(ctx, `select pg_advisory_xact_lock($1)`, lockExposures); err != nil {
		return false, wrap("wait for exposures", err)
	}
	err = db.inConnTx(ctx, func(tx *connTx) error {
		const lock = `select pg_try_advisory_xact_lock($1::int, $2::int)`
		if err := tx.GetContext(ctx, &ran, lock, lockClassLook, lookLock(exp)); err != nil || !ran {
			return err
		}
		l := &lookTx{tx: tx, db: db, exp: exp, fixed: map[fixedKey]int64{}}
		if err := do(l); err != nil {
			return err
		}
		return l.flushCounts(ctx)
	})
	if err != nil {
		return false, wrap("look", err)
	}
	return ran, nil
}

// lookLock is the key of a version's lock within lockClassLook. Two experiments
// that share it wait for each other, which harms neither.
func lookLock(exp *experiment.Experiment) int32 {
	var key [16]byte
	binary.BigEndian.PutUint64(key[:8], uint64(exp.ID))      //nolint:gosec // bits to hash
	binary.BigEndian.PutUint64(key[8:], uint64(exp.Version)) //nolint:gosec // bits to hash
	h := fnv.New32a()
	_, _ = h.Write(key[:])  // never fails
	return int32(h.Sum32()) //nolint:gosec // bits to hash
}

// lookTx is the transaction of one look: metrics.LookTx.
type lookTx struct {
	tx    *connTx
	db    *DB
	exp   *experiment.Experiment
	fixed map[fixedKey]int64 // outcomes appended that outcome_counts lacks
}

// Last implements metrics.LookTx.
func (l *lookTx) Last(ctx context.Context) (metrics.Look, bool, error) {
	looks, err := readLooks(ctx, l.tx, newestLook, l.exp.ID, l.exp.Version)
	if err != nil || len(looks) == 0 {
		return metrics.Look{}, false, err
	}
	return looks[0], true, nil
}

// AppendLook implements metrics.LookTx.
func (l *lookTx) AppendLook(ctx context.Context, look metrics.Look) error {
	arms, err := json.Marshal(look.Arms)
	if err != nil {
		return err
	}
	var restated sql.NullString
	if len(look.Restated) > 0 {
		text, err := json.Marshal(look.Restated)
		if err != nil {
			return err
		}
		restated = sql.NullString{String: string(text), Valid: true}
	}
	const insert = `
		insert into looks (experiment_id, version, number, at, watermark, arms, restated)
		select $1, $2, $3, $4, $5, $6, $7
		where $3 = 1 + (select coalesce(max(number), 0) from looks where experiment_id = $1 and version = $2)`
	result, err := l.tx.ExecContext(ctx, insert, l.exp.ID, l.exp.Version, look.Number,
		stamp(look.At), stamp(look.Watermark), string(arms), restated)
	if err != nil {
		return wrap("insert look", err)
	}
	inserted, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if inserted != 1 {
		return experiment.Errorf(experiment.CodeConflict, "number", "look %d does not follow the last one", look.Number)
	}
	return l.appendCells(ctx, &look)
}

// Counts implements metrics.LookTx. It folds the differences that it adds up
// into one row an arm, so that the next look finds few.
func (l *lookTx) Counts(ctx context.Context, upTo time.Time) ([]metrics.ArmCounts, error) {
	if err := l.flushCounts(ctx); err != nil {
		return nil, err
	}
	const fold = `
		with seen as (
			delete from exposure_counts where experiment_id = $1 and version = $2 and recorded_at <= $3
			returning arm, exposed, crossed, overridden)
		insert into exposure_counts (experiment_id, version, recorded_at, arm, exposed, crossed, overridden)
		select $1, $2, $3, arm, sum(exposed), sum(crossed), sum(overridden) from seen group by arm
		returning arm, exposed, crossed, overridden`
	counts, err := armCounts(ctx, l.tx, l.exp, fold, stamp(upTo))
	return counts, wrap("count units", err)
}
