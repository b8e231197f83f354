// Package postgres keeps the control plane (experiments, layers, keys, audit)
// and the default event store (exposures, sessions, outcomes, looks) in
// PostgreSQL. All SQL of the product except its migrations is here.
//
// It never decides what a change means: package experiment judges changes,
// package telemetry merges sessions, package metrics computes outcomes. It
// never calls the database's clock for times of the product; they are
// arguments.
//
//	db, err := postgres.Open(ctx, dsn)
//	if err != nil {
//		return err // experiment.CodeUnavailable: the database is away
//	}
//	defer db.Close()
//	applied, err := db.Apply(ctx, specs, postgres.ApplyOptions{Actor: "ana", Now: now(), KnownMetric: known})
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/migrations"
)

// Limits of the pool and of statements.
const (
	// maxConns is far below PostgreSQL's default of 100, so that several
	// replicas fit on one server.
	maxConns     = 16
	maxIdleConns = 8
	// maxConnLife lets connections move after a failover behind one address.
	maxConnLife    = 30 * time.Minute
	connectTimeout = 5 * time.Second
	// statementTimeout bounds every statement. A batch of exposures that
	// lasted longer than a window's grace could be missed by the job.
	statementTimeout = 30 * time.Second
	// idleTxTimeout frees the locks of a client that vanished without a word.
	// It is longer than the job computes between two statements of a look.
	idleTxTimeout = time.Minute
	// stagingBuffers keeps a batch of 20,000 sessions in memory on its way; only
	// connections that ingest ever take it.
	stagingBuffers = "24MB"
	// migrateConns are one that migrates and one that keeps others from it.
	migrateConns = 2
	// readTimeout is how long an answer may take before the connection counts
	// as lost: a network that drops packets silently is noticed in no other way.
	readTimeout = statementTimeout + 5*time.Second
)

// DB is the database. Its methods may be called concurrently.
type DB struct {
	sql *sqlx.DB
	dsn string
	cfg pq.Config

	days    knownDays
	sets    knownSets
	copying exposureCopying
}

// New prepares a pool for dsn, a URL or key=value string as of libpq, without
// connecting: calls fail with experiment.CodeUnavailable until the database is
// there.
func New(dsn string) (*DB, error) {
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read database DSN: %w", err)
	}
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.ApplicationName == "" {
		cfg.ApplicationName = "splitcast"
	}
	cfg.BinaryParameters = true // one round trip a statement instead of two
	settings := map[string]string{
		"statement_timeout":                   strconv.FormatInt(statementTimeout.Milliseconds(), 10),
		"idle_in_transaction_session_timeout": strconv.FormatInt(idleTxTimeout.Milliseconds(), 10),
		"temp_buffers":                        stagingBuffers,
		"timezone":                            "UTC",
	}
	maps.Copy(settings, cfg.Runtime) // the DSN has the last word
	cfg.Runtime = settings
	return newPool(dsn, cfg, &dialer{readTimeout: readTimeout}, maxConns)
}

// newPool makes a pool of at most conns connections.
func newPool(dsn string, cfg pq.Config, d *dialer, conns int) (*DB, error) {
	connector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("read database DSN: %w", err)
	}
	connector.Dialer(d)
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(min(conns, maxIdleConns))
	pool.SetConnMaxLifetime(maxConnLife)
	return &DB{sql: sqlx.NewDb(pool, "postgres"), dsn: dsn, cfg: cfg}, nil
}

// Open is New followed by Ping.
func Open(ctx context.Context, dsn string) (*DB, error) {
	db, err := New(dsn)
	if err != nil {
		return nil, err
	}
	if err := db.Ping(ctx); err != nil {
		_ = db.Close() // nothing is open; the ping's error says why
		return nil, err
	}
	return db, nil
}

// Close closes the pool after its running statements.
func (db *DB) Close() error { return db.sql.Close() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	return wrap("reach database", db.sql.PingContext(ctx))
}

// Migrate brings the schema to the newest version. A migration that rewrites a large
// table lasts longer than any other statement may.
func (db *DB) Migrate(ctx context.Context) (err error) {
	patient, err := db.patient(migrateConns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, patient.Close()) }()
	return wrap("migrate database", migrations.Up(ctx, patient.sql.DB))
}

// patient returns connections on which a statement may last as long as it takes.
func (db *DB) patient(conns int) (*DB, error) {
	cfg := db.cfg
	cfg.Runtime = maps.Clone(cfg.Runtime)
	cfg.Runtime["statement_timeout"] = "0"
	return newPool(db.dsn, cfg, &dialer{}, conns)
}

// inTx runs do in a transaction that commits when do returns nil.
func (db *DB) inTx(ctx context.Context, opts *sql.TxOptions, do func(*sqlx.Tx) error) error {
	tx, err := db.sql.BeginTxx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error is the one to tell
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// snapshotRead sees one state of the database in several statements.
var snapshotRead = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
