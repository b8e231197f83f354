package report

import (
	"slices"

	"github.com/splitcast/splitcast/metrics"
)

// history reads cells out of looks. Looks of one version hold the same totals in
// the same order, so where a cell was found in one it is tried first in the next.
type history struct {
	looks     []metrics.Look
	catalogue *metrics.Catalogue
	versions  map[string]int // of the plan's metrics, fixed at launch
}

// cellKey names a total cell.
type cellKey struct {
	metric   string
	version  int
	uncapped bool
	arm      int
}

// cursor remembers where the cells of one key are.
type cursor struct {
	key  cellKey
	hint int
}

// total returns the total cell of the cursor's key, or nil.
func (c *cursor) total(cells []metrics.Cell) *metrics.Cell {
	if c.hint < len(cells) && c.key.matches(&cells[c.hint]) {
		return &cells[c.hint]
	}
	want := metrics.Cell{Metric: c.key.metric, MetricVersion: c.key.version, Uncapped: c.key.uncapped, Arm: c.key.arm}
	at, ok := slices.BinarySearchFunc(cells, &want, func(have metrics.Cell, want *metrics.Cell) int { return have.Compare(want) })
	if !ok {
		return nil
	}
	c.hint = at
	return &cells[at]
}

func (k *cellKey) matches(c *metrics.Cell) bool {
	return c.Arm == k.arm && c.Uncapped == k.uncapped && c.MetricVersion == k.version &&
		c.Metric == k.metric && c.IsTotal()
}

// newest returns the newest look, or an empty one.
func (h *history) newest() metrics.Look {
	if len(h.looks) == 0 {
		return metrics.Look{}
	}
	return h.looks[len(h.looks)-1]
}

// definition returns the metric with the version that the looks were measured
// with; before the first look, the one that the plan fixed, or the newest.
func (h *history) definition(key string) (metrics.Definition, bool) {
	last := h.newest()
	for i := range last.Cells {
		if c := &last.Cells[i]; c.Metric == key {
			return h.catalogue.LookupVersion(key, c.MetricVersion)
		}
	}
	if version, fixed := h.versions[key]; fixed {
		return h.catalogue.LookupVersion(key, version)
	}
	return h.catalogue.Lookup(key)
}
