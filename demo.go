package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/simulate"
)

// Times of the demo.
const (
	// demoDays is how much of the past the accelerated phase plays.
	demoDays = 14
	// demoCaughtUp is how close to the present the accelerated phase must come.
	demoCaughtUp = time.Minute
	// demoSaveEvery is how often, in simulated time, the demo notes where it is.
	demoSaveEvery = 6 * time.Hour
	// demoProgressEvery is how often the progress line changes.
	demoProgressEvery = 250 * time.Millisecond
)

type demoCmd struct {
	storage
	Addr     string `default:"127.0.0.1:8080" env:"SPLITCAST_ADDR" help:"Address to listen on."`
	Viewers  int    `default:"0" help:"Size of the simulated population; 0 is the default."`
	Seed     uint64 `default:"1" help:"Seed of the simulated world."`
	Days     int    `default:"14" help:"Days to play at the first start."`
	progress func() // hears of every tick; for tests

	Traces string `env:"TRACES_DIR" help:"Folder of measured network traces; synthetic ones are used without it."`
}

// demoState is what a second start needs to go on.
type demoState struct {
	Seed    uint64    `json:"seed"`
	Viewers int       `json:"viewers"`
	Epoch   time.Time `json:"epoch"`
	Clock   time.Time `json:"clock"` // everything before was acknowledged
	Token   string    `json:"token"`
}

// demo is a platform with a world that uses it.
type demo struct {
	rt     *runtime
	path   string // of the state
	state  demoState
	clock  *demoClock
	p      *platform
	driver *simulate.Driver
	line   progressLine
	heard  func()
}

// Run runs the demo until the context ends.
func (c *demoCmd) Run(rt *runtime) error {
	d, err := c.start(rt)
	if err != nil {
		return err
	}
	err = d.run(rt.ctx)
	if errors.Is(err, context.Canceled) && rt.ctx.Err() != nil {
		err = nil // Ctrl-C is how a demo ends
	}
	d.driver.Close()
	err = errors.Join(err, d.save(d.driver.Checkpoint()), d.p.close())
	d.line.end()
	if err == nil {
		fmt.Fprintln(rt.out, "The demo has stopped; `splitcast demo` goes on from here.")
	}
	return err
}

