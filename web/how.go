package web

import (
	"slices"
	"strconv"

	"github.com/splitcast/splitcast/report"
)

// howPart opens a number: what went in and how it was computed.
type howPart struct {
	Shared      bool   // what follows from the metric alone stands elsewhere
	Anchor      string // of the metric in the list of definitions
	Name        string
	Version     string
	Description string
	Definition  string
	Cap         string
	Pitfalls    string
	Method      string
	MethodAt    string // anchor of the method, when several metrics have it
	Level       string
	Variance    string
	Adjusted    string
	Steps       []string // of a funnel
	Arms        []howArm
}

// howArm is the sufficient statistics of one arm.
type howArm struct{ Key, Sums, Moments string }

// newHow prepares the derivation of a row. When shared, it leaves out what rows
// of the same metric have in common, and the moments of each arm, which the JSON
// holds, as it does the variance of each.
func newHow(r *report.Row, shared bool) *howPart {
	e := &r.Explain
	p := &howPart{Shared: shared, Anchor: "metric-" + r.Metric.Key}
	if e.Alpha > 0 {
		p.Level = "error at most " + share(e.Alpha) + " over all looks"
		if !shared { // the same for all rows of a role
			p.Level += "; tightest at " + count(e.NOpt) + " units"
		}
	}
	if e.Variance > 0 {
		sum := e.VarianceControl + e.VarianceTreatment
		p.Variance = sig(sum)
		if !shared {
			p.Variance = sig(e.VarianceControl) + " + " + sig(e.VarianceTreatment) + " = " + p.Variance
		}
		if r.Adjusted != nil {
			p.Variance += ", adjusted to " + sig(e.Variance)
		} else if e.Variance > sum*(1+1e-9) {
			p.Variance += ", raised to " + sig(e.Variance) + ": that of both arms pooled"
		}
	}
	if r.Adjusted != nil {
		p.Adjusted = r.Adjusted.Words
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		words := s.From + " to " + s.To + ": " + s.Control.Text + " and " + s.Treatment.Text
		if s.Effect != nil {
			words += ", " + tight(s.Effect.Text) + ", " + tight(s.Effect.Range)
		}
		p.Steps = append(p.Steps, words)
	}
	if shared {
		return p
	}
	p.define(r)
	for _, a := range e.Arms {
		p.Arms = append(p.Arms, howArm{
			Key:  a.Key,
			Sums: "n " + count(a.N) + clusterWords(&a) + " · mean numerator " + sig(a.MeanNumerator) + " · mean denominator " + sig(a.MeanDenominator),
			Moments: "squares " + sig(a.M2Numerator) + ", " + sig(a.M2Denominator) + " · cross " + sig(a.Cross) +
				" · variance per unit " + sig(a.UnitVariance),
		})
	}
	return p
}

// clusterWords says what units are worth of which a few may have most; empty where
// each counts the same.
func clusterWords(a *report.ExplainArm) string {
	if a.EffectiveUnits == 0 {
		return ""
	}
	return ", worth " + count(int64(a.EffectiveUnits)) + " of equal size, the largest at most " + share(a.LargestShare) + " of all"
}

// define adds what follows from the metric and its role.
func (p *howPart) define(r *report.Row) {
	m := &r.Metric
	p.Name, p.Version = m.Name, m.Key+" v"+strconv.Itoa(m.Version)
	p.Description, p.Cap, p.Pitfalls = tight(m.Description), m.Cap, tight(m.Pitfalls)
	p.Definition, p.Method = r.Explain.Definition, r.Explain.Method
}

// definitionsPart lists what the rows of a long page have in common: each metric once,
// and each method once.
type definitionsPart struct {
	Metrics []howPart
	Methods []methodPart
}

// methodPart is a way to compute that several metrics have in common.
type methodPart struct{ Anchor, Text string }

// newDefinitions lists the metrics of a report in the order of its rows.
func newDefinitions(r *report.Report) *definitionsPart {
	p := &definitionsPart{}
	seen, anchors := map[string]bool{}, map[string]string{}
	rows := slices.Concat(r.Guardrails, r.Primary, r.Secondary)
	for i := range rows {
		key := rows[i].Metric.Key
		if seen[key] {
			continue
		}
		seen[key] = true
		m := howPart{Anchor: "metric-" + key}
		m.define(&rows[i])
		m.Pitfalls = "" // of so many metrics the catalogue tells them
		if m.Method != "" && anchors[m.Method] == "" {
			anchors[m.Method] = "method-" + strconv.Itoa(len(p.Methods)+1)
			p.Methods = append(p.Methods, methodPart{anchors[m.Method], m.Method})
		}
		m.Method, m.MethodAt = "", anchors[m.Method]
		p.Metrics = append(p.Metrics, m)
	}
	return p
}
