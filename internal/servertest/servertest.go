// Package servertest gives tests of clients a real Splitcast server over HTTP,
// on a PostgreSQL of its own, which can be killed and started again.
//
// It is for tests outside package server only, and holds no assertion but that
// the server itself works.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestClient(t *testing.T) {
//		s := servertest.New(t, document, time.Now)
//		c := dial(s.URL, servertest.ServiceKey)
//		…
//		s.Kill(t)
//	}
package servertest

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/server"
)

// API keys of every Server.
const (
	ServiceKey = "key-of-services-0123456789" // scopes config and ingest
	PublicKey  = "key-of-pages-0123456789"    // scope evaluate
)

// closeLimit bounds an orderly stop.
const closeLimit = 30 * time.Second

// Server is a server that listens.
type Server struct {
	DB   *postgres.DB
	SQL  *sql.DB // to look behind the server's back
	Live *server.Live
	URL  string

	now   func() time.Time
	salts int // drawn so far: every Server has the same
	srv   *server.Server
	http  *http.Server
	done  chan struct{}
}

// New starts a server with a document applied. It ends with the test.
func New(t testing.TB, document string, now func() time.Time) *Server {
	t.Helper()
	dsn := pgtest.New(t)
	s := &Server{now: now}
	var err error
	if s.DB, err = postgres.Open(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	if s.SQL, err = sql.Open("postgres", dsn); err != nil {
		t.Fatal(err)
	}
	for secret, scopes := range map[string][]experiment.Scope{
		ServiceKey: {experiment.ScopeConfig, experiment.ScopeIngest}, PublicKey: {experiment.ScopeEvaluate},
	} {
		_, err := s.DB.CreateKey(t.Context(), postgres.NewKey{Name: secret, Secret: secret, Scopes: scopes, Actor: "test", Now: now()})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Live = server.NewLive(server.LiveConfig{Load: s.DB.ReadConfig, Now: now, Log: slog.New(slog.DiscardHandler)})
	s.Apply(t, document)
	s.Start(t)
	t.Cleanup(func() {
		s.Kill(t)
		_ = s.SQL.Close()
		_ = s.DB.Close()
	})
	return s
}

// Start serves again after Kill, at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	var err error
	s.srv, err = server.New(server.Config{DB: s.DB, Live: s.Live, Now: s.now, Wall: time.Now, Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:0"
	if s.URL != "" {
		addr = strings.TrimPrefix(s.URL, "http://")
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "http://" + l.Addr().String()
	srv, done := &http.Server{Handler: s.srv.Handler(), ReadHeaderTimeout: server.ReadHeaderTimeout}, make(chan struct{})
	s.http, s.done = srv, done
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends by Kill
	}()
}

// Kill cuts all connections, stops listening and writes the exposures that the
// server has queued.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.http == nil {
		return
	}
	_ = s.http.Close()
	<-s.done
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if err := s.srv.Close(ctx); err != nil {
		t.Errorf("close the server: %v", err)
	}
	s.http = nil
}

// Store applies a document without telling the server.
func (s *Server) Store(t testing.TB, document string) {
	t.Helper()
	doc, err := experiment.ParseApply([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	options := postgres.ApplyOptions{Actor: "test", Now: s.now(), KnownMetric: metrics.Known, Salt: s.salt}
	if _, err := s.DB.ApplyDocument(t.Context(), doc, options); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) salt() string {
	s.salts++
	return fmt.Sprint("salt-", s.salts)
}

// Apply applies a document and puts it in force.
func (s *Server) Apply(t testing.TB, document string) {
	t.Helper()
	s.Store(t, document)
	if err := s.Live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Exposure is a row of the database.
type Exposure struct {
	Experiment, Unit string
	Arm              int
	At               time.Time
	Override         bool
	Crossed          bool
	Attributes       string
}

// Exposures returns all exposures, by experiment and unit.
func (s *Server) Exposures(t testing.TB) []Exposure {
	t.Helper()
	rows, err := s.SQL.QueryContext(t.Context(), `
		select e.key, x.unit_id, x.arm, x.at, x.override, x.crossed_at is not null, x.attributes::text
		from exposures x join experiments e on e.id = x.experiment_id order by e.key, x.unit_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []Exposure
	for rows.Next() {
		var x Exposure
		if err := rows.Scan(&x.Experiment, &x.Unit, &x.Arm, &x.At, &x.Override, &x.Crossed, &x.Attributes); err != nil {
			t.Fatal(err)
		}
		x.At = x.At.UTC()
		out = append(out, x)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
