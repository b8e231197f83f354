package simulate

import (
	"maps"
	"slices"

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
