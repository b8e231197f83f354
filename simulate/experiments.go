package simulate

import (
	"encoding/json"

	"github.com/splitcast/splitcast/experiment"
)

// The keys of the five experiments, which are also the flags that players ask for.
const (
	KeyFastStart    = "fast-start"           // a real improvement
	KeyAACheck      = "aa-check"             // no difference at all
	KeyLowLatency   = "low-latency-holdback" // reaches its goal and breaks a guardrail
	KeyTVAppRewrite = "tv-app-rewrite"       // loses units and telemetry: the comparison is broken
	KeyABRBuffer    = "abr-buffer"           // better on average, much worse on slow networks
)

// LayerPlayer is the layer of the two experiments that change how much the
// player buffers: no viewer is in both.
const LayerPlayer = "player-buffer"

// The arms of all five experiments.
const (
	ArmControl   = "control"
	ArmTreatment = "treatment"
)

// The slots of LayerPlayer. The harm on slow networks shows in a part of the
// viewers only and needs the larger share.
const (
	slotsABRBuffer  = 8_000
	slotsLowLatency = 2_000
)

// Planned units: what two weeks of a world of DefaultViewers expose.
const (
	unitsAll        = 34_000
	unitsABRBuffer  = 27_000
	unitsLowLatency = 6_700
	unitsTV         = 6_500
)

// Document returns the five experiments as `splitcast apply` receives them,
// running. Truth tells what they truly do.
func Document() experiment.Document {
	d := experiment.Document{Experiments: []experiment.Spec{
		fastStart(), aaCheck(), lowLatency(), tvAppRewrite(), abrBuffer(),
	}}
	for i := range d.Experiments {
		e := &d.Experiments[i]
		e.Unit, e.Design, e.Status = experiment.UnitViewer, experiment.DesignAB, experiment.StatusRunning
		e.Normalize()
	}
	return d
}

// variant is an arm without its role.
type variant struct{ name, value string }

// arms returns two equal arms.
func arms(control, treatment variant) []experiment.Arm {
	return []experiment.Arm{
		{Key: ArmControl, Name: control.name, Weight: 1, Value: json.RawMessage(control.value)},
		{Key: ArmTreatment, Name: treatment.name, Weight: 1, Value: json.RawMessage(treatment.value)},
	}
}

func fastStart() experiment.Spec {
	return experiment.Spec{
		Key: KeyFastStart, Name: "Prefetch the manifest", Owner: "player-team",
		Hypothesis: "Fetching the manifest while the player loads cuts the start by a fifth; fewer viewers leave before the first frame.",
		Arms:       arms(variant{"Player first", "false"}, variant{"Prefetch", "true"}),
		Plan: experiment.Plan{
			Primary:   []string{"startup_first_p50", "exit_before_start"},
			Secondary: []string{"startup_first_p95", "watch_hours_per_viewer"},
			Guardrails: []experiment.Guardrail{
				{Metric: "start_success", Margin: 0.005},
				{Metric: "stalled_session_rate", Margin: 0.15},
				{Metric: "telemetry_coverage", Margin: 0.01},
			},
			MDE: 0.05, Units: unitsAll,
		},
	}
}

func aaCheck() experiment.Spec {
	return experiment.Spec{
		Key: KeyAACheck, Name: "A/A: the platform itself", Owner: "data-team",
		Hypothesis: "Both arms are the same player, so nothing may be found: if something is, the platform is wrong.",
		Arms:       arms(variant{"A", `"same"`}, variant{"A again", `"same"`}),
		Plan: experiment.Plan{
			Primary:    []string{"watch_hours_per_viewer"},
			Secondary:  []string{"startup_first_p50", "stalled_session_rate", "bitrate", "live_latency_mean"},
			Guardrails: []experiment.Guardrail{{Metric: "start_success", Margin: 0.01}},
			MDE:        0.02, Units: unitsAll,
		},
	}
}

func lowLatency() experiment.Spec {
	return experiment.Spec{
		Key: KeyLowLatency, Name: "Hold back two segments instead of three", Owner: "player-team",
		Hypothesis: "One segment less between the encoder and the viewer brings chat and picture together without more stalls.",
		Layer:      LayerPlayer, Slots: slotsLowLatency,
		Arms: arms(variant{"Three segments", "3"}, variant{"Two segments", "2"}),
		Plan: experiment.Plan{
			Primary:   []string{"live_latency_mean"},
			Secondary: []string{"watch_hours_per_viewer", "bitrate"},
			Guardrails: []experiment.Guardrail{
				{Metric: "stalled_session_rate", Margin: 0.05},
				{Metric: "stall_ratio", Margin: 0.1},
				{Metric: "start_success", Margin: 0.01},
			},
			MDE: 0.05, Units: unitsLowLatency,
		},
	}
}

func tvAppRewrite() experiment.Spec {
	return experiment.Spec{
		Key: KeyTVAppRewrite, Name: "TV app rewritten", Owner: "tv-team",
		Hypothesis: "The rewritten TV app starts faster, so that its viewers stay longer.",
		Audience:   &experiment.Audience{Attr: "device_class", Op: experiment.OpEq, Value: experiment.Scalar{V: TV.String()}},
		Arms:       arms(variant{"Old app", "false"}, variant{"Rewritten app", "true"}),
		Plan: experiment.Plan{
			Primary:   []string{"watch_hours_per_viewer"},
			Secondary: []string{"startup_first_p50", "startup_first_p95"},
			Guardrails: []experiment.Guardrail{
				{Metric: "start_success", Margin: 0.02},
				{Metric: "telemetry_coverage", Margin: 0.02},
			},
			MDE: 0.1, Units: unitsTV,
		},
	}
}

func abrBuffer() experiment.Spec {
	return experiment.Spec{
		Key: KeyABRBuffer, Name: "Choose the bitrate by the buffer", Owner: "player-team",
		Hypothesis: "A rule that follows the buffer, with two segments more to work with, rides out dips: fewer sessions stall at a higher bitrate.",
		Layer:      LayerPlayer, Slots: slotsABRBuffer,
		Arms: arms(
			variant{"By throughput", `{"rule":"throughput","more_segments":0}`},
			variant{"By buffer", `{"rule":"buffer","more_segments":2}`}),
		Plan: experiment.Plan{
			Primary:   []string{"stalled_session_rate"},
			Secondary: []string{"watch_hours_per_viewer", "stall_ratio", "live_latency_mean"},
			Guardrails: []experiment.Guardrail{
				{Metric: "bitrate", Margin: 0.05},
				{Metric: "start_success", Margin: 0.015},
			},
			MDE: 0.05, Units: unitsABRBuffer,
		},
	}
}
