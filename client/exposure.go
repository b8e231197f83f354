package client

import (
	"maps"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

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
	if c.exposures.add(r.Exposure(who, c.cfg.Now(), true)) {
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
