package experiment

// PauseChoice says what units get while an experiment is paused.
type PauseChoice string

// The choices. The empty one is PauseControl.
const (
	// PauseControl gives everyone control's value.
	PauseControl PauseChoice = "control"
	// PauseKeep lets the units exposed to the present version keep their arms;
	// all others get control's value.
	PauseKeep PauseChoice = "keep"
)

// KeepsArms reports whether the experiment is paused with PauseKeep.
func (e *Spec) KeepsArms() bool { return e.Status == StatusPaused && e.OnPause == PauseKeep }

// Kept are the units that keep their arms while an experiment is paused: those
// that were exposed to its version when it was paused.
type Kept struct {
	Experiment string   `json:"experiment"`
	Version    int      `json:"version"`
	Units      *UnitSet `json:"units"`
}
