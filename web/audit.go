package web

import (
	"bytes"
	"encoding/json"
	"time"
)

// AuditView is a page of the audit log, newest first.
type AuditView struct {
	Chrome
	Entries []AuditEntry
	Older   string // address of the next page; empty: this is the last
}

// AuditEntry is what somebody did.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Actor   string
	Action  string
	Subject string
	URL     string          // of the subject; empty: it has no page
	Detail  json.RawMessage // nil: there is none
	Hash    string          // of this entry and all before
}

// auditPage is the log ready for the template.
type auditPage struct {
	Chrome
	Entries []auditRow
	Older   string
}

type auditRow struct {
	AuditEntry
	When   stamp
	Detail string
	Short  string // the beginning of the hash
}

// auditHashShown is how much of a hash a person compares.
const auditHashShown = 12

func newAuditPage(v AuditView) auditPage {
	p := auditPage{Chrome: v.Chrome, Older: v.Older}
	for _, e := range v.Entries {
		row := auditRow{AuditEntry: e, When: newStamp(&e.At, "2 Jan 2006, 15:04:05 MST"), Short: e.Hash[:min(auditHashShown, len(e.Hash))]}
		var indented bytes.Buffer
		if len(e.Detail) > 0 && string(e.Detail) != "null" && json.Indent(&indented, e.Detail, "", "  ") == nil {
			row.Detail = indented.String()
		}
		p.Entries = append(p.Entries, row)
	}
	return p
}
