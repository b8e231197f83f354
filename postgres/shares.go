package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of shared reports.
const (
	// MaxShareLife is how long a shared report can be read: longer than any
	// experiment, shorter than anybody's memory of who has the link.
	MaxShareLife = 90 * 24 * time.Hour
	// MaxShares bounds the links of an experiment that can be read at once: each
	// keeps a report, and nobody knows who holds more.
	MaxShares = 50
	// MaxShareBytes bounds a report that is kept, compressed: the largest that a
	// plan allows has about 2 MB.
	MaxShareBytes = 8 << 20
	shareKeyBytes = 32
)

// Share is a report that was frozen at a look and can be read by whoever has its
// link.
type Share struct {
	ID         string     `db:"id" json:"id"`
	Experiment string     `db:"experiment" json:"experiment"`
	Version    int        `db:"version" json:"version"`
	Look       int        `db:"look" json:"look"`
	CreatedBy  string     `db:"created_by" json:"created_by"`
	CreatedAt  time.Time  `db:"created_at" json:"created_at"`
	ExpiresAt  time.Time  `db:"expires_at" json:"expires_at"`
	RevokedAt  *time.Time `db:"revoked_at" json:"revoked_at,omitempty"`
}

func (s *Share) inUTC() {
	s.CreatedAt, s.ExpiresAt = s.CreatedAt.UTC(), s.ExpiresAt.UTC()
	if s.RevokedAt != nil {
		at := s.RevokedAt.UTC()
		s.RevokedAt = &at
	}
}

// NewShare is what CreateShare is told.
type NewShare struct {
	Experiment *experiment.Experiment
	Look       int
	Report     []byte // as it is to be shown; this package does not read it
	Life       time.Duration
	Actor      string
	Now        time.Time
}

// CreateShare keeps a report. It returns experiment.CodeInvalid for a life or a
// report outside the limits, and CodeTooLarge when the experiment has MaxShares
// that can still be read.
func (db *DB) CreateShare(ctx context.Context, n NewShare) (Share, error) {
	switch {
	case n.Life <= 0 || n.Life > MaxShareLife:
		return Share{}, experiment.Invalidf("days", "must be 1 to %d", int(MaxShareLife.Hours()/24))
	case n.Look < 1:
		return Share{}, experiment.Invalidf("look", "there is no look to freeze yet")
	case len(n.Report) == 0 || len(n.Report) > MaxShareBytes:
		return Share{}, experiment.Errorf(experiment.CodeTooLarge, "report", "the report takes %d bytes of at most %d", len(n.Report), MaxShareBytes)
	}
	now := stamp(n.Now)
	s := Share{
		ID: strings.ToLower(rand.Text()), Experiment: n.Experiment.Key, Version: n.Experiment.Version, Look: n.Look,
		CreatedBy: n.Actor, CreatedAt: now, ExpiresAt: stamp(n.Now.Add(n.Life)),
	}
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil { // the audit log has one writer at a time, and the count holds
			return err
		}
		var open int
		if err := tx.GetContext(ctx, &open, `
			select count(*) from report_shares where experiment_id = $1 and revoked_at is null and expires_at > $2`, n.Experiment.ID, now); err != nil {
			return err
		}
		if open >= MaxShares {
			return experiment.Errorf(experiment.CodeTooLarge, "", "%d links of this experiment are open; revoke some first", open)
		}
		if _, err := tx.ExecContext(ctx, `
			insert into report_shares (id, experiment_id, version, look, report, created_by, created_at, expires_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			s.ID, n.Experiment.ID, s.Version, s.Look, n.Report, s.CreatedBy, s.CreatedAt, s.ExpiresAt); err != nil {
			return err
		}
		return appendAudit(ctx, tx, AuditEntry{
			At: n.Now, Actor: n.Actor, Action: "report.share", Subject: s.Experiment,
			Detail: []byte(mustJSON(map[string]any{"share": s.ID, "version": s.Version, "look": s.Look, "expires_at": s.ExpiresAt})),
		})
	})
	return s, wrap("share report", err)
}

const shareColumns = `s.id, e.key as experiment, s.version, s.look, s.created_by, s.created_at, s.expires_at, s.revoked_at`

// Shares returns the links of an experiment that can be read at now, newest first.
func (db *DB) Shares(ctx context.Context, key string, now time.Time) ([]Share, error) {
	out := []Share{}
	err := db.sql.SelectContext(ctx, &out, `
		select `+shareColumns+` from report_shares s join experiments e on e.id = s.experiment_id
		where e.key = $1 and s.revoked_at is null and s.expires_at > $2
		order by s.created_at desc, s.id limit $3`, key, stamp(now), MaxShares)
	for i := range out {
		out[i].inUTC()
	}
	return out, wrap("read shares", err)
}

// SharedReport returns a report that was kept. It returns experiment.CodeNotFound
// when there is none, and CodeGone when it was revoked or has expired.
func (db *DB) SharedReport(ctx context.Context, id string, now time.Time) (Share, []byte, error) {
	var row struct {
		Share
		Report []byte `db:"report"`
	}
	err := db.sql.GetContext(ctx, &row, `
		select `+shareColumns+`, s.report from report_shares s join experiments e on e.id = s.experiment_id where s.id = $1`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Share{}, nil, experiment.Errorf(experiment.CodeNotFound, "", "there is no such shared report")
	case err != nil:
		return Share{}, nil, wrap("read shared report", err)
	case row.RevokedAt != nil:
		return Share{}, nil, experiment.Errorf(experiment.CodeGone, "", "this link was revoked; ask for another one")
	case !row.ExpiresAt.After(now):
		return Share{}, nil, experiment.Errorf(experiment.CodeGone, "", "this link has expired; ask for another one")
	}
	row.inUTC()
	return row.Share, row.Report, nil
}

// RevokeShare ends a link of an experiment. It returns experiment.CodeNotFound when
// there is none that is open.
func (db *DB) RevokeShare(ctx context.Context, key, id, actor string, now time.Time) error {
	return wrap("revoke share", db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `
			update report_shares s set revoked_at = $3, revoked_by = $4 from experiments e
			where e.id = s.experiment_id and e.key = $1 and s.id = $2 and s.revoked_at is null`, key, id, stamp(now), actor)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, experiment.Errorf(experiment.CodeNotFound, "", "%s has no open link %q", key, id))
		}
		return appendAudit(ctx, tx, AuditEntry{
			At: now, Actor: actor, Action: "report.unshare", Subject: key, Detail: []byte(mustJSON(map[string]any{"share": id})),
		})
	}))
}

// ShareKey returns what signs links, the same on every server; the first call
// makes it.
func (db *DB) ShareKey(ctx context.Context) ([]byte, error) {
	fresh := make([]byte, shareKeyBytes)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("make share key: %w", err)
	}
	if _, err := db.sql.ExecContext(ctx, `insert into share_key (key) values ($1) on conflict (one) do nothing`, fresh); err != nil {
		return nil, wrap("make share key", err)
	}
	var key []byte
	err := db.sql.GetContext(ctx, &key, `select key from share_key`)
	return key, wrap("read share key", err)
}
