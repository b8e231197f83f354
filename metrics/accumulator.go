package metrics

import (
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// Accumulator adds outcomes up in cells. Its whole state is in its cells: one
// that continues from the cells of a look goes on as if it had never stopped,
// apart from the rounding of the last digit.
type Accumulator struct {
	definitions []Definition
	segmented   []bool // by definition: cells by dimension, too
	adjusted    []bool // by definition: cells with joint moments
	apart       bool   // suspected units are in cells of their own alone
	arms        int
	windows     []Window // in the order of looks
	groups      []group  // by window
	slots       [DimensionCount]slotTable
}

// CellSpec is what an Accumulator adds up.
type CellSpec struct {
	// Definitions are the metrics, each key once; CoverageKey is one of them.
	Definitions []Definition
	Arms        int
	// Segmented are the keys of the metrics that also have cells by dimension;
	// CoverageKey always has them: they hold every unit that closed.
	Segmented []string
	// Adjusted are the keys of the metrics whose cells have joint moments with the
	// past; those that are not Adjustable have none.
	Adjusted []string
	// SuspectsApart leaves units that are suspected to be programs out of all cells
	// but their own.
	SuspectsApart bool
}

// NewAccumulator returns an empty accumulator. It returns an experiment.Error of
// CodeInvalid for a number of arms outside the limits, a key that occurs twice
// and definitions without CoverageKey.
func NewAccumulator(spec CellSpec) (*Accumulator, error) {
	if spec.Arms < experiment.MinArms || spec.Arms > experiment.MaxArms {
		return nil, experiment.Invalidf("arms", "must be %d to %d, not %d",
			experiment.MinArms, experiment.MaxArms, spec.Arms)
	}
	a := &Accumulator{definitions: spec.Definitions, arms: spec.Arms, apart: spec.SuspectsApart, windows: windowsOf(spec.Definitions)}
	a.groups = make([]group, len(a.windows))
	seen := map[string]bool{}
	for _, d := range spec.Definitions {
		if seen[d.Key] {
			return nil, experiment.Invalidf("definitions", "%s occurs twice", d.Key)
		}
		seen[d.Key] = true
		segmented := d.Key == CoverageKey || slices.Contains(spec.Segmented, d.Key)
		a.segmented = append(a.segmented, segmented)
		g := a.group(d.Window)
		g.addSeries(seriesOf(&d, false), spec.Arms, segmented)
		if d.Capped() {
			g.addSeries(seriesOf(&d, true), spec.Arms, false)
		}
	}
	for i := range spec.Definitions {
		d := &spec.Definitions[i]
		adjusted := d.Adjustable() && slices.Contains(spec.Adjusted, d.Key)
		a.adjusted = append(a.adjusted, adjusted)
		if adjusted {
			a.group(d.Window).adjust(seriesOf(d, false), spec.Arms)
		}
	}
	if !seen[CoverageKey] {
		return nil, experiment.Invalidf("definitions", "%s is missing", CoverageKey)
	}
	for i := range a.slots {
		a.slots[i] = newSlotTable()
	}
	return a, nil
}

// windowsOf returns the named windows, and the others that definitions have.
func windowsOf(definitions []Definition) []Window {
	out := slices.Clone(windows[:])
	for i := range definitions {
		out = append(out, definitions[i].Window)
	}
	slices.SortFunc(out, Window.compare)
	return slices.Compact(out)
}

// group returns what is added up of a window, which is one of a.windows.
func (a *Accumulator) group(w Window) *group { return &a.groups[slices.Index(a.windows, w)] }

// Windows returns the named windows and those of the metrics, in the order in
// which a look reads them.
func (a *Accumulator) Windows() []Window { return slices.Clone(a.windows) }

// Uses reports whether a metric is made from outcomes of window w.
func (a *Accumulator) Uses(w Window) bool { return len(a.group(w).series) > 0 }

// Asked returns the quantities of the past that metrics of window w are adjusted
// by; none when no metric is.
func (a *Accumulator) Asked(w Window) []Quantity { return a.group(w).asked }

// Customs returns the custom quantities that metrics of window w need.
func (a *Accumulator) Customs(w Window) Customs {
	return CustomsOf(slices.DeleteFunc(slices.Clone(a.definitions), func(d Definition) bool { return d.Window != w })...)
}

// Add adds one outcome of window w. Outcomes are added in closing order, those
// of a look by window in the order of Windows.
func (a *Accumulator) Add(w Window, o *Outcome) {
	g := a.group(w)
	if o.Suspected && len(g.bySegment) > 0 {
		g.suspects(a.arms).add(g.bySegment, a.arms, o)
	}
	if o.Suspected && a.apart {
		return
	}
	g.total.add(g.series, a.arms, o)
	if len(g.bySegment) == 0 {
		return
	}
	for d := range a.slots {
		slot := a.slots[d].slot(o.Dims[d])
		g.slot(d, slot, a.arms).add(g.bySegment, a.arms, o)
	}
}

// Load continues from the cells of a look. Cells of metrics that the
// accumulator does not have, or of other versions, are ignored.
func (a *Accumulator) Load(cells []Cell) {
	for i := range cells {
		c := &cells[i]
		d := a.definition(c)
		if d == nil || c.Arm < 0 || c.Arm >= a.arms {
			continue
		}
		t := a.tallyOf(d, c)
		if t == nil {
			continue
		}
		t.merged = c.Pair
		if c.Hist != nil {
			t.hist = c.Hist.Clone()
		}
		if c.Joint != nil && t.joint != nil {
			t.joint.load(c.Joint)
		}
	}
}

// keepValues gives the dimension values of cells their places, so that an
// accumulator that adds everything again names the values that the cells name.
func (a *Accumulator) keepValues(cells []Cell) {
	for i := range cells {
		if dim, ok := DimensionIndex(cells[i].Dimension); ok {
			a.slots[dim].slot(cells[i].Value)
		}
	}
}

func (a *Accumulator) definition(c *Cell) *Definition {
	for i := range a.definitions {
		d := &a.definitions[i]
		if d.Key == c.Metric && d.Version == c.MetricVersion {
			return d
		}
	}
	return nil
}

func (a *Accumulator) tallyOf(d *Definition, c *Cell) *tally {
	g := a.group(d.Window)
	want := seriesOf(d, c.Uncapped)
	if c.IsTotal() {
		if i := slices.Index(g.series, want); i >= 0 {
			return &g.total[i*a.arms+c.Arm]
		}
		return nil
	}
	dim, ok := DimensionIndex(c.Dimension)
	i := slices.Index(g.bySegment, want)
	if i >= 0 && c.IsSuspected() {
		return &g.suspects(a.arms)[i*a.arms+c.Arm]
	}
	if !ok || i < 0 {
		return nil
	}
	return &g.slot(dim, a.slots[dim].slot(c.Value), a.arms)[i*a.arms+c.Arm]
}

// Cells returns the cells so far in the order of looks: a total for every metric
// and arm, empty ones included, and those of dimension values that hold a unit.
// They share nothing with the accumulator.
func (a *Accumulator) Cells() []Cell {
	var out []Cell
	for i := range a.definitions {
		d := &a.definitions[i]
		g := a.group(d.Window)
		at := slices.Index(g.series, seriesOf(d, false))
		from := len(out)
		out = a.appendCells(out, Cell{Metric: d.Key, MetricVersion: d.Version}, g.total, at)
		if a.adjusted[i] {
			for arm := range a.arms {
				out[from+arm].Joint = g.total[at*a.arms+arm].joint.moments()
			}
		}
		if d.Capped() {
			at := slices.Index(g.series, seriesOf(d, true))
			out = a.appendCells(out, Cell{Metric: d.Key, MetricVersion: d.Version, Uncapped: true}, g.total, at)
		}
		if a.segmented[i] {
			out = a.appendSegments(out, d, g)
		}
	}
	SortCells(out)
	return out
}

func (a *Accumulator) appendSegments(out []Cell, d *Definition, g *group) []Cell {
	at := slices.Index(g.bySegment, seriesOf(d, false))
	for dim := range a.slots {
		for slot, tallies := range g.byValue[dim] {
			if tallies == nil {
				continue
			}
			out = a.appendCells(out, Cell{
				Metric: d.Key, MetricVersion: d.Version,
				Dimension: dimensionNames[dim], Value: a.slots[dim].names[slot],
			}, tallies, at)
		}
	}
	if g.suspected != nil {
		out = a.appendCells(out, Cell{
			Metric: d.Key, MetricVersion: d.Version, Dimension: TrafficDimension, Value: TrafficSuspected,
		}, g.suspected, at)
	}
	return out
}

// appendCells appends the cells of one series, one an arm; model holds what they
// have in common.
func (a *Accumulator) appendCells(out []Cell, model Cell, tallies tallies, at int) []Cell {
	for arm := range a.arms {
		t := &tallies[at*a.arms+arm]
		c := model
		c.Arm, c.Pair = arm, t.pair()
		if !c.IsTotal() && c.Pair.N == 0 {
			continue
		}
		if t.hist != nil {
			c.Hist = t.hist.Clone()
		}
		out = append(out, c)
	}
	return out
}
