package openfeature

import (
	"context"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/experiment"
)

// Flag metadata that the hook reads; OFREP's answers have the same.
const (
	metaVersion  = "version"  // of the experiment
	metaUnit     = "unit"     // the type of the unit
	metaAssigned = "assigned" // the unit takes part
	metaCause    = "cause"    // of the arm
)

// ExposureHook reports an exposure after each evaluation of a unit that takes
// part. A Provider has one; register it by hand only with another provider
// whose flag metadata come from Splitcast.
type ExposureHook struct {
	of.UnimplementedHook

	c *client.Client
}

// NewExposureHook returns a hook that reports by c.
func NewExposureHook(c *client.Client) *ExposureHook { return &ExposureHook{c: c} }

// After reports the exposure. It never fails: an evaluation that went well must
// not end as an error because of its report.
func (h *ExposureHook) After(_ context.Context, hook of.HookContext, details of.InterfaceEvaluationDetails, _ of.HookHints) error {
	if assigned, ok := details.FlagMetadata[metaAssigned].(bool); !ok || !assigned {
		return nil
	}
	evaluation := hook.EvaluationContext()
	who := contextOf(evaluation.Attributes())
	if key := evaluation.TargetingKey(); key != "" {
		who.SetTargetingKey(key)
	}
	unitType, _ := details.FlagMetadata[metaUnit].(string)
	unit, ok := who.Unit(experiment.UnitType(unitType))
	if !ok {
		return nil
	}
	h.c.Met(&assignment.Result{
		Experiment: hook.FlagKey(), Version: number(details.FlagMetadata[metaVersion]), Unit: unit, Variant: details.Variant,
		Assigned: true, Override: details.FlagMetadata[metaCause] == assignment.CauseOverride.String(),
	}, who)
	return nil
}