func (c *demoCmd) start(rt *runtime) (*demo, error) {
	d := &demo{rt: rt, path: filepath.Join(c.Data, "demo.json"), line: progressLine{out: rt.out}, heard: c.progress}
	if err := d.load(c); err != nil {
		return nil, err
	}
	d.clock = newDemoClock(d.state.Clock)
	var networks *simulate.Networks
	if c.Traces != "" {
		var err error
		if networks, err = simulate.LoadNetworks(c.Traces); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(rt.out, "Starting PostgreSQL and the server …")
	var err error
	d.p, err = startPlatform(rt.ctx, platformConfig{
		storage: c.storage, Addr: c.Addr, BootstrapToken: d.state.Token, Now: d.clock.Now, Salt: seededSalts(d.state.Seed), Log: rt.log,
	})
	if err != nil {
		return nil, err
	}
	d.driver = &simulate.Driver{
		BaseURL: d.p.url(), Token: d.state.Token, Now: d.clock.Now, SetNow: d.clock.Set, RunJob: d.runJob, Progress: d.progress,
		World: simulate.NewWorld(simulate.Options{
			Seed: d.state.Seed, Epoch: d.state.Epoch, Viewers: d.state.Viewers, Networks: networks, Switches: demoSwitches(),
		}),
	}
	if err := d.apply(rt.ctx); err != nil {
		return nil, errors.Join(err, d.p.close())
	}
	d.p.greet(rt)
	return d, nil
}

// seededSalts draws salts from the seed, so that the same world meets the same
// arms: a demo can be repeated to the viewer.
func seededSalts(seed uint64) func() string {
	src := mathrand.New(mathrand.NewPCG(seed, 0))
	return func() string { return fmt.Sprintf("demo-%016x", src.Uint64()) }
}

// load reads the state of an earlier run, or makes one.
func (d *demo) load(c *demoCmd) error {
	b, err := os.ReadFile(d.path)
	if err == nil {
		return json.Unmarshal(b, &d.state)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	days := c.Days
	if days < 1 || days > demoDays {
		return experiment.Invalidf("days", "must be 1 to %d", demoDays)
	}
	begin := time.Now().UTC().AddDate(0, 0, -days).Truncate(time.Hour)
	d.state = demoState{Seed: c.Seed, Viewers: c.Viewers, Epoch: begin, Clock: begin, Token: "demo_" + rand.Text()}
	return nil
}

// save notes that everything before at was acknowledged.
func (d *demo) save(at time.Time) error {
	if at.IsZero() {
		return nil
	}
	d.state.Clock = at
	b, err := json.Marshal(d.state)
	if err != nil {
		return err
	}
	tmp := d.path + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil { // it holds a token
		return err
	}
	return os.Rename(tmp, d.path)
}

// demoSwitches is what the demo's world has beside viewers who watch: a chat, and
// broadcasters whose ingest servers report.
func demoSwitches() simulate.Switches {
	return simulate.Switches{Social: simulate.DefaultSocial(), Broadcasts: simulate.DefaultBroadcasts()}
}

// demoDocuments returns the experiments of the demo. The five on players come first:
// their salts, and with them their arms, are those that they always had.
func demoDocuments() []experiment.Document {
	on := demoSwitches()
	return []experiment.Document{simulate.Document(), on.Document()}
}

// apply launches the experiments through the API, as a person would.
func (d *demo) apply(ctx context.Context) error {
	if err := d.save(d.state.Clock); err != nil {
		return err
	}
	r := remote{Server: d.p.url(), Token: d.state.Token}
	for _, doc := range demoDocuments() {
		body, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		var answer json.RawMessage
		if err := r.call(ctx, http.MethodPost, "/api/v1/experiments", "application/json", bytes.TrimSpace(body), &answer); err != nil {
			return err
		}
	}
	return nil
}

// run plays the past, then lives in the present.
func (d *demo) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.p.wait(ctx) })
	g.Go(func() error {
		if err := d.catchUp(ctx); err != nil {
			return err
		}
		d.clock.Release()
		d.line.end()
		fmt.Fprintf(d.rt.out, "Caught up with the present. The platform goes on in real time: %s  (Ctrl-C stops)\n", d.p.url())
		g.Go(func() error { return d.p.runJob(ctx, wallClock(), 0) })
		return d.driver.Live(ctx)
	})
	return g.Wait()
}

// catchUp plays until the simulated time is the present, which moves on while
// it plays.
func (d *demo) catchUp(ctx context.Context) error {
	from := d.state.Clock
	for time.Since(from) > demoCaughtUp {
		to := time.Now().Truncate(time.Second)
		if err := d.driver.CatchUp(ctx, from, to); err != nil {
			return err
		}
		if err := d.runJob(ctx); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (d *demo) runJob(ctx context.Context) error {
	sum, err := d.p.job.RunOnce(ctx, d.clock.Now())
	d.p.server.Ran(sum, err)
	d.line.looks += sum.Looks
	d.line.outcomes += sum.First + sum.Day
	return err
}

func (d *demo) progress(p simulate.Progress) {
	if p.At.Sub(d.state.Clock) >= demoSaveEvery {
		if err := d.save(p.At); err != nil {
			d.rt.log.Warn("the demo's state was not saved", "error", err)
		}
	}
	if d.heard != nil {
		d.heard()
	}
	if now := time.Now(); now.Sub(d.line.last) >= demoProgressEvery {
		d.line.last = now
		d.line.show(p, d.state.Epoch, d.p.url())
	}
}
