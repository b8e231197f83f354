// Package intake turns rows of a file that somebody else made into records of the
// import API: units with what they did, units alone, sessions, and events.
//
// It finds the columns, reads CSV and NDJSON, plain or gzipped, says line and
// column of what cannot be taken, and knows where an import that was interrupted
// goes on. It speaks to no server.
//
//	rows, err := intake.Open(file)
//	plan, err := intake.NewPlan(intake.Outcomes, rows.Columns(), mapping)
//	row, err := rows.Next()
//	record, fault := plan.Record(&row)
package intake

import "fmt"

// What says what the rows of a file are.
type What string

// The kinds of rows.
const (
	Outcomes  What = "outcomes"  // a unit, its arm and what it did
	Exposures What = "exposures" // a unit and its arm; what it did is in its sessions
	Sessions  What = "sessions"  // the last heartbeat of a session
	Events    What = "events"    // a unit, and what happened to it when
)

// hasArms reports whether the rows tell of units in arms.
func (w What) hasArms() bool { return w == Outcomes || w == Exposures }

// Limits.
const (
	MaxLineBytes = 1 << 20    // a row: a stray quote must not swallow the file
	MaxUnits     = 20_000_000 // about 60 bytes each while a file is surveyed
	MaxColumns   = 1_000
)

// Fault is why a row, or a file, cannot be taken.
type Fault struct {
	Line   int64  `json:"line,omitempty"` // of the file, from 1
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
}

// Error says where and why.
func (f *Fault) Error() string {
	where := ""
	if f.Line > 0 {
		where = fmt.Sprintf("line %d", f.Line)
	}
	if f.Column != "" {
		if where != "" {
			where += ", "
		}
		where += fmt.Sprintf("column %q", f.Column)
	}
	if where == "" {
		return f.Reason
	}
	return where + ": " + f.Reason
}

func faultf(column, format string, args ...any) *Fault {
	return &Fault{Column: column, Reason: fmt.Sprintf(format, args...)}
}
