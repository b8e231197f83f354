package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// LoginLinkLife is how long a log-in link can be used: long enough to switch to
// a browser, short enough to be worthless in a log.
const LoginLinkLife = 10 * time.Minute

// CreateLoginLink returns the token of a link that logs actor in once. Only its
// hash is kept. Links that expired are removed on the way.
func (db *DB) CreateLoginLink(ctx context.Context, actor string, now time.Time) (string, error) {
	if actor == "" {
		return "", experiment.Invalidf("actor", "must not be empty")
	}
	token := rand.Text()
	now = stamp(now)
	_, err := db.sql.ExecContext(ctx, `
		with gone as (delete from login_links where expires_at < $3)
		insert into login_links (token_hash, actor, created_at, expires_at) values ($1, $2, $3, $4)`,
		HashSecret(token), actor, now, now.Add(LoginLinkLife))
	if err != nil {
		return "", wrap("create log-in link", err)
	}
	return token, nil
}

// UseLoginLink spends the token and returns who it logs in. It returns
// experiment.CodeUnauthorized for a token that is unknown, spent or expired.
func (db *DB) UseLoginLink(ctx context.Context, token string, now time.Time) (string, error) {
	var actor string
	err := db.sql.GetContext(ctx, &actor, `
		update login_links set used_at = $2
		where token_hash = $1 and used_at is null and expires_at > $2
		returning actor`, HashSecret(token), stamp(now))
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("use log-in link: %w",
			experiment.Errorf(experiment.CodeUnauthorized, "", "this link was used, or is too old; ask for another one"))
	}
	return actor, wrap("use log-in link", err)
}
