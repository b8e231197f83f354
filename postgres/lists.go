package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// AppliedList is what Apply did with one list.
type AppliedList struct {
	Result Result `json:"result"`
	ListInfo
}

// ListInfo describes a list without its ids.
type ListInfo struct {
	Key       string              `json:"key"`
	Unit      experiment.UnitType `json:"unit,omitempty"`
	Count     int                 `json:"count"`
	Digest    string              `json:"digest"` // SHA-256 of the ids, ascending, one a line
	ChangedAt time.Time           `json:"changed_at"`
	UsedBy    []string            `json:"used_by,omitempty"` // keys of experiments
}

// Lists describes all lists in the order of their keys.
func (db *DB) Lists(ctx context.Context) ([]ListInfo, error) {
	const query = `
		select l.key, l.unit, l.count, l.digest, l.changed_at,
		       array(select e.key from experiment_lists u join experiments e on e.id = u.experiment_id where u.list_id = l.id order by e.key)
		from lists l order by l.key`
	out := []ListInfo{}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var l ListInfo
		if err := rows.Scan(&l.Key, &l.Unit, &l.Count, &l.Digest, &l.ChangedAt, pq.Array(&l.UsedBy)); err != nil {
			return err
		}
		l.ChangedAt = l.ChangedAt.UTC()
		out = append(out, l)
		return nil
	}, query)
	return out, wrap("list lists", err)
}

// ListText returns the ids of a list, ascending, one a line. It returns
// experiment.CodeNotFound when there is no such list.
func (db *DB) ListText(ctx context.Context, key string) (string, error) {
	var text string
	err := db.sql.GetContext(ctx, &text, `select ids from lists where key = $1`, key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", noList(key)
	}
	return text, wrap("read list", err)
}

func noList(key string) error {
	return experiment.Errorf(experiment.CodeNotFound, "key", "there is no list %q", key)
}

// RemoveList removes a list that no experiment refers to. It returns
// experiment.CodeNotFound for an unknown one and CodeConflict for one in use,
// naming the experiments.
func (db *DB) RemoveList(ctx context.Context, key string, opts ApplyOptions) error {
	return wrap("remove list", db.publish(ctx, opts, func(p *publication) error {
		var users []string
		err := p.tx.SelectContext(ctx, &users, `
			select e.key from experiment_lists u join experiments e on e.id = u.experiment_id join lists l on l.id = u.list_id
			where l.key = $1 order by e.key`, key)
		if err != nil {
			return fmt.Errorf("read use of list: %w", err)
		}
		if len(users) > 0 {
			return experiment.Errorf(experiment.CodeConflict, "key", "list %s is in use by %v", key, users)
		}
		done, err := p.tx.ExecContext(ctx, `delete from lists where key = $1`, key)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, noList(key))
		}
		return p.audit(ctx, "list.remove", key, struct{}{})
	}))
}

// lists applies lists.
func (p *publication) lists(ctx context.Context, lists []experiment.List) ([]AppliedList, error) {
	var out []AppliedList
	for i := range lists {
		a, err := p.applyList(ctx, &lists[i])
		if err != nil {
			return nil, experiment.Within(fmt.Sprintf("lists[%d]", i), err)
		}
		out = append(out, a)
	}
	if len(lists) == 0 {
		return out, nil
	}
	var n, ids int
	if err := p.tx.QueryRowContext(ctx, `select count(*), coalesce(sum(count), 0) from lists`).Scan(&n, &ids); err != nil {
		return nil, fmt.Errorf("count lists: %w", err)
	}
	if n > experiment.MaxLists || ids > experiment.MaxAllListIDs {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "lists", "at most %d lists with %d ids in all; there would be %d with %d",
			experiment.MaxLists, experiment.MaxAllListIDs, n, ids)
	}
	return out, nil
}

func (p *publication) applyList(ctx context.Context, l *experiment.List) (AppliedList, error) {
	a := AppliedList{Created, ListInfo{Key: l.Key, Unit: l.Unit, Count: l.IDs.Len(), Digest: l.IDs.Digest(), ChangedAt: p.at}}
	old := ListInfo{}
	err := p.tx.QueryRowContext(ctx, `
		select l.unit, l.count, l.digest, l.changed_at,
		       array(select e.key from experiment_lists u join experiments e on e.id = u.experiment_id where u.list_id = l.id order by e.key)
		from lists l where l.key = $1`, l.Key).Scan(&old.Unit, &old.Count, &old.Digest, &old.ChangedAt, pq.Array(&old.UsedBy))
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return a, fmt.Errorf("read list: %w", err)
	}
	if known {
		a.Result, a.UsedBy = Updated, old.UsedBy
		a.Unit = cmp.Or(l.Unit, old.Unit) // an upload of ids alone leaves it
		if old.Digest == a.Digest && old.Unit == a.Unit {
			a.Result, a.ChangedAt = Unchanged, old.ChangedAt.UTC()
			return a, nil
		}
		if old.Unit != a.Unit && len(old.UsedBy) > 0 {
			return a, experiment.Errorf(experiment.CodeConflict, "unit", "list %s is in use by %v: its unit cannot change", l.Key, old.UsedBy)
		}
	}
	inUse := len(a.UsedBy) > 0
	if err := p.thaw(inUse, false); err != nil {
		return a, err
	}
	p.bump = p.bump || inUse
	_, err = p.tx.ExecContext(ctx, `
		insert into lists (key, unit, digest, count, ids, changed_at) values ($1, $2, $3, $4, $5, $6)
		on conflict (key) do update set unit = excluded.unit, digest = excluded.digest, count = excluded.count,
			ids = excluded.ids, changed_at = excluded.changed_at`,
		l.Key, string(a.Unit), a.Digest, a.Count, l.IDs.Text(), p.at)
	if err != nil {
		return a, wrap("store list", err)
	}
	return a, p.audit(ctx, "list."+verb(a.Result), l.Key, struct {
		Count  int    `json:"count"`
		Digest string `json:"digest"`
	}{a.Count, a.Digest})
}
