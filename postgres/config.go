package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// ReadConfig hands to use what assignment needs, as of one version: all layers,
// all experiments that are not archived, the holdouts in force, the lists that
// experiments refer to, the units that keep arms, and the API keys that are not
// revoked. Lists and kept units, which may be long, are read once and shared by
// the configurations that follow. Experiments are read while use asks for them.
// It returns the error of use.
func (db *DB) ReadConfig(ctx context.Context, use func(experiment.ConfigStream) error) error {
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		head, err := db.readConfigHead(ctx, tx)
		if err != nil {
			return err
		}
		return use(experiment.ConfigStream{Head: head, Experiments: func(yield func(*experiment.Experiment, error) bool) {
			err := eachExperiment(ctx, tx, func(e *storedExperiment) error {
				if !yield(&e.exp, nil) {
					return errEnough
				}
				return nil
			}, `e.status <> $1 order by e.key`, string(experiment.StatusArchived))
			if err != nil && !errors.Is(err, errEnough) {
				yield(nil, err)
			}
		}})
	})
	return wrap("read configuration", err)
}

// errEnough ends a query of which no more is wanted.
var errEnough = errors.New("no more is wanted")

// readConfigHead reads all of a configuration but its experiments.
func (db *DB) readConfigHead(ctx context.Context, tx *sqlx.Tx) (cfg experiment.Config, err error) {
	if err := tx.GetContext(ctx, &cfg.Version, `select version from config_version`); err != nil {
		return cfg, fmt.Errorf("read version: %w", err)
	}
	cfg.Layers = []experiment.Layer{}
	if err := tx.SelectContext(ctx, &cfg.Layers, `select key, unit, salt from layers order by key`); err != nil {
		return cfg, fmt.Errorf("read layers: %w", err)
	}
	if cfg.Holdouts, err = loadHoldouts(ctx, tx); err != nil {
		return cfg, err
	}
	if cfg.Lists, cfg.Kept, err = db.sets.load(ctx, tx); err != nil {
		return cfg, err
	}
	if cfg.Keys, err = listKeys(ctx, tx); err != nil {
		return cfg, err
	}
	cfg.RevokedKeys, err = revokedIngestKeys(ctx, tx)
	return cfg, err
}

// ConfigVersion returns the newest version of what ReadConfig reads.
func (db *DB) ConfigVersion(ctx context.Context) (int64, error) {
	var version int64
	err := db.sql.GetContext(ctx, &version, `select version from config_version`)
	return version, wrap("read configuration version", err)
}

// lockConfig makes the transaction the only writer of the control plane.
func lockConfig(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `select version from config_version for update`)
	return wrap("lock configuration", err)
}

// bumpConfig announces a new version; a trigger notifies the replicas at commit.
func bumpConfig(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `update config_version set version = version + 1`)
	return wrap("announce configuration", err)
}

// stamp cuts a moment to what PostgreSQL keeps, so that what is returned equals
// what is read later.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// mustJSON writes a value of ours, which always has a JSON form.
func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("value does not marshal: %v", err)) // a mistake in the type, not in the data
	}
	return string(b)
}
