package simulate

import (
	"slices"
	"time"
)

// Truth is what an experiment does to the whole population: every viewer is
// simulated in both arms, with the same intent, patience and network, so that
// hardly any chance is left between the arms.
type Truth struct {
	Experiment string
	Effects    []Effect // by segment, then by metric
	// Reporting is the share of the audience's units of each arm of which
	// the server ever hears: what breaks it breaks the randomisation.
	Reporting [2]float64
}

// Effect is the true value of a metric in both arms.
type Effect struct {
	Metric    string
	Segment   string // network class at exposure; empty for all
	Control   float64
	Treatment float64
}

// Lift returns the effect as a fraction of control.
func (e Effect) Lift() float64 { return e.Treatment/e.Control - 1 }

// Effect returns the effect on a metric in a segment, and false when there is none.
func (t *Truth) Effect(metric, segment string) (Effect, bool) {
	for _, e := range t.Effects {
		if e.Metric == metric && e.Segment == segment {
			return e, true
		}
	}
	return Effect{}, false
}

// Windows of the metrics, as the platform defines them: start metrics speak of
// the first session, the others of all that began within a day of it.
const (
	truthDays = 14
	dayWindow = 24 * time.Hour
)

// Truths computes what the five experiments of Document do in the world, from
// all its viewers that come within two weeks.
func (w *World) Truths() []Truth {
	units := w.units(truthDays)
	doc := Document()
	out := make([]Truth, len(doc.Experiments))
	for i := range doc.Experiments {
		e := &doc.Experiments[i]
		var set [2]Settings
		for arm := range set {
			set[arm] = DefaultSettings()
			set[arm].Set(e.Key, e.Arms[arm].Value)
		}
		out[i] = w.truth(e.Key, units, set)
	}
	return out
}

// units returns for each viewer that comes within the days the sessions of the
// day from the first one on.
func (w *World) units(days int) [][]Session {
	index := map[int]int{}
	var out [][]Session
	for day := range days {
		for _, s := range w.Schedule(day) {
			i, seen := index[s.Viewer]
			switch {
			case !seen:
				index[s.Viewer] = len(out)
				out = append(out, []Session{s})
			case s.Start.Before(out[i][0].Start.Add(dayWindow)):
				out[i] = append(out[i], s)
			}
		}
	}
	return out
}

func (w *World) truth(key string, units [][]Session, set [2]Settings) Truth {
	var all [2]tally
	var byNet [netClasses][2]tally
	for _, sessions := range units {
		first := w.Visit(sessions[0])
		if key == KeyTVAppRewrite && first.Who.Device != TV {
			continue
		}
		for arm := range set {
			o := w.outcome(sessions, set[arm])
			all[arm].add(&o)
			byNet[first.Net][arm].add(&o)
		}
	}
	t := Truth{Experiment: key}
	for arm := range all {
		t.Reporting[arm] = float64(all[arm].reporting) / float64(all[arm].units)
	}
	t.Effects = effects("", &all)
	for c := range byNet {
		t.Effects = append(t.Effects, effects(NetClass(c).String(), &byNet[c])...)
	}
	return t
}

// effects returns the metrics that both arms have.
func effects(segment string, arms *[2]tally) []Effect {
	var out []Effect
	control, treatment := arms[0].metrics(), arms[1].metrics()
	for i, m := range control {
		if m.known && treatment[i].known {
			out = append(out, Effect{m.name, segment, m.value, treatment[i].value})
		}
	}
	return out
}

// outcome is what a unit's sessions amount to.
type outcome struct {
	reporting  bool
	waited     bool // the first attempt counts for start success
	success    bool // and started within startLimitSec
	exit       bool
	startupSec float64 // of the first session; -1: it did not start
	attempts   int
	started    int
	stalled    int
	covered    int
	playSec    float64
	stallSec   float64 // capped per session
	kbpsSec    float64
	lateSec    float64
}

// Limits in the metrics' definitions.
const (
	startLimitSec = 10.0  // start_success
	waitedSec     = 1.0   // a shorter wait is no attempt
	stallCapSec   = 300.0 // stall_ratio, per session
)

func (w *World) outcome(sessions []Session, set Settings) outcome {
	o := outcome{startupSec: -1}
	for i, s := range sessions {
		v := w.Visit(s)
		if v.Silent(set) {
			o.attempts++
			o.waited = o.waited || i == 0
			continue
		}
		o.reporting = true
		p := w.play(&v, set)
		p.runTo(MaxSession.Seconds())
		if i == 0 {
			o.first(&p)
		}
		o.watch(&p, v.muted(set))
	}
	return o
}

// first counts the start metrics.
func (o *outcome) first(p *player) {
	o.waited = p.started || p.now >= waitedSec
	o.success = p.started && p.startupSec <= startLimitSec
	o.exit = p.outcome == ExitedEarly && p.now >= waitedSec
	if p.started {
		o.startupSec = p.startupSec
	}
}

// watch counts the others.
func (o *outcome) watch(p *player, muted bool) {
	o.attempts++
	if !p.started {
		return
	}
	o.started++
	if !muted {
		o.covered++
	}
	if p.stalled() {
		o.stalled++
	}
	o.playSec += p.total.playSec
	o.stallSec += min(p.total.stallSec, stallCapSec)
	o.lateSec += p.total.lateSec
	for i, sec := range p.total.rungSec {
		o.kbpsSec += sec * float64(ladder[i].kbps)
	}
}

// tally sums outcomes over units.
type tally struct {
	units, reporting                    int
	waited, success, exits              int
	attempts, started, stalled, covered int
	playSec, stallSec, kbpsSec, lateSec float64
	startups                            []float64
}

func (t *tally) add(o *outcome) {
	t.units++
	t.reporting += count(o.reporting)
	t.waited += count(o.waited)
	t.success += count(o.success)
	t.exits += count(o.exit)
	t.attempts += o.attempts
	t.started += o.started
	t.stalled += o.stalled
	t.covered += o.covered
	t.playSec += o.playSec
	t.stallSec += o.stallSec
	t.kbpsSec += o.kbpsSec
	t.lateSec += o.lateSec
	if o.startupSec >= 0 {
		t.startups = append(t.startups, o.startupSec)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// measured is a metric's value, if there is one.
type measured struct {
	name  string
	value float64
	known bool
}

func (t *tally) metrics() []measured {
	slices.Sort(t.startups)
	units := float64(t.units)
	return []measured{
		ratio("watch_hours_per_viewer", t.playSec/3600, units),
		ratio("start_success", float64(t.success), float64(t.waited)),
		ratio("exit_before_start", float64(t.exits), units),
		t.quantile("startup_first_p50", 0.5),
		t.quantile("startup_first_p95", 0.95),
		ratio("stall_ratio", t.stallSec, t.playSec+t.stallSec),
		ratio("stalled_session_rate", float64(t.stalled), float64(t.started)),
		ratio("bitrate", t.kbpsSec, t.playSec),
		ratio("live_latency_mean", t.lateSec, t.playSec),
		ratio("telemetry_coverage", float64(t.covered), float64(t.attempts)),
	}
}

func ratio(name string, of, over float64) measured {
	return measured{name, of / over, over > 0}
}

func (t *tally) quantile(name string, p float64) measured {
	if len(t.startups) == 0 {
		return measured{name: name}
	}
	return measured{name, t.startups[int(p*float64(len(t.startups)-1))], true}
}
