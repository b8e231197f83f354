package simulate

import (
	"encoding/json"

	"github.com/splitcast/splitcast/experiment"
)

// The metrics of what viewers do beside watching, by the names of Switches.Document.
const (
	MetricChat      = "chat_messages_per_viewer"
	MetricFollowers = "followers"
	MetricSpent     = "spent_per_viewer"
)

// Document returns the experiments and metrics on what is switched on, running.
// Their arms are ArmControl and ArmTreatment.
func (s *Switches) Document() experiment.Document {
	var d experiment.Document
	if s.Loss != [2]Loss{} {
		d.Experiments = append(d.Experiments, newReporter())
	}
	if s.Social != (Social{}) {
		d.Experiments = append(d.Experiments, highlights())
		d.Metrics = socialMetrics()
	}
	if s.Broadcasts.Channels > 0 {
		d.Experiments = append(d.Experiments, nearestIngest())
	}
	launch(&d)
	return d
}

// launch sets what all documents here have in common.
func launch(d *experiment.Document) {
	for i := range d.Experiments {
		e := &d.Experiments[i]
		if e.Unit == "" {
			e.Unit = experiment.UnitViewer
		}
		e.Design, e.Status = experiment.DesignAB, experiment.StatusRunning
		e.Normalize()
	}
}

func newReporter() experiment.Spec {
	return experiment.Spec{
		Key: KeyReporter, Name: "Reporter rewritten", Owner: "data-team",
		Hypothesis: "The rewritten reporter sends the same with less code; nothing may change.",
		Arms:       arms(variant{"Old reporter", "false"}, variant{"New reporter", "true"}),
		Plan: experiment.Plan{
			Primary:    []string{"watch_hours_per_viewer"},
			Secondary:  []string{"stalled_session_rate", "live_latency_mean", "live_latency_p95"},
			Guardrails: []experiment.Guardrail{{Metric: "telemetry_coverage", Margin: 0.02}},
			MDE:        0.05, Units: unitsAll,
		},
	}
}

func highlights() experiment.Spec {
	return experiment.Spec{
		Key: KeyHighlights, Name: "Highlights of the chat", Owner: "community-team",
		Hypothesis: "Who sees what the others said while they were away joins in sooner: more messages and more followers at the same watch time.",
		Arms:       arms(variant{"Chat as it is", "false"}, variant{"With highlights", "true"}),
		Plan: experiment.Plan{
			Primary:    []string{MetricChat},
			Secondary:  []string{MetricFollowers, MetricSpent},
			Guardrails: []experiment.Guardrail{{Metric: "watch_hours_per_viewer", Margin: 0.2}},
			MDE:        0.1, Units: unitsAll,
		},
	}
}

func nearestIngest() experiment.Spec {
	return experiment.Spec{
		Key: KeyIngest, Name: "Nearest ingest point by measurement", Owner: "ingest-team", Unit: experiment.UnitBroadcaster,
		Hypothesis: "Broadcasters who send to the point that answers first, not to the one that the map says, starve the transcoder less.",
		Arms:       arms(variant{"By the map", "false"}, variant{"By measurement", "true"}),
		Plan: experiment.Plan{
			Primary:   []string{"ingest_starvation_ratio"},
			Secondary: []string{"starvation_free_streams", "ingest_disconnects_per_hour", "live_hours_per_broadcaster", "transcode_dropped_ratio"},
			Guardrails: []experiment.Guardrail{
				{Metric: "go_live_success", Margin: 0.08},
			},
			MDE: 0.2, Units: experiment.MinPlannedUnits,
		},
	}
}

// socialMetrics defines the metrics over what applications send themselves.
func socialMetrics() []json.RawMessage {
	return []json.RawMessage{
		json.RawMessage(`{"key":"` + MetricChat + `","name":"Chat messages per viewer","description":"Messages that a viewer writes within a day.",` +
			`"kind":"mean","numerator":"measure:` + MeasureChat + `","denominator":"units","direction":1,"unit":"n"}`),
		json.RawMessage(`{"key":"` + MetricFollowers + `","name":"Viewers who follow","description":"Share of viewers who follow somebody within a day.",` +
			`"kind":"proportion","numerator":"event:` + EventFollow + `","denominator":"units","direction":1,"unit":"%","scale":100}`),
		json.RawMessage(`{"key":"` + MetricSpent + `","name":"Spent per viewer","description":"Money that a viewer spends within a day.",` +
			`"kind":"mean","numerator":"value:` + EventPurchase + `","denominator":"units","direction":1,"unit":"EUR"}`),
	}
}

// ManyAA returns n experiments without any difference, by AAKey, of so many
// planned units. They measure what viewers really do.
func ManyAA(n int, units int64) experiment.Document {
	var d experiment.Document
	for i := range n {
		e := aaCheck()
		e.Key, e.Name = AAKey(i), AAKey(i)
		e.Plan.Units = units
		e.Plan.Secondary = append(e.Plan.Secondary, "live_latency_p95")
		d.Experiments = append(d.Experiments, e)
	}
	launch(&d)
	return d
}

// ManyClicks returns n experiments on clicks, by ClicksKey, of so many planned
// units: each with the share of viewers who click as its only metric.
func ManyClicks(n int, units int64) experiment.Document {
	var d experiment.Document
	for i := range n {
		key := ClicksKey(i)
		d.Metrics = append(d.Metrics, json.RawMessage(`{"key":"`+key+`","name":"`+key+`","description":"Share of viewers who click.",`+
			`"kind":"proportion","numerator":"event:`+key+`","denominator":"units","window":"first","direction":1,"unit":"%","scale":100}`))
		d.Experiments = append(d.Experiments, experiment.Spec{
			Key: key, Name: key,
			Arms: arms(variant{"As it is", `"same"`}, variant{"Changed", `"same"`}),
			Plan: experiment.Plan{Primary: []string{key}, Units: units, Covariates: experiment.CovariatesOff},
		})
	}
	launch(&d)
	return d
}
