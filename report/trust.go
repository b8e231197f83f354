package report

import "strings"

// CheckState is the outcome of a trust check.
type CheckState string

// The outcomes.
const (
	CheckOK      CheckState = "ok"
	CheckWarn    CheckState = "warn"
	CheckFail    CheckState = "fail" // the verdict is withheld
	CheckUnknown CheckState = "unknown"
)

// severity orders states, worst highest.
func (s CheckState) severity() int {
	switch s {
	case CheckFail:
		return 3
	case CheckWarn:
		return 2
	case CheckUnknown:
		return 1
	}
	return 0
}

// Check is one way in which the numbers could be wrong, and whether they are.
type Check struct {
	Key   string     `json:"key"`
	Title string     `json:"title"`
	State CheckState `json:"state"`
	// Statistic and Threshold are texts to be read side by side.
	Statistic    string `json:"statistic"`
	Threshold    string `json:"threshold"`
	FirstTripped int    `json:"first_tripped,omitempty"` // the first look at which it failed
	Detail       string `json:"detail"`
	Fix          string `json:"fix,omitempty"` // what to look at when it is not ok
	// Words is what is broken for those who know no statistics, as part of a sentence,
	// where Statistic and Detail do not say it.
	Words string `json:"words,omitempty"`
}

// broken says what is broken, as part of a sentence.
func (c *Check) broken() string {
	switch {
	case c.Words != "":
		return c.Title + ": " + c.Words
	case c.Detail != "":
		return c.Title + ": " + c.Statistic + "; " + strings.TrimSuffix(c.Detail, ".")
	}
	return c.Title + ": " + c.Statistic
}

// alarming reports whether somebody should look.
func (c *Check) alarming() bool { return c.State == CheckFail || c.State == CheckWarn }

// The keys of the checks, in the order of a report.
const (
	CheckBalance          = "balance"           // arms of the units exposed, against the weights
	CheckBalanceReporting = "balance_reporting" // arms of the units that reported telemetry
	CheckCoverage         = "coverage"          // telemetry lost, by arm
	CheckStages           = "stages"            // units lost between exposure and heartbeat, by arm
	CheckLate             = "late"              // units of which records came too late, by arm
	CheckConflicts        = "conflicts"         // units whose records contradict one another, by arm
	CheckPrograms         = "programs"          // units that are likely no people, by arm
	CheckRestated         = "restated"          // days that were computed again
	CheckCrossed          = "crossed"           // units seen in two arms
	CheckStartTimes       = "start_times"       // starts without a start time, by arm
	CheckFreshness        = "freshness"         // age of the data
	CheckPlan             = "plan"              // the plan is the one fixed at launch
)
