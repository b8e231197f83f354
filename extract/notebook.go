package extract

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/splitcast/splitcast/metrics"
)

// NotebookRow is a metric of one treatment against control that a notebook
// computes again.
type NotebookRow struct {
	Metric  metrics.Definition
	Arm     string // key of the treatment
	Alpha   float64
	NOpt    int64
	Unequal bool // the plan gives one arm more units: the variance has a floor
}

// Notebook is what a notebook is made from.
type Notebook struct {
	Experiment string
	Version    int
	Look       int
	Control    string // key of the first arm
	Rows       []NotebookRow
	// ExcludeSuspected says that the plan leaves units that are likely to be programs
	// out of the effects.
	ExcludeSuspected bool
}

// notebookCode is the program of the notebook: cells, divided by lines "# %%".
//
//go:embed notebook.py
var notebookCode string

// notebookMetric is what the program needs of a metric.
type notebookMetric struct {
	Metric      string       `json:"metric"`
	Name        string       `json:"name"`
	Arm         string       `json:"arm"`
	Kind        metrics.Kind `json:"kind"`
	Numerator   string       `json:"numerator"`
	Denominator string       `json:"denominator"`
	PerUnit     bool         `json:"per_unit"`
	Any         bool         `json:"any"` // a unit counts 1 when its numerator is above 0
	Steps       []string     `json:"steps"`
	InOrder     bool         `json:"in_order"` // of the steps
	CapAt       *float64     `json:"cap_at"`
	Floor       float64      `json:"floor"`
	Level       float64      `json:"level"`
	Scale       float64      `json:"scale"`
	Unit        string       `json:"unit"`
	Window      string       `json:"window"`
	Alpha       float64      `json:"alpha"`
	NOpt        int64        `json:"n_opt"`
	Unequal     bool         `json:"unequal"`
}

func (r *NotebookRow) metric() notebookMetric {
	d := &r.Metric
	m := notebookMetric{
		Metric: d.Key, Name: d.Name, Arm: r.Arm, Kind: d.Kind.Estimator(),
		Numerator: d.Numerator.String(), Denominator: d.Denominator.String(),
		PerUnit: d.Kind == metrics.KindQuantile || d.Kind == metrics.KindMeanOfRatios,
		Level:   d.Level, Scale: d.Scale, Unit: d.Unit, Window: string(d.Window),
		Alpha: r.Alpha, NOpt: r.NOpt, Unequal: r.Unequal,
	}
	m.Any = d.Numerator.IsCustom() && m.Kind == metrics.KindProportion
	m.InOrder = d.Order == metrics.OrderStrict
	if d.OfUnits() {
		for _, step := range d.Steps {
			m.Steps = append(m.Steps, step.String())
		}
	}
	if d.CapAt > 0 {
		m.CapAt = &d.CapAt
	}
	if d.Kind == metrics.KindMeanOfRatios {
		m.Floor = d.UnitFloor
	}
	return m
}

// cell is a cell of a notebook (nbformat 4).
type cell struct {
	Type     string         `json:"cell_type"`
	ID       string         `json:"id"`
	Metadata map[string]any `json:"metadata"`
	Source   []string       `json:"source"`

	*codeParts
}

// codeParts are what code has besides.
type codeParts struct {
	Outputs []any `json:"outputs"`
	Count   *int  `json:"execution_count"`
}

// JSON returns the notebook as a file of nbformat 4.5. Its code needs nothing but
// Python 3 and the file of outcomes.
func (n Notebook) JSON() ([]byte, error) {
	list := make([]notebookMetric, len(n.Rows))
	for i := range n.Rows {
		list[i] = n.Rows[i].metric()
	}
	config, err := json.MarshalIndent(map[string]any{
		"experiment": n.Experiment, "version": n.Version, "look": n.Look, "control": n.Control, "primary": list,
		"exclude_suspected": n.ExcludeSuspected,
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	cells := []cell{n.introduction()}
	for i, part := range strings.Split(notebookCode, "# %%\n") {
		part = strings.TrimSpace(part)
		if i == 0 {
			// As text within quotes, of which JSON can hold neither.
			part += "\n\nCONFIG = json.loads(" + pythonText(string(config)) + ")"
		}
		cells = append(cells, cell{"code", fmt.Sprintf("code-%d", i+1), map[string]any{}, lines(part), &codeParts{Outputs: []any{}}})
	}
	return json.MarshalIndent(map[string]any{
		"cells": cells, "nbformat": 4, "nbformat_minor": 5,
		"metadata": map[string]any{
			"kernelspec":    map[string]any{"display_name": "Python 3", "language": "python", "name": "python3"},
			"language_info": map[string]any{"name": "python"},
		},
	}, "", " ")
}

func (n Notebook) introduction() cell {
	file := n.Experiment + "-outcomes.csv"
	return cell{"markdown", "introduction", map[string]any{}, lines(fmt.Sprintf(
		"# %s, version %d, look %d\n\n"+
			"The effects of the primary metrics, computed again from the outcomes. Nothing but Python 3 is needed. First fetch the file:\n\n"+
			"    splitcast export %s --what outcomes --look %d -o %s\n\n"+
			"Each unit has one row a window; its id is a pseudonym. A unit whose denominator is 0, or unknown, is not part of the metric: not observed is not zero. "+
			"Where the report adjusts an effect by the units' past, this is the one without it, which the report shows beside.",
		n.Experiment, n.Version, n.Look, n.Experiment, n.Look, file)), nil}
}

// pythonText returns s as a Python string literal: JSON's escapes are Python's.
func pythonText(s string) string {
	var b strings.Builder
	b.WriteString(`"""`)
	b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
	b.WriteString(`"""`)
	return b.String()
}

// lines divides text as notebooks hold it: each but the last with its line end.
func lines(text string) []string { return strings.SplitAfter(text, "\n") }
