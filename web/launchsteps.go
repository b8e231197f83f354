package web

import (
	"net/url"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
)

// ParamGo is what the button of a form asks for: a step to go to, or one of the
// actions.
const ParamGo = "go"

// The actions of ParamGo that are no step. Whatever else is sent keeps the form and
// stays.
const (
	GoNext   = "next"   // the step after this one, if this one is in order
	GoLaunch = "launch" // from the last step
	GoDraft  = "draft"  // store it as an experiment that does not run yet
	GoAsk    = "ask"    // store it so, and ask a second person to approve its launch
)

// fieldSeen lists the steps that were sent once: faults of the others are not
// shown before anybody was there.
const fieldSeen = "seen"

// ownsField reports whether a field is filled in in a step.
func ownsField(step launch.Step, name string) bool {
	switch name {
	case ParamGo, fieldSeen, fieldOf, fieldWas, fieldKept, fieldStoredRamp:
		return false
	case ParamReviewer, ParamNote:
		return step == launch.StepReview
	}
	return step != launch.StepReview && launch.StepOf(name) == step
}

// LaunchStepFault reports whether any of the faults is of the step.
func LaunchStepFault(step launch.Step, faults experiment.Errors) bool {
	return slices.ContainsFunc(faults, func(f *experiment.Error) bool { return launch.StepOf(f.Field) == step })
}

// MergeLaunch returns the form with what a step sent: the step's own fields take
// the place of what they were, those of other steps stay. Another kind of change
// brings its proposals.
func MergeLaunch(form url.Values, step launch.Step, sent url.Values) url.Values {
	out := url.Values{}
	for name, values := range form {
		if !ownsField(step, name) {
			out[name] = values
		}
	}
	for name, values := range sent {
		if ownsField(step, name) && isLaunchField(name) {
			out[name] = values
		}
	}
	before, now := experiment.ChangeKind(form.Get(fieldChange)), experiment.ChangeKind(out.Get(fieldChange))
	if before != now {
		repropose(out, before, now)
	}
	if !slices.Contains(out[fieldSeen], string(step)) {
		out[fieldSeen] = append(slices.Clone(out[fieldSeen]), string(step))
	}
	return out
}

// isLaunchField reports whether the form has a field of the name: what else a
// browser sends is not kept.
func isLaunchField(name string) bool {
	switch name {
	case fieldKey, fieldName, fieldWhy, fieldOwner, fieldChange, fieldUnit, fieldLayer, fieldShare, fieldPrimary, fieldSecondary,
		fieldMDE, fieldUnits, fieldEnd, fieldMethod, fieldLooks, fieldSuspects, fieldRamp, fieldStartAt, fieldStopAt,
		ParamReviewer, ParamNote:
		return true
	}
	return strings.HasPrefix(name, "arms[") || strings.HasPrefix(name, "audience.all[") || strings.HasPrefix(name, "plan.")
}

// launchTitles are the names of the steps.
func launchTitle(step launch.Step) string {
	switch step {
	case launch.StepMetrics:
		return "Metrics"
	case launch.StepAudience:
		return "Audience"
	case launch.StepPower:
		return "Power"
	case launch.StepTraffic:
		return "Traffic"
	case launch.StepReview:
		return "Review"
	}
	return "Change"
}
