// Package launch helps to prepare an experiment before anybody is exposed: it
// proposes a design for what changes, says what the plan costs, where it stands
// among the others, whether the arms would disturb one another, and what still
// stands against the launch.
//
// It is pure: the caller brings what is stored and what time it is. It promises
// nothing about traffic that changes, and it does not replace the checks of
// package experiment: what they refuse stays refused.
//
//	a := launch.Assess(launch.Input{Spec: spec, Previews: previews, Others: all, Now: now})
//	if a.Blockers(launch.LevelHard) > 0 {
//		return a.Checks
//	}
package launch

import "github.com/splitcast/splitcast/experiment"

// Proposal is what fits a kind of change: where a plan begins.
type Proposal struct {
	Change   experiment.ChangeKind `json:"change"`
	Name     string                `json:"name"`
	Examples string                `json:"examples"`
	Unit     experiment.UnitType   `json:"unit"`
	// Design is the one that answers the question best, whether or not this
	// version can run it.
	Design     experiment.Design      `json:"design"`
	Primary    string                 `json:"primary"`
	Secondary  []string               `json:"secondary"`
	Guardrails []experiment.Guardrail `json:"guardrails"`
	Why        string                 `json:"why"` // of unit and design, for product managers
}

// proposals are in the order of experiment.ChangeKinds. Margins are losses that
// teams of live video tolerate without a meeting: they are where a discussion
// begins, not where it ends.
func proposals() []Proposal {
	guard := func(metric string, margin float64) experiment.Guardrail {
		return experiment.Guardrail{Metric: metric, Margin: margin}
	}
	reports := guard("telemetry_coverage", 0.01) // an arm whose players fall silent looks healthy
	starts := guard("start_success", 0.005)
	startup := guard("startup_first_p95", 0.05)
	return []Proposal{
		{
			Change: experiment.ChangePlayer, Name: "Player build", Examples: "a new version of the player or its SDK",
			Unit: experiment.UnitViewer, Design: experiment.DesignRelease, Primary: "stall_ratio",
			Secondary:  []string{"startup_first_p50", "watch_hours_per_viewer"},
			Guardrails: []experiment.Guardrail{starts, startup, guard("playback_failure", 0.05), reports},
			Why:        "A build must first of all break nothing: start, failures and stalls are watched from the first half hour on.",
		},
		{
			Change: experiment.ChangeABR, Name: "Adaptation", Examples: "bitrate rules, buffer lengths, latency targets, prefetch",
			Unit: experiment.UnitViewer, Design: experiment.DesignSwitchback, Primary: "stall_ratio",
			Secondary:  []string{"watch_hours_per_viewer", "startup_first_p50"},
			Guardrails: []experiment.Guardrail{guard("bitrate", 0.02), starts, startup, reports},
			Why:        "Fewer stalls are easily bought with a worse picture, so bitrate guards. Both arms share links: side by side they only give a naive estimate.",
		},
		{
			Change: experiment.ChangeEncoder, Name: "Encoder or ingest", Examples: "ladder, latency mode, ingest protocol",
			Unit: experiment.UnitBroadcaster, Design: experiment.DesignCluster, Primary: "stall_ratio",
			Secondary:  []string{"bitrate", "watch_hours_per_viewer"},
			Guardrails: []experiment.Guardrail{starts, guard("playback_failure", 0.05), reports},
			Why:        "It reaches all viewers of a stream at once, so broadcasters are drawn, and count, not their viewers.",
		},
		{
			Change: experiment.ChangeEdge, Name: "Edge or delivery", Examples: "caching, routing, congestion control",
			Unit: experiment.UnitViewer, Design: experiment.DesignSwitchback, Primary: "stall_ratio",
			Secondary:  []string{"bitrate", "bytes_per_hour"},
			Guardrails: []experiment.Guardrail{starts, startup, reports},
			Why:        "Caches and links serve both arms: what one arm takes the other lacks. Blocks of place and time keep them apart.",
		},
		{
			Change: experiment.ChangeUI, Name: "Interface", Examples: "pages, discovery, chat, controls",
			Unit: experiment.UnitViewer, Design: experiment.DesignAB, Primary: "watch_hours_per_viewer",
			Secondary:  []string{"sessions_per_viewer", "engaged_view_rate"},
			Guardrails: []experiment.Guardrail{starts, guard("stall_ratio", 0.02), reports},
			Why:        "What one viewer sees does not reach another, so viewers side by side are a fair comparison.",
		},
	}
}

// Proposals returns one for each kind of change.
func Proposals() []Proposal { return proposals() }

// Propose returns the proposal for a kind of change; false for none.
func Propose(kind experiment.ChangeKind) (Proposal, bool) {
	for _, p := range proposals() {
		if p.Change == kind {
			return p, true
		}
	}
	return Proposal{}, false
}
