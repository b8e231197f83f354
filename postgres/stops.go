package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of stops.
const (
	// StopLife is how long a stop is in force: no session lasts longer.
	StopLife = 48 * time.Hour
	// MaxStops bounds those in force: every server holds them and reads them
	// again every few seconds. Of more, the newest count.
	MaxStops = 10_000
)

// Reasons of stops.
const (
	StopAsked   = "asked"   // by an administrator
	StopRecords = "records" // more than MaxSessionRecords
)

// Stop says that the player of a session is told to stop reporting.
type Stop struct {
	SessionID string    `db:"session_id" json:"session_id"`
	Reason    string    `db:"reason" json:"reason" enum:"asked,records"`
	Actor     string    `db:"actor" json:"actor"` // who asked; empty for the others
	Note      string    `db:"note" json:"note,omitempty"`
	StoppedAt time.Time `db:"stopped_at" json:"stopped_at"`
}

// Stops returns the stops in force at now, newest first, at most MaxStops.
func (db *DB) Stops(ctx context.Context, now time.Time) ([]Stop, error) {
	stops := []Stop{}
	err := db.sql.SelectContext(ctx, &stops, `
		select session_id, reason, actor, note, stopped_at from telemetry_stops
		where stopped_at > $1 order by stopped_at desc, session_id limit $2`, stamp(now.Add(-StopLife)), MaxStops)
	for i := range stops {
		stops[i].StoppedAt = stops[i].StoppedAt.UTC()
	}
	return stops, wrap("read stops", err)
}

// StopSession adds a stop that somebody asked for, or renews it.
func (db *DB) StopSession(ctx context.Context, id, note, actor string, now time.Time) error {
	if !experiment.ValidUnitID(id) {
		return experiment.Invalidf("session_id", "must be 1 to %d printable ASCII characters", experiment.MaxUnitIDBytes)
	}
	if len(note) > experiment.MaxNameBytes {
		return experiment.Invalidf("note", "has at most %d bytes", experiment.MaxNameBytes)
	}
	return wrap("stop session", db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil { // the audit log has one writer at a time
			return err
		}
		if _, err := tx.ExecContext(ctx, `
			insert into telemetry_stops (session_id, reason, actor, note, stopped_at) values ($1, $2, $3, $4, $5)
			on conflict (session_id) do update set reason = excluded.reason, actor = excluded.actor,
				note = excluded.note, stopped_at = excluded.stopped_at`,
			id, StopAsked, actor, note, stamp(now)); err != nil {
			return err
		}
		return appendAudit(ctx, tx, AuditEntry{
			At: now, Actor: actor, Action: "telemetry.stop", Subject: id, Detail: []byte(mustJSON(map[string]any{"note": note})),
		})
	}))
}

// ResumeSession ends a stop. It returns experiment.CodeNotFound when there is
// none.
func (db *DB) ResumeSession(ctx context.Context, id, actor string, now time.Time) error {
	return wrap("resume session", db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `delete from telemetry_stops where session_id = $1`, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			if err != nil {
				return err
			}
			return experiment.Errorf(experiment.CodeNotFound, "session_id", "there is no stop of this session")
		}
		return appendAudit(ctx, tx, AuditEntry{At: now, Actor: actor, Action: "telemetry.resume", Subject: id})
	}))
}

// stopSessions adds stops of sessions that have too many records, and forgets
// those that are no longer in force.
func (tx *connTx) stopSessions(ctx context.Context, ids []string, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids) // one order of locks
	if _, err := tx.ExecContext(ctx, `
		insert into telemetry_stops (session_id, reason, actor, note, stopped_at)
		select id, $2, '', '', $3 from unnest($1::text[]) with ordinality as u (id, place) order by place
		on conflict (session_id) do nothing`, pq.Array(ids), StopRecords, stamp(now)); err != nil {
		return fmt.Errorf("stop sessions: %w", err)
	}
	_, err := tx.ExecContext(ctx, `
		delete from telemetry_stops where session_id in (
			select session_id from telemetry_stops where stopped_at <= $1 limit $2 for update skip locked)`,
		stamp(now.Add(-StopLife)), MaxStops)
	return wrap("forget stops", err)
}
