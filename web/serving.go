package web

import "github.com/splitcast/splitcast/experiment"

// Serving is how an experiment is served at the moment, for the head of its
// report.
type Serving struct {
	Outlook experiment.Outlook
	// RemoteOnly is why the flagd document leaves the experiment out; empty: it does
	// not.
	RemoteOnly string
}

// servingPart is Serving in words.
type servingPart struct {
	Slots      string // empty: they are not going to change
	Next       string // what the next step does
	At         stamp
	RemoteOnly string
}

// newServing prepares it; nil when there is nothing to say, or the reader looks at
// what was.
func newServing(v *ReportView, past bool) *servingPart {
	if v.Serving == nil || past || v.Frozen != nil {
		return nil
	}
	o := &v.Serving.Outlook
	p := servingPart{RemoteOnly: v.Serving.RemoteOnly}
	if o.NextAt != nil {
		p.At = newStamp(o.NextAt, clockFormat)
		p.Slots = count(o.Slots) + " slots now"
		if o.Goal > o.Slots {
			p.Slots = count(o.Slots) + " of " + count(o.Goal) + " slots now"
		}
		p.Next = "next change by the schedule on"
		if o.NextSlots > 0 {
			p.Next = "next step, to " + count(o.NextSlots) + ", on"
		}
	}
	if p.Slots == "" && p.RemoteOnly == "" {
		return nil
	}
	return &p
}
