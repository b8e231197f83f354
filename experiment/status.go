package experiment

import "slices"

// Status is where an experiment is in its life.
type Status string

// The statuses: draft → running ⇄ paused → stopped → archived.
const (
	StatusDraft    Status = "draft"
	StatusRunning  Status = "running"
	StatusPaused   Status = "paused"
	StatusStopped  Status = "stopped"
	StatusArchived Status = "archived"
)

// statusNext lists where each status may go. Nothing returns from stopped:
// a restart is a new version with a new salt, made on purpose.
var statusNext = map[Status][]Status{
	StatusDraft:    {StatusRunning, StatusArchived},
	StatusRunning:  {StatusPaused, StatusStopped},
	StatusPaused:   {StatusRunning, StatusStopped},
	StatusStopped:  {StatusArchived},
	StatusArchived: nil,
}

// ValidStatus reports whether s is one of the statuses.
func ValidStatus(s Status) bool {
	_, ok := statusNext[s]
	return ok
}

// CanBecome reports whether an experiment may go from s to next; staying is allowed.
func (s Status) CanBecome(next Status) bool {
	if s == next {
		return true
	}
	return slices.Contains(statusNext[s], next)
}

// Live reports whether units can be assigned: running, or stopped with a
// shipped arm (see Experiment.ShippedArm).
func (s Status) Live() bool { return s == StatusRunning }
