package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// LayerMap says who owns which slots of a layer.
type LayerMap struct {
	Key    string              `json:"key"`
	Unit   experiment.UnitType `json:"unit"`
	Owners []SlotOwner         `json:"owners"` // in the order of slots; a gap is free
	Free   int                 `json:"free"`   // slots without owner
}

// SlotOwner is a run of slots and the experiment that owns it.
type SlotOwner struct {
	Experiment string            `json:"experiment" db:"key"`
	Status     experiment.Status `json:"status" db:"status"`
	From       int               `json:"from" db:"from_slot"`
	To         int               `json:"to" db:"to_slot"` // the first slot after
}

// Layers returns all layers in the order of their keys, with their owners.
func (db *DB) Layers(ctx context.Context) ([]LayerMap, error) {
	const query = `
		select l.key, l.unit, coalesce(e.key, ''), coalesce(e.status, ''), coalesce(lower(s.slots), 0), coalesce(upper(s.slots), 0)
		from layers l
		left join layer_slots s on s.layer_id = l.id
		left join experiments e on e.id = s.experiment_id
		order by l.key, s.slots`
	out := []LayerMap{}
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		return eachRow(ctx, tx, func(rows *sql.Rows) error {
			l := LayerMap{Owners: []SlotOwner{}, Free: experiment.TotalSlots}
			var o SlotOwner
			if err := rows.Scan(&l.Key, &l.Unit, &o.Experiment, &o.Status, &o.From, &o.To); err != nil {
				return fmt.Errorf("read layer: %w", err)
			}
			if n := len(out); n == 0 || out[n-1].Key != l.Key {
				out = append(out, l)
			}
			if o.Experiment != "" {
				last := &out[len(out)-1]
				last.Owners = append(last.Owners, o)
				last.Free -= o.To - o.From
			}
			return nil
		}, query)
	})
	return out, wrap("map layers", err)
}
