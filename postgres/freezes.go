package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// AppliedFreeze is what Apply did with one freeze window.
type AppliedFreeze struct {
	Result Result            `json:"result"`
	Freeze experiment.Freeze `json:"freeze"`
}

// Freezes returns the windows that are not over at now, in the order of time.
func (db *DB) Freezes(ctx context.Context, now time.Time) ([]experiment.Freeze, error) {
	out := []experiment.Freeze{}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		z, err := scanFreeze(rows)
		out = append(out, z)
		return err
	}, `select key, starts_at, ends_at, reason from freezes where ends_at > $1 order by starts_at, key`, stamp(now))
	return out, wrap("list freeze windows", err)
}

func scanFreeze(row interface{ Scan(...any) error }) (z experiment.Freeze, err error) {
	err = row.Scan(&z.Key, &z.From, &z.To, &z.Reason)
	z.Normalize()
	return z, err
}

// freezeInForce returns the window that now is in, the last to end of several,
// or nil.
func freezeInForce(ctx context.Context, tx *sqlx.Tx, now time.Time) (*experiment.Freeze, error) {
	z, err := scanFreeze(tx.QueryRowContext(ctx, `
		select key, starts_at, ends_at, reason from freezes
		where starts_at <= $1 and ends_at > $1 order by ends_at desc, key limit 1`, stamp(now)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // most of the time there is none
	}
	if err != nil {
		return nil, fmt.Errorf("read freeze windows: %w", err)
	}
	return &z, nil
}

// thaw refuses a change within a freeze window, unless it changes no
// assignment, or only stops something and an administrator says why.
func (p *publication) thaw(changesAssignment, onlyStops bool) error {
	if p.freeze == nil || !changesAssignment || p.proposed != nil { // what is only proposed waits for its end anyway
		return nil
	}
	if p.opts.BreakFreeze == "" || !onlyStops {
		return p.freeze.Refusal()
	}
	if !p.opts.Admin {
		return experiment.Errorf(experiment.CodeForbidden, "break_freeze", "only an administrator may stop something during %s", p.freeze.Key)
	}
	return nil
}

// freezes applies windows. A window that has begun is changed by administrators
// only: shortening it is as good as breaking it.
func (p *publication) freezes(ctx context.Context, windows []experiment.Freeze) ([]AppliedFreeze, error) {
	var out []AppliedFreeze
	for i := range windows {
		a, err := p.applyFreeze(ctx, windows[i])
		if err != nil {
			return nil, experiment.Within(fmt.Sprintf("freezes[%d]", i), err)
		}
		out = append(out, a)
	}
	if len(windows) == 0 {
		return out, nil
	}
	var n int
	if err := p.tx.GetContext(ctx, &n, `select count(*) from freezes where ends_at > $1`, p.at); err != nil {
		return nil, fmt.Errorf("count freeze windows: %w", err)
	}
	if n > experiment.MaxFreezes {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "freezes", "at most %d windows that are not over", experiment.MaxFreezes)
	}
	return out, nil
}

func (p *publication) applyFreeze(ctx context.Context, z experiment.Freeze) (AppliedFreeze, error) {
	old, err := scanFreeze(p.tx.QueryRowContext(ctx, `select key, starts_at, ends_at, reason from freezes where key = $1`, z.Key))
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return AppliedFreeze{}, fmt.Errorf("read freeze window: %w", err)
	}
	switch {
	case known && old == z:
		return AppliedFreeze{Unchanged, z}, nil
	case known && old.Holds(p.opts.Now) && !p.opts.Admin:
		return AppliedFreeze{}, experiment.Errorf(experiment.CodeForbidden, "key",
			"%s has begun; until %s only an administrator changes it", z.Key, old.To.Format(time.RFC3339))
	}
	_, err = p.tx.ExecContext(ctx, `
		insert into freezes (key, starts_at, ends_at, reason) values ($1, $2, $3, $4)
		on conflict (key) do update set starts_at = excluded.starts_at, ends_at = excluded.ends_at, reason = excluded.reason`,
		z.Key, z.From, z.To, z.Reason)
	if err != nil {
		return AppliedFreeze{}, fmt.Errorf("store freeze window: %w", err)
	}
	result := Created
	var before *experiment.Freeze
	if known {
		result, before = Updated, &old
	}
	return AppliedFreeze{result, z}, p.audit(ctx, "freeze."+verb(result), z.Key, struct {
		Before *experiment.Freeze `json:"before,omitempty"`
		Freeze experiment.Freeze  `json:"freeze"`
	}{before, z})
}

// verb is the result as the audit log has it.
func verb(r Result) string {
	if r == Created {
		return "create"
	}
	return "update"
}
