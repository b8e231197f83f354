package metrics

import (
	"cmp"
	"slices"
)

// Compare orders cells: by metric, version, capped before uncapped, dimension,
// value and arm. Totals come before dimensions.
func (c *Cell) Compare(o *Cell) int {
	return cmp.Or(
		cmp.Compare(c.Metric, o.Metric), cmp.Compare(c.MetricVersion, o.MetricVersion),
		compareBool(c.Uncapped, o.Uncapped),
		cmp.Compare(c.Dimension, o.Dimension), cmp.Compare(c.Value, o.Value),
		cmp.Compare(c.Arm, o.Arm),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// SortCells sorts cells into the order in which looks hold them.
func SortCells(cells []Cell) {
	slices.SortFunc(cells, func(a, b Cell) int { return a.Compare(&b) })
}

// IsSuspected reports whether the cell is over the units of its arm that are likely
// to be programs.
func (c *Cell) IsSuspected() bool {
	return c.Dimension == TrafficDimension && c.Value == TrafficSuspected
}

// IsTotal reports whether the cell is over all units of its arm.
func (c *Cell) IsTotal() bool { return c.Dimension == "" }
