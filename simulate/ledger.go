package simulate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Ledger notes during CatchUp what is true of every unit, and what the server
// was told of it and acknowledged. It reads records as they were sent, and adds
// nothing up before it is asked, so that it says what a report must say without
// knowing how a server comes to it.
//
// It takes records of CMCD as sent but does not read them.
type Ledger struct {
	mu       sync.Mutex
	meetings map[string]map[string]*meeting // by experiment and unit
	visits   map[string][]visitTruth        // by viewer
	sessions map[string]map[string][]told   // records by unit and session or stream
	events   map[string][]toldEvent         // by unit
	bots     map[string]bool
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{
		meetings: map[string]map[string]*meeting{}, visits: map[string][]visitTruth{},
		sessions: map[string]map[string][]told{}, events: map[string][]toldEvent{}, bots: map[string]bool{},
	}
}

// meeting is a unit's first exposure.
type meeting struct {
	arm     string
	at      time.Time
	arrived bool
}

// visitTruth is what truly happened in a session.
type visitTruth struct {
	start   time.Time
	reached Stage
}

// Stage is how far a unit came, or is known to have come.
type Stage uint8

// The stages, each within the one before.
const (
	Exposed   Stage = iota // the exposure arrived
	Attempted              // tried to play
	Started                // saw a picture
	Reported               // told something after that
)

// told is one record that was acknowledged.
type told struct {
	arrived   time.Time
	broadcast bool
	record    toldRecord
}

// toldRecord is what a naive reader finds in a heartbeat of a player or of an
// ingest server.
type toldRecord struct {
	SessionID     string             `json:"session_id"`
	ViewerID      string             `json:"viewer_id"`
	StreamID      string             `json:"stream_id"`
	BroadcasterID string             `json:"broadcaster_id"`
	Part          int64              `json:"part"`
	Seq           int64              `json:"seq"`
	Kind          string             `json:"kind"`
	FirstFrameMs  *int64             `json:"first_frame_ms"`
	StreamStartMs *int64             `json:"stream_start_ms"`
	PlayMs        float64            `json:"play_ms"`
	StallMs       float64            `json:"stall_ms"`
	LatencySum    float64            `json:"latency_ms_sum"`
	LatencyN      float64            `json:"latency_samples"`
	LateMinutes   map[string]int64   `json:"latency_minutes"`
	Measures      map[string]float64 `json:"measures"`
	LiveMs        float64            `json:"live_ms"`
	StarvedMs     float64            `json:"starvation_ms"`
	LongestMs     float64            `json:"starvation_max_ms"`
	Disconnects   float64            `json:"disconnects"`
	FramesIn      float64            `json:"frames_in"`
	FramesDropped float64            `json:"frames_dropped"`
	KeyMs         float64            `json:"keyframe_ok_ms"`
}

// stage is what a player's record tells.
func (r *toldRecord) stage() Stage {
	switch {
	case r.FirstFrameMs == nil:
		return Attempted
	case r.PlayMs > 0 || r.Kind == "end":
		return Reported
	}
	return Started
}

// toldEvent is an event of a unit that was acknowledged.
type toldEvent struct {
	Unit  string  `json:"unit"`
	Name  string  `json:"name"`
	ID    string  `json:"id"`
	AtMs  int64   `json:"at"`
	Value float64 `json:"value"`
}

// met notes the exposures that a unit's client made, and those that arrive.
func (l *Ledger) met(met, arrives []experiment.Exposure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range met {
		x := &met[i]
		units := l.meetings[x.Experiment]
		if units == nil {
			units = map[string]*meeting{}
			l.meetings[x.Experiment] = units
		}
		if units[x.Unit] == nil {
			units[x.Unit] = &meeting{arm: x.Arm, at: x.At, arrived: len(arrives) > 0}
		}
	}
}

// happened notes how a visit went that was played to its end.
func (l *Ledger) happened(v *Visit, reached Stage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visits[v.Who.ID] = append(l.visits[v.Who.ID], visitTruth{v.Start, reached})
	if v.Who.Bot != Person {
		l.bots[v.Who.ID] = true
	}
}

// arrived notes records that the server acknowledged at a moment of its clock.
func (l *Ledger) arrived(parcels []Parcel, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range parcels {
		p := &parcels[i]
		switch p.Format {
		case CMCD:
		case UnitEvent:
			var e toldEvent
			if err := json.Unmarshal(p.Body, &e); err != nil {
				return err
			}
			if !slices.ContainsFunc(l.events[e.Unit], func(x toldEvent) bool { return x.Name == e.Name && x.ID == e.ID }) {
				l.events[e.Unit] = append(l.events[e.Unit], e)
			}
		default:
			var r toldRecord
			if err := json.NewDecoder(bytes.NewReader(p.Body)).Decode(&r); err != nil {
				return err
			}
			unit, session := r.ViewerID, r.SessionID
			if p.Format == BroadcastBeat {
				unit, session = r.BroadcasterID, r.StreamID
			}
			if l.sessions[unit] == nil {
				l.sessions[unit] = map[string][]told{}
			}
			l.sessions[unit][session] = append(l.sessions[unit][session], told{at, p.Format == BroadcastBeat, r})
		}
	}
	return nil
}

// Unit is what is true of a unit that met an experiment.
type Unit struct {
	ID  string
	Arm string
	At  time.Time // when it met the experiment
	Bot bool
	// Exposed tells that its exposure arrived: without it the server knows
	// nothing of the unit.
	Exposed bool
	// Reached is how far it truly came within half an hour, and Told what
	// arrived of that. What is Exposed and nothing more has Stage Exposed.
	Reached, Told Stage
	First, Day    Sums // of the half hour, and of the day
}

// Spans in which what a unit does belongs to an experiment, and how long the
// platform waits after them.
const (
	firstSpan  = 30 * time.Minute
	firstGrace = 2 * time.Minute
	dayGrace   = time.Hour
)

// Units returns the units that met an experiment, by id. What arrived later than
// read says is not counted: when a server that settles what closed at a moment
// does so.
func (l *Ledger) Units(key string, read func(closes time.Time) time.Time) []Unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Unit
	for id, m := range l.meetings[key] {
		u := Unit{ID: id, Arm: m.arm, At: m.at, Bot: l.bots[id], Exposed: m.arrived}
		for _, v := range l.visits[id] {
			if inSpan(v.start, m.at, firstSpan) {
				u.Reached = max(u.Reached, v.reached)
			}
		}
		known := read(m.at.Add(firstSpan + firstGrace))
		for _, records := range l.sessions[id] {
			if first := firstArrival(records); inSpan(first, m.at, firstSpan) {
				for i := range records {
					if !records[i].arrived.After(known) {
						u.Told = max(u.Told, records[i].record.stage())
					}
				}
			}
		}
		closes := m.at.Add(dayWindow + dayGrace)
		u.First = l.sums(id, m.at, firstSpan, known)
		u.Day = l.sums(id, m.at, dayWindow, read(closes))
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b Unit) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func inSpan(t, from time.Time, span time.Duration) bool {
	return !t.Before(from) && t.Before(from.Add(span))
}

func firstArrival(records []told) time.Time {
	first := records[0].arrived
	for i := range records {
		first = earliest(first, records[i].arrived)
	}
	return first
}
