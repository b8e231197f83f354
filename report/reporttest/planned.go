package reporttest

import (
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// plannedScenarios are group-sequential plans: between the fourth look and the
// last, before the first, and given up.
func plannedScenarios() map[string]*scenario {
	return map[string]*scenario{
		"group_sequential": {
			seed: 21, arms: []truth{usual(), better(0.3)}, looks: 16, unitsPerLook: 1_000, edit: fiveLooks,
		},
		"group_sequential_waiting": {
			seed: 22, arms: []truth{usual(), better(0.3)}, looks: 2, unitsPerLook: 1_000, edit: fiveLooks,
		},
		"group_sequential_given_up": {
			seed: 23, arms: []truth{usual(), better(0.1)}, looks: 12, unitsPerLook: 1_000,
			edit: func(e *experiment.Experiment) { fiveLooks(e); e.Plan.MDE = 0.12 },
		},
	}
}

// fiveLooks plans five looks: numbers 3, 7, 11, 15 and 20 of those that a scenario
// takes twice a day.
func fiveLooks(e *experiment.Experiment) {
	e.Plan.Method, e.Plan.Looks = experiment.MethodGroupSequential, 5
	e.Plan.End = &experiment.Date{Time: time.Date(2026, 11, 13, 0, 0, 0, 0, time.UTC)}
}
