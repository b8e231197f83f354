package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// HashSecret returns the hash under which a secret is kept. Secrets are random
// and long, so a plain hash without salt or stretching is enough.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// NewKey describes an API key to be made. The caller draws the secret and shows
// it to its holder once; Splitcast keeps the hash.
type NewKey struct {
	Name   string
	Secret string
	Scopes []experiment.Scope
	Public bool
	Actor  string
	Owner  string // the person behind the actor; empty: none is known
	Now    time.Time
}

// Limits of an API key.
const (
	MinSecretBytes = 16 // 128 bits if it is random
	maxScopes      = 8  // more than there are
)

func (k *NewKey) validate() error {
	if k.Name == "" || len(k.Name) > experiment.MaxNameBytes {
		return experiment.Invalidf("name", "must be 1 to %d bytes", experiment.MaxNameBytes)
	}
	if len(k.Secret) < MinSecretBytes {
		return experiment.Invalidf("secret", "must be at least %d bytes", MinSecretBytes)
	}
	if len(k.Scopes) == 0 || len(k.Scopes) > maxScopes {
		return experiment.Invalidf("scopes", "must be 1 to %d scopes", maxScopes)
	}
	for i, s := range k.Scopes {
		if !experiment.ValidScope(s) {
			return experiment.Invalidf(fmt.Sprintf("scopes[%d]", i), "%q is not a scope", s)
		}
		if k.Public && !slices.Contains(experiment.PublicScopes(), s) {
			return experiment.Invalidf(fmt.Sprintf("scopes[%d]", i), "a public key cannot have the scope %s: anybody may read it", s)
		}
	}
	return nil
}

// CreateKey stores an API key. It returns experiment.CodeInvalid for a key that
// breaks a rule and experiment.CodeConflict when the secret is in use.
func (db *DB) CreateKey(ctx context.Context, k NewKey) (experiment.APIKey, error) {
	if err := k.validate(); err != nil {
		return experiment.APIKey{}, err
	}
	var key experiment.APIKey
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) (err error) {
		if err = lockConfig(ctx, tx); err == nil {
			key, err = createKey(ctx, tx, k)
		}
		return err
	})
	return key, wrap("create API key", err)
}

// BootstrapKey makes an admin key of the secret when no key can administrate,
// so that a fresh installation can be entered. It reports whether it did.
func (db *DB) BootstrapKey(ctx context.Context, secret string, now time.Time) (bool, error) {
	k := NewKey{
		Name: "bootstrap", Secret: secret, Scopes: []experiment.Scope{experiment.ScopeAdmin},
		Actor: "bootstrap", Now: now,
	}
	if err := k.validate(); err != nil {
		return false, err
	}
	made := false
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		var exists bool
		if err := tx.GetContext(ctx, &exists, adminKeyExists); err != nil || exists {
			return err
		}
		made = true
		_, err := createKey(ctx, tx, k)
		return err
	})
	return made && err == nil, wrap("bootstrap API key", err)
}

const adminKeyExists = `
	select exists (select from api_keys where revoked_at is null and 'admin' = any (scopes))`

// createKey stores the key in a transaction that holds the configuration lock.
func createKey(ctx context.Context, tx *sqlx.Tx, k NewKey) (experiment.APIKey, error) {
	key := experiment.APIKey{Name: k.Name, Hash: HashSecret(k.Secret), Scopes: k.Scopes, Public: k.Public, Owner: k.Owner, CreatedAt: stamp(k.Now)}
	err := tx.GetContext(ctx, &key.ID, `
		insert into api_keys (name, hash, scopes, public, owner, created_at) values ($1, $2, $3, $4, $5, $6) returning id`,
		key.Name, key.Hash, pq.Array(k.Scopes), key.Public, key.Owner, key.CreatedAt)
	if err != nil {
		return key, wrap("store", err)
	}
	if err := appendAudit(ctx, tx, AuditEntry{
		At: key.CreatedAt, Actor: k.Actor, Action: "key.create", Subject: strconv.FormatInt(key.ID, 10),
		Detail: []byte(mustJSON(map[string]any{"name": k.Name, "scopes": k.Scopes, "public": k.Public})),
	}); err != nil {
		return key, err
	}
	return key, bumpConfig(ctx, tx)
}

// RevokeKey ends an API key. It returns experiment.CodeNotFound when there is no
// such key, and experiment.CodeConflict for the last one that can administrate.
func (db *DB) RevokeKey(ctx context.Context, id int64, actor string, now time.Time) error {
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		var admin bool
		err := tx.GetContext(ctx, &admin, `
			update api_keys set revoked_at = $2 where id = $1 and revoked_at is null
			returning 'admin' = any (scopes)`, id, stamp(now))
		if errors.Is(err, sql.ErrNoRows) {
			return experiment.Errorf(experiment.CodeNotFound, "id", "there is no API key %d in use", id)
		}
		if err != nil {
			return err
		}
		var left bool
		if err := tx.GetContext(ctx, &left, adminKeyExists); err != nil {
			return err
		}
		if admin && !left {
			return experiment.Errorf(experiment.CodeConflict, "id", "this is the last admin key; make another one first")
		}
		if err := appendAudit(ctx, tx, AuditEntry{
			At: now, Actor: actor, Action: "key.revoke", Subject: strconv.FormatInt(id, 10),
		}); err != nil {
			return err
		}
		return bumpConfig(ctx, tx)
	})
	return wrap("revoke API key", err)
}

// Keys returns the API keys in use, oldest first.
func (db *DB) Keys(ctx context.Context) ([]experiment.APIKey, error) {
	var keys []experiment.APIKey
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) (err error) {
		keys, err = listKeys(ctx, tx)
		return err
	})
	return keys, wrap("list API keys", err)
}

func listKeys(ctx context.Context, tx *sqlx.Tx) ([]experiment.APIKey, error) {
	const query = `
		select id, name, hash, scopes, public, owner, created_at from api_keys where revoked_at is null order by id`
	keys := []experiment.APIKey{}
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var k experiment.APIKey
		var scopes []string
		if err := rows.Scan(&k.ID, &k.Name, &k.Hash, pq.Array(&scopes), &k.Public, &k.Owner, &k.CreatedAt); err != nil {
			return err
		}
		for _, s := range scopes {
			k.Scopes = append(k.Scopes, experiment.Scope(s))
		}
		k.CreatedAt = k.CreatedAt.UTC()
		keys = append(keys, k)
		return nil
	}, query)
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	return keys, nil
}

// maxRevokedKeys bounds the ingest keys of which players are told that they
// ended; those of earlier ones are answered like anybody with a wrong key.
const maxRevokedKeys = 1000

// revokedIngestKeys returns the hashes of the ingest keys that ended last.
func revokedIngestKeys(ctx context.Context, tx *sqlx.Tx) ([]string, error) {
	var hashes []string
	err := tx.SelectContext(ctx, &hashes, `
		select hash from api_keys where revoked_at is not null and 'ingest' = any (scopes)
		order by revoked_at desc, id desc limit $1`, maxRevokedKeys)
	return hashes, wrap("read revoked keys", err)
}
