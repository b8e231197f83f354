package assignment

import "github.com/splitcast/splitcast/experiment"

// requirement is a prerequisite in the form that evaluation reads.
type requirement struct {
	other *compiled // nil: not in the snapshot, so nobody fulfils it
	arms  uint16    // bit i: arm i will do
}

// fulfilled reports whether the unit has one of the arms that each prerequisite
// names.
func (m *more) fulfilled(ctx *Context) bool {
	for i := range m.requires {
		r := &m.requires[i]
		if r.other == nil {
			return false
		}
		d := r.other.decide(ctx)
		if !d.cause.serves() || r.arms&(1<<d.arm) == 0 {
			return false
		}
	}
	return true
}

// linkRequires points prerequisites at the experiments they name, which stay
// where they are from now on. It refuses a chain deeper than
// experiment.MaxRequireDepth, and with it every cycle.
func (s *Snapshot) linkRequires() error {
	for i := range s.experiments {
		c := &s.experiments[i]
		if c.more == nil {
			continue
		}
		for _, r := range c.more.wanted {
			c.more.requires = append(c.more.requires, s.link(c, r))
		}
	}
	for i := range s.experiments {
		if c := &s.experiments[i]; c.requireDepth(0) > experiment.MaxRequireDepth {
			return experiment.Invalidf("requires", "the prerequisites of %s are a cycle or more than %d deep", c.Key, experiment.MaxRequireDepth)
		}
	}
	return nil
}

func (s *Snapshot) link(c *compiled, r experiment.Requirement) requirement {
	i, ok := s.index[r.Experiment]
	if !ok || s.experiments[i].unit != c.unit {
		return requirement{}
	}
	linked := requirement{other: &s.experiments[i]}
	for _, key := range r.Arms {
		for arm := range linked.other.arms {
			if linked.other.arms[arm].key == key {
				linked.arms |= 1 << arm
			}
		}
	}
	return linked
}

// requireDepth returns the length of the longest chain, counted no further than
// just above the limit.
func (c *compiled) requireDepth(above int) int {
	deepest := above
	if above > experiment.MaxRequireDepth || c.more == nil {
		return deepest
	}
	for i := range c.more.requires {
		if other := c.more.requires[i].other; other != nil {
			deepest = max(deepest, other.requireDepth(above+1))
		}
	}
	return deepest
}
