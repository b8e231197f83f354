package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// ArmCounts returns per arm, in order and every arm, the units recorded and the
// outcomes fixed by now. Unlike those of a look they are not as of one moment:
// no job waits for the exposures that are on their way.
func (db *DB) ArmCounts(ctx context.Context, exp *experiment.Experiment) ([]metrics.ArmCounts, error) {
	const units = `
		select arm, sum(exposed)::bigint, sum(crossed)::bigint, sum(overridden)::bigint
		from exposure_counts where experiment_id = $1 and version = $2
		group by arm`
	var counts []metrics.ArmCounts
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) (err error) {
		counts, err = armCounts(ctx, tx, exp, units)
		return err
	})
	return counts, wrap("count units", err)
}

// armCounts adds the outcomes fixed to the units that a statement returns. The
// statement's first arguments are the experiment and its version.
func armCounts(ctx context.Context, q sqlx.QueryerContext, exp *experiment.Experiment, units string, args ...any) ([]metrics.ArmCounts, error) {
	counts := make([]metrics.ArmCounts, len(exp.Arms))
	for arm := range counts {
		counts[arm].Arm = arm
	}
	args = append([]any{exp.ID, exp.Version}, args...)
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var c metrics.ArmCounts
		if err := rows.Scan(&c.Arm, &c.Exposed, &c.Crossed, &c.Overridden); err != nil {
			return err
		}
		if c.Arm >= len(counts) {
			return fmt.Errorf("units in arm %d of %d", c.Arm, len(counts))
		}
		counts[c.Arm] = c
		return nil
	}, units, args...)
	if err != nil {
		return nil, err
	}
	const fixed = `select arm, win, count from outcome_counts where experiment_id = $1 and version = $2`
	err = eachRow(ctx, q, func(rows *sql.Rows) error {
		var arm int
		var window metrics.Window
		var n int64
		if err := rows.Scan(&arm, &window, &n); err != nil {
			return err
		}
		switch {
		case arm >= len(counts):
			return fmt.Errorf("outcomes of arm %d of %d", arm, len(counts))
		case window == metrics.WindowFirst:
			counts[arm].ClosedFirst = n
		case window == metrics.WindowDay:
			counts[arm].ClosedDay = n
		}
		return nil
	}, fixed, exp.ID, exp.Version)
	if err != nil {
		return nil, err
	}
	const imported = `select arm, max(count) from imported_counts where experiment_id = $1 and version = $2 group by arm`
	err = eachRow(ctx, q, func(rows *sql.Rows) error {
		var arm int
		var n int64
		if err := rows.Scan(&arm, &n); err != nil {
			return err
		}
		if arm >= len(counts) {
			return fmt.Errorf("imported outcomes of arm %d of %d", arm, len(counts))
		}
		counts[arm].Imported = n
		return nil
	}, imported, exp.ID, exp.Version)
	return counts, err
}
