package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// keyView is an API key without its hash.
type keyView struct {
	ID        int64              `json:"id"`
	Name      string             `json:"name"`
	Scopes    []experiment.Scope `json:"scopes"`
	Public    bool               `json:"public,omitempty"`
	Owner     string             `json:"owner,omitempty" doc:"the person who made it, as whom it acts where two people must do something"`
	CreatedAt time.Time          `json:"created_at"`
	Secret    string             `json:"secret,omitempty" doc:"shown once, when the key is made"`
}

type keyList struct {
	Body struct {
		Keys []keyView `json:"keys"`
	}
}

type keyInput struct {
	Body struct {
		Name   string             `json:"name" minLength:"1" maxLength:"200"`
		Scopes []experiment.Scope `json:"scopes" minItems:"1" maxItems:"6"`
		Public bool               `json:"public,omitempty" doc:"the key stands in a page or a player: scopes evaluate and ingest only, at a bounded rate from each address"`
	}
}

type keyOutput struct{ Body keyView }

type keyID struct {
	ID int64 `path:"id"`
}

type loginLink struct {
	Body struct {
		Path string `json:"path" doc:"open it once, below this server's address"`
	}
}

type auditInput struct {
	Before int64 `query:"before" minimum:"0" doc:"entries with a smaller id; 0: the newest"`
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type auditList struct {
	Body struct {
		Entries []postgres.AuditEntry `json:"entries"`
	}
}

// AuditVerification is whether the audit log is as it was written.
type AuditVerification struct {
	Entries int64  `json:"entries" doc:"number of the newest entry"`
	Hash    string `json:"hash" doc:"its seal: whoever keeps it elsewhere can tell later that nothing up to there was changed or cut off"`
	Broken  int64  `json:"broken,omitempty" doc:"number of the first entry that was changed, or follows a missing one; absent: all are as they were written"`
}

type auditVerificationOutput struct{ Body AuditVerification }

func (s *Server) accountAPI(api huma.API) {
	serve(s, api, operation(http.MethodGet, "/keys", "list-keys", "The API keys in use", experiment.ScopeAdmin), experiment.ScopeAdmin,
		func(ctx context.Context, _ string, _ *struct{}) (*keyList, error) {
			keys, err := s.db.Keys(ctx)
			out := &keyList{}
			out.Body.Keys = make([]keyView, len(keys))
			for i, k := range keys {
				out.Body.Keys[i] = keyView{ID: k.ID, Name: k.Name, Scopes: k.Scopes, Public: k.Public, Owner: k.Owner, CreatedAt: k.CreatedAt}
			}
			return out, err
		})
	serve(s, api, operation(http.MethodPost, "/keys", "create-key", "Make an API key; its secret is shown once", experiment.ScopeAdmin), experiment.ScopeAdmin, s.createKey)
	serve(s, api, operation(http.MethodDelete, "/keys/{id}", "revoke-key", "End an API key", experiment.ScopeAdmin), experiment.ScopeAdmin,
		func(ctx context.Context, who string, in *keyID) (*struct{}, error) {
			if err := s.db.RevokeKey(ctx, in.ID, who, s.now()); err != nil {
				return nil, err
			}
			return nil, s.live.Refresh(ctx) // a revoked key must stop working at once, here
		})
	serve(s, api, operation(http.MethodPost, "/login-links", "create-login-link", "Make a link that signs a person in once", experiment.ScopeAdmin), experiment.ScopeAdmin,
		func(ctx context.Context, who string, _ *struct{}) (*loginLink, error) {
			out := &loginLink{}
			var err error
			out.Body.Path, err = s.invitation(ctx, who, who)
			return out, err
		})
	serve(s, api, operation(http.MethodGet, "/audit", "list-audit", "Who did what, newest first", experiment.ScopeAdmin), experiment.ScopeAdmin,
		func(ctx context.Context, _ string, in *auditInput) (*auditList, error) {
			out := &auditList{}
			var err error
			out.Body.Entries, err = s.db.Audit(ctx, in.Before, in.Limit)
			return out, err
		})
	serve(s, api, operation(http.MethodGet, "/audit/verification", "verify-audit", "Compute the seals of all entries again", experiment.ScopeAdmin), experiment.ScopeAdmin, s.verifyAudit)
}

func (s *Server) verifyAudit(ctx context.Context, _ string, _ *struct{}) (*auditVerificationOutput, error) {
	newest, err := s.db.Audit(ctx, 0, 1)
	if err != nil {
		return nil, err
	}
	out := &auditVerificationOutput{}
	if len(newest) > 0 {
		out.Body.Entries, out.Body.Hash = newest[0].ID, newest[0].Hash
	}
	out.Body.Broken, err = s.db.VerifyAudit(ctx)
	return out, err
}

func (s *Server) createKey(ctx context.Context, who string, in *keyInput) (*keyOutput, error) {
	secret := "sk_" + rand.Text()
	k, err := s.db.CreateKey(ctx, postgres.NewKey{Name: in.Body.Name, Secret: secret, Scopes: in.Body.Scopes, Public: in.Body.Public, Actor: who, Owner: personBehind(ctx, who), Now: s.now()})
	if err != nil {
		return nil, err
	}
	if err := s.live.Refresh(ctx); err != nil {
		s.log.Warn("configuration not refreshed after a new key", "error", err)
	}
	return &keyOutput{keyView{ID: k.ID, Name: k.Name, Scopes: k.Scopes, Public: k.Public, Owner: k.Owner, CreatedAt: k.CreatedAt, Secret: secret}}, nil
}
