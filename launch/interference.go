package launch

import "github.com/splitcast/splitcast/experiment"

// InterferenceVerdict says whether the arms would disturb one another.
type InterferenceVerdict string

// The verdicts.
const (
	InterferenceOK         InterferenceVerdict = "ok"
	InterferenceSwitchback InterferenceVerdict = "needs_switchback"
	InterferenceUnit       InterferenceVerdict = "needs_broadcasters"
	InterferenceUnsaid     InterferenceVerdict = "not_said"
)

// Interference is the verdict in words.
type Interference struct {
	Verdict InterferenceVerdict `json:"verdict"`
	Words   string              `json:"words"`
	Advice  string              `json:"advice,omitempty"` // what to do about it
}

// JudgeInterference tells whether the design of a plan keeps its arms apart.
func JudgeInterference(spec *experiment.Spec) Interference {
	switch {
	case spec.Change == "":
		return Interference{
			Verdict: InterferenceUnsaid, Words: "Nobody said what changes, so it is not known whether the arms share links.",
			Advice: "Say what changes.",
		}
	case spec.Change == experiment.ChangeEncoder && spec.Unit != experiment.UnitBroadcaster && spec.Unit != experiment.UnitBlock:
		return Interference{
			Verdict: InterferenceUnit, Words: "An encoder serves all viewers of its stream: they cannot be in different arms.",
			Advice: "Randomise broadcasters.",
		}
	case spec.Change.SharesLinks() && spec.Design != experiment.DesignSwitchback:
		return Interference{
			Verdict: InterferenceSwitchback,
			Words: "The arms share links, so one can gain what the other loses. Units side by side give a naive estimate, " +
				"which can be too large, too small or of the wrong sign for what happens when everybody has the change.",
			Advice: "Switch whole regions or points of presence between the arms, a block of hours each. " +
				"Side by side, keep the share small and read the result as direction, not size.",
		}
	case spec.Design == experiment.DesignSwitchback:
		return Interference{Verdict: InterferenceOK, Words: "Whole blocks of place and time switch between the arms, so they do not share links."}
	}
	return Interference{Verdict: InterferenceOK, Words: "What one unit gets does not reach the others."}
}
