package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"
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
