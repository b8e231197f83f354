package simulate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/experiment"
)

// Defaults of a Driver, chosen so that two weeks of the default world pass in
// under a minute beside the server and its database on two cores.
const (
	DefaultTick        = 10 * time.Minute
	DefaultJobEvery    = 6 * time.Hour
	DefaultConcurrency = 8
	DefaultLiveRate    = 5.0 // session starts a second
)

// Driver lets the viewers of a world use a server: they ask for their arms,
// report the experiments they met, and report how it went. Its methods must
// not be called at the same time, except Sent and Checkpoint.
type Driver struct {
	BaseURL   string // of the server, without a slash at the end
	Token     string // API key with the scopes evaluate and ingest
	IngestKey string // of POST /v1/cmcd/{key}; empty means Token
	World     *World

	// SetNow, if set, is given the simulated time before anything of a tick
	// is sent. CatchUp calls it; Live leaves the clock alone.
	SetNow func(time.Time)
	// RunJob, if set, is called every JobEvery of simulated time, after
	// everything up to then was acknowledged.
	RunJob func(context.Context) error
	// Progress, if set, is called after every tick.
	Progress func(Progress)
	// Now is the clock of Live.
	Now func() time.Time

	Tick        time.Duration // 0 means DefaultTick
	JobEvery    time.Duration // 0 means DefaultJobEvery
	Concurrency int           // evaluations at a time; 0 means DefaultConcurrency
	LiveRate    float64       // session starts a second; 0 means DefaultLiveRate

	client  *client
	mu      sync.Mutex // guards sent and checkpoint
	sent    Sent
	done    time.Time
	pending []Parcel // not yet due, in no order
	told    map[exposureKey]string
}

// exposureKey names what a viewer's client remembers to have reported.
type exposureKey struct {
	viewer     int
	experiment string
}

// Progress is where CatchUp is.
type Progress struct {
	From, At, To time.Time
	Sent         Sent
}

// Sent counts what the server acknowledged.
type Sent struct {
	Sessions    int64 // that sent at least one report
	Silent      int64 // of which the server never hears
	Evaluations int64
	Exposures   int64                       // records, repeats included
	Units       map[string]map[string]int64 // exposed units by experiment and arm
	Heartbeats  int64                       // records, duplicates included
	CMCD        int64                       // records, duplicates included
	Duplicates  int64                       // of both
	Requests    int64
	Retries     int64
}

// Sent returns what was acknowledged so far.
func (d *Driver) Sent() Sent {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sent
	s.Units = make(map[string]map[string]int64, len(d.sent.Units))
	for key, arms := range d.sent.Units {
		s.Units[key] = maps.Clone(arms)
	}
	if d.client != nil {
		s.Requests, s.Retries = d.client.requests.Load(), d.client.retries.Load()
	}
	return s
}

// Checkpoint returns the simulated time up to which everything was
// acknowledged: where a later CatchUp can begin. It is zero before that.
func (d *Driver) Checkpoint() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

func (d *Driver) prepare() {
	if d.client != nil {
		return
	}
	d.Tick = cmp.Or(d.Tick, DefaultTick)
	d.JobEvery = cmp.Or(d.JobEvery, DefaultJobEvery)
	d.Concurrency = cmp.Or(d.Concurrency, DefaultConcurrency)
	d.LiveRate = cmp.Or(d.LiveRate, DefaultLiveRate)
	d.IngestKey = cmp.Or(d.IngestKey, d.Token)
	d.client = newClient(d.BaseURL, d.Token)
	d.told = map[exposureKey]string{}
	d.sent.Units = map[string]map[string]int64{}
}

// Close drops the connections to the server.
func (d *Driver) Close() {
	if d.client != nil {
		d.client.close()
	}
}

