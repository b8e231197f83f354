package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/server"
)

type serveCmd struct {
	storage
	Addr           string `default:"127.0.0.1:8080" env:"SPLITCAST_ADDR" help:"Address to listen on."`
	BootstrapToken string `env:"SPLITCAST_BOOTSTRAP_TOKEN" help:"Admin API key to make when none exists."`
	AddressHeader  string `env:"SPLITCAST_ADDRESS_HEADER" placeholder:"NAME" help:"Header in which your proxy puts the address of the client, such as X-Forwarded-For. Without a proxy leave it: clients could put anything in it."`
	PublicURL      string `env:"SPLITCAST_PUBLIC_URL" placeholder:"URL" help:"Address by which people reach the server, such as https://splitcast.example: links name it, and with https cookies are sent over TLS alone."`
	NoJob          bool   `help:"Leave the metrics job to other processes."`
	RetainDays     int    `default:"0" env:"SPLITCAST_RETAIN_DAYS" help:"Age in days, at least 45, from which the job drops CMCD records, business events and outcomes that nothing needs; 0 keeps everything."`
}

// Run serves until the context ends.
func (c *serveCmd) Run(rt *runtime) error {
	clock := wallClock()
	bounded, release := context.WithCancel(context.WithoutCancel(rt.ctx))
	var memory sync.WaitGroup
	memory.Go(func() { boundMemory(bounded) })
	defer memory.Wait()
	defer release()
	p, err := startPlatform(rt.ctx, platformConfig{
		storage: c.storage, Addr: c.Addr, BootstrapToken: c.BootstrapToken, AddressHeader: c.AddressHeader, PublicURL: c.PublicURL,
		Now: clock.Now, Log: rt.log, Retention: server.Retention{Days: c.RetainDays, Elsewhere: c.NoJob},
	})
	if err != nil {
		return err
	}
	p.greet(rt)
	g, ctx := errgroup.WithContext(rt.ctx)
	g.Go(func() error { return p.wait(ctx) })
	if !c.NoJob {
		g.Go(func() error { return p.runJob(ctx, clock, c.RetainDays) })
	}
	return errors.Join(g.Wait(), p.close())
}

// wait returns when the server fails or ctx ends.
func (p *platform) wait(ctx context.Context) error {
	select {
	case err := <-p.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// greet prints where the server is and a link that signs in once. A database
// that is away cannot keep links; the next start prints one.
func (p *platform) greet(rt *runtime) {
	fmt.Fprintf(rt.out, "Splitcast listens on %s\n", p.url())
	path, err := p.server.LoginPath(rt.ctx, "operator")
	if err != nil {
		rt.log.Warn("no sign-in link", "error", err)
		return
	}
	fmt.Fprintf(rt.out, "Open this to sign in, once, within %.0f minutes: %s%s\n",
		postgres.LoginLinkLife.Minutes(), cmp.Or(strings.TrimSuffix(p.cfg.PublicURL, "/"), p.url()), path)
}

type jobCmd struct {
	storage
	RetainDays int `default:"0" env:"SPLITCAST_RETAIN_DAYS" help:"As of serve."`
}

// Run runs the metrics job until the context ends.
func (c *jobCmd) Run(rt *runtime) error {
	db, err := c.open(rt.ctx, rt.log)
	if err != nil {
		return err
	}
	job := metrics.Job{Store: db.DB, Experiments: db.Page, Catalogue: db.Catalogue}
	clock := wallClock()
	old := retention{db: db.DB, days: c.RetainDays, log: rt.log}
	err = job.Loop(rt.ctx, jobEvery, clock, func(s metrics.Summary, err error) {
		old.tend(rt.ctx, clock.Now())
		if err != nil {
			rt.log.Error("the metrics job failed", "error", err)
			return
		}
		rt.log.Info("metrics job", "looks", s.Looks, "first", s.First, "day", s.Day, "return", s.Return, "folded", s.Folded)
	})
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, db.close(context.WithoutCancel(rt.ctx)))
}

type migrateCmd struct{ storage }

// Run migrates.
func (c *migrateCmd) Run(rt *runtime) error {
	db, err := c.open(rt.ctx, rt.log)
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(rt.ctx), db.close(context.WithoutCancel(rt.ctx)))
}
