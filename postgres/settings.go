package postgres

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// Settings are what the people of an installation have set it to.
type Settings struct {
	// ReviewLaunches says that launches need a second person.
	ReviewLaunches bool `db:"review_launches" json:"review_launches" doc:"an experiment starts, grows, changes or ships only after another person has approved exactly that"`
}

const readSettings = `select review_launches from settings`

// Settings returns what the installation is set to.
func (db *DB) Settings(ctx context.Context) (Settings, error) {
	var s Settings
	err := db.sql.GetContext(ctx, &s, readSettings)
	return s, wrap("read settings", err)
}

// ChangeSettings replaces the settings, which the audit log says, and returns
// whether they were others.
func (db *DB) ChangeSettings(ctx context.Context, to Settings, opts ApplyOptions) (changed bool, err error) {
	err = db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		var from Settings
		if err := tx.GetContext(ctx, &from, readSettings); err != nil || from == to {
			return err
		}
		changed = true
		if _, err := tx.ExecContext(ctx, `update settings set review_launches = $1`, to.ReviewLaunches); err != nil {
			return err
		}
		return appendAudit(ctx, tx, AuditEntry{At: opts.Now, Actor: opts.Actor, Action: "settings.update", Subject: "installation", Detail: []byte(mustJSON(to))})
	})
	return changed, wrap("change settings", err)
}
