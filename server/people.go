package server

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// The audit log's names of what signing in leaves.
const (
	actionSignIn     = "login.use"
	actionSignInFail = "login.fail"
)

// Failed sign-ins go to the audit log at this rate, with the number of those in
// between: whoever guesses must not fill it, nor hold it up.
const (
	signInFailsEvery = time.Minute
	signInFailsBurst = 5
)

// signInFails decides which failed sign-ins are written down.
type signInFails struct {
	mu      sync.Mutex
	limit   *rate.Limiter
	skipped int
}

// take reports whether one more is written down, and how many were not since the
// last that was.
func (f *signInFails) take(now time.Time) (skipped int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.limit == nil {
		f.limit = rate.NewLimiter(rate.Every(signInFailsEvery), signInFailsBurst)
	}
	if !f.limit.AllowN(now, 1) {
		f.skipped++
		return 0, false
	}
	skipped, f.skipped = f.skipped, 0
	return skipped, true
}

// signInDetail is what an entry says of where a sign-in came from.
type signInDetail struct {
	From string `json:"from"`
	More int    `json:"more,omitempty"` // failed besides, and have no entry
}

func (s *Server) recordSignIn(r *http.Request, person string) error {
	return s.recordLogin(r.Context(), actionSignIn, person, person, signInDetail{From: s.clientAddress(r)})
}

// recordFailedSignIn writes a wrong or used link down, if not too many were.
func (s *Server) recordFailedSignIn(r *http.Request) {
	more, ok := s.signInFails.take(s.wall())
	if !ok {
		return
	}
	from := s.clientAddress(r)
	if err := s.recordLogin(r.Context(), actionSignInFail, "unknown", from, signInDetail{From: from, More: more}); err != nil {
		s.log.Warn("a failed sign-in is not in the audit log", "error", err)
	}
}

func (s *Server) recordLogin(ctx context.Context, action, who, subject string, detail signInDetail) error {
	text, err := json.Marshal(detail)
	if err != nil {
		panic("strings always marshal: " + err.Error())
	}
	return s.db.RecordAudit(ctx, postgres.AuditEntry{At: s.now(), Actor: who, Action: action, Subject: subject, Detail: text})
}

// signedInPerson is somebody who is signed in.
type signedInPerson struct {
	Name     string    `json:"name"`
	Sessions int       `json:"sessions" doc:"browsers"`
	LastAt   time.Time `json:"last_at" doc:"of the newest sign-in"`
}

type peopleList struct {
	Body struct {
		People []signedInPerson `json:"people"`
	}
}

type personInput struct {
	Name string `path:"name" doc:"as it stands in the audit log"`
}

type endedOutput struct {
	Body struct {
		Ended int `json:"ended" doc:"browsers that were signed out"`
	}
}

// peopleAPI are those who are signed in.
func (s *Server) peopleAPI(api huma.API) {
	const admin = experiment.ScopeAdmin
	serve(s, api, operation(http.MethodGet, "/people", "list-people", "Who is signed in", admin), admin,
		func(ctx context.Context, _ string, _ *struct{}) (*peopleList, error) {
			out := &peopleList{}
			var err error
			out.Body.People, err = s.people(ctx)
			return out, err
		})
	serve(s, api, operation(http.MethodDelete, "/people/{name}/sessions", "end-sessions", "Sign somebody out everywhere", admin), admin,
		func(ctx context.Context, who string, in *personInput) (*endedOutput, error) {
			out := &endedOutput{}
			var err error
			out.Body.Ended, err = s.endSessions(ctx, who, in.Name)
			return out, err
		})
}

func (s *Server) endSessions(ctx context.Context, who, person string) (int, error) {
	return s.sessions.End(ctx, person, personOfSession, s.applyOptions(ctx, who))
}

// people returns who is signed in, by name.
func (s *Server) people(ctx context.Context) ([]signedInPerson, error) {
	open, err := s.sessions.Open(ctx)
	if err != nil {
		return nil, err
	}
	out := []signedInPerson{}
	for i := range open {
		name := personOfSession(open[i].Data)
		if name == "" {
			continue
		}
		at := slices.IndexFunc(out, func(p signedInPerson) bool { return p.Name == name })
		if at < 0 { // the newest comes first
			at = len(out)
			out = append(out, signedInPerson{Name: name, LastAt: open[i].Expiry.Add(-sessionLife).UTC()})
		}
		out[at].Sessions++
	}
	slices.SortFunc(out, func(a, b signedInPerson) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// personOfSession reads who signed in from the data of a session; empty: nobody.
func personOfSession(data []byte) string {
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		return "" // of another program, or of nobody
	}
	name, _ := values[sessionUser].(string)
	return name
}