// CatchUp plays the time from from to to in ticks of simulated time, as fast
// as the server takes it. Of sessions that began before from, it sends the
// reports from then on, so that a run which starts at the checkpoint of
// another sends what the other did not.
func (d *Driver) CatchUp(ctx context.Context, from, to time.Time) error {
	d.prepare()
	cal := calendar{world: d.World, day: -1}
	if err := d.resume(ctx, &cal, from); err != nil {
		return err
	}
	next := d.ahead(ctx, &cal, from, to)
	for at := from; at.Before(to); at = at.Add(d.Tick) {
		end := earliest(at.Add(d.Tick), to)
		b := next()
		if b.err != nil {
			return fmt.Errorf("sessions of %s: %w", at.Format(time.RFC3339), b.err)
		}
		if d.SetNow != nil {
			d.SetNow(end)
		}
		if err := d.tick(ctx, b.visits, end); err != nil {
			return fmt.Errorf("tick of %s: %w", at.Format(time.RFC3339), err)
		}
		if d.RunJob != nil && end.Truncate(d.JobEvery).After(at) {
			if err := d.RunJob(ctx); err != nil {
				return fmt.Errorf("job at %s: %w", end.Format(time.RFC3339), err)
			}
		}
		d.reached(end)
		if d.Progress != nil {
			d.Progress(Progress{From: from, At: end, To: to, Sent: d.Sent()})
		}
	}
	return nil
}

func (d *Driver) reached(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = t
}

// resume takes up the sessions that are under way at from.
func (d *Driver) resume(ctx context.Context, cal *calendar, from time.Time) error {
	d.pending = nil
	lookBack := MaxSession + 3*lateMostSec*time.Second
	visits, err := d.visits(ctx, cal.between(from.Add(-lookBack), from))
	if err != nil {
		return fmt.Errorf("resume at %s: %w", from.Format(time.RFC3339), err)
	}
	for _, v := range visits {
		for _, p := range v.parcels {
			if !p.Due.Before(from) {
				d.pending = append(d.pending, p)
			}
		}
	}
	return nil
}

// played is a visit with all that will be sent of it.
type played struct {
	visit     *Visit
	exposures []experiment.Exposure
	parcels   []Parcel
	silent    bool
}

// batch is the visits of a tick.
type batch struct {
	visits []played
	err    error
}

// ahead evaluates and plays each tick while the one before is being sent.
func (d *Driver) ahead(ctx context.Context, cal *calendar, from, to time.Time) (next func() batch) {
	ch := make(chan batch)
	start := func(at time.Time) {
		go func() {
			visits, err := d.visits(ctx, cal.between(at, earliest(at.Add(d.Tick), to)))
			ch <- batch{visits, err}
		}()
	}
	if from.Before(to) {
		start(from)
	}
	at := from
	return func() batch {
		b := <-ch
		at = at.Add(d.Tick)
		if b.err == nil && at.Before(to) {
			start(at)
		}
		return b
	}
}

// visits evaluates and plays sessions, some at a time, in their order.
func (d *Driver) visits(ctx context.Context, sessions []Session) ([]played, error) {
	out := make([]played, len(sessions))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.Concurrency)
	for i, s := range sessions {
		g.Go(func() error {
			v := d.World.Visit(s)
			set, exposures, err := d.arms(ctx, &v)
			if err != nil {
				return err
			}
			out[i] = played{visit: &v, exposures: exposures, silent: v.Silent(set)}
			if !out[i].silent {
				out[i].parcels = d.World.dispatch(&v, d.World.View(&v, set, SparseCadence).TakeAll())
			}
			return nil
		})
	}
	return out, g.Wait()
}

// arms asks the server for the arms of a visit.
func (d *Driver) arms(ctx context.Context, v *Visit) (Settings, []experiment.Exposure, error) {
	flags, err := d.client.evaluate(ctx, v)
	if err != nil {
		return Settings{}, nil, err
	}
	set, exposures := v.apply(flags)
	if v.Silent(set) {
		exposures = nil
	}
	return set, exposures, nil
}

