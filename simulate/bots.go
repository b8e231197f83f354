package simulate

import "time"

// Bots are how many programs there are beside the viewers, by what gives them
// away. They do not know of arms: each meets the experiments as viewers do.
type Bots struct {
	Monitors int // say what they are when they ask for their arms
	Farms    int // open more sessions at once than anybody can watch
	Idlers   int // play in a hidden tab that decodes no frame, around the clock
}

// Bot is the kind of a program; the zero value is a person.
type Bot uint8

// The kinds.
const (
	Person Bot = iota
	Monitor
	Farm
	Idler
)

// What programs do. A person's household has no more than 8 screens, which is
// what the platform allows.
const (
	monitorAgent  = "ExampleMonitor/2.1 (synthetic)"
	farmSessions  = 14
	farmSpread    = 4 * time.Second
	monitorEvery  = 6 * time.Hour
	idlerEvery    = 3 * time.Hour
	botWatchSec   = 1_200.0
	botStaggering = 11 * time.Minute // of one program against the next
)

func (b Bots) total() int { return b.Monitors + b.Farms + b.Idlers }

// Bot returns what kind of program a viewer of the world is. Programs come after
// the people in the order of indices.
func (w *World) Bot(viewer int) Bot {
	k, b := viewer-len(w.rates), &w.on.Bots
	switch {
	case k < 0:
		return Person
	case k < b.Monitors:
		return Monitor
	case k < b.Monitors+b.Farms:
		return Farm
	}
	return Idler
}

// botSessions returns what the programs do on a day, which is the same every day.
func (w *World) botSessions(day int) []Session {
	var out []Session
	midnight := w.midnight.Add(time.Duration(day) * dayLength)
	for k := range w.on.Bots.total() {
		viewer := len(w.rates) + k
		add := func(offset time.Duration, i int) {
			if start := midnight.Add(offset); !start.Before(w.epoch) {
				out = append(out, Session{Viewer: viewer, Start: start, seed: mix(w.seed, purposeBots, uint64(viewer), uint64(day), uint64(i))})
			}
		}
		offset := time.Duration(k) * botStaggering % monitorEvery
		switch w.Bot(viewer) {
		case Farm:
			for i := range farmSessions {
				add(offset+time.Duration(i)*farmSpread/farmSessions, i)
			}
		case Monitor:
			for i := range int(dayLength / monitorEvery) {
				add(offset+time.Duration(i)*monitorEvery, i)
			}
		default:
			for i := range int(dayLength / idlerEvery) {
				add(offset%idlerEvery+time.Duration(i)*idlerEvery, i)
			}
		}
	}
	return out
}

// mechanise makes a visit that of a program: always the same length, never
// tired of waiting.
func (v *Visit) mechanise() {
	c := &v.course
	c.wantSec, c.patienceSec, c.stallSec, c.broken = botWatchSec, maxWaitSec, maxStallSec, false
	v.endReason, v.killed, v.lostBeats, v.clockOffMs = "user", 0, false, 0
}

// hide changes the counters of a tab that nobody sees.
func (c *counters) hide() {
	c.frames, c.dropped, c.hiddenMs = 0, 0, c.playMs
}
