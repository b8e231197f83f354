package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/postgres/private"
	"github.com/splitcast/splitcast/server"
)

// Times of a platform.
const (
	// jobEvery is how often the metrics job looks for closed windows: an
	// outcome is in the report at most a minute after its window closed.
	jobEvery = time.Minute
	// prepareRetry is how often a database that is away is tried.
	prepareRetry = 2 * time.Second
	// drainTimeout bounds how long a stop waits for requests under way: a download
	// or a client that stands still must not take the time of what was acknowledged.
	drainTimeout = 10 * time.Second
	// stopTimeout bounds the rest of an orderly stop. Both together are less than the
	// 30 s after which Kubernetes and compose.yaml kill.
	stopTimeout = 15 * time.Second
)

// storage says where the data is: a database of the operator, or a private
// PostgreSQL in a folder.
type storage struct {
	Data        string `default:".splitcast" env:"SPLITCAST_DATA" type:"path" help:"Folder of the private PostgreSQL and of the last good configuration."`
	DatabaseURL string `env:"DATABASE_URL" name:"database-url" help:"PostgreSQL to use instead of a private one."`
}

// database is an open database, and the private server behind it if there is one.
type database struct {
	*postgres.DB
	private *private.Server
}

// open starts or reaches PostgreSQL. A database given by URL may be away: its
// calls fail until it is there.
func (st storage) open(ctx context.Context, log *slog.Logger) (*database, error) {
	if err := os.MkdirAll(st.Data, 0o755); err != nil {
		return nil, err
	}
	if st.DatabaseURL != "" {
		db, err := postgres.New(st.DatabaseURL)
		return &database{DB: db}, err
	}
	srv, err := private.Start(ctx, private.Config{Dir: filepath.Join(st.Data, "postgres"), Log: log})
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, srv.DSN())
	if err != nil {
		return nil, errors.Join(err, srv.Stop(ctx))
	}
	return &database{db, srv}, nil
}

func (d *database) close(ctx context.Context) error {
	err := d.DB.Close()
	if d.private != nil {
		err = errors.Join(err, d.private.Stop(ctx))
	}
	return err
}

// platformConfig is how a platform runs.
type platformConfig struct {
	storage
	Addr           string
	BootstrapToken string // an admin API key to make if there is none; empty: no
	AddressHeader  string // see server.Config
	PublicURL      string // see server.Config
	Now            func() time.Time
	Salt           func() string // of new experiments; nil: at random
	Retention      server.Retention
	Log            *slog.Logger
}

// platform is a running server over a database.
type platform struct {
	cfg      platformConfig
	db       *database
	live     *server.Live
	server   *server.Server
	http     *http.Server
	listener net.Listener
	job      metrics.Job
	stop     context.CancelFunc
	tasks    sync.WaitGroup
	failed   chan error // the first failure
	// drain is drainTimeout; tests are in more of a hurry.
	drain time.Duration
}

// startPlatform opens the database and serves. A private database is ready
// when it returns; one that is away is tried until it is there, while the last
// good configuration is served.
func startPlatform(ctx context.Context, cfg platformConfig) (*platform, error) {
	db, err := cfg.open(ctx, cfg.Log)
	if err != nil {
		return nil, err
	}
	p := &platform{cfg: cfg, db: db, failed: make(chan error, 1), drain: drainTimeout}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, db.close(context.WithoutCancel(ctx)))
	}
	return p, nil
}

