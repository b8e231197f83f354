package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// sessionLife is how long a browser stays signed in.
const sessionLife = 7 * 24 * time.Hour

// sessionUser is where a session keeps who signed in.
const sessionUser = "user"

// bearer is who makes a request.
type bearer struct {
	name   string
	person string // who it is, or who made the key; empty: not known
	scopes interface{ Allows(experiment.Scope) bool }
}

type bearerKey struct{}

// newSessions returns the manager of browser sessions. Cookies are sent to
// this site only and are out of reach of scripts; with secure they are never sent
// in plain text. failed answers when a session cannot be read or kept.
func newSessions(store *postgres.WebSessions, secure bool, failed func(http.ResponseWriter, *http.Request, error)) *scs.SessionManager {
	return &scs.SessionManager{ // scs.New starts a goroutine that nobody could end
		Store: store, Codec: scs.GobCodec{}, Lifetime: sessionLife, HashTokenInStore: true, ErrorFunc: failed,
		Cookie: scs.SessionCookie{Name: "splitcast", Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, Persist: true},
	}
}

// noSession answers when a browser session cannot be read or kept.
func (s *Server) noSession(w http.ResponseWriter, r *http.Request, err error) {
	s.bareProblem(w, r, s.describe(r, err))
}

// secretOf returns the API key of a request: `Authorization: Bearer` or
// `X-API-Key`, the two ways of OFREP. The word Bearer is read in any case, as
// RFC 9110 11.1 has it.
func secretOf(r *http.Request) string {
	const scheme = "Bearer "
	if a := r.Header.Get("Authorization"); len(a) >= len(scheme) && strings.EqualFold(a[:len(scheme)], scheme) {
		return strings.TrimSpace(a[len(scheme):])
	}
	return r.Header.Get("X-API-Key")
}

// sameOrigin refuses requests that change something and that a browser sends
// on behalf of another site.
func (s *Server) sameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	if s.publicURL != "" {
		if err := p.AddTrustedOrigin(s.publicURL); err != nil { // a proxy in front may change the host that is asked for
			panic("publicOrigin returns an origin: " + err.Error())
		}
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.bareProblem(w, r, s.describe(r, experiment.Errorf(experiment.CodeForbidden, "", "requests from other sites may change nothing here")))
	}))
	return p.Handler(next)
}

// authorize returns the API key with the secret if it allows one of the
// scopes. It reads memory only. The errors are CodeUnauthorized, CodeForbidden,
// CodeUnavailable before the first configuration, and a Problem of status 429
// for a public key that is used too often from where the request comes.
func (s *Server) authorize(r *http.Request, secret string, scopes ...experiment.Scope) (*experiment.APIKey, error) {
	if secret == "" {
		return nil, experiment.Errorf(experiment.CodeUnauthorized, "", "an API key is needed: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`")
	}
	key, err := s.knownKey(secret)
	if err == nil && !slices.ContainsFunc(scopes, key.Allows) {
		err = experiment.Errorf(experiment.CodeForbidden, "", "the API key %q lacks the scope %s", key.Name, scopes[0])
	}
	if err == nil {
		err = s.checkRate(r, key)
	}
	return key, err
}

// knownKey returns the API key with the secret.
func (s *Server) knownKey(secret string) (*experiment.APIKey, error) {
	key, loaded := s.live.key(postgres.HashSecret(secret))
	switch {
	case !loaded:
		return nil, experiment.Errorf(experiment.CodeUnavailable, "", "no configuration has been loaded yet")
	case key == nil:
		return nil, experiment.Errorf(experiment.CodeUnauthorized, "", "the API key is not known")
	}
	return key, nil
}

// require lets requests pass that carry an API key with the scope.
func (s *Server) require(scope experiment.Scope) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := s.authorize(r, secretOf(r), scope); err != nil {
				s.problem(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// person is somebody who signed in by a link: this version knows one role.
type person struct{}

// Allows reports true: a link is made by an administrator only.
func (person) Allows(experiment.Scope) bool { return true }

// identify puts the bearer of an API key or of a browser session into the
// context; whether that suffices is for each operation to say.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if secret := secretOf(r); secret != "" {
			key, err := s.knownKey(secret)
			if err != nil {
				s.problem(w, r, err)
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), bearerKey{}, bearer{experiment.KeyActor(key.Name), key.Owner, key}))
		} else if user := s.web.GetString(r.Context(), sessionUser); user != "" {
			r = r.WithContext(context.WithValue(r.Context(), bearerKey{}, bearer{user, experiment.PersonOf(user), person{}}))
		}
		next.ServeHTTP(w, r)
	})
}

// personBehind returns the person who is who, or who made the key of that name that
// makes the request; empty: none is known.
func personBehind(ctx context.Context, who string) string {
	if b, ok := ctx.Value(bearerKey{}).(bearer); ok {
		return b.person
	}
	return experiment.PersonOf(who) // of a page, which has no keys
}

// actor returns who makes a request of the API when the scope allows it.
func actor(ctx context.Context, scope experiment.Scope) (string, error) {
	b, ok := ctx.Value(bearerKey{}).(bearer)
	if !ok {
		return "", experiment.Errorf(experiment.CodeUnauthorized, "", "sign in, or send an API key as `Authorization: Bearer KEY`")
	}
	if !b.scopes.Allows(scope) {
		return "", experiment.Errorf(experiment.CodeForbidden, "", "%s lacks the scope %s", b.name, scope)
	}
	return b.name, nil
}
