// Package server is Splitcast over HTTP: OFREP and the flagd document for
// services, telemetry endpoints for players, /api/v1 for programs and the
// pages for people.
//
// It holds no rule of experiments, statistics or storage: handlers decode
// strictly, call one function, and encode. Evaluation never waits for the
// database; telemetry is acknowledged only after its commit.
//
//	srv, err := server.New(server.Config{DB: db, Live: live, Now: clock.Now, Wall: time.Now, Log: log})
//	if err != nil {
//		return err
//	}
//	defer srv.Close(ctx)
//	err = http.ListenAndServe(addr, srv.Handler())
package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// Timeouts of the HTTP server that carries a Handler. Event streams lift the
// write timeout for themselves.
const (
	ReadHeaderTimeout = 5 * time.Second
	ReadTimeout       = 30 * time.Second
	WriteTimeout      = 60 * time.Second
	IdleTimeout       = 120 * time.Second
	MaxHeaderBytes    = 32 << 10 // CMCD in four headers is below 4 KiB
)

// Config is what a Server is made of.
type Config struct {
	DB   *postgres.DB
	Live *Live
	// Now is the time of exposures, telemetry and decisions; the demo's runs
	// faster than Wall.
	Now func() time.Time
	// Wall is the time that people live in: of sign-in links and sessions.
	Wall func() time.Time
	Log  *slog.Logger
	// Salt draws the salts of new experiments; nil draws them at random.
	Salt func() string
	// AddressHeader is the header in which a proxy in front tells the address of
	// the client; empty: there is none.
	AddressHeader string
	// PublicURL is where people reach the server, such as https://splitcast.example;
	// empty: where a request says that it was sent to. With https, cookies of sessions
	// are sent over TLS alone.
	PublicURL string
	// Version is the program's, for /api/v1/openapi.json and the logs.
	Version string
	// Retention is how long facts are kept, for people to read.
	Retention Retention
}

// Server answers HTTP. Its methods may be called concurrently.
type Server struct {
	db    *postgres.DB
	live  *Live
	now   func() time.Time
	wall  func() time.Time
	salt  func() string
	log   *slog.Logger
	pages *web.Renderer
	web   *scs.SessionManager
	stats *instruments

	exposures *exposureQueue
	assigned  *assignedTally
	limits    *addressLimiter
	streams   addressStreams // of OFREP
	// addressHeader is Config.AddressHeader.
	addressHeader string
	publicURL     string // an origin; empty: not told
	ingest        *ingest
	reports       *reportCache
	briefs        *briefCache
	recent        recentData
	shares        *shareTokens
	reportStreams atomic.Int64 // open
	flagd         *Flagd
	tasks         sync.WaitGroup // what ends when done is closed
	done          chan struct{}
	once          sync.Once // closes done
	closing       sync.Once
	sessions      *postgres.WebSessions // of browsers
	signInFails   signInFails
	closeErr      error // once closing is done
	handler       http.Handler
	version       string // of the program
	retention     Retention
}