// tick sends the exposures of visits and all reports that are due before end.
func (d *Driver) tick(ctx context.Context, visits []played, end time.Time) error {
	var exposures []experiment.Exposure
	for i := range visits {
		v := &visits[i]
		exposures = append(exposures, d.news(v.visit, v.exposures)...)
		d.pending = append(d.pending, v.parcels...)
	}
	var due []Parcel
	d.pending = slices.DeleteFunc(d.pending, func(p Parcel) bool {
		ready := p.Due.Before(end)
		if ready {
			due = append(due, p)
		}
		return ready
	})
	slices.SortStableFunc(due, func(a, b Parcel) int { return a.Due.Compare(b.Due) })
	if err := d.send(ctx, exposures, due); err != nil {
		return err
	}
	d.count(visits, exposures, due)
	return nil
}

// news returns the exposures that the viewer's client has not reported yet.
// Where CMCD reports are joined by their session, each session needs its own.
func (d *Driver) news(v *Visit, met []experiment.Exposure) []experiment.Exposure {
	if v.Who.CMCD {
		return met
	}
	return slices.DeleteFunc(met, func(x experiment.Exposure) bool {
		return d.told[exposureKey{v.Who.Index, x.Experiment}] == x.Arm
	})
}

// Limits of one request, well within those of the server.
const (
	maxBatchRecords = 1_000
	maxBatchBytes   = 512 << 10
)

// send posts exposures and reports, all batches at the same time: none depends
// on another.
func (d *Driver) send(ctx context.Context, exposures []experiment.Exposure, due []Parcel) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.Concurrency)
	for part := range slices.Chunk(exposures, maxBatchRecords) {
		g.Go(func() error {
			body, err := json.Marshal(part)
			if err != nil {
				return fmt.Errorf("encode exposures: %w", err)
			}
			_, err = d.client.post(ctx, "/v1/exposures", "application/json", body)
			return err
		})
	}
	for _, body := range bodies(due, Heartbeat) {
		g.Go(func() error {
			_, err := d.client.post(ctx, "/v1/heartbeats", "application/x-ndjson", body)
			return err
		})
	}
	for _, body := range bodies(due, CMCD) {
		g.Go(func() error {
			_, err := d.client.post(ctx, "/v1/cmcd/"+d.IngestKey, "application/cmcd", body)
			return err
		})
	}
	return g.Wait()
}

// bodies packs the records of one format, a line each, into requests.
func bodies(due []Parcel, f Format) [][]byte {
	var out [][]byte
	var b []byte
	n := 0
	for i := range due {
		if due[i].Format != f {
			continue
		}
		if n == maxBatchRecords || len(b)+len(due[i].Body) > maxBatchBytes {
			out = append(out, b)
			b, n = nil, 0
		}
		b = append(append(b, due[i].Body...), '\n')
		n++
	}
	if n > 0 {
		out = append(out, b)
	}
	return out
}

// count notes what was acknowledged.
func (d *Driver) count(visits []played, exposures []experiment.Exposure, due []Parcel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	viewers := map[string]int{}
	for i := range visits {
		d.sent.Evaluations++
		if visits[i].silent {
			d.sent.Silent++
		}
		viewers[visits[i].visit.Who.ID] = visits[i].visit.Who.Index
	}
	for i := range exposures {
		d.countExposure(viewers[exposures[i].Unit], &exposures[i])
	}
	for i := range due {
		p := &due[i]
		if p.Format == Heartbeat {
			d.sent.Heartbeats++
		} else {
			d.sent.CMCD++
		}
		if p.Duplicate {
			d.sent.Duplicates++
		}
		if p.First {
			d.sent.Sessions++
		}
	}
}

func (d *Driver) countExposure(viewer int, x *experiment.Exposure) {
	d.sent.Exposures++
	key := exposureKey{viewer, x.Experiment}
	if d.told[key] == x.Arm {
		return
	}
	d.told[key] = x.Arm
	arms := d.sent.Units[x.Experiment]
	if arms == nil {
		arms = map[string]int64{}
		d.sent.Units[x.Experiment] = arms
	}
	arms[x.Arm]++
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// errNoClock tells the caller of Live what is missing.
var errNoClock = errors.New("the driver has no clock: set Now")
