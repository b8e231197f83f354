package metrics

import (
	"math"
	"slices"

	"github.com/splitcast/splitcast/stats"
)

// series is a quotient to add up. Metrics that differ only in their quantile's
// level share one.
type series struct {
	Quotient
	quantile bool
	perUnit  bool    // a unit's value is its own quotient
	floor    float64 // units with a smaller denominator are left out
	capAt    float64 // of the numerator
	any      bool    // a unit counts 1 when its numerator is above 0
	reach    reach   // of a funnel of units
}

func seriesOf(d *Definition, uncapped bool) series {
	s := series{Quotient: d.Quotient, capAt: math.Inf(1)}
	s.quantile = d.Kind == KindQuantile
	s.perUnit = s.quantile || d.Kind == KindMeanOfRatios
	if d.Kind == KindMeanOfRatios {
		s.floor = d.UnitFloor
	}
	s.any = d.Numerator.IsCustom() && d.Kind.Estimator() == KindProportion
	s.reach = reachOf(d)
	if d.CapAt > 0 && !uncapped {
		s.capAt = d.CapAt
	}
	if uncapped && d.Uncapped != nil {
		s.Quotient = *d.Uncapped
	}
	return s
}

// group is what is added up of one window.
type group struct {
	series    []series
	bySegment []series
	asked     []Quantity // of the past, by series that are adjusted by it
	total     tallies
	byValue   [DimensionCount][]tallies // by slot; nil: no unit yet
	suspected tallies                   // of bySegment; nil: no unit yet
}

func (g *group) addSeries(s series, arms int, segmented bool) {
	if !slices.Contains(g.series, s) {
		g.series = append(g.series, s)
		g.total = newTallies(g.series, arms)
	}
	if segmented && !slices.Contains(g.bySegment, s) {
		g.bySegment = append(g.bySegment, s)
	}
}

// adjust has a series of the group keep its joint moments with the past. All series
// have been added before.
func (g *group) adjust(s series, arms int) {
	i := slices.Index(g.series, s)
	for arm := range arms {
		g.total[i*arms+arm].joint = &jointTally{}
	}
	for _, q := range [...]Quantity{s.Numerator.Base, s.Denominator.Base} {
		if !slices.Contains(g.asked, q) {
			g.asked = append(g.asked, q)
		}
	}
}

// slot returns the tallies of a dimension value.
func (g *group) slot(dim, slot, arms int) tallies {
	for len(g.byValue[dim]) <= slot {
		g.byValue[dim] = append(g.byValue[dim], nil)
	}
	if g.byValue[dim][slot] == nil {
		g.byValue[dim][slot] = newTallies(g.bySegment, arms)
	}
	return g.byValue[dim][slot]
}

// suspects returns the tallies of units that are suspected to be programs.
func (g *group) suspects(arms int) tallies {
	if g.suspected == nil {
		g.suspected = newTallies(g.bySegment, arms)
	}
	return g.suspected
}

// tallies holds one tally for each series and arm: series i, arm j is at
// i*arms + j.
type tallies []tally

func newTallies(of []series, arms int) tallies {
	ts := make(tallies, len(of)*arms)
	for i, s := range of {
		if !s.quantile {
			continue
		}
		for arm := range arms {
			ts[i*arms+arm].hist = &stats.Histogram{}
		}
	}
	return ts
}

func (ts tallies) add(of []series, arms int, o *Outcome) {
	for i := range of {
		s := &of[i]
		y, x, ok := s.value(o)
		if !ok {
			continue
		}
		t := &ts[i*arms+o.Arm]
		if s.quantile {
			t.hist.Add(y)
		}
		t.add(y, x)
		if t.joint != nil {
			past := &o.Covariates
			t.joint.add(&[JointVariables]float64{y, x, past.Quantities[s.Numerator.Base], past.Quantities[s.Denominator.Base], past.indicator()})
		}
	}
}

// value returns a unit's pair; ok is false for a unit that is no part of the
// metric: not observed is not zero.
func (s *series) value(o *Outcome) (y, x float64, ok bool) {
	if s.reach.to > 0 {
		return s.reach.value(o)
	}
	x, ok = s.Denominator.of(o)
	if !ok || !(x > 0) || x < s.floor {
		return 0, 0, false
	}
	if y, ok = s.Numerator.of(o); !ok {
		return 0, 0, false
	}
	y = min(y, s.capAt)
	if s.any && y > 0 {
		y = 1
	}
	if s.perUnit {
		return y / x, 1, true
	}
	return y, x, true
}
