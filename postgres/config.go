package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// LoadConfig returns what assignment needs, as of one version: all layers, all
// experiments that are not archived, the holdouts in force, the lists that
// experiments refer to, the units that keep arms, and the API keys that are not
// revoked. Lists and kept units, which may be long, are read once and shared by
// the configurations that follow.
func (db *DB) LoadConfig(ctx context.Context) (experiment.Config, error) {
	var cfg experiment.Config
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) (err error) {
		if err := tx.GetContext(ctx, &cfg.Version, `select version from config_version`); err != nil {
			return fmt.Errorf("read version: %w", err)
		}
		cfg.Layers = []experiment.Layer{}
		if err := tx.SelectContext(ctx, &cfg.Layers, `select key, unit, salt from layers order by key`); err != nil {
			return fmt.Errorf("read layers: %w", err)
		}
		if cfg.Experiments, err = listExperiments(ctx, tx, experiment.StatusArchived); err != nil {
			return err
		}
		if cfg.Holdouts, err = loadHoldouts(ctx, tx); err != nil {
			return err
		}
		if cfg.Lists, cfg.Kept, err = db.sets.load(ctx, tx); err != nil {
			return err
		}
		if cfg.Keys, err = listKeys(ctx, tx); err != nil {
			return err
		}
		cfg.RevokedKeys, err = revokedIngestKeys(ctx, tx)
		return err
	})
	return cfg, wrap("load configuration", err)
}

// ConfigVersion returns the newest version of what LoadConfig returns.
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
