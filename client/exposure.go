package client

import (
	"maps"
	"strings"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// attrPrefix marks attributes that speak to Splitcast, not about the unit.
const attrPrefix = "splitcast."

// Met reports that who met the experiment as r says, at this moment, unless r
// says that the unit takes no part, or the context that it is not to be
// reported. Getters do it by themselves; Met is for evaluations elsewhere, such
// as those of a hook. A repetition is dropped.
func (c *Client) Met(r *assignment.Result, who *assignment.Context) {
	c.met(c.seen.armTag(r.Experiment, r.Version, r.Variant), r, who)
}

// met is Met with the tag of the arm.
func (c *Client) met(tag uint64, r *assignment.Result, who *assignment.Context) {
	if !r.Assigned {
		return
	}
	if expose, said := who.Bool(AttrExpose); said && !expose {
		return
	}
	session, _ := who.String(assignment.AttrSessionID)
	h := c.seen.hash(tag, r.Unit, session)
	if c.seen.has(h) {
		return
	}
	if c.exposures.add(c.exposureOf(r, who, session)) {
		c.seen.add(h)
	}
}

// Expose reports an exposure that another program evaluated. Without a time it is of now. A
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
func (c *Client) exposureOf(r *assignment.Result, who *assignment.Context, session string) experiment.Exposure {
	x := experiment.Exposure{
		Experiment: r.Experiment, Version: r.Version, Unit: strings.Clone(r.Unit), Arm: r.Variant,
		At: c.cfg.Now(), Session: strings.Clone(session), Override: r.Override,
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
