package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// MaxAuditedExposures bounds the exposures of one call of AuditExposures: they
// are read in less than a second.
const MaxAuditedExposures = 100_000

// AuditPage says which exposures to audit: up to Limit of an experiment, that
// follow (Version, Unit) in this order.
type AuditPage struct {
	Experiment string
	Version    int
	Unit       string
	Limit      int
}

// AuditExposures hands a page of exposures to the function that begin makes of
// the experiment's history, and returns how many there were. Imported exposures,
// of which somebody else drew the arm, are left out. History and exposures are of
// one moment, so that no exposure is newer than the configuration that made it.
//
// The exposure and its attributes are valid during the call alone. It returns
// experiment.CodeTooLarge for a limit above MaxAuditedExposures and CodeNotFound
// when there is no such experiment.
func (db *DB) AuditExposures(ctx context.Context, page AuditPage, begin func(*assignment.History) (func(*assignment.AuditedExposure), error)) (int, error) {
	if page.Limit > MaxAuditedExposures {
		return 0, experiment.Errorf(experiment.CodeTooLarge, "limit", "at most %d exposures at once", MaxAuditedExposures)
	}
	n := 0
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		history, err := db.readHistory(ctx, tx, page.Experiment)
		if err != nil {
			return err
		}
		judge, err := begin(history)
		if err != nil {
			return err
		}
		var decoder attributeDecoder
		var attributes sql.RawBytes
		return eachRow(ctx, tx, func(rows *sql.Rows) error {
			var x assignment.AuditedExposure
			if err := rows.Scan(&x.Version, &x.Unit, &x.Arm, &x.At, &x.Override, &attributes); err != nil {
				return err
			}
			if x.Attributes, err = decoder.decode(attributes); err != nil {
				return fmt.Errorf("attributes of %s: %w", x.Unit, err)
			}
			x.At = x.At.UTC()
			judge(&x)
			n++
			return nil
		}, `
			select version, unit_id, arm, at, override, attributes from exposures
			where experiment_id = (select id from experiments where key = $1) and (version, unit_id) > ($2, $3) and imported = ''
			order by version, unit_id limit $4`, page.Experiment, page.Version, page.Unit, page.Limit)
	})
	return n, wrap("audit exposures", err)
}

// readHistory reads what an experiment's arms depended on: its revisions and
// those of all that it ever required, holdouts and lists. Of the last two the
// audit log has the changes; of lists their digests alone.
func (db *DB) readHistory(ctx context.Context, tx *sqlx.Tx, key string) (*assignment.History, error) {
	h := &assignment.History{Experiment: key, Changes: map[string][]assignment.Enrolment{}}
	layers, err := layersByKey(ctx, tx)
	if err != nil {
		return nil, err
	}
	lists := map[string]bool{}
	for waiting := []string{key}; len(waiting) > 0; waiting = waiting[1:] {
		if h.Changes[waiting[0]] != nil {
			continue
		}
		revisions, err := queryRevisions(ctx, tx, waiting[0])
		if err != nil {
			return nil, err
		}
		for i := range revisions {
			r := &revisions[i]
			h.Changes[waiting[0]] = append(h.Changes[waiting[0]], assignment.Enrolment{
				At: r.ChangedAt, Version: r.Version, Spec: r.Spec, Salt: r.Salt, Slots: r.Slots, Layer: layers[r.Spec.LayerKey()], Shipped: r.Shipped,
			})
			for _, q := range r.Spec.Requires {
				waiting = append(waiting, q.Experiment)
			}
			for _, list := range r.Spec.Audience.Lists() {
				lists[list] = true
			}
		}
	}
	if h.Holdouts, err = holdoutHistory(ctx, tx); err != nil {
		return nil, err
	}
	return h, db.listHistory(ctx, tx, h, lists)
}

func layersByKey(ctx context.Context, tx *sqlx.Tx) (map[string]experiment.Layer, error) {
	var layers []experiment.Layer
	if err := tx.SelectContext(ctx, &layers, `select key, unit, salt from layers`); err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	out := make(map[string]experiment.Layer, len(layers))
	for _, l := range layers {
		out[l.Key] = l
	}
	return out, nil
}

// holdoutHistory returns every change of every holdout, oldest first.
func holdoutHistory(ctx context.Context, tx *sqlx.Tx) ([]assignment.HoldoutChange, error) {
	var out []assignment.HoldoutChange
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var c assignment.HoldoutChange
		var now []byte
		if err := rows.Scan(&c.At, &now); err != nil {
			return err
		}
		c.At = c.At.UTC()
		out = append(out, c)
		return json.Unmarshal(now, &out[len(out)-1].Holdout)
	}, `select at, detail->'now' from audit_log where action in ('holdout.create', 'holdout.update') order by id`)
	if err != nil {
		return nil, fmt.Errorf("read changes of holdouts: %w", err)
	}
	return out, nil
}

// listHistory adds the changes of lists and the ids that are known.
func (db *DB) listHistory(ctx context.Context, tx *sqlx.Tx, h *assignment.History, keys map[string]bool) error {
	if len(keys) == 0 {
		return nil
	}
	wanted := pq.Array(slices.Sorted(maps.Keys(keys)))
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var c assignment.ListChange
		if err := rows.Scan(&c.At, &c.Key, &c.Digest); err != nil {
			return err
		}
		c.At = c.At.UTC()
		h.Lists = append(h.Lists, c)
		return nil
	}, `
		select at, subject, coalesce(detail->>'digest', '') from audit_log
		where action in ('list.create', 'list.update', 'list.remove') and subject = any($1) order by id`, wanted)
	if err != nil {
		return fmt.Errorf("read changes of lists: %w", err)
	}
	h.IDs, err = db.sets.ids(ctx, tx, wanted)
	return err
}
