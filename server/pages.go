package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// Addresses of pages.
const (
	pathExperiments = "/experiments"
	pathSignIn      = "/signin"
	pathSignOut     = "/signout"
)

// maxListed bounds the experiments of one page of the list: each needs its
// newest report.
const maxListed = 50

// maxFormBody bounds what a form may send: a token and an address.
const maxFormBody = 64 << 10

func (s *Server) pageRoutes(r chi.Router) {
	r.Handle(web.StaticPath+"*", s.pages.Static())
	r.Group(func(r chi.Router) {
		r.Use(s.sameOrigin, pageHeaders, s.web.LoadAndSave)
		r.Get("/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, pathExperiments, http.StatusSeeOther)
		})
		r.Get(pathSignIn, s.signIn)
		r.Post(pathSignIn, s.signIn)
		r.Post(pathSignOut, s.signOut)
		r.With(s.identify).Get(pathShared+"{token}", s.sharedReport)
		r.Get(pathShared+"{token}/chart.svg", s.sharedChart)
		r.Group(func(r chi.Router) {
			r.Use(s.signedIn)
			r.Get(pathExperiments, s.experimentsPage)
			s.launchRoutes(r)
			r.Get(pathExperiments+"/{key}", s.reportPage)
			r.Post(pathExperiments+"/{key}", s.decide)
			s.reviewRoutes(r)
			r.Get(pathExperiments+"/{key}/chart.svg", s.chartFile)
			r.Get(pathExperiments+"/{key}/events", s.reportEvents)
			for part, take := range map[string]http.HandlerFunc{"/shares": s.sharing, "/comments": s.commentByForm} {
				r.Post(pathExperiments+"/{key}"+part, take)
				r.Get(pathExperiments+"/{key}"+part, toReport)
			}
			s.platformPages(r)
		})
	})
}

// pageHeaders sends the headers that keep pages to themselves.
func pageHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setPageHeaders(w.Header())
		next.ServeHTTP(w, r)
	})
}

func setPageHeaders(h http.Header) {
	h.Set("Content-Security-Policy", web.Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// signedIn lets people pass who signed in; others are sent to the sign-in page.
func (s *Server) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.web.GetString(r.Context(), sessionUser) == "" {
			next := r.URL.RequestURI()
			if r.Method != http.MethodGet && r.Method != http.MethodHead { // where a form posts to there may be no page
				next = cameFrom(r)
			}
			http.Redirect(w, r, pathSignIn+"?next="+url.QueryEscape(next), http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// LoginPath returns the path of a link that signs who in once.
func (s *Server) LoginPath(ctx context.Context, who string) (string, error) {
	token, err := s.db.CreateLoginLink(ctx, who, s.wall())
	if err != nil {
		return "", err
	}
	return pathSignIn + "?token=" + url.QueryEscape(token), nil
}

// actionLoginLink is the audit log's name of a link that was made.
const actionLoginLink = "login.link"

// invitation is LoginPath with an entry in the audit log of who made the link, and
// for whom: whoever uses it acts under that name.
func (s *Server) invitation(ctx context.Context, who, name string) (string, error) {
	if err := s.db.RecordAudit(ctx, postgres.AuditEntry{At: s.now(), Actor: who, Action: actionLoginLink, Subject: name}); err != nil {
		return "", err
	}
	return s.LoginPath(ctx, name)
}

// signIn shows the sign-in page, and signs in whoever presses its button with a
// good token. Opening a link spends nothing: programs that preview links, and
// those that look for harm in them, open them, too. Requests of other sites do
// not get here (sameOrigin), so nobody can be made to press it elsewhere.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
	if err := r.ParseForm(); err != nil {
		s.problemPage(w, r, formFault(err))
		return
	}
	next := localPath(r.Form.Get("next"))
	view := web.SignInView{Chrome: s.chrome(r), Action: pathSignIn, Next: next}
	token := r.Form.Get("token")
	if token == "" && r.Method == http.MethodPost {
		view.Error = noPasswords
		s.page(w, r, http.StatusUnauthorized, func(b *bytes.Buffer) error { return s.pages.SignIn(b, view) })
		return
	}
	if r.Method != http.MethodPost {
		view.Token = token
		s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.SignIn(b, view) })
		return
	}
	user, err := s.db.UseLoginLink(r.Context(), token, s.wall())
	if code, _ := experiment.CodeOf(err); code == experiment.CodeUnauthorized {
		s.recordFailedSignIn(r)
		view.Error = err.Error()
		s.page(w, r, http.StatusUnauthorized, func(b *bytes.Buffer) error { return s.pages.SignIn(b, view) })
		return
	}
	if err == nil {
		err = s.recordSignIn(r, user)
	}
	if err == nil {
		err = s.web.RenewToken(r.Context()) // a session known before must not become a signed-in one
	}
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	s.web.Put(r.Context(), sessionUser, user)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// noPasswords tells who fills in the form what to do instead.
const noPasswords = "This server signs people in by link. Ask an administrator for one, or take the one that the server prints when it starts."

// formFault says what is wrong with a form that cannot be read.
func formFault(err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return experiment.Errorf(experiment.CodeTooLarge, "", "the form is larger than %d bytes", large.Limit)
	}
	return experiment.Invalidf("", "the form could not be read")
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if err := s.web.Destroy(r.Context()); err != nil {
		s.problemPage(w, r, err)
		return
	}
	http.Redirect(w, r, pathSignIn, http.StatusSeeOther)
}

// localPath returns next if it is a path of this server, else the list: a
// link to here must not lead elsewhere.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return pathExperiments
	}
	return next
}