func (p *platform) start(ctx context.Context) error {
	p.live = server.NewLive(server.LiveConfig{
		Load: p.db.ReadConfig, Path: filepath.Join(p.cfg.Data, "config.gz"), Now: p.cfg.Now, Log: p.cfg.Log,
	})
	p.job = metrics.Job{Store: p.db.DB, Experiments: p.db.Page, Catalogue: p.db.Catalogue}
	if err := p.prepare(ctx); err != nil {
		if code, _ := experiment.CodeOf(err); code != experiment.CodeUnavailable || p.db.private != nil {
			return err
		}
		p.cfg.Log.Warn("the database is away; serving the last good configuration", "error", err)
	}
	var err error
	p.server, err = server.New(server.Config{
		DB: p.db.DB, Live: p.live, Now: p.cfg.Now, Wall: time.Now, Salt: p.cfg.Salt, Log: p.cfg.Log,
		AddressHeader: p.cfg.AddressHeader, PublicURL: p.cfg.PublicURL, Version: version(), Retention: p.cfg.Retention,
	})
	if err != nil {
		return err
	}
	if p.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.Addr); err != nil {
		return errors.Join(err, p.server.Close(ctx))
	}
	p.http = &http.Server{
		Handler: p.server.Handler(), ReadHeaderTimeout: server.ReadHeaderTimeout, ReadTimeout: server.ReadTimeout,
		WriteTimeout: server.WriteTimeout, IdleTimeout: server.IdleTimeout, MaxHeaderBytes: server.MaxHeaderBytes,
		ErrorLog: slog.NewLogLogger(p.cfg.Log.Handler(), slog.LevelDebug), // clients that hang up, mostly
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.tasks.Go(func() {
		if err := p.http.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			p.fail(err)
		}
	})
	p.tasks.Go(func() { p.follow(run) })
	p.tasks.Go(func() { p.runSchedule(run) })
	return nil
}

// prepare brings the schema up to date, makes the first key and loads the
// configuration.
func (p *platform) prepare(ctx context.Context) error {
	if err := p.db.Migrate(ctx); err != nil {
		return err
	}
	if p.cfg.BootstrapToken != "" {
		made, err := p.db.BootstrapKey(ctx, p.cfg.BootstrapToken, p.cfg.Now())
		if err != nil {
			return fmt.Errorf("bootstrap token: %w", err)
		}
		if made {
			p.cfg.Log.Info("made an admin API key of the bootstrap token")
		}
	}
	return p.live.Refresh(ctx)
}

// follow keeps the configuration fresh. When the database was away at the
// start it first waits for it.
func (p *platform) follow(ctx context.Context) {
	for p.live.Snapshot() == nil || p.db.private == nil {
		err := p.prepare(ctx)
		if err == nil {
			break
		}
		p.cfg.Log.Warn("the database is not ready", "error", err)
		if sleep(ctx, prepareRetry) != nil {
			return
		}
	}
	watcher, err := p.db.Watch(func(err error) { p.cfg.Log.Warn("configuration watch", "error", err) })
	if err != nil {
		p.fail(err)
		return
	}
	defer watcher.Close()
	p.live.Run(ctx, watcher.Versions())
}

// fail tells wait of the first failure. Later ones follow from it, and must not
// wait for somebody to hear them: the stop waits for the tasks.
func (p *platform) fail(err error) {
	select {
	case p.failed <- err:
	default:
		p.cfg.Log.Error("another failure", "error", err)
	}
}

// url returns the address at which the server listens.
func (p *platform) url() string { return "http://" + p.listener.Addr().String() }

// runJob runs the metrics job, and drops old facts beside it, until ctx ends.
func (p *platform) runJob(ctx context.Context, clock metrics.Clock, retainDays int) error {
	old := retention{db: p.db.DB, days: retainDays, log: p.cfg.Log}
	err := p.job.Loop(ctx, jobEvery, clock, func(sum metrics.Summary, err error) {
		p.server.Ran(sum, err)
		old.tend(ctx, clock.Now())
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// close stops everything in order: new requests, those under way, queued
// exposures, the watch, the database.
func (p *platform) close() error {
	p.server.EndStreams()
	err := p.stopServing()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err = errors.Join(err, p.server.Close(ctx))
	p.stop()
	p.tasks.Wait()
	return errors.Join(err, p.db.close(ctx))
}

// stopServing takes no more requests and waits for those under way; what is not
// done after drain is broken off. Its clients see that, and nothing of theirs was
// acknowledged.
func (p *platform) stopServing() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.drain)
	defer cancel()
	err := p.http.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	p.cfg.Log.Warn("requests that would not end are broken off")
	return p.http.Close()
}
