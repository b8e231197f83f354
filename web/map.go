package web

import (
	"cmp"
	"math"
	"slices"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// Limits of the map of segments: what a screen shows at once. The table beneath it has
// the rest.
const (
	maxMapMetrics = 6
	maxMapRows    = 40
)

// mapPart shows all segments of an arm and the metrics side by side.
type mapPart struct {
	Arm     string // empty when there is one treatment
	Metrics []string
	Rows    []mapRow
	Empty   string // how many segments have no estimate of any metric; empty: none
	More    string // how many others are not in it; empty: none
	// Expected says that cells are drawn towards their mean; false: there are too few.
	Expected bool
}

// mapRow is one segment.
type mapRow struct {
	Dimension  string // empty: that of the row above
	Value, URL string
	Units      string
	Cells      []mapCell
}

// mapCell is one metric of a segment.
type mapCell struct {
	Text  string
	Word  string // what is proven; empty: nothing
	Class string // which way it goes and how far
}

// newMap prepares the map; nil when there is nothing to show or no room.
func newMap(r *report.Report, choice Choice, links linker, crowded bool) *mapPart {
	if crowded || len(r.Segments.Rows) == 0 {
		return nil
	}
	arm := mapArm(r, choice)
	p := &mapPart{}
	if len(r.Head.Arms) > 2 {
		p.Arm = armLabel(&r.Head, arm)
	}
	cells, places := map[mapPlace]map[string]*report.Segment{}, []mapPlace{}
	scales := mapScales(r)
	var keys []string
	for i := range r.Segments.Rows {
		s := &r.Segments.Rows[i]
		if s.ArmKey != arm {
			continue
		}
		if !slices.Contains(keys, s.MetricKey) && len(keys) < maxMapMetrics {
			keys = append(keys, s.MetricKey)
		}
		place := mapPlace{s.Dimension, s.Value}
		if cells[place] == nil {
			cells[place] = map[string]*report.Segment{}
			places = append(places, place)
		}
		cells[place][s.MetricKey] = s
		p.Expected = p.Expected || s.Expected != nil
	}
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(scales[a].order, scales[b].order) })
	slices.SortFunc(places, func(a, b mapPlace) int {
		return cmp.Or(cmp.Compare(a.dimension, b.dimension), cmp.Compare(a.value, b.value))
	})
	places = p.keep(places, func(place mapPlace) bool {
		return slices.ContainsFunc(keys, func(key string) bool { s := cells[place][key]; return s != nil && s.Effect != nil })
	})
	if len(places) == 0 {
		return nil
	}
	for _, key := range keys {
		p.Metrics = append(p.Metrics, scales[key].name)
	}
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	for i, place := range places {
		row := mapRow{Value: place.value, URL: links.segment(segmentName(place.dimension, place.value), "segment")}
		if i == 0 || places[i-1].dimension != place.dimension {
			row.Dimension = dimensionWord(place.dimension)
		}
		var units int64
		for _, key := range keys {
			s := cells[place][key]
			row.Cells = append(row.Cells, newMapCell(s, scales[key].size, withheld))
			if s != nil {
				units = max(units, s.Units)
			}
		}
		row.Units = count(units)
		p.Rows = append(p.Rows, row)
	}
	return p
}

// mapPlace names a segment.
type mapPlace struct{ dimension, value string }

// keep returns the segments that the map shows, and counts the others.
func (p *mapPart) keep(places []mapPlace, known func(mapPlace) bool) []mapPlace {
	all := len(places)
	places = slices.DeleteFunc(places, func(place mapPlace) bool { return !known(place) })
	if empty := all - len(places); empty > 0 {
		p.Empty = plural(empty, "segment has", "segments have")
	}
	if more := len(places) - maxMapRows; more > 0 {
		p.More, places = plural(more, "more segment is", "more segments are"), places[:maxMapRows]
	}
	return places
}

// mapArm is the treatment that the reader chose, that decided, or the first.
func mapArm(r *report.Report, choice Choice) string {
	for _, key := range []string{choice.Arm, r.Verdict.Arm} {
		if slices.ContainsFunc(r.Segments.Rows, func(s report.Segment) bool { return s.ArmKey == key }) {
			return key
		}
	}
	return r.Segments.Rows[0].ArmKey
}

// mapScale is what counts as far for a metric: its margin, or the smallest effect worth
// having.
type mapScale struct {
	name  string
	size  float64
	order int
}

func mapScales(r *report.Report) map[string]mapScale {
	out := map[string]mapScale{}
	for _, rows := range [][]report.Row{r.Primary, r.Guardrails} {
		for i := range rows {
			m := &rows[i].Metric
			if _, seen := out[m.Key]; seen {
				continue
			}
			size := r.Head.MDE
			if rows[i].Margin != nil {
				size = *rows[i].Margin
			}
			out[m.Key] = mapScale{m.Name, size, len(out)}
		}
	}
	return out
}

// newMapCell words one cell. Its tint says how far the effect is expected to go; what
// is not proven is hatched.
func newMapCell(s *report.Segment, size float64, withheld bool) mapCell {
	if s == nil || s.Effect == nil {
		return mapCell{Text: "–"}
	}
	value := s.Effect.Estimate
	if s.Expected != nil {
		value = *s.Expected
	}
	c := mapCell{Text: signedPct(value, min(2, s.Effect.Decimals))}
	if withheld {
		return c
	}
	side := "b"
	if value*float64(s.Direction) < 0 {
		side = "w"
	}
	far := math.Abs(value) / size
	switch {
	case s.Direction == 0 || s.Expected == nil && !s.Flagged:
	case far >= 1:
		c.Class = side + "2"
	case far >= 0.5:
		c.Class = side + "1"
	}
	if !s.Flagged {
		return c
	}
	w := rowWording(s.State, report.RoleSecondary)
	c.Word = w.Word
	switch w.Class {
	case chart.Better:
		c.Class = "b2 on"
	case chart.Worse:
		c.Class = "w2 on"
	default:
		c.Class = "on"
	}
	return c
}
