package simulate

import "slices"

// outcome is what a unit's sessions amount to.
type outcome struct {
	reporting  bool // the server hears of the unit
	covered    bool // and of how its first session went
	waited     bool // the first attempt counts: it started, failed or waited
	success    bool // and started within startLimitSec
	exit       bool
	startupSec float64 // of the first session; -1: it did not start
	started    int
	stalled    int
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

// outcome plays the sessions of a unit. An app that dies before it reports is a
// failed start and plays nothing, although no server hears of it.
func (w *World) outcome(sessions []Session, set Settings) outcome {
	o := outcome{startupSec: -1}
	for i, s := range sessions {
		v := w.Visit(s)
		if v.Silent(set) {
			o.waited = o.waited || i == 0
			continue
		}
		o.reporting = true
		p := w.play(&v, set)
		p.runTo(MaxSession.Seconds())
		if i == 0 {
			o.covered = v.told(&p)
			o.first(&p)
		}
		o.watch(&p)
	}
	return o
}

// told reports whether the server hears how a visit went that p has played: at
// SparseCadence a tab that is killed soon after the first frame has sent
// nothing but its start.
func (v *Visit) told(p *player) bool {
	killed := v.killed > 0 && p.started
	beaten := p.now >= SparseCadence.FirstSec || p.now-v.killed > p.startupSec
	return !v.muted(p.set) && (!killed || beaten)
}

// first counts the start metrics.
func (o *outcome) first(p *player) {
	failed := p.outcome == FailedStart
	o.waited = p.started || failed || p.now >= waitedSec
	o.success = p.started && p.startupSec <= startLimitSec
	o.exit = !p.started && !failed && o.waited
	if p.started {
		o.startupSec = p.startupSec
	}
}

// watch counts the others.
func (o *outcome) watch(p *player) {
	if !p.started {
		return
	}
	o.started++
	o.stalled += count(p.stalled())
	o.playSec += p.total.playSec
	o.stallSec += min(p.total.stallSec, stallCapSec)
	o.lateSec += p.total.lateSec
	for i, sec := range p.total.rungSec {
		o.kbpsSec += sec * float64(ladder[i].kbps)
	}
}

// tally sums outcomes over units.
type tally struct {
	units, reporting, covered           int
	waited, success, exits              int
	started, stalled                    int
	playSec, stallSec, kbpsSec, lateSec float64
	startups                            []float64
}

func (t *tally) add(o *outcome) {
	t.units++
	t.reporting += count(o.reporting)
	t.covered += count(o.covered)
	t.waited += count(o.waited)
	t.success += count(o.success)
	t.exits += count(o.exit)
	t.started += o.started
	t.stalled += o.stalled
	t.playSec += o.playSec
	t.stallSec += o.stallSec
	t.kbpsSec += o.kbpsSec
	t.lateSec += o.lateSec
	if o.startupSec >= 0 {
		t.startups = append(t.startups, o.startupSec)
	}
}

func (t *tally) merge(o *tally) {
	t.units += o.units
	t.reporting += o.reporting
	t.covered += o.covered
	t.waited += o.waited
	t.success += o.success
	t.exits += o.exits
	t.started += o.started
	t.stalled += o.stalled
	t.playSec += o.playSec
	t.stallSec += o.stallSec
	t.kbpsSec += o.kbpsSec
	t.lateSec += o.lateSec
	t.startups = append(t.startups, o.startups...)
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
		ratio("exit_before_start", float64(t.exits), float64(t.waited)),
		t.quantile("startup_first_p50", 0.5),
		t.quantile("startup_first_p95", 0.95),
		ratio("stall_ratio", t.stallSec, t.playSec+t.stallSec),
		ratio("stalled_session_rate", float64(t.stalled), float64(t.started)),
		ratio("bitrate", t.kbpsSec, t.playSec),
		ratio("live_latency_mean", t.lateSec, t.playSec),
		ratio("telemetry_coverage", float64(t.covered), units),
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
