// Package migrations holds the schema of Splitcast's PostgreSQL database as
// numbered SQL, and applies it.
//
// Migrations only go forward: a merged file is never edited, and there is no
// way down. The package never reads or writes rows of the product.
//
//	db, err := sql.Open("postgres", dsn)
//	if err == nil {
//		err = migrations.Up(ctx, db)
//	}
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// FS holds the numbered SQL files.
//
//go:embed *.sql
var FS embed.FS

// Several starters wait for the one that migrates: asking once a second, for at
// most five minutes.
const (
	lockPeriodSec = 1
	lockAttempts  = 300
)

// Up brings the database to the newest version of the schema. Several
// processes may call it at once: one works, the others wait for it.
func Up(ctx context.Context, db *sql.DB) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSec, lockAttempts))
	if err != nil {
		return fmt.Errorf("make migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, FS,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
