package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of drafts.
const (
	// LaunchDraftLife is how long a draft is kept that nobody touches: a holiday
	// and a change of plans fit into it.
	LaunchDraftLife = 30 * 24 * time.Hour
	// MaxLaunchDrafts is how many one person may have: more are not found again.
	MaxLaunchDrafts = 20
	// MaxLaunchDraftBytes bounds the form of a draft as JSON: values of twelve arms
	// and a hypothesis fit many times.
	MaxLaunchDraftBytes = 128 << 10
)

// LaunchDraft is a form of the launch wizard on its way.
type LaunchDraft struct {
	ID        string
	Owner     string
	Form      url.Values
	CreatedAt time.Time
	UpdatedAt time.Time
}

// CreateLaunchDraft keeps a form and returns the id of its draft. Drafts that
// expired are removed on the way. It returns experiment.CodeConflict when the
// owner has MaxLaunchDrafts: none is lost to make room.
func (db *DB) CreateLaunchDraft(ctx context.Context, owner string, form url.Values, now time.Time) (string, error) {
	id, at := rand.Text(), stamp(now)
	text, err := encodeForm(form)
	if err != nil {
		return "", err
	}
	err = db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `delete from launch_drafts where updated_at < $1`, at.Add(-LaunchDraftLife)); err != nil {
			return err
		}
		// Two requests at once may both pass: the limit is against sprawl, not abuse.
		var n int
		if err := tx.GetContext(ctx, &n, `select count(*) from launch_drafts where owner = $1`, owner); err != nil {
			return err
		}
		if n >= MaxLaunchDrafts {
			return experiment.Errorf(experiment.CodeConflict, "", "you have %d drafts; discard one first", n)
		}
		_, err := tx.ExecContext(ctx, `
			insert into launch_drafts (id, owner, form, created_at, updated_at) values ($1, $2, $3, $4, $4)`, id, owner, text, at)
		return err
	})
	return id, wrap("keep draft", err)
}

// LaunchDraft returns a draft of its owner. It returns experiment.CodeNotFound
// for one that is not there, expired or somebody else's.
func (db *DB) LaunchDraft(ctx context.Context, id, owner string, now time.Time) (LaunchDraft, error) {
	d, err := loadDraft(ctx, db.sql, id, owner, now, "")
	return d, wrap("read draft", err)
}

// ReviseLaunchDraft replaces the form of a draft by what revise makes of it, as
// one step: two tabs on the same draft do not undo one another.
func (db *DB) ReviseLaunchDraft(ctx context.Context, id, owner string, now time.Time, revise func(url.Values) url.Values) (LaunchDraft, error) {
	var d LaunchDraft
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		var err error
		if d, err = loadDraft(ctx, tx, id, owner, now, " for update"); err != nil {
			return err
		}
		d.Form = revise(d.Form)
		text, err := encodeForm(d.Form)
		if err != nil {
			return err
		}
		return tx.GetContext(ctx, &d.UpdatedAt, `
			update launch_drafts set form = $2, updated_at = greatest(updated_at, $3) where id = $1 returning updated_at`, id, text, stamp(now))
	})
	return d, wrap("keep draft", err)
}

// LaunchDrafts returns the drafts of an owner, the one touched last first.
func (db *DB) LaunchDrafts(ctx context.Context, owner string, now time.Time) ([]LaunchDraft, error) {
	var out []LaunchDraft
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		d := LaunchDraft{Owner: owner}
		var form []byte
		if err := rows.Scan(&d.ID, &form, &d.CreatedAt, &d.UpdatedAt); err != nil {
			return err
		}
		out = append(out, d)
		return decodeForm(form, &out[len(out)-1].Form)
	}, `
		select id, form, created_at, updated_at from launch_drafts
		where owner = $1 and updated_at >= $2 order by updated_at desc, id limit $3`,
		owner, stamp(now).Add(-LaunchDraftLife), MaxLaunchDrafts)
	return out, wrap("list drafts", err)
}

// DiscardLaunchDraft removes a draft of its owner; one that is not there is no
// error.
func (db *DB) DiscardLaunchDraft(ctx context.Context, id, owner string) error {
	_, err := db.sql.ExecContext(ctx, `delete from launch_drafts where id = $1 and owner = $2`, id, owner)
	return wrap("discard draft", err)
}

func loadDraft(ctx context.Context, q sqlx.QueryerContext, id, owner string, now time.Time, lock string) (LaunchDraft, error) {
	d := LaunchDraft{ID: id, Owner: owner}
	var form []byte
	err := q.QueryRowxContext(ctx, `
		select form, created_at, updated_at from launch_drafts
		where id = $1 and owner = $2 and updated_at >= $3`+lock, id, owner, stamp(now).Add(-LaunchDraftLife)).
		Scan(&form, &d.CreatedAt, &d.UpdatedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return d, experiment.Errorf(experiment.CodeNotFound, "", "there is no such draft of yours; it was launched, discarded, or not touched for %d days",
			int(LaunchDraftLife.Hours()/24))
	}
	if err != nil {
		return d, err
	}
	return d, decodeForm(form, &d.Form)
}

func encodeForm(form url.Values) (string, error) {
	b, err := json.Marshal(form)
	if err != nil {
		return "", fmt.Errorf("encode form: %w", err)
	}
	if len(b) > MaxLaunchDraftBytes {
		return "", experiment.Errorf(experiment.CodeTooLarge, "", "a draft has at most %d bytes", MaxLaunchDraftBytes)
	}
	return string(b), nil
}

func decodeForm(text []byte, form *url.Values) error {
	if err := json.Unmarshal(text, form); err != nil {
		return fmt.Errorf("decode form: %w", err)
	}
	return nil
}
