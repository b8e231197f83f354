package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// WebSessions keeps the sessions of browsers. It implements scs.CtxStore.
type WebSessions struct {
	db  *DB
	now func() time.Time
}

// WebSessions returns the store of browser sessions; now decides what has expired.
func (db *DB) WebSessions(now func() time.Time) *WebSessions {
	return &WebSessions{db: db, now: now}
}

// FindCtx returns the data of a session that has not expired.
func (w *WebSessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = w.db.sql.GetContext(ctx, &data, `
		select data from web_sessions where token = $1 and expiry > $2`, token, stamp(w.now()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, wrap("find web session", err)
}

// CommitCtx stores a session. Sessions that expired are removed on the way: one is
// stored when somebody signs in, which is seldom.
func (w *WebSessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if data == nil {
		data = []byte{}
	}
	_, err := w.db.sql.ExecContext(ctx, `
		with gone as (delete from web_sessions where expiry <= $4 and token <> $1)
		insert into web_sessions (token, data, expiry) values ($1, $2, $3)
		on conflict (token) do update set data = excluded.data, expiry = excluded.expiry`,
		token, data, stamp(expiry), stamp(w.now()))
	return wrap("store web session", err)
}

// DeleteCtx removes a session; one that does not exist is no error.
func (w *WebSessions) DeleteCtx(ctx context.Context, token string) error {
	_, err := w.db.sql.ExecContext(ctx, `delete from web_sessions where token = $1`, token)
	return wrap("delete web session", err)
}

// Find is FindCtx for callers without a context; scs asks for it but does not call it.
func (w *WebSessions) Find(token string) (data []byte, found bool, err error) {
	return w.FindCtx(context.Background(), token)
}

// Commit is CommitCtx for callers without a context.
func (w *WebSessions) Commit(token string, data []byte, expiry time.Time) error {
	return w.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx for callers without a context.
func (w *WebSessions) Delete(token string) error {
	return w.DeleteCtx(context.Background(), token)
}

// maxOpenSessions bounds the sessions that are read at once: more browsers than a
// company has.
const maxOpenSessions = 10_000

// OpenSession is a browser session that has not expired.
type OpenSession struct {
	Token  string    `db:"token"`
	Data   []byte    `db:"data"`
	Expiry time.Time `db:"expiry"`
}

const openSessions = `select token, data, expiry from web_sessions where expiry > $1 order by expiry desc, token limit $2`

// Open returns the sessions that have not expired, the newest first.
func (w *WebSessions) Open(ctx context.Context) ([]OpenSession, error) {
	var out []OpenSession
	err := w.db.sql.SelectContext(ctx, &out, openSessions, stamp(w.now()), maxOpenSessions)
	return out, wrap("read web sessions", err)
}

// End ends the sessions of a person, whom personOf reads from the data of each, and
// the sign-in links that they have not used, which the audit log says. It returns how
// many sessions it ended, and CodeNotFound when there were none of either.
func (w *WebSessions) End(ctx context.Context, person string, personOf func(data []byte) string, opts ApplyOptions) (int, error) {
	ended := 0
	err := w.db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		var open []OpenSession
		if err := tx.SelectContext(ctx, &open, openSessions, stamp(w.now()), maxOpenSessions); err != nil {
			return err
		}
		var tokens []string
		for i := range open {
			if personOf(open[i].Data) == person {
				tokens = append(tokens, open[i].Token)
			}
		}
		if _, err := tx.ExecContext(ctx, `delete from web_sessions where token = any($1)`, pq.Array(tokens)); err != nil {
			return err
		}
		links, err := tx.ExecContext(ctx, `delete from login_links where actor = $1 and used_at is null`, person)
		if err != nil {
			return err
		}
		unused, err := links.RowsAffected()
		if err != nil {
			return err
		}
		if len(tokens) == 0 && unused == 0 {
			return experiment.Errorf(experiment.CodeNotFound, "name", "%s is not signed in anywhere", person)
		}
		ended = len(tokens)
		return appendAudit(ctx, tx, AuditEntry{
			At: opts.Now, Actor: opts.Actor, Action: "login.end", Subject: person, Detail: []byte(mustJSON(map[string]int64{"sessions": int64(ended), "links": unused})),
		})
	})
	return ended, wrap("end web sessions", err)
}
