package web

import (
	"net/url"
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// The forms of a report page.
const (
	FormDecide  = "decide"
	FormComment = "comment"
	FormShare   = "share"
)

// Rejected is a form of the report page that was not accepted, as it was sent.
type Rejected struct {
	Form   string // one of the Form… constants
	Faults experiment.Errors
	Sent   url.Values
}

// of reports whether the form that was not accepted is this one.
func (r *Rejected) of(form string) bool { return r != nil && r.Form == form }

// at returns what is wrong with a field; empty: nothing.
func (r *Rejected) at(field string) string {
	for _, f := range r.Faults {
		if f.Field == field {
			return f.Message
		}
	}
	return ""
}

// besides returns the first fault of none of the fields; empty: there is none.
func (r *Rejected) besides(fields ...string) string {
	for _, f := range r.Faults {
		if !slices.Contains(fields, f.Field) {
			return f.Message
		}
	}
	return ""
}

// rejectedPart tells at the top of the page what was not accepted.
type rejectedPart struct {
	Faults []string
	Field  string // address, on the page, of what to mend; empty: the form is not there any more
	Wrote  string // what stood in a form that is not there any more
}

// newRejected prepares the note; nil: nothing was rejected. The page has its forms
// by then.
func newRejected(r *Rejected, p *reportPage) *rejectedPart {
	if r == nil {
		return nil
	}
	out := &rejectedPart{}
	for _, f := range r.Faults {
		out.Faults = append(out.Faults, f.Message)
	}
	switch {
	case r.of(FormDecide) && p.Decide.has(r.Sent.Get(ParamAction)):
		out.Field = "#why-" + r.Sent.Get(ParamAction)
	case r.of(FormComment) && p.Comments != nil && p.Comments.Action != "":
		out.Field = "#comment-text"
	case r.of(FormShare) && p.Sharing != nil:
		out.Field = "#share-days"
	default:
		out.Wrote = r.Sent.Get(ParamReason) + r.Sent.Get(ParamText)
	}
	return out
}

// has reports whether the drawer offers an action.
func (p *decidePart) has(action string) bool {
	return p != nil && action != "" && slices.ContainsFunc(p.Decisions, func(d decision) bool { return d.Action == action })
}

// reject fills in the form of the drawer that was not accepted.
func (p *decidePart) reject(r *Rejected) {
	if p == nil || !r.of(FormDecide) {
		return
	}
	p.Open = true
	for i := range p.Decisions {
		d := &p.Decisions[i]
		if d.Action == "" || d.Action != r.Sent.Get(ParamAction) {
			continue
		}
		d.Reason, d.ReasonError, d.ArmError = r.Sent.Get(ParamReason), r.at(ParamReason), r.at(ParamArm)
		d.Error = r.besides(ParamReason, ParamArm)
		choose(d.Arms, r.Sent.Get(ParamArm))
	}
}

// reject fills in the form for a comment that was not accepted.
func (p *commentsPart) reject(r *Rejected) {
	if p == nil || !r.of(FormComment) {
		return
	}
	p.Text, p.TextError, p.Error = r.Sent.Get(ParamText), r.at(ParamText), r.besides(ParamText)
	choose(p.Rows, r.Sent.Get(ParamRow))
}

// reject fills in the form for a link that was not accepted.
func (p *sharingPart) reject(r *Rejected) {
	if p == nil || !r.of(FormShare) {
		return
	}
	p.DaysError, p.Error = r.at(ParamDays), r.besides(ParamDays)
	if r.Sent.Has(ParamDays) {
		p.Days = r.Sent.Get(ParamDays)
	}
}

// choose selects the option that was sent, if it is offered.
func choose(options []option, value string) {
	if !slices.ContainsFunc(options, func(o option) bool { return o.Value == value }) {
		return
	}
	for i := range options {
		options[i].Selected = options[i].Value == value
	}
}
