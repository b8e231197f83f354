package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// checkReferences stores which lists and experiments the changed experiments
// refer to, and judges the references of all that hang together with them. It
// runs when everything is written, so that a document may hold both ends.
func (p *publication) checkReferences(ctx context.Context, pending []*change) error {
	if len(pending) == 0 {
		return nil
	}
	ids := make([]int64, len(pending))
	for i, c := range pending {
		ids[i] = c.next.ID
		if !refers(&c.next) && (c.before == nil || !refers(&c.before.exp)) {
			continue
		}
		if err := p.storeReferences(ctx, &c.next); err != nil {
			return err
		}
	}
	var specs []json.RawMessage
	err := p.tx.SelectContext(ctx, &specs, `
		with recursive linked(id) as (
			select unnest($1::bigint[])
			union
			select case when r.experiment_id = l.id then r.required_id else r.experiment_id end
			from linked l join experiment_requires r on l.id in (r.experiment_id, r.required_id)
		)
		select spec from experiments where id in (select id from linked) order by key`, pq.Array(ids))
	if err != nil {
		return fmt.Errorf("read prerequisites: %w", err)
	}
	all := make([]experiment.Spec, len(specs))
	for i, text := range specs {
		if err := json.Unmarshal(text, &all[i]); err != nil {
			return fmt.Errorf("read prerequisites: %w", err)
		}
	}
	return experiment.CheckRequires(all)
}

// refers reports whether the experiment refers to lists or other experiments.
func refers(e *experiment.Experiment) bool {
	return len(e.Requires) > 0 || len(e.Audience.Lists()) > 0
}

func (p *publication) storeReferences(ctx context.Context, e *experiment.Experiment) error {
	keys := make([]string, len(e.Requires))
	for i, r := range e.Requires {
		keys[i] = r.Experiment
	}
	const requires = `
		with gone as (delete from experiment_requires where experiment_id = $1 and required_id not in (select id from experiments where key = any($2)))
		insert into experiment_requires (experiment_id, required_id)
		select $1::bigint, id from experiments where key = any($2) on conflict do nothing`
	if _, err := p.tx.ExecContext(ctx, requires, e.ID, pq.Array(keys)); err != nil {
		return fmt.Errorf("store prerequisites: %w", err)
	}
	lists := e.Audience.Lists()
	const uses = `
		with gone as (delete from experiment_lists where experiment_id = $1 and list_id not in (select id from lists where key = any($2)))
		insert into experiment_lists (experiment_id, list_id)
		select $1::bigint, id from lists where key = any($2) on conflict do nothing`
	if _, err := p.tx.ExecContext(ctx, uses, e.ID, pq.Array(lists)); err != nil {
		return fmt.Errorf("store use of lists: %w", err)
	}
	if len(lists) == 0 {
		return nil
	}
	var known []struct {
		Key  string `db:"key"`
		Unit string `db:"unit"`
	}
	if err := p.tx.SelectContext(ctx, &known, `select key, unit from lists where key = any($1)`, pq.Array(lists)); err != nil {
		return fmt.Errorf("read lists: %w", err)
	}
	units := map[string]experiment.UnitType{}
	for _, l := range known {
		units[l.Key] = experiment.UnitType(l.Unit)
	}
	return e.CheckLists(units)
}
