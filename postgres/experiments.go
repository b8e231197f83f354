package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// Get returns one experiment. It returns experiment.CodeNotFound when there is
// none with the key.
func (db *DB) Get(ctx context.Context, key string) (experiment.Experiment, error) {
	var exp experiment.Experiment
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		stored, err := loadExperiment(ctx, tx, key)
		if err == nil && stored == nil {
			err = experiment.Errorf(experiment.CodeNotFound, "key", "there is no experiment %q", key)
		}
		if err == nil {
			exp = stored.exp
		}
		return err
	})
	return exp, wrap("get experiment", err)
}

// List returns all experiments in the order of their keys.
func (db *DB) List(ctx context.Context) ([]experiment.Experiment, error) {
	out := []experiment.Experiment{}
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		return eachExperiment(ctx, tx, func(e *storedExperiment) error {
			out = append(out, e.exp)
			return nil
		}, `true order by e.key`)
	})
	return out, wrap("list experiments", err)
}

// pageExperiments bounds a page of Page: 100 documents of usual size take 1 MB.
const pageExperiments = 100

// Page returns the next experiments after a key, in the order of their keys; none
// at the end.
func (db *DB) Page(ctx context.Context, after string) ([]experiment.Experiment, error) {
	var out []experiment.Experiment
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		return eachExperiment(ctx, tx, func(e *storedExperiment) error {
			out = append(out, e.exp)
			return nil
		}, `e.key > $1 order by e.key limit $2`, after, pageExperiments)
	})
	return out, wrap("list experiments", err)
}

// Revision is an experiment as it was applied at one time.
type Revision struct {
	Revision  int                    `json:"revision"` // from 1
	Version   int                    `json:"version"`
	Spec      experiment.Spec        `json:"spec"`
	PlanHash  string                 `json:"plan_hash"`
	Slots     []experiment.SlotRange `json:"slots"`
	Salt      string                 `json:"salt"`
	Shipped   string                 `json:"shipped_arm,omitempty"`
	ChangedAt time.Time              `json:"changed_at"`
	ChangedBy string                 `json:"changed_by"`
}

// Versions returns every revision of an experiment, oldest first. It returns
// experiment.CodeNotFound when there is no such experiment.
func (db *DB) Versions(ctx context.Context, key string) ([]Revision, error) {
	revisions, err := queryRevisions(ctx, db.sql, key)
	return revisions, wrap("list versions", err)
}

// queryRevisions returns the revisions of an experiment, or CodeNotFound.
func queryRevisions(ctx context.Context, q queryer, key string) ([]Revision, error) {
	const query = `
		select v.revision, v.version, v.spec, v.plan_hash, v.changed_at, v.changed_by, v.salt, v.shipped_arm,
		       coalesce((select json_agg(json_build_object('from', lower(r), 'to', upper(r)) order by r)
		                 from unnest(v.slots) r), '[]') as slots
		from experiment_versions v join experiments e on e.id = v.experiment_id
		where e.key = $1
		order by v.revision`
	var out []Revision
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var r Revision
		var spec, slots []byte
		err := rows.Scan(&r.Revision, &r.Version, &spec, &r.PlanHash, &r.ChangedAt, &r.ChangedBy, &r.Salt, &r.Shipped, &slots)
		if err != nil {
			return err
		}
		r.ChangedAt = r.ChangedAt.UTC()
		if err := errors.Join(json.Unmarshal(spec, &r.Spec), json.Unmarshal(slots, &r.Slots)); err != nil {
			return fmt.Errorf("read revision %d of %s: %w", r.Revision, key, err)
		}
		out = append(out, r)
		return nil
	}, query, key)
	if err == nil && len(out) == 0 {
		err = experiment.Errorf(experiment.CodeNotFound, "key", "there is no experiment %q", key)
	}
	return out, err
}

// storedExperiment is an experiment with the place of its layer.
type storedExperiment struct {
	exp     experiment.Experiment
	layerID int
}

// experimentColumns are the columns of experimentRow.
const experimentColumns = `
	e.id, e.key, e.version, e.layer_id, e.salt, e.spec, e.plan_hash, e.shipped_arm,
	e.created_at, e.started_at, e.stopped_at, e.ramp_slots, e.ramped_at,
	coalesce((select json_agg(json_build_object('from', lower(s.slots), 'to', upper(s.slots)) order by s.slots)
	          from layer_slots s where s.experiment_id = e.id), '[]') as slots`

type experimentRow struct {
	ID         int64      `db:"id"`
	Key        string     `db:"key"`
	Version    int        `db:"version"`
	LayerID    int        `db:"layer_id"`
	Salt       string     `db:"salt"`
	Spec       []byte     `db:"spec"`
	PlanHash   string     `db:"plan_hash"`
	ShippedArm string     `db:"shipped_arm"`
	CreatedAt  time.Time  `db:"created_at"`
	StartedAt  *time.Time `db:"started_at"`
	StoppedAt  *time.Time `db:"stopped_at"`
	RampSlots  int        `db:"ramp_slots"`
	RampedAt   *time.Time `db:"ramped_at"`
	Slots      []byte     `db:"slots"`
}

func (r *experimentRow) read() (storedExperiment, error) {
	exp := experiment.Experiment{
		ID: r.ID, Version: r.Version, Salt: r.Salt, PlanHash: r.PlanHash, ShippedArm: r.ShippedArm,
		CreatedAt: r.CreatedAt.UTC(), StartedAt: utc(r.StartedAt), StoppedAt: utc(r.StoppedAt),
		RampSlots: r.RampSlots, RampedAt: utc(r.RampedAt),
	}
	if err := errors.Join(json.Unmarshal(r.Spec, &exp.Spec), json.Unmarshal(r.Slots, &exp.SlotRanges)); err != nil {
		return storedExperiment{}, fmt.Errorf("read experiment %s: %w", r.Key, err)
	}
	return storedExperiment{exp: exp, layerID: r.LayerID}, nil
}

// utc returns the moment in UTC; nil for nil.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// loadExperiment returns the experiment with the key, or nil.
func loadExperiment(ctx context.Context, tx *sqlx.Tx, key string) (*storedExperiment, error) {
	var row experimentRow
	err := tx.GetContext(ctx, &row, `select `+experimentColumns+` from experiments e where e.key = $1`, key)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read experiment: %w", err)
	}
	stored, err := row.read()
	return &stored, err
}

// eachExperiment calls do for the experiments of which a condition is true, in
// its order, and returns its error.
func eachExperiment(ctx context.Context, tx *sqlx.Tx, do func(*storedExperiment) error, where string, args ...any) error {
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var r experimentRow
		err := rows.Scan(&r.ID, &r.Key, &r.Version, &r.LayerID, &r.Salt, &r.Spec, &r.PlanHash, &r.ShippedArm,
			&r.CreatedAt, &r.StartedAt, &r.StoppedAt, &r.RampSlots, &r.RampedAt, &r.Slots)
		if err != nil {
			return err
		}
		stored, err := r.read()
		if err != nil {
			return err
		}
		return do(&stored)
	}, `select `+experimentColumns+` from experiments e where `+where, args...)
	if err != nil {
		return fmt.Errorf("read experiments: %w", err)
	}
	return nil
}
