package web

import (
	"fmt"
	"math"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// The samples of this file are reports written by hand: they show what a page
// must survive (open ends, names from right to left, refusals), not statistics.

var sampleTime = time.Date(2026, 11, 12, 14, 5, 0, 0, time.UTC)

// sampleRow is a row with the given lift and one-look half width.
func sampleRow(key, name string, direction int, role report.Role, state report.State, lift, half float64, looks int) report.Row {
	band := func(l, h float64) report.Band {
		return report.Band{Estimate: l, Lower: l - 1.6*h, Upper: l + 1.6*h, FixedLower: l - h, FixedUpper: l + h}
	}
	b := band(lift, half)
	r := report.Row{
		Metric: report.Metric{
			Key: key, Version: 1, Name: name, Description: "What " + name + " counts, in words.", Kind: metrics.KindRatio,
			Direction: direction, Unit: "s", Window: metrics.WindowFirst, Tiers: "AB",
		},
		Role: role, Arm: 1, ArmKey: "treatment", ArmName: "Safety 0.75", State: state, SinceLook: 12,
		Control: report.Value{Text: "2.413 s", N: 106_211}, Treatment: report.Value{Text: "2.338 s", N: 105_870},
		Effect: &report.Effect{
			Band: b, Chart: b.Facing(direction), SE: half / 2, Decimals: 2, Text: signedPct(lift, 2),
			Range: "between " + signedPct(b.Lower, 2) + " and " + signedPct(b.Upper, 2),
		},
		Absolute:  &report.Absolute{Difference: -0.075, Text: "−0.075 s", Range: "between −0.11 s and −0.04 s"},
		Evidence:  &report.Evidence{LogE: 5, P: 0.004, MinP: 0.004, Text: "250 times as likely as under no effect"},
		Precision: &report.Precision{HalfWidth: 1.6 * half, Target: 0.02, Reached: math.Min(1, 0.02/(1.6*half))},
		Units:     212_081, Words: name + ": " + signedPct(lift, 2) + ", between " + signedPct(b.Lower, 2) + " and " + signedPct(b.Upper, 2) + " at any look: " + string(state),
		Explain: report.Explain{
			Definition: "sum(startup_ms) / sum(starts)", Method: "asymptotic confidence sequence on the log ratio", Alpha: 0.05, NOpt: 400_000,
			VarianceControl: 1.2e-6, VarianceTreatment: 1.3e-6, Variance: 2.5e-6, FixedLevel: 0.95,
			Arms: []report.ExplainArm{
				{Key: "control", N: 106_211, MeanNumerator: 2.413, MeanDenominator: 1.002, M2Numerator: 812.4, M2Denominator: 22.1, Cross: 13.9, UnitVariance: 3.11},
				{Key: "treatment", N: 105_870, MeanNumerator: 2.338, MeanDenominator: 1.001, M2Numerator: 799.3, M2Denominator: 21.8, Cross: 13.2, UnitVariance: 3.02},
			},
		},
	}
	if role == report.RoleGuardrail {
		margin := 0.01
		r.Margin = &margin
	}
	for i := 1; i <= looks; i++ {
		h := half * math.Sqrt(float64(looks)/float64(i))
		p := report.Point{Look: i, At: sampleTime.Add(time.Duration(i-looks) * time.Hour), N: int64(212_081 * i / looks)}
		if i == 1 && looks > 1 {
			p.Reason = "burn_in"
		} else {
			pb := band(lift+h*0.4*math.Sin(float64(i)*1.7)/math.Sqrt(float64(i)), h)
			p.Band = &pb
		}
		r.Series = append(r.Series, p)
	}
	return r
}

// sampleReport is a report of a healthy experiment at look looks.
func sampleReport(looks int) report.Report {
	started := sampleTime.Add(-60 * time.Hour)
	r := report.Report{
		Head: report.Head{
			Key: "abr-safety-75", Name: "ABR safety factor 0.75", Owner: "Playback",
			Hypothesis: "A smaller safety factor raises bitrate without more stalls.",
			Status:     experiment.StatusRunning, Design: experiment.DesignAB, Unit: experiment.UnitViewer, StartedAt: &started,
			Version: 2, Versions: []report.Version{{Version: 1, PlanHash: "77aa0c19be42d0f3", At: started.Add(-time.Hour)}, {Version: 2, PlanHash: "9f2c41d07be8a1550c", At: started}},
			PlanHash: "9f2c41d07be8a1550c", PlanIntact: true, Alpha: 0.05, Power: 0.8, MDE: 0.02, NOpt: 400_000,
			Arms: []report.Arm{
				{Key: "control", Name: "Control", Weight: 1, Share: 0.5, Exposed: 106_211, Crossed: 12, Overridden: 3},
				{Index: 1, Key: "treatment", Name: "Safety 0.75", Weight: 1, Share: 0.5, Exposed: 105_870},
			},
			Units: 212_081, Progress: 212_081.0 / 400_000, Look: looks, BuiltAt: sampleTime, LagSec: 38,
		},
		Verdict: report.Verdict{
			State: report.VerdictShip, Arm: "treatment",
			Sentence: "Safety 0.75 lowers startup p90 by 3.1 % (between 4.4 % and 1.8 % lower at any look). No guardrail is worse than its margin.",
			Action:   "Ramp up to everyone, or ship now: the rule was met at look 37.",
			Reasons: []report.Clause{
				{Text: "A primary metric is proven better.", Met: report.MetYes},
				{Text: "Every guardrail is proven safe.", Met: report.MetYes},
				{Text: "No segment is proven harmed.", Met: report.MetUnknown},
			},
		},
		Trust: []report.Check{
			{Key: report.CheckBalance, Title: "Balance", State: report.CheckOK, Statistic: "50.08 % in control", Threshold: "p ≥ 0.001 at every look", Detail: "Units arrive in the arms as planned."},
			{Key: report.CheckBalanceReporting, Title: "Balance of reporting", State: report.CheckOK, Statistic: "p = 0.41", Threshold: "p ≥ 0.001", Detail: "Both arms report alike."},
			{Key: report.CheckCoverage, Title: "Telemetry loss", State: report.CheckWarn, Statistic: "2.4 % against 1.9 %", Threshold: "0.5 points", FirstTripped: 9, Detail: "The treatment loses more.", Fix: "Compare the player versions."},
			{Key: report.CheckCrossed, Title: "Seen in two arms", State: report.CheckOK, Statistic: "0.006 %", Threshold: "1 %"},
			{Key: report.CheckFreshness, Title: "Freshness", State: report.CheckUnknown},
			{Key: report.CheckPlan, Title: "Plan", State: report.CheckOK},
		},
		Segments: report.Segments{Alpha: 0.0004, Tested: 84},
	}
	if looks == 0 {
		return r
	}
	r.Head.At, r.Head.Watermark = &sampleTime, &sampleTime
	row := sampleRow
	r.Guardrails = []report.Row{
		row("start_success", "Start success", 1, report.RoleGuardrail, report.StateSafe, 0.0004, 0.0021, looks),
		row("startup_first_p95", "Startup time, first session, p95", -1, report.RoleGuardrail, report.StateUnproven, 0.004, 0.006, looks),
		row("stall_ratio", "Stall ratio", -1, report.RoleGuardrail, report.StateBreached, 0.031, 0.008, looks),
	}
	r.Primary = []report.Row{row("startup_p90", "Startup time, p90", -1, report.RolePrimary, report.StateBetter, -0.031, 0.0081, looks)}
	r.Secondary = []report.Row{
		row("bitrate", "Bitrate", 1, report.RoleSecondary, report.StateBetter, 0.0213, 0.0041, looks),
		row("watch_hours", "Watch hours per viewer", 1, report.RoleSecondary, report.StateUnproven, 0.0061, 0.0120, looks),
		row("latency", "Live latency, p50", -1, report.RoleSecondary, report.StateWorse, 0.012, 0.003, looks),
		row("rare", "Fatal errors per hour", -1, report.RoleSecondary, report.StateUnproven, 0.09, 0.31, looks),
	}
	refused := row("dropped", "Dropped frames", -1, report.RoleSecondary, report.StateUnknown, 0, 1, 0)
	refused.Effect, refused.Absolute, refused.Evidence, refused.Precision = nil, nil, nil, nil
	refused.Control.Text, refused.Treatment.Text = "not observed", "not observed"
	refused.Refusal = &report.Refusal{Code: "too_few_units", Message: "Not observed: no player of this experiment reports dropped frames."}
	refused.Words = "Dropped frames: not observed"
	r.Secondary = append(r.Secondary, refused)
	for i, country := range []string{"DE", "BR", "JP", "other", "unknown"} {
		for _, m := range []*report.Row{&r.Primary[0], &r.Guardrails[2]} {
			s := report.Segment{
				Dimension: "country", Value: country, MetricKey: m.Metric.Key, MetricName: m.Metric.Name, Direction: m.Metric.Direction,
				Role: m.Role, Arm: 1, ArmKey: "treatment", Control: m.Control, Treatment: m.Treatment, Units: int64(40_000 / (i + 1)),
				State: report.StateUnproven, Words: country + ", " + m.Metric.Name,
			}
			e := sampleRow(m.Metric.Key, m.Metric.Name, m.Metric.Direction, m.Role, report.StateUnproven, -0.02+0.01*float64(i), 0.02, 1)
			s.Effect = e.Effect
			if i == 1 && m == &r.Guardrails[2] {
				s.State, s.Flagged = report.StateHarmed, true
			}
			r.Segments.Rows = append(r.Segments.Rows, s)
		}
	}
	return r
}

// manyArms gives a report n arms and every row to each treatment.
func manyArms(r report.Report, n int) report.Report {
	r.Head.Arms = r.Head.Arms[:1:1]
	for i := 1; i < n; i++ {
		r.Head.Arms = append(r.Head.Arms, report.Arm{Index: i, Key: fmt.Sprintf("t%d", i), Name: fmt.Sprintf("Treatment %d", i), Share: 1 / float64(n)})
	}
	spread := func(rows []report.Row) []report.Row {
		var out []report.Row
		for _, row := range rows {
			for _, a := range r.Head.Arms[1:] {
				row.Arm, row.ArmKey, row.ArmName = a.Index, a.Key, a.Name
				out = append(out, row)
			}
		}
		return out
	}
	r.Guardrails, r.Primary, r.Secondary = spread(r.Guardrails), spread(r.Primary), spread(r.Secondary)
	return r
}

// sampleList is a list of experiments in every state.
func sampleList() ExperimentsView {
	v := ExperimentsView{Base: "/experiments", Total: 40}
	for i, state := range []report.VerdictState{
		report.VerdictShip, report.VerdictKeepRunning, report.VerdictHold, report.VerdictRollBack,
		report.VerdictStopNoEffect, report.VerdictUntrustworthy, report.VerdictCollecting,
	} {
		r := sampleReport(37)
		r.Verdict.State = state
		if state == report.VerdictUntrustworthy {
			r.Trust[0].State = report.CheckFail
		}
		if state == report.VerdictCollecting {
			r = sampleReport(0)
			r.Verdict = report.Verdict{State: state, Sentence: "No window has closed yet."}
		}
		x := experiment.Experiment{Spec: experiment.Spec{
			Key: fmt.Sprintf("abr-%d", i), Name: "ABR safety factor 0.75", Owner: "Playback", Status: experiment.StatusRunning,
			Design: experiment.DesignAB, Unit: experiment.UnitViewer, Arms: make([]experiment.Arm, 2), Plan: experiment.Plan{Units: 400_000},
		}}
		v.Rows = append(v.Rows, ExperimentRow{Experiment: x, URL: "/experiments/" + x.Key, Report: &r, LastLook: &sampleTime})
	}
	draft := v.Rows[0].Experiment
	draft.Status, draft.Key, draft.Name = experiment.StatusDraft, "draft", "مدة البدء على الهاتف"
	v.Rows = append(v.Rows, ExperimentRow{Experiment: draft, URL: "/experiments/draft"})
	return v
}
