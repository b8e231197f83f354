// Package simulate is a seeded live-video platform of which the truth is known:
// viewers, networks, players and broadcasters, five experiments whose effects
// can be computed, and a driver that lets the viewers use a real Splitcast
// server over HTTP as any service and player would.
//
// It never looks into the server: it knows the wire formats and nothing else,
// and the same seed always gives the same viewers, sessions and reports,
// wherever a run was interrupted. Switches turn on what a quiet world does not
// have, such as programs, lost telemetry, lies, a chat and broadcasts; a Ledger
// notes what is true of every unit then.
//
//	world := simulate.NewWorld(simulate.Options{Seed: 1, Epoch: launch})
//	driver := simulate.Driver{BaseURL: url, Token: token, World: world, SetNow: clock.Set, RunJob: job.Run}
//	err := driver.CatchUp(ctx, launch, launch.AddDate(0, 0, 14))
package simulate

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Options choose a world.
type Options struct {
	Seed  uint64
	Epoch time.Time // nobody comes before
	// Viewers is the size of the population; 0 means DefaultViewers.
	Viewers int
	// Networks are measured links (LoadNetworks); nil means synthetic ones.
	Networks *Networks
	Switches
}

// DefaultViewers is a population of which about half come within two weeks:
// some 36,000 viewers with 140,000 sessions.
const DefaultViewers = 85_000

// World is a live-video platform. It is immutable and safe for concurrent use.
type World struct {
	seed     uint64
	on       Switches
	epoch    time.Time
	midnight time.Time // of the epoch's UTC day, from which days are counted
	networks *Networks
	sizes    *sizeTable
	rates    []float32 // mean sessions a day of each viewer
	tables   tables
}

// tables are running sums of the shares of each dimension.
type tables struct {
	countries []float64
	isps      [][]float64
	devices   []float64
	os        [devices][]float64
	players   [devices][]float64
	versions  map[string][]float64
	channels  []float64
	hours     []float64
}

// NewWorld makes a world. It panics if Options.Viewers is negative.
func NewWorld(o Options) *World {
	if o.Viewers == 0 {
		o.Viewers = DefaultViewers
	}
	if o.Networks == nil {
		o.Networks = SyntheticNetworks(o.Seed)
	}
	w := &World{
		seed:     o.Seed,
		on:       o.Switches,
		epoch:    o.Epoch.UTC(),
		midnight: o.Epoch.UTC().Truncate(dayLength),
		networks: o.Networks,
		sizes:    newSizes(o.Seed),
		rates:    make([]float32, o.Viewers),
		tables:   newTables(),
	}
	d := newDice(mix(o.Seed, purposeRates))
	for i := range w.rates {
		w.rates[i] = float32(sessionsPerDay / rateShape * d.gamma(rateShape))
	}
	return w
}

func newTables() tables {
	t := tables{
		versions: map[string][]float64{},
		channels: channelWeights(),
		hours:    cumulate(hourly[:]...),
	}
	for _, c := range countries {
		t.countries = append(t.countries, c.weight)
		t.isps = append(t.isps, weights(c.isps))
	}
	t.countries = cumulate(t.countries...)
	for i := range deviceKinds {
		t.devices = append(t.devices, deviceKinds[i].weight)
		t.os[i] = weights(deviceKinds[i].os)
		t.players[i] = weights(deviceKinds[i].players)
	}
	t.devices = cumulate(t.devices...)
	for name, list := range versions {
		t.versions[name] = weights(list)
	}
	return t
}

// Epoch returns the moment before which nobody comes.
func (w *World) Epoch() time.Time { return w.epoch }

// Viewers returns the size of the population.
func (w *World) Viewers() int { return len(w.rates) }

// How often viewers come: a Poisson process whose rate differs between viewers
// (gamma, shape rateShape) and from day to day (exponential mood), so that
// sessions per viewer and day are over-dispersed, and of a day's viewers about
// a third are back on the next.
const (
	dayLength      = 24 * time.Hour
	sessionsPerDay = 0.12
	rateShape      = 0.25
	maxPerDay      = 40
	weekendBoost   = 1.2
)

// hourly is the load by local hour: a trough before dawn, a peak in the evening.
var hourly = [24]float64{
	3.2, 2.1, 1.4, 1.0, 0.8, 0.8, 1.0, 1.5, 2.1, 2.6, 3.0, 3.4,
	3.9, 4.2, 4.4, 4.7, 5.1, 5.7, 6.4, 7.2, 7.8, 7.7, 6.5, 4.8,
}

// Session is one viewing that will happen, whatever the arms.
type Session struct {
	Viewer int
	Start  time.Time // to the millisecond
	seed   uint64
}

// Schedule returns the sessions that start on a UTC day, counted from that of
// the epoch, in the order of their starts. It depends on nothing but the world
// and the day.
func (w *World) Schedule(day int) []Session {
	if day < 0 {
		return nil
	}
	var out []Session
	midnight := w.midnight.Add(time.Duration(day) * dayLength)
	boost := 1.0
	if wd := midnight.Weekday(); wd == time.Saturday || wd == time.Sunday {
		boost = weekendBoost
	}
	d := newDice(0)
	for i, rate := range w.rates {
		seed := mix(w.seed, purposeDay, uint64(i), uint64(day))
		d.reseed(seed)
		n := d.poisson(float64(rate)*boost*(d.ExpFloat64()+d.ExpFloat64())/2, maxPerDay)
		if n == 0 {
			continue
		}
		utc := w.Viewer(i).utcHours
		for k := range n {
			start := midnight.Add(w.timeOfDay(d, utc))
			if start.Before(w.epoch) {
				continue
			}
			out = append(out, Session{Viewer: i, Start: start, seed: mix(seed, uint64(k))})
		}
	}
	out = append(out, w.botSessions(day)...)
	slices.SortFunc(out, func(a, b Session) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Viewer, b.Viewer), cmp.Compare(a.seed, b.seed))
	})
	return out
}

// timeOfDay draws a moment of the UTC day by the load of the viewer's hours.
func (w *World) timeOfDay(d dice, utcHours int) time.Duration {
	local := float64(d.pick(w.tables.hours)) + d.Float64()
	utc := math.Mod(local-float64(utcHours)+48, 24)
	return time.Duration(utc * float64(time.Hour)).Truncate(time.Millisecond)
}

// Between returns the sessions that start in [from, to), in order.
func (w *World) Between(from, to time.Time) []Session {
	c := calendar{world: w, day: -1}
	return c.between(from, to)
}

// day returns the UTC day of a moment, as Schedule counts; 0 for any before.
func (w *World) day(t time.Time) int { return max(0, int(t.Sub(w.midnight)/dayLength)) }

// calendar remembers the schedule of the day at hand.
type calendar struct {
	world    *World
	day      int
	sessions []Session
}

// between returns the sessions that start in [from, to), in order.
func (c *calendar) between(from, to time.Time) []Session {
	var out []Session
	for day := c.world.day(from); day <= c.world.day(to); day++ {
		if day != c.day {
			c.day, c.sessions = day, c.world.Schedule(day)
		}
		for _, s := range c.sessions {
			if !s.Start.Before(from) && s.Start.Before(to) {
				out = append(out, s)
			}
		}
	}
	return out
}
