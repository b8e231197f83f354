package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// MaxAuditPage bounds the entries of one call of Audit.
const MaxAuditPage = 500

// AuditEntry is one thing that a person or key did. Hash seals it together with
// the entry before: whoever changes one must change all that follow.
type AuditEntry struct {
	ID      int64           `json:"id"` // from 1, without gaps
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor"`
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Detail  json.RawMessage `json:"detail"`
	Hash    string          `json:"hash"`
}

// seal returns the hash of the entry that follows one with the given hash.
// Every part is preceded by its length, so that no two entries read alike.
func (e *AuditEntry) seal(before string) string {
	h := sha256.New()
	var size [8]byte
	for _, part := range [...]string{
		before, strconv.FormatInt(e.ID, 10), e.At.UTC().Format(time.RFC3339Nano), e.Actor, e.Action, e.Subject, string(e.Detail),
	} {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Audit returns up to limit entries with an id below before, newest first; a
// before of 0 begins with the newest. It returns experiment.CodeTooLarge when
// limit is above MaxAuditPage.
func (db *DB) Audit(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	if limit > MaxAuditPage {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "limit", "at most %d entries at once", MaxAuditPage)
	}
	const query = `
		select id, at, actor, action, subject, detail, hash
		from audit_log where $1 = 0 or id < $1 order by id desc limit $2`
	out, err := queryAudit(ctx, db.sql, query, before, limit)
	return out, wrap("read audit log", err)
}

// RecordAudit appends what was done outside of this package, such as a log-in.
func (db *DB) RecordAudit(ctx context.Context, e AuditEntry) error {
	return wrap("write audit log", db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		return appendAudit(ctx, tx, e)
	}))
}

// VerifyAudit checks the seals of all entries. It returns the id of the first
// entry that was tampered with or follows a missing one, and 0 when there is none.
func (db *DB) VerifyAudit(ctx context.Context) (int64, error) {
	const query = `
		select id, at, actor, action, subject, detail, hash
		from audit_log where id > $1 order by id limit $2`
	var last AuditEntry
	for {
		page, err := queryAudit(ctx, db.sql, query, last.ID, MaxAuditPage)
		if err != nil {
			return 0, wrap("read audit log", err)
		}
		for _, e := range page {
			if e.ID != last.ID+1 || e.Hash != e.seal(last.Hash) {
				return e.ID, nil
			}
			last = e
		}
		if len(page) < MaxAuditPage {
			return 0, nil
		}
	}
}

// appendAudit adds the next entry. The transaction holds the configuration
// lock, which keeps the chain without forks.
func appendAudit(ctx context.Context, tx *sqlx.Tx, e AuditEntry) error {
	var last struct {
		ID   int64  `db:"id"`
		Hash string `db:"hash"`
	}
	err := tx.GetContext(ctx, &last, `select id, hash from audit_log order by id desc limit 1`)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read audit log: %w", err)
	}
	e.ID, e.At = last.ID+1, stamp(e.At)
	if e.Detail == nil {
		e.Detail = json.RawMessage("{}")
	}
	_, err = tx.ExecContext(ctx, `
		insert into audit_log (id, at, actor, action, subject, detail, hash)
		values ($1, $2, $3, $4, $5, $6, $7)`,
		e.ID, e.At, e.Actor, e.Action, e.Subject, string(e.Detail), e.seal(last.Hash))
	return wrap("write audit log", err)
}

func queryAudit(ctx context.Context, q sqlx.QueryerContext, query string, args ...any) ([]AuditEntry, error) {
	var out []AuditEntry
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var e AuditEntry
		if err := rows.Scan(&e.ID, &e.At, &e.Actor, &e.Action, &e.Subject, (*[]byte)(&e.Detail), &e.Hash); err != nil {
			return err
		}
		e.At = e.At.UTC()
		out = append(out, e)
		return nil
	}, query, args...)
	return out, err
}
