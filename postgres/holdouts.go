package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// AppliedHoldout is what Apply did with one holdout.
type AppliedHoldout struct {
	Result  Result             `json:"result"`
	Holdout experiment.Holdout `json:"holdout"`
}

// Holdouts returns all holdouts, ended ones too, in the order of their keys.
func (db *DB) Holdouts(ctx context.Context) ([]experiment.Holdout, error) {
	out, err := queryHoldouts(ctx, db.sql, `true`)
	return out, wrap("list holdouts", err)
}

// queryHoldouts returns the holdouts of which a condition is true.
func queryHoldouts(ctx context.Context, q queryer, where string, args ...any) ([]experiment.Holdout, error) {
	out := []experiment.Holdout{}
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var h experiment.Holdout
		if err := rows.Scan(&h.Key, &h.Unit, &h.Slots, &h.Salt, &h.Ended); err != nil {
			return err
		}
		out = append(out, h)
		return nil
	}, `select key, unit, slots, salt, ended_at is not null from holdouts where `+where+` order by key`, args...)
	return out, err
}

// holdouts applies holdouts, and returns the unit types of those that hold out
// more units than before.
func (p *publication) holdouts(ctx context.Context, specs []experiment.HoldoutSpec) (out []AppliedHoldout, grown []experiment.UnitType, err error) {
	for i, spec := range specs {
		a, more, err := p.applyHoldout(ctx, spec)
		if err != nil {
			return nil, nil, experiment.Within(fmt.Sprintf("holdouts[%d]", i), err)
		}
		out = append(out, a)
		if more {
			grown = append(grown, spec.Unit)
		}
	}
	return out, grown, nil
}

func (p *publication) applyHoldout(ctx context.Context, spec experiment.HoldoutSpec) (a AppliedHoldout, grows bool, err error) {
	stored, err := queryHoldouts(ctx, p.tx, `key = $1`, spec.Key)
	if err != nil {
		return a, false, fmt.Errorf("read holdout: %w", err)
	}
	var cur *experiment.Holdout
	if len(stored) > 0 {
		cur = &stored[0]
	}
	next, err := experiment.ReviseHoldout(cur, spec)
	if err != nil {
		return a, false, err
	}
	if cur != nil && *cur == next {
		return AppliedHoldout{Unchanged, next}, false, nil
	}
	if err := p.checkMeasured(ctx, cur); err != nil {
		return a, false, err
	}
	if err := p.thaw(true, false); err != nil {
		return a, false, err
	}
	p.bump = true
	a.Result = Updated
	if cur == nil {
		a.Result, next.Salt = Created, p.opts.salt()
	}
	_, err = p.tx.ExecContext(ctx, `
		insert into holdouts (key, unit, slots, salt, created_at) values ($1, $2, $3, $4, $5)
		on conflict (key) do update set slots = excluded.slots,
			ended_at = case when $6 then coalesce(holdouts.ended_at, $5) end`,
		next.Key, string(next.Unit), next.Slots, next.Salt, p.at, next.Ended)
	if err != nil {
		return a, false, wrap("store holdout", err)
	}
	if err := p.countHoldouts(ctx, next.Unit); err != nil {
		return a, false, err
	}
	a.Holdout = next
	return a, next.Grows(cur), p.audit(ctx, "holdout."+verb(a.Result), next.Key, struct {
		Before *experiment.Holdout `json:"before,omitempty"`
		Now    experiment.Holdout  `json:"now"`
	}{cur, next})
}

func (p *publication) countHoldouts(ctx context.Context, unit experiment.UnitType) error {
	var n int
	err := p.tx.GetContext(ctx, &n, `select count(*) from holdouts where unit = $1 and ended_at is null`, string(unit))
	if err != nil {
		return fmt.Errorf("count holdouts: %w", err)
	}
	if n > experiment.MaxHoldouts {
		return experiment.Errorf(experiment.CodeTooLarge, "key", "at most %d holdouts of one unit type at a time", experiment.MaxHoldouts)
	}
	return nil
}

// newVersions gives a new version to the experiments that lose units to a
// holdout which has grown: whom they compare has changed.
func (p *publication) newVersions(ctx context.Context, units []experiment.UnitType) error {
	if len(units) == 0 {
		return nil
	}
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = string(u)
	}
	slices.Sort(names)
	var keys []string
	err := p.tx.SelectContext(ctx, &keys, `
		select key from experiments
		where status in ('running', 'paused') and started_at < $1
		  and spec->>'unit' = any($2) and coalesce(spec->>'ignore_holdouts', '') = ''
		order by key`, p.at, pq.Array(slices.Compact(names)))
	if err != nil {
		return fmt.Errorf("read experiments that honour holdouts: %w", err)
	}
	for _, key := range keys {
		stored, err := loadExperiment(ctx, p.tx, key)
		if err != nil {
			return err
		}
		c := &change{before: stored, next: stored.exp, action: "experiment.holdout"}
		c.next.Version++
		c.changes = []experiment.Change{{
			Path: "version", From: []byte(mustJSON(stored.exp.Version)), To: []byte(mustJSON(c.next.Version)),
		}}
		if err := p.write(ctx, c); err != nil {
			return experiment.Within("experiment "+key, err)
		}
	}
	return nil
}

// loadHoldouts returns the holdouts in force.
func loadHoldouts(ctx context.Context, tx *sqlx.Tx) ([]experiment.Holdout, error) {
	out, err := queryHoldouts(ctx, tx, `ended_at is null`)
	if len(out) == 0 {
		out = nil // as it is after a round trip through JSON
	}
	return out, wrap("read holdouts", err)
}

// measures gives a new experiment its salt: that of the holdout which it
// measures, or one of its own. It returns what experiment.Experiment.CheckMeasures
// says of the experiment.
func (p *publication) measures(ctx context.Context, c *change) error {
	var measured *experiment.Holdout
	if c.next.MeasuresHoldout != "" {
		stored, err := queryHoldouts(ctx, p.tx, `key = $1`, c.next.MeasuresHoldout)
		if err != nil {
			return fmt.Errorf("read holdout: %w", err)
		}
		if len(stored) > 0 {
			measured = &stored[0]
		}
	}
	switch {
	case c.before != nil:
	case measured != nil:
		c.next.Salt = measured.Salt
	default:
		c.next.Salt = p.opts.salt()
	}
	return c.next.CheckMeasures(measured)
}

// checkMeasured returns an Error of CodeConflict while an experiment measures a
// holdout, nil for a new one, whose units would be others after the change.
func (p *publication) checkMeasured(ctx context.Context, cur *experiment.Holdout) error {
	if cur == nil {
		return nil
	}
	var keys []string
	err := p.tx.SelectContext(ctx, &keys, `
		select key from experiments where status in ('running', 'paused') and spec->>'measures_holdout' = $1 order by key limit 1`, cur.Key)
	if err != nil {
		return fmt.Errorf("read experiments that measure a holdout: %w", err)
	}
	if len(keys) > 0 {
		return experiment.Errorf(experiment.CodeConflict, "key", "experiment %s measures holdout %s: stop it first", keys[0], cur.Key)
	}
	return nil
}
