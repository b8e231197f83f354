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

// exposureKey names what a viewer's client remembers to have reported.
type exposureKey struct {
	viewer     int
	experiment string
}

// news is the exposures of a tick that are to be sent.
type news struct {
	exposures []experiment.Exposure
	first     []exposureKey // of them, those of units not told of before
}

// add takes the exposures that the viewer's client has not reported yet. Where
// CMCD reports are joined by their session, each session needs its own.
func (n *news) add(d *Driver, v *Visit, met []experiment.Exposure) {
	for _, x := range met {
		key := exposureKey{v.Who.Index, x.Experiment}
		fresh := d.told[key] != x.Arm
		if fresh {
			d.told[key] = x.Arm
			n.first = append(n.first, key)
		}
		if fresh || v.Who.CMCD {
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

func (d *Driver) countUnit(experiment, arm string) {
	arms := d.sent.Units[experiment]
	if arms == nil {
		arms = map[string]int64{}
		d.sent.Units[experiment] = arms
	}
	arms[arm]++
}
