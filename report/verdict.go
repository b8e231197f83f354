package report

// VerdictState is the one word of a report.
type VerdictState string

// The verdicts.
const (
	VerdictCollecting    VerdictState = "collecting"     // nothing can be said yet
	VerdictKeepRunning   VerdictState = "keep_running"   // not proven either way
	VerdictShip          VerdictState = "ship"           // proven to help, proven to hurt nothing
	VerdictHold          VerdictState = "hold"           // helps on average, harms a segment
	VerdictRollBack      VerdictState = "roll_back"      // proven to hurt
	VerdictStopNoEffect  VerdictState = "stop_no_effect" // proven not to help enough to matter
	VerdictUntrustworthy VerdictState = "untrustworthy"  // the numbers cannot be believed; withheld
)

// The verdicts of experiments that measure a holdout: of these there is nothing to ship.
const (
	VerdictProgrammeGain   VerdictState = "programme_gain"    // what ran and shipped is proven to help
	VerdictProgrammeLoss   VerdictState = "programme_loss"    // proven to hurt
	VerdictProgrammeMixed  VerdictState = "programme_mixed"   // proven to help here and to hurt there
	VerdictProgrammeNoGain VerdictState = "programme_no_gain" // proven not to help enough to matter
)

// OfProgramme reports whether the state is one of what a programme brought.
func (s VerdictState) OfProgramme() bool {
	switch s {
	case VerdictProgrammeGain, VerdictProgrammeLoss, VerdictProgrammeMixed, VerdictProgrammeNoGain:
		return true
	}
	return false
}

// Verdict is what the plan's rule says at this look. When the numbers cannot be
// trusted it names the cause and says nothing else.
type Verdict struct {
	State    VerdictState `json:"state"`
	Arm      string       `json:"arm,omitempty"` // key of the treatment arm that decided
	Sentence string       `json:"sentence"`
	Reasons  []Clause     `json:"reasons"` // the rule clause by clause, of that arm
	Action   string       `json:"action"`
	// Arms holds the verdict on each treatment arm; empty when withheld.
	Arms []ArmVerdict `json:"arms,omitempty"`
}

// ArmVerdict is the verdict on one treatment arm.
type ArmVerdict struct {
	Arm      string       `json:"arm"`
	State    VerdictState `json:"state"`
	Sentence string       `json:"sentence"`
	Reasons  []Clause     `json:"reasons"`
}

// Met says whether a clause of the rule holds.
type Met string

// The three answers.
const (
	MetYes     Met = "yes"
	MetNo      Met = "no"
	MetUnknown Met = "unknown"
)

// Clause is one condition of the rule, in words.
type Clause struct {
	Text string `json:"text"`
	Met  Met    `json:"met"`
}