// New returns a Server that is ready to answer. It returns experiment.CodeInvalid
// for a PublicURL that is none.
func New(cfg Config) (*Server, error) {
	public, err := publicOrigin(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	pages, err := web.New()
	if err != nil {
		return nil, err
	}
	s := &Server{
		db: cfg.DB, live: cfg.Live, now: cfg.Now, wall: cfg.Wall, salt: cfg.Salt, log: cfg.Log,
		pages: pages, done: make(chan struct{}), stats: newInstruments(),
		limits: &addressLimiter{now: cfg.Wall}, addressHeader: cfg.AddressHeader, publicURL: public,
	}
	s.sessions = cfg.DB.WebSessions(cfg.Wall)
	s.web = newSessions(s.sessions, overTLS(public), s.noSession)
	s.exposures = newExposureQueue(exposureQueueConfig{
		Insert: cfg.DB.InsertExposures, Resolve: cfg.Live.resolve,
		Now: cfg.Now, Log: cfg.Log, Stats: s.stats,
	})
	s.assigned = &assignedTally{live: cfg.Live.Snapshot, store: cfg.DB.MergeAssigned, now: cfg.Now, log: cfg.Log}
	s.ingest = newIngest(cfg.DB, cfg.Now, cfg.Log)
	s.reports = newReportCache(cfg.DB, cfg.Live.experiments)
	s.briefs = newBriefCache(s.reports)
	s.shares = &shareTokens{db: cfg.DB}
	s.flagd = &Flagd{Snapshot: cfg.Live.Snapshot}
	s.version, s.retention = cfg.Version, cfg.Retention
	s.stats.watch(cfg.Live, s.exposures, s.flagd, cfg.Now)
	s.handler = s.routes(cfg.Version)
	s.checkFlagd()
	s.tasks.Go(func() { s.assigned.run(s.done) })
	return s, nil
}

// checkFlagd starts the self-check of flagd documents.
func (s *Server) checkFlagd() {
	c := &flagdChecker{flagd: s.flagd, log: s.log, mismatches: s.stats.flagdMismatches, wall: s.wall, write: (*assignment.Snapshot).WriteFlagd}
	versions, stop := s.live.subscribe()
	s.tasks.Go(func() {
		defer stop()
		c.run(s.done, versions)
	})
}

// Handler returns the routes.
func (s *Server) Handler() http.Handler { return s.handler }

// EndStreams ends the event streams, which would otherwise keep an orderly
// shutdown of HTTP waiting.
func (s *Server) EndStreams() { s.once.Do(func() { close(s.done) }) }

// Close ends event streams, writes the exposures still queued, and waits for
// what is under way, at most until ctx ends. A second call returns the same.
func (s *Server) Close(ctx context.Context) error {
	s.EndStreams()
	s.closing.Do(func() {
		s.tasks.Wait()
		s.closeErr = errors.Join(s.ingest.close(ctx), s.exposures.close(ctx))
	})
	return s.closeErr
}

func (s *Server) routes(version string) http.Handler {
	r := chi.NewRouter()
	r.Use(boundRequestID, middleware.RequestID, s.stats.requests, s.recoverer, headAsGet)
	r.NotFound(s.nowhere())
	notTaken := s.pageOrProblem(func(*http.Request) error {
		return &Problem{Status: http.StatusMethodNotAllowed, Detail: "this address does not take that method"}
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		for _, method := range methods {
			if r.Match(chi.NewRouteContext(), method, req.URL.Path) {
				w.Header().Add("Allow", method)
				if method == http.MethodGet && !strings.HasSuffix(req.URL.Path, "/events") {
					w.Header().Add("Allow", http.MethodHead)
				}
			}
		}
		notTaken(w, req)
	})
	r.Get("/healthz", s.health)
	r.Get("/readyz", s.ready)
	r.Handle("/metrics", s.stats.handler())
	s.evaluationRoutes(r)
	s.ingestRoutes(r)
	s.apiRoutes(r, version)
	s.pageRoutes(r)
	return r
}

func (s *Server) evaluationRoutes(r chi.Router) {
	ofrep := &OFREP{
		Snapshot: s.live.Snapshot, Expose: s.exposures.add, Now: s.now,
		Subscribe: s.live.subscribe, Done: s.done, assigned: s.assigned,
	}
	r.Group(func(r chi.Router) {
		r.Use(ofrep.CORS)
		// EventSource can send no header; the stream tells version numbers only.
		r.Get("/ofrep/v1/events", s.boundStreams(ofrep.Events))
		r.Group(func(r chi.Router) {
			r.Use(s.require(experiment.ScopeEvaluate))
			r.Post("/ofrep/v1/evaluate/flags", ofrep.Bulk)
			r.Post("/ofrep/v1/evaluate/flags/{key}", ofrep.Single)
		})
		r.Options("/ofrep/*", func(http.ResponseWriter, *http.Request) {}) // answered by CORS before it gets here
	})
	r.Get(SDKPath, sdk())
	r.Head(SDKPath, sdk())
	r.With(s.require(experiment.ScopeConfig)).Get(FlagdPath, s.flagd.ServeHTTP)
}

// nowhere answers addresses that do not exist: with a page to browsers, with a
// problem to programs.
func (s *Server) nowhere() http.HandlerFunc {
	return s.pageOrProblem(func(r *http.Request) error {
		return experiment.Errorf(experiment.CodeNotFound, "", "there is nothing at %s", r.URL.Path)
	})
}

// pageOrProblem answers with what is wrong with a request: with a page to browsers,
// with a problem to programs.
func (s *Server) pageOrProblem(wrong func(*http.Request) error) http.HandlerFunc {
	page := pageHeaders(s.web.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.problemPage(w, r, wrong(r))
	})))
	return func(w http.ResponseWriter, r *http.Request) {
		if wantsPage(r) {
			page.ServeHTTP(w, r)
			return
		}
		s.problem(w, r, wrong(r))
	}
}

// headAsGet answers HEAD as GET without its body, as RFC 9110 asks for. Streams never
// end, so that a HEAD would hold one of their places for nothing.
func headAsGet(next http.Handler) http.Handler {
	asGet := middleware.GetHead(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			next.ServeHTTP(w, r)
			return
		}
		asGet.ServeHTTP(w, r)
	})
}

// methods are those that some address takes.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions}

// maxRequestID is the longest request id taken from a caller; the ids that are
// in use (UUIDs, trace ids) are shorter.
const maxRequestID = 128

// boundRequestID drops a caller's request id that is longer than maxRequestID:
// it goes into logs and answers.
func boundRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Get(middleware.RequestIDHeader)) > maxRequestID {
			r.Header.Del(middleware.RequestIDHeader)
		}
		next.ServeHTTP(w, r)
	})
}

// health answers while the process lives.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSONBytes(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

// ready answers 200 once there is a configuration to evaluate. A database that
// is away does not make a server unready: assignment goes on without it. Nor does
// a flagd document that failed its self-check, but the answer warns of it.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.live.Snapshot() == nil {
		w.Header().Set("Retry-After", "1")
		writeProblem(w, &Problem{Status: http.StatusServiceUnavailable, Detail: "no configuration has been loaded yet"})
		return
	}
	answer := struct {
		Status   string   `json:"status"`
		Warnings []string `json:"warnings,omitempty"`
	}{Status: "ready"}
	if warning := s.flagd.warning(); warning != "" {
		answer.Warnings = append(answer.Warnings, warning)
	}
	b, err := json.Marshal(answer)
	if err != nil {
		panic("strings always marshal: " + err.Error())
	}
	writeJSONBytes(w, http.StatusOK, b)
}

// recoverer turns a panic into a 500 with the request's id, a page for browsers; the
// text goes to the log only.
func (s *Server) recoverer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // net/http's own way to drop a connection
			}
			id := middleware.GetReqID(r.Context())
			s.log.Error("panic in a handler", "request_id", id, "operation", operationOf(r), "panic", v, "stack", string(debug.Stack()))
			if rec, ok := w.(middleware.WrapResponseWriter); ok && rec.Status() != 0 {
				panic(http.ErrAbortHandler) // a part of the answer is out; breaking the connection tells that it is not whole
			}
			s.bareProblem(w, r, &Problem{Status: http.StatusInternalServerError, RequestID: id})
		}()
		next.ServeHTTP(w, r)
	})
}

var _ huma.StatusError = (*Problem)(nil)
