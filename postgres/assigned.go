package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// MaxAssignedBatch bounds the sketches of one call of MergeAssigned, to 1 MB.
const MaxAssignedBatch = 256

// AssignedSketch is what a server has seen of the units assigned to one arm.
type AssignedSketch struct {
	ExperimentID int64
	Version, Arm int
	Registers    []byte // as of assignment.Sketch.AppendBytes
}

// MergeAssigned adds what a server has seen to what all have. It can be repeated:
// units that are in already change nothing. It returns experiment.CodeTooLarge for
// more than MaxAssignedBatch sketches.
func (db *DB) MergeAssigned(ctx context.Context, seen []AssignedSketch, now time.Time) error {
	if len(seen) > MaxAssignedBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d sketches at once", MaxAssignedBatch)
	}
	if len(seen) == 0 {
		return nil
	}
	seen = slices.Clone(seen)
	slices.SortFunc(seen, compareArms) // writers that lock in one order cannot deadlock
	return wrap("record assigned units", db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		const insert = `
			insert into assigned_units (experiment_id, version, arm, registers, changed_at)
			select n.experiment_id, n.version, n.arm, n.registers, $5
			from unnest($1::bigint[], $2::int[], $3::smallint[], $4::bytea[]) as n (experiment_id, version, arm, registers)
			on conflict (experiment_id, version, arm) do nothing`
		if _, err := tx.ExecContext(ctx, insert, append(assignedArrays(seen), stamp(now))...); err != nil {
			return err
		}
		grown, err := mergeStored(ctx, tx, seen)
		if err != nil || len(grown) == 0 {
			return err
		}
		const update = `
			update assigned_units a set registers = n.registers, changed_at = $5
			from unnest($1::bigint[], $2::int[], $3::smallint[], $4::bytea[]) as n (experiment_id, version, arm, registers)
			where (a.experiment_id, a.version, a.arm) = (n.experiment_id, n.version, n.arm)`
		_, err = tx.ExecContext(ctx, update, append(assignedArrays(grown), stamp(now))...)
		return err
	}))
}

func compareArms(a, b AssignedSketch) int {
	return cmp.Or(cmp.Compare(a.ExperimentID, b.ExperimentID), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Arm, b.Arm))
}

func assignedArrays(sketches []AssignedSketch) []any {
	n := len(sketches)
	ids, versions, arms, registers := make([]int64, n), make([]int64, n), make([]int64, n), make(pq.ByteaArray, n)
	for i, s := range sketches {
		ids[i], versions[i], arms[i], registers[i] = s.ExperimentID, int64(s.Version), int64(s.Arm), s.Registers
	}
	return []any{pq.Array(ids), pq.Array(versions), pq.Array(arms), registers}
}

// mergeStored locks what is stored of the sorted sketches and returns those that
// grow it, merged.
func mergeStored(ctx context.Context, tx *sqlx.Tx, seen []AssignedSketch) ([]AssignedSketch, error) {
	var grown []AssignedSketch
	const query = `
		select a.experiment_id, a.version, a.arm, a.registers
		from unnest($1::bigint[], $2::int[], $3::smallint[]) as n (experiment_id, version, arm)
		join assigned_units a using (experiment_id, version, arm)
		order by 1, 2, 3 for update of a`
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var s AssignedSketch
		if err := rows.Scan(&s.ExperimentID, &s.Version, &s.Arm, &s.Registers); err != nil {
			return err
		}
		i, ok := slices.BinarySearchFunc(seen, s, compareArms)
		if !ok {
			return fmt.Errorf("a sketch of arm %d that was not asked for", s.Arm)
		}
		grew, err := assignment.MergeSketch(s.Registers, seen[i].Registers)
		if grew {
			grown = append(grown, s)
		}
		return err
	}, query, assignedArrays(seen)[:3]...)
	return grown, err
}

// AssignedUnits returns about how many units evaluation has given each arm, in
// order of arms; nothing for arms that nobody has counted.
func (db *DB) AssignedUnits(ctx context.Context, exp *experiment.Experiment) ([]metrics.AssignedUnits, error) {
	var out []metrics.AssignedUnits
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var arm int
		var registers []byte
		if err := rows.Scan(&arm, &registers); err != nil {
			return err
		}
		n, err := assignment.EstimateSketch(registers)
		out = append(out, metrics.AssignedUnits{Arm: arm, About: int64(math.Round(n)), ErrorPct: assignment.SketchErrorPct})
		return err
	}, `select arm, registers from assigned_units where experiment_id = $1 and version = $2 order by arm`, exp.ID, exp.Version)
	return out, wrap("count assigned units", err)
}
