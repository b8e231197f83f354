package assignment

import (
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// OwnPrefix marks attributes that speak to Splitcast, not about the unit.
const OwnPrefix = "splitcast."

// exposedAttributes is room for what units usually have.
const exposedAttributes = 8

// Exposure describes the meeting of the unit with the experiment. The session
// comes from the attribute session_id; other attributes become dimensions as far
// as the limits of exposures allow. With detach strings are copied, because those
// of a context may be parts of a large request.
func (r *Result) Exposure(ctx *Context, at time.Time, detach bool) experiment.Exposure {
	own := func(s string) string {
		if detach {
			return strings.Clone(s)
		}
		return s
	}
	x := experiment.Exposure{
		Experiment: r.Experiment, Version: r.Version, Unit: own(r.Unit), Arm: r.Variant, At: at, Override: r.Override,
	}
	for name, text := range ctx.Texts() {
		if name == AttrSessionID {
			x.Session = own(text)
			continue
		}
		if len(x.Attributes) == experiment.MaxExposureAttributes || !exposes(name, text) {
			continue
		}
		if x.Attributes == nil {
			x.Attributes = make(map[string]string, exposedAttributes)
		}
		x.Attributes[own(name)] = own(text)
	}
	return x
}

// exposes leaves out what exposures cannot hold: long text, the byte zero
// (PostgreSQL has none in text), and our own switches.
func exposes(name, text string) bool {
	return len(name) <= experiment.MaxAttributeBytes && len(text) <= experiment.MaxAttributeBytes &&
		!strings.HasPrefix(name, OwnPrefix) &&
		strings.IndexByte(name, 0) < 0 && strings.IndexByte(text, 0) < 0
}
