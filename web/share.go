package web

import "time"

// The fields of the form that shares.
const (
	ParamDays   = "days"
	ParamRevoke = "revoke"
)

// defaultShareDays is what the form for a link offers.
const defaultShareDays = "30"

// Frozen says of a report that it was kept as it stood.
type Frozen struct {
	At, Expires time.Time
}

// ShareView is one open link to a frozen report.
type ShareView struct {
	ID, URL     string
	Look        int
	By          string
	At, Expires time.Time
}

// frozenPart says what the reader sees.
type frozenPart struct {
	Look        string
	At, Expires stamp
}

// newFrozen prepares the note above a frozen report; nil for one that is not.
func newFrozen(v *ReportView) *frozenPart {
	if v.Frozen == nil {
		return nil
	}
	return &frozenPart{
		Look: count(v.Report.Head.Look), At: newStamp(&v.Frozen.At, clockFormat), Expires: newStamp(&v.Frozen.Expires, dayFormat),
	}
}

// sharingPart makes and ends links.
type sharingPart struct {
	Action string
	Look   int
	Days   string
	Shares []sharePart
	// What is wrong with what was sent; Error is of no field.
	DaysError, Error string
}

// sharePart is one open link.
type sharePart struct {
	ID, URL, By string
	Look        int
	At, Expires stamp
}

// newSharing prepares the form; nil before the first look, and for readers who may
// not share.
func newSharing(v *ReportView) *sharingPart {
	if v.Share == "" || v.Report.Head.Look == 0 {
		return nil
	}
	p := &sharingPart{Action: v.Share, Look: v.Report.Head.Look, Days: defaultShareDays}
	for _, s := range v.Shares {
		p.Shares = append(p.Shares, sharePart{
			ID: s.ID, URL: s.URL, By: s.By, Look: s.Look,
			At: newStamp(&s.At, dayFormat), Expires: newStamp(&s.Expires, dayFormat),
		})
	}
	return p
}
