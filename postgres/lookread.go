package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// MaxLooks bounds the looks of one call of Looks: a report shows fewer points.
const MaxLooks = 1_000

// Looks returns the looks of an experiment's version with the given numbers, in
// rising order, with their total cells; the newest look of the version has its
// dimension cells, too. Numbers that do not exist are left out.
//
// It returns experiment.CodeTooLarge for more than MaxLooks numbers.
func (db *DB) Looks(ctx context.Context, experimentID int64, version int, numbers []int) ([]metrics.Look, error) {
	if len(numbers) > MaxLooks {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "", "at most %d looks at once", MaxLooks)
	}
	wanted := make([]int64, len(numbers))
	for i, n := range numbers {
		wanted[i] = int64(n)
	}
	var looks []metrics.Look
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) (err error) {
		looks, err = readLooks(ctx, tx, `= any ($3)`, experimentID, version, pq.Array(wanted))
		return err
	})
	return looks, wrap("read looks", err)
}

// FirstLooks returns, for each of the times, the number of the first look of an
// experiment's version that was taken at or after it; 0 when there is none yet.
// Looks are append-only: what is not 0 never changes.
func (db *DB) FirstLooks(ctx context.Context, experimentID int64, version int, times []time.Time) ([]int, error) {
	const query = `
		select coalesce((
			select l.number from looks l
			where l.experiment_id = $1 and l.version = $2 and l.at >= due.at
			order by l.number limit 1), 0)
		from unnest($3::timestamptz[]) with ordinality as due(at, k) order by due.k`
	if len(times) > MaxLooks {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "", "at most %d looks at once", MaxLooks)
	}
	due := make([]string, len(times))
	for i, t := range times {
		due[i] = t.UTC().Format(time.RFC3339Nano)
	}
	numbers := make([]int, 0, len(times))
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err
		}
		numbers = append(numbers, n)
		return nil
	}, query, experimentID, version, pq.Array(due))
	return numbers, wrap("find the first looks", err)
}

// newestLook is the condition of readLooks for the look with the highest number.
const newestLook = `= (select max(number) from looks where experiment_id = $1 and version = $2)`

// readLooks returns the looks of a version whose number meets the condition, in
// rising order. The rest are arguments of the condition, from $3 on.
func readLooks(ctx context.Context, q sqlx.QueryerContext, condition string, experimentID int64, version int, rest ...any) ([]metrics.Look, error) {
	args := append([]any{experimentID, version}, rest...)
	var looks []metrics.Look
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var l metrics.Look
		var arms, restated []byte
		if err := rows.Scan(&l.Number, &l.At, &l.Watermark, &arms, &restated); err != nil {
			return err
		}
		if restated != nil {
			if err := json.Unmarshal(restated, &l.Restated); err != nil {
				return fmt.Errorf("read what look %d restated: %w", l.Number, err)
			}
		}
		l.At, l.Watermark = l.At.UTC(), l.Watermark.UTC()
		if err := json.Unmarshal(arms, &l.Arms); err != nil {
			return fmt.Errorf("read the arms of look %d: %w", l.Number, err)
		}
		looks = append(looks, l)
		return nil
	}, `
		select number, at, watermark, arms, restated from looks
		where experiment_id = $1 and version = $2 and number `+condition+` order by number`, args...)
	if err != nil || len(looks) == 0 {
		return looks, err
	}
	take := func(number int, c metrics.Cell) {
		at, ok := slices.BinarySearchFunc(looks, number, func(l metrics.Look, n int) int { return l.Number - n })
		if ok {
			looks[at].Cells = append(looks[at].Cells, c)
		}
	}
	err = readCells(ctx, q, take, `
		select look, '', '', `+cellColumns+` from cells
		where experiment_id = $1 and version = $2 and look `+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read cells: %w", err)
	}
	// Rows are there for the newest look alone; take drops them without it.
	err = readCells(ctx, q, take, `
		select n.look, d.dimension, d.value, `+cellColumns+`
		from (select max(number) as look from looks where experiment_id = $1 and version = $2) n,
		     dimension_cells d
		where d.experiment_id = $1 and d.version = $2`, experimentID, version)
	if err != nil {
		return nil, fmt.Errorf("read dimension cells: %w", err)
	}
	for i := range looks {
		metrics.SortCells(looks[i].Cells)
	}
	return looks, nil
}

// LookMark says which look is the newest of a version, and when it was taken.
type LookMark struct {
	Number int // from 1
	At     time.Time
}

// NewestLook returns the newest look of an experiment's version; ok is false
// before the first one. Looks are numbered without gaps: its number is also how
// many there are.
func (db *DB) NewestLook(ctx context.Context, experimentID int64, version int) (mark LookMark, ok bool, err error) {
	const query = `
		select number, at from looks where experiment_id = $1 and version = $2
		order by number desc limit 1`
	err = db.sql.QueryRowxContext(ctx, query, experimentID, version).Scan(&mark.Number, &mark.At)
	if errors.Is(err, sql.ErrNoRows) {
		return LookMark{}, false, nil
	}
	mark.At = mark.At.UTC()
	return mark, err == nil, wrap("read the newest look", err)
}

// Run names a version of an experiment.
type Run struct {
	ExperimentID int64
	Version      int
}

// NewestLooks returns the newest look of every version that has one. It reads
// one row a version: the others are skipped in the index.
func (db *DB) NewestLooks(ctx context.Context) (map[Run]LookMark, error) {
	const query = `
		select v.experiment_id, v.version, n.number, n.at
		from (select distinct experiment_id, version from experiment_versions) v
		cross join lateral (
			select number, at from looks l
			where l.experiment_id = v.experiment_id and l.version = v.version
			order by number desc limit 1) n`
	marks := map[Run]LookMark{}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var run Run
		var mark LookMark
		if err := rows.Scan(&run.ExperimentID, &run.Version, &mark.Number, &mark.At); err != nil {
			return err
		}
		mark.At = mark.At.UTC()
		marks[run] = mark
		return nil
	}, query)
	return marks, wrap("read the newest looks", err)
}