func (s *Server) chrome(r *http.Request) web.Chrome {
	c := web.Chrome{User: s.web.GetString(r.Context(), sessionUser)}
	if c.User != "" {
		c.SignOut, c.Find = pathSignOut, pathFind
		c.Nav, c.Menu, c.Places = slices.Clone(navigation), slices.Clone(furtherPages), places()
		for _, links := range [][]web.Link{c.Nav, c.Menu} {
			for i := range links {
				links[i].Current = strings.HasPrefix(r.URL.Path, links[i].URL)
			}
		}
	}
	return c
}

func (s *Server) experimentsPage(w http.ResponseWriter, r *http.Request) {
	all, err := s.db.List(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	filter := web.ReadFilter(r.URL.Query())
	if r.URL.Query().Get(web.ParamView) == web.ViewTimeline {
		s.timelinePage(w, r, filter, all)
		return
	}
	view := web.ExperimentsView{
		Chrome: s.chrome(r), Base: pathExperiments, New: pathLaunch, Filter: filter, Total: len(all), Server: s.address(r),
		Keys: pathSettings + "#" + web.SettingsKeys, Telemetry: pathTelemetry,
	}
	open, err := s.db.OpenReviews(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	after := r.URL.Query().Get("after")
	for i := range all {
		e := &all[i]
		if !filter.Matches(e) || e.Key <= after {
			continue
		}
		if len(view.Rows) == maxListed {
			q := r.URL.Query()
			q.Set("after", view.Rows[maxListed-1].Experiment.Key)
			view.More = pathExperiments + "?" + q.Encode()
			break
		}
		view.Rows = append(view.Rows, web.ExperimentRow{Experiment: *e, URL: pathExperiments + "/" + e.Key, Review: open[e.Key].State})
	}
	if err := s.addBriefs(r.Context(), view.Rows); err != nil {
		s.problemPage(w, r, err)
		return
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Experiments(b, view) })
}

// addBriefs adds what the reports of a list's experiments say; drafts have none.
func (s *Server) addBriefs(ctx context.Context, rows []web.ExperimentRow) error {
	var of []*experiment.Experiment
	var at []int
	for i := range rows {
		if rows[i].Experiment.Status != experiment.StatusDraft {
			of, at = append(of, &rows[i].Experiment), append(at, i)
		}
	}
	briefs, err := s.briefs.briefs(ctx, of, s.now())
	if err != nil {
		return err
	}
	for i := range briefs {
		row := &rows[at[i]]
		row.Report = &briefs[i]
		if briefs[i].Head.Look > 0 {
			row.LastLook = briefs[i].Head.At
		}
	}
	return nil
}

// page renders into memory first, so that a page is whole or not sent.
func (s *Server) page(w http.ResponseWriter, r *http.Request, status int, render func(*bytes.Buffer) error) {
	var buf bytes.Buffer
	if err := render(&buf); err != nil {
		s.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // the reader is gone when this fails
}

// problemTitle says in plain words what a status means; that of HTTP speaks to
// programs.
func problemTitle(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "Something in the form is not right"
	case http.StatusUnauthorized:
		return "Sign in first"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusNotFound:
		return "There is nothing here"
	case http.StatusMethodNotAllowed:
		return "This page takes only its form"
	case http.StatusConflict:
		return "Not possible as things are"
	case http.StatusRequestEntityTooLarge:
		return "That is too much at once"
	case http.StatusTooManyRequests:
		return "Too many at once"
	case http.StatusServiceUnavailable:
		return "The database is away"
	case http.StatusInternalServerError:
		return "Something went wrong here"
	}
	return http.StatusText(status)
}

// cameFrom returns the page of this server from which a form was sent; empty: it
// is not known.
func cameFrom(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") {
		return ""
	}
	return localPath(u.RequestURI())
}

// problemPage shows err to a person.
func (s *Server) problemPage(w http.ResponseWriter, r *http.Request, err error) {
	s.showProblem(w, r, s.chrome(r), s.describe(r, err))
}

// wantsPage reports whether a request is of a browser that shows what it gets.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// bareProblem answers where it is not known who asks, and nothing may be read to
// know it: with a page to browsers, with a problem to programs.
func (s *Server) bareProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	if !wantsPage(r) {
		writeProblem(w, p)
		return
	}
	setPageHeaders(w.Header())
	s.showProblem(w, r, web.Chrome{}, p)
}

func (s *Server) showProblem(w http.ResponseWriter, r *http.Request, chrome web.Chrome, p *Problem) {
	p.fill()
	view := web.ProblemView{
		Chrome: chrome, Status: p.Status, Title: problemTitle(p.Status), Detail: p.Detail,
		Back: web.Link{Text: "All experiments", URL: pathExperiments},
	}
	if len(p.Errors) > 0 { // in words, without the path of the field that only a document has
		view.Detail = ""
		for _, f := range p.Errors {
			fault := web.ProblemFault{Message: f.Message}
			if p.Status == http.StatusBadRequest {
				fault.Field = f.Location
			}
			view.Faults = append(view.Faults, fault)
		}
	}
	if p.Status >= http.StatusInternalServerError {
		view.RequestID = middleware.GetReqID(r.Context())
	}
	if r.Method == http.MethodPost {
		if form := cameFrom(r); form != "" {
			view.Back, view.Sent = web.Link{Text: "Back to the page", URL: form}, true
		}
	}
	if retryLater(p.Status) {
		w.Header().Set("Retry-After", retryAfterSec)
	}
	s.page(w, r, p.Status, func(b *bytes.Buffer) error { return s.pages.Problem(b, view) })
}
