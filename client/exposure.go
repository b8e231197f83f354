package client

import (
	"maps"
	"strings"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// attrPrefix marks attributes that speak to Splitcast, not about the unit.
const attrPrefix = "splitcast."

// met reports that a unit that takes part met the experiment, unless it is
// known or the context says not to.
func (c *Client) met(v *value, d *Details, who *assignment.Context) {
	if !d.Assigned {
		return
	}
	if expose, said := who.Bool(AttrExpose); said && !expose {
		return
	}
	session, _ := who.String(assignment.AttrSessionID)
	h := c.seen.hash(v.tag, d.Unit, session)
	if c.seen.has(h) {
		return
	}
	if c.exposures.add(c.exposureOf(d, who, session)) {
		c.seen.add(h)
	}
}

// Expose reports an exposure that an evaluation elsewhere led to, such as a
// bulk answer of OFREP, at the moment of use. Without a time it is of now. A
// repetition is dropped. It returns Errors of experiment.CodeInvalid for an
// exposure that cannot be; one that finds the queue full is counted in Stats.
func (c *Client) Expose(x experiment.Exposure) error {
	if err := x.Validate(); err != nil {
		return err
	}
	h := c.seen.hashOf(&x)
	if c.seen.has(h) {
		return nil
	}
	if x.At.IsZero() {
		x.At = c.cfg.Now()
	}
	x.Attributes = maps.Clone(x.Attributes) // the caller goes on to use its own
	if c.exposures.add(x) {
		c.seen.add(h)
	}
	return nil
}

// exposureOf describes the meeting as the server does for its own evaluations:
// the session is the attribute session_id, the others are dimensions as far as
// the limits of exposures allow. Strings are copied, because a context's may be
// parts of a large request.
func (c *Client) exposureOf(d *Details, who *assignment.Context, session string) experiment.Exposure {
	x := experiment.Exposure{
		Experiment: d.Experiment, Version: d.Version, Unit: strings.Clone(d.Unit), Arm: d.Variant,
		At: c.cfg.Now(), Session: strings.Clone(session), Override: d.Override,
	}
	for name, text := range who.Texts() {
		if name == assignment.AttrSessionID || !keepsAttribute(name, text) {
			continue
		}
		if len(x.Attributes) == experiment.MaxExposureAttributes {
			break
		}
		if x.Attributes == nil {
			x.Attributes = make(map[string]string, 8)
		}
		x.Attributes[strings.Clone(name)] = strings.Clone(text)
	}
	return x
}

// keepsAttribute leaves out what exposures cannot hold: long text, the byte
// zero (PostgreSQL has none in text), and our own switches.
func keepsAttribute(name, text string) bool {
	return len(name) <= experiment.MaxAttributeBytes && len(text) <= experiment.MaxAttributeBytes &&
		!strings.HasPrefix(name, attrPrefix) &&
		strings.IndexByte(name, 0) < 0 && strings.IndexByte(text, 0) < 0
}
