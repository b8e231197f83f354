package launch

import (
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Input is what an assessment rests on. What is missing is said to be unknown,
// never taken as fine.
type Input struct {
	Spec   experiment.Spec   // normalized
	Faults experiment.Errors // what reading and checking it found, such as a dry run
	// Previews are the metrics of the plan over the last days, by key.
	Previews map[string]MetricPreview
	Audience *AudienceCount          // nil: not counted
	Others   []experiment.Experiment // all that are stored
	Now      time.Time
}

// Assessment is what is known about an experiment before its launch.
type Assessment struct {
	Proposal     *Proposal        `json:"proposal,omitempty"` // of what changes
	Interference Interference     `json:"interference"`
	Audience     *AudienceCount   `json:"audience,omitempty"`
	Power        *Power           `json:"power,omitempty"`
	Guardrails   []GuardrailPower `json:"guardrails"`
	Placement    *Placement       `json:"placement,omitempty"`
	// Checks are those that fail before those that pass, hard before soft.
	Checks []Check `json:"checks"`
}

// Assess assesses a plan.
func Assess(in Input) Assessment {
	out := Assessment{Interference: JudgeInterference(&in.Spec), Audience: in.Audience, Guardrails: []GuardrailPower{}}
	if p, ok := Propose(in.Spec.Change); ok {
		out.Proposal = &p
	}
	if len(in.Spec.Arms) >= experiment.MinArms {
		out.Power, out.Guardrails = planPower(&in), planGuardrails(&in)
	}
	out.Placement = place(&in)
	out.Checks = checklist(&in, &out)
	return out
}

// Blockers counts the checks of a level that fail.
func (a *Assessment) Blockers(level Level) int {
	n := 0
	for _, c := range a.Checks {
		if !c.OK && c.Level == level {
			n++
		}
	}
	return n
}

// OpenPoints names the soft checks that fail, for the audit log: a launch says
// what was known; empty without any.
func (a *Assessment) OpenPoints() string {
	var open []string
	for _, c := range a.Checks {
		if !c.OK && c.Level == LevelSoft {
			open = append(open, c.Title)
		}
	}
	if len(open) == 0 {
		return ""
	}
	return "launched with open points: " + strings.Join(open, "; ")
}

// PlannedUnits is what a plan asks for when nobody says how many units it has:
// those of the rule that the report uses, rounded up to two digits, else a number
// at which most metrics of live video say something.
func (a *Assessment) PlannedUnits() int64 {
	main, ok := a.Power.Main()
	if !ok {
		return defaultUnits
	}
	return max(roundUp(main.Units), experiment.MinPlannedUnits)
}

// defaultUnits is a plan's size when nothing is known of its metrics.
const defaultUnits = 100_000

// roundUp rounds up to two significant digits.
func roundUp(n int64) int64 {
	step := int64(1)
	for n/step >= 100 {
		step *= 10
	}
	return (n + step - 1) / step * step
}
