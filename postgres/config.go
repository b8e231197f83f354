package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// ReadConfig hands to use what assignment needs, as of one version: all layers,
// all experiments that are not archived, the holdouts in force, the lists that
// experiments refer to, the units that keep arms, and the API keys that are not
// revoked. Lists and kept units, which may be long, are read once and shared by
// the configurations that follow. Experiments are read while use asks for them;
// those whose mark the caller has already, by key, are not read, only named. It
// returns the error of use.
func (db *DB) ReadConfig(ctx context.Context, have map[string]experiment.Mark, use func(experiment.ConfigStream) error) error {
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		head, err := db.readConfigHead(ctx, tx)
		if err != nil {
			return err
		}
		marks, err := readMarks(ctx, tx)
		if err != nil {
			return err
		}
		return use(experiment.ConfigStream{Head: head, Experiments: func(yield func(experiment.Streamed, error) bool) {
			err := streamExperiments(ctx, tx, marks, have, yield)
			if err != nil && !errors.Is(err, errEnough) {
				yield(experiment.Streamed{}, err)
			}
		}})
	})
	return wrap("read configuration", err)
}

// errEnough ends a query of which no more is wanted.
var errEnough = errors.New("no more is wanted")

// marked is the mark of an experiment.
type marked struct {
	id   int64
	key  string
	mark experiment.Mark
}

// readMarks returns the marks of all experiments that are not archived, in the
// order of keys. A mark is a hash of which versions of its rows PostgreSQL shows:
// a row that changes gets a new transaction and a new place. Both may come again
// in another database or after a restored backup, so the database and its start
// are part of it.
func readMarks(ctx context.Context, tx *sqlx.Tx) ([]marked, error) {
	var instance string
	const ask = `select concat_ws(' ', oid, pg_postmaster_start_time()) from pg_database where datname = current_database()`
	if err := tx.GetContext(ctx, &instance, ask); err != nil {
		return nil, fmt.Errorf("read which database it is: %w", err)
	}
	const query = `
		select e.id, e.key, concat_ws(' ', e.xmin, e.ctid, s.owned)
		from experiments e
		left join (
			select experiment_id, string_agg(concat_ws(' ', xmin, ctid), ' ') as owned
			from layer_slots group by experiment_id) s on s.experiment_id = e.id
		where e.status <> $1 order by e.key`
	var out []marked
	text := append([]byte(instance), ' ')
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var m marked
		var state sql.RawBytes
		if err := rows.Scan(&m.id, &m.key, &state); err != nil {
			return err
		}
		sum := sha256.Sum256(append(text, state...))
		m.mark = experiment.Mark(binary.BigEndian.Uint64(sum[:]))
		out = append(out, m)
		return nil
	}, query, string(experiment.StatusArchived))
	if err != nil {
		return nil, fmt.Errorf("read marks of experiments: %w", err)
	}
	return out, nil
}

// streamExperiments yields the experiments with the marks. It returns errEnough
// when yield wants no more.
func streamExperiments(ctx context.Context, tx *sqlx.Tx, marks []marked, have map[string]experiment.Mark, yield func(experiment.Streamed, error) bool) error {
	var changed []int64
	for _, m := range marks {
		if m.mark == 0 || have[m.key] != m.mark {
			changed = append(changed, m.id)
		}
	}
	at := 0
	same := func(until string) error { // yields those that need not be read, up to a key
		for ; at < len(marks) && marks[at].key != until; at++ {
			if !yield(experiment.Streamed{Key: marks[at].key, Mark: marks[at].mark}, nil) {
				return errEnough
			}
		}
		return nil
	}
	if len(changed) > 0 {
		err := eachExperiment(ctx, tx, func(e *storedExperiment) error {
			if err := same(e.exp.Key); err != nil {
				return err
			}
			if at == len(marks) {
				return fmt.Errorf("experiment %s has no mark", e.exp.Key)
			}
			mark := marks[at].mark
			at++
			if !yield(experiment.Streamed{Experiment: &e.exp, Key: e.exp.Key, Mark: mark}, nil) {
				return errEnough
			}
			return nil
		}, `e.id = any($1) order by e.key`, pq.Array(changed))
		if err != nil {
			return err
		}
	}
	return same("")
}

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
