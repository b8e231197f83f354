package simulate

import (
	"maps"

	"github.com/splitcast/splitcast/experiment"
)

// Sent counts what the server acknowledged.
type Sent struct {
	Sessions    int64 // that sent at least one report
	Silent      int64 // of which the server never hears
	Evaluations int64
	Exposures   int64                       // records, repeats included
	Units       map[string]map[string]int64 // exposed units by experiment and arm
	Heartbeats  int64                       // records, duplicates included
	CMCD        int64                       // records, duplicates included
	Events      int64                       // of units, duplicates included
	Broadcasts  int64                       // records of ingest servers
	Duplicates  int64                       // of all records
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

// exposureKey names what a unit's client remembers to have reported.
type exposureKey struct {
	unit, experiment string
}

// news is the exposures of a tick that are to be sent.
type news struct {
	exposures []experiment.Exposure
	first     []exposureKey // of them, those of units not told of before
	clicks    []Parcel      // that units made when they met something
}

// add takes the exposures that the viewer's client has not reported yet. Where
// CMCD reports are joined by their session, each session needs its own.
func (n *news) add(d *Driver, p *played) {
	for _, x := range p.exposures {
		key := exposureKey{x.Unit, x.Experiment}
		fresh := d.told[key] != x.Arm
		if fresh {
			d.told[key] = x.Arm
			n.first = append(n.first, key)
			if r, ok := d.World.clicks(p.visit, &x); ok {
				n.clicks = append(n.clicks, Parcel{Report: r, Due: r.At})
			}
		}
		if fresh || p.visit != nil && p.visit.Who.CMCD {
			n.exposures = append(n.exposures, x)
		}
	}
}

// forget takes back what was not acknowledged.
func (n *news) forget(d *Driver) {
	for _, key := range n.first {
		delete(d.told, key)
	}
}

// count notes what was acknowledged.
func (d *Driver) count(visits []played, n *news, due []Parcel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range visits {
		d.sent.Evaluations++
		if visits[i].silent {
			d.sent.Silent++
		}
	}
	d.sent.Exposures += int64(len(n.exposures))
	for _, key := range n.first {
		d.countUnit(key.experiment, d.told[key])
	}
	for i := range due {
		p := &due[i]
		switch p.Format {
		case Heartbeat:
			d.sent.Heartbeats++
		case CMCD:
			d.sent.CMCD++
		case UnitEvent:
			d.sent.Events++
		case BroadcastBeat:
			d.sent.Broadcasts++
		}
		if p.Duplicate {
			d.sent.Duplicates++
		}
		if p.First {
			d.sent.Sessions++
		}
	}
}

func (d *Driver) countUnit(experiment, arm string) {
	arms := d.sent.Units[experiment]
	if arms == nil {
		arms = map[string]int64{}
		d.sent.Units[experiment] = arms
	}
	arms[arm]++
}
