package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// ensureLayer returns the id of the layer that the spec names, made if need be.
// A layer spreads the units of one type, so another type is a conflict.
func ensureLayer(ctx context.Context, tx *sqlx.Tx, spec *experiment.Spec, opts *ApplyOptions) (int, error) {
	var layer struct {
		ID   int    `db:"id"`
		Unit string `db:"unit"`
	}
	key := spec.LayerKey()
	err := tx.GetContext(ctx, &layer, `select id, unit from layers where key = $1`, key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err := tx.GetContext(ctx, &layer.ID, `
			insert into layers (key, unit, salt, created_at) values ($1, $2, $3, $4) returning id`,
			key, string(spec.Unit), opts.salt(), stamp(opts.Now))
		return layer.ID, wrap("make layer", err)
	case err != nil:
		return 0, fmt.Errorf("read layer: %w", err)
	case layer.Unit != string(spec.Unit):
		return 0, experiment.Errorf(experiment.CodeConflict, "unit",
			"layer %s splits units of type %s, not %s", key, layer.Unit, spec.Unit)
	}
	return layer.ID, nil
}

// slotOwner is a range of a layer's slots with the experiment that owns it.
type slotOwner struct {
	Key  string `db:"key"`
	From int    `db:"from_slot"`
	To   int    `db:"to_slot"`
}

// allocate gives the experiment the slots that its status asks for and stores
// them. The conflict of a full layer names the owners.
func (c *change) allocate(ctx context.Context, tx *sqlx.Tx) error {
	if _, err := tx.ExecContext(ctx, `delete from layer_slots where experiment_id = $1`, c.next.ID); err != nil {
		return fmt.Errorf("release slots: %w", err)
	}
	const query = `
		select e.key, lower(s.slots) as from_slot, upper(s.slots) as to_slot
		from layer_slots s join experiments e on e.id = s.experiment_id
		where s.layer_id = $1
		order by s.slots`
	var owners []slotOwner
	if err := tx.SelectContext(ctx, &owners, query, c.layerID); err != nil {
		return fmt.Errorf("read slots: %w", err)
	}
	var own []experiment.SlotRange
	if c.before != nil && c.before.layerID == c.layerID {
		own = c.before.exp.SlotRanges
	}
	others := make([]experiment.SlotRange, len(owners))
	for i, o := range owners {
		others[i] = experiment.SlotRange{From: o.From, To: o.To}
	}
	ranges, err := experiment.ResizeSlots(own, others, slotsWanted(&c.next))
	if err != nil {
		return nameOwners(err, owners)
	}
	for _, r := range ranges {
		if _, err := tx.ExecContext(ctx, `
			insert into layer_slots (layer_id, experiment_id, slots) values ($1, $2, int4range($3::int, $4::int))`,
			c.layerID, c.next.ID, r.From, r.To); err != nil {
			return fmt.Errorf("take slots: %w", err)
		}
	}
	c.next.SlotRanges = ranges
	return nil
}

// nameOwners adds to a conflict of slots who holds them.
func nameOwners(err error, owners []slotOwner) error {
	faults := experiment.Faults(err)
	if len(faults) == 0 || len(owners) == 0 {
		return err
	}
	var order []string
	held := map[string]int{}
	for _, o := range owners {
		if held[o.Key] == 0 {
			order = append(order, o.Key)
		}
		held[o.Key] += o.To - o.From
	}
	for i, key := range order {
		order[i] = fmt.Sprintf("%s owns %d", key, held[key])
	}
	return experiment.Errorf(faults[0].Code, faults[0].Field, "%s (%s)", faults[0].Message, strings.Join(order, ", "))
}

// insert stores a new experiment and sets its id.
func (c *change) insert(ctx context.Context, tx *sqlx.Tx) error {
	e := &c.next
	err := tx.GetContext(ctx, &e.ID, `
		insert into experiments
			(key, version, layer_id, salt, status, spec, plan_hash, created_at, started_at, stopped_at, next_step_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		returning id`,
		e.Key, e.Version, c.layerID, e.Salt, string(e.Status), mustJSON(e.Spec), e.PlanHash,
		e.CreatedAt, e.StartedAt, e.StoppedAt, nextStep(e))
	return wrap("store experiment", err)
}

// update replaces what a revision may change.
func (c *change) update(ctx context.Context, tx *sqlx.Tx) error {
	e := &c.next
	_, err := tx.ExecContext(ctx, `
		update experiments
		set version = $2, layer_id = $3, status = $4, spec = $5, plan_hash = $6,
		    shipped_arm = $7, started_at = $8, stopped_at = $9,
		    salt = $10, ramp_slots = $11, ramped_at = $12, next_step_at = $13
		where id = $1`,
		e.ID, e.Version, c.layerID, string(e.Status), mustJSON(e.Spec), e.PlanHash,
		e.ShippedArm, e.StartedAt, e.StoppedAt,
		e.Salt, e.RampSlots, e.RampedAt, nextStep(e))
	return wrap("store experiment", err)
}

// nextStep returns when the schedule next acts; nil: never.
func nextStep(e *experiment.Experiment) *time.Time {
	if at, ok := e.NextStep(); ok {
		return &at
	}
	return nil
}

// appendRevision keeps the experiment as it is now for ever.
func (c *change) appendRevision(ctx context.Context, tx *sqlx.Tx, actor string, at time.Time) error {
	e := &c.next
	_, err := tx.ExecContext(ctx, `
		insert into experiment_versions
			(experiment_id, revision, version, spec, plan_hash, slots, changed_at, changed_by, salt, shipped_arm)
		select $1::bigint, coalesce(max(v.revision), 0) + 1, $2::int, $3::json, $4, $5::int4multirange, $6::timestamptz, $7, $8, $9
		from experiment_versions v
		where v.experiment_id = $1`,
		e.ID, e.Version, mustJSON(e.Spec), e.PlanHash, multirange(e.SlotRanges), at, actor, e.Salt, e.ShippedArm)
	return wrap("keep revision", err)
}

// multirange writes ranges as PostgreSQL does.
func multirange(ranges []experiment.SlotRange) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = fmt.Sprintf("[%d,%d)", r.From, r.To)
	}
	return "{" + strings.Join(parts, ",") + "}"
}
