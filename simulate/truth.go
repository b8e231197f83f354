package simulate

import (
	"time"

	"golang.org/x/sync/errgroup"
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
// all its viewers that come within two weeks. It uses all processors; the
// result does not depend on how many there are.
func (w *World) Truths() []Truth {
	units := w.units(truthDays)
	doc := Document()
	treatments := make([]Settings, len(doc.Experiments))
	for i := range doc.Experiments {
		treatments[i] = DefaultSettings()
		treatments[i].Set(doc.Experiments[i].Key, doc.Experiments[i].Arms[1].Value)
	}
	parts := make([][]comparison, truthParts)
	var g errgroup.Group
	for i := range parts {
		part := units[i*len(units)/truthParts : (i+1)*len(units)/truthParts]
		g.Go(func() error {
			parts[i] = w.compare(part, treatments)
			return nil
		})
	}
	_ = g.Wait() // none of them can fail
	out := make([]Truth, len(treatments))
	for i := range out {
		var all comparison
		for _, p := range parts {
			all.merge(&p[i])
		}
		out[i] = all.truth(doc.Experiments[i].Key)
	}
	return out
}

// truthParts is into how many parts the units are cut, whatever the machine, so
// that sums are always made in the same order.
const truthParts = 16

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

// comparison is one experiment: both arms over all units and by network.
type comparison struct {
	all   [2]tally
	byNet [netClasses][2]tally
}

// compare plays units in control and in each of the treatments.
func (w *World) compare(units [][]Session, treatments []Settings) []comparison {
	out := make([]comparison, len(treatments))
	for _, sessions := range units {
		first := w.Visit(sessions[0])
		control := w.outcome(sessions, DefaultSettings())
		for i, set := range treatments {
			if set.TVRewrite && first.Who.Device != TV {
				continue // not in the audience
			}
			treatment := control
			if set != DefaultSettings() {
				treatment = w.outcome(sessions, set)
			}
			for arm, o := range [2]*outcome{&control, &treatment} {
				out[i].all[arm].add(o)
				out[i].byNet[first.Net][arm].add(o)
			}
		}
	}
	return out
}

func (c *comparison) merge(o *comparison) {
	for arm := range c.all {
		c.all[arm].merge(&o.all[arm])
		for net := range c.byNet {
			c.byNet[net][arm].merge(&o.byNet[net][arm])
		}
	}
}

func (c *comparison) truth(key string) Truth {
	t := Truth{Experiment: key, Effects: effects("", &c.all)}
	for arm := range c.all {
		t.Reporting[arm] = float64(c.all[arm].reporting) / float64(c.all[arm].units)
	}
	for net := range c.byNet {
		t.Effects = append(t.Effects, effects(NetClass(net).String(), &c.byNet[net])...)
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
