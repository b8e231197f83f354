package experiment

import (
	"slices"
	"time"
)

// Scope is one thing an API key may do.
type Scope string

// The scopes. Admin implies all others.
const (
	ScopeEvaluate Scope = "evaluate" // may be public: it tells arms, one unit at a time
	ScopeConfig   Scope = "config"   // the whole configuration: audiences, salts and overrides
	ScopeIngest   Scope = "ingest"
	ScopeRead     Scope = "read"
	ScopeWrite    Scope = "write"
	ScopeAdmin    Scope = "admin"
)

// PublicScopes are those that a public key may have.
func PublicScopes() []Scope { return []Scope{ScopeEvaluate, ScopeIngest} }

// ValidScope reports whether s is one of the scopes.
func ValidScope(s Scope) bool {
	switch s {
	case ScopeEvaluate, ScopeConfig, ScopeIngest, ScopeRead, ScopeWrite, ScopeAdmin:
		return true
	}
	return false
}

// APIKey is a credential of a program. The secret is known to its holder
// only; Splitcast keeps its hash.
type APIKey struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Hash      string    `json:"hash"` // hex SHA-256 of the secret
	Scopes    []Scope   `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	// Public keys stand in pages and players, where anybody reads them. They have
	// no scope but PublicScopes, and a bounded rate from each address.
	Public bool `json:"public,omitempty"`
	// Owner is the person who made the key, as whom it acts where it matters that
	// two people do something; empty: none is known.
	Owner string `json:"owner,omitempty"`
}

// Allows reports whether the key may do what s names.
func (k *APIKey) Allows(s Scope) bool {
	return slices.Contains(k.Scopes, s) || slices.Contains(k.Scopes, ScopeAdmin)
}
