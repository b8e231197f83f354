package scorecard

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// crossed marks a unit that was seen in two arms.
const crossed = uint8(255)

// unitKey is 128 bits of hash of a unit id: ids need not be kept, and among
// MaxUnits the chance that any two collide is below 1e-24.
type unitKey [2]uint64

// retainedRow is one value of a quantile, kept until it is known which units
// crossed and where the quantile lies.
type retainedRow struct {
	unit  uint32
	value float64
}

// collector adds rows up. Without a unit column every row is finished at once
// and only moments stay; with one, a cell a unit and metric waits for the end.
type collector struct {
	in       Input
	byUnit   bool
	arms     []string
	armIndex map[string]uint8
	tallies  [][]tally // by metric, then arm
	row      []cell    // by metric, of the row at hand

	seeds    [2]maphash.Seed
	units    map[unitKey]uint32
	armOf    []uint8         // by unit
	cells    []cell          // by unit, then metric
	retained [][]retainedRow // by metric
	kept     int             // rows in retained

	// What units were before they were exposed.
	strata     map[string]uint16
	stratumOf  []uint16    // by unit
	covariates []covariate // by unit, then metric; empty when no metric has one
	before     before      // of the row at hand

	byCluster bool
	clusters  clusterSet
	clusterOf []uint32 // by unit

	rows          int64
	finished      int64 // units in all arms
	unitsByArm    []int64
	clustersByArm []int64
	crossed       int64
	problems      Problems
}

// rowKeys says whose a row is.
type rowKeys struct{ arm, unit, stratum, cluster string }

func newCollector(in Input) *collector {
	c := &collector{
		in: in, byUnit: in.UnitColumn != "", byCluster: in.Cluster != "",
		armIndex: map[string]uint8{},
		tallies:  make([][]tally, len(in.Metrics)),
		row:      make([]cell, len(in.Metrics)),
		seeds:    [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		units:    map[unitKey]uint32{},
		retained: make([][]retainedRow, len(in.Metrics)),
		strata:   map[string]uint16{},
		clusters: clusterSet{index: map[unitKey]uint32{}},
	}
	if slices.ContainsFunc(in.Metrics, func(m Metric) bool { return m.Covariate != "" }) {
		c.before.covariates = make([]covariate, len(in.Metrics))
	}
	return c
}

// problem records that a row or one of its cells cannot be used.
func (c *collector) problem(line int, column, reason string) {
	c.problems.Count++
	if len(c.problems.First) < MaxProblems {
		c.problems.First = append(c.problems.First,
			Problem{Line: line, Column: strings.Clone(column), Reason: reason})
	}
}

// add counts the row whose cells are in c.row. It returns an *Error at a limit.
func (c *collector) add(k rowKeys, line int) error {
	a, err := c.arm(k.arm)
	if err != nil {
		return err
	}
	if c.before.stratum, err = c.stratum(k.stratum); err != nil {
		return err
	}
	cluster := uint32(0)
	if c.byCluster {
		if cluster, err = c.cluster(a, k.cluster); err != nil {
			return err
		}
	}
	if !c.byUnit {
		if c.finished == MaxUnits {
			return errorf("file", "There are more than %d units.", MaxUnits)
		}
		c.finish(a, cluster, c.row, c.before)
		return nil
	}
	id := k.unit
	if c.byCluster { // a viewer is a member of each broadcaster that it watches
		id = k.cluster + "\x00" + id
	}
	u, isNew, err := c.unit(a, id)
	if err != nil {
		return err
	}
	if isNew {
		c.stratumOf = append(c.stratumOf, c.before.stratum)
		c.covariates = append(c.covariates, c.before.covariates...)
		c.clusterOf = append(c.clusterOf, cluster)
	} else {
		c.checkBefore(u, line)
	}
	cells := c.cells[int(u)*len(c.row):][:len(c.row)]
	for i, row := range c.row {
		cells[i].add(row)
		if row.rows == 0 || c.in.Metrics[i].Kind != KindQuantile {
			continue
		}
		if c.kept++; c.kept > MaxRetained {
			return errorf("file", "Quantiles with units keep at most %d values; there are more.", MaxRetained)
		}
		c.retained[i] = append(c.retained[i], retainedRow{unit: u, value: row.sum})
	}
	return nil
}

// arm returns the index of an arm, in the order of appearance.
func (c *collector) arm(name string) (uint8, error) {
	if a, ok := c.armIndex[name]; ok {
		return a, nil
	}
	if len(c.arms) == MaxArms {
		return 0, errorf("arm", "Column %q holds more than %d different arms; is it the right one?", c.in.ArmColumn, MaxArms)
	}
	a := uint8(len(c.arms))
	name = strings.Clone(name) // else it would hold on to its whole record
	c.armIndex[name] = a
	c.arms = append(c.arms, name)
	c.unitsByArm = append(c.unitsByArm, 0)
	c.clustersByArm = append(c.clustersByArm, 0)
	for i := range c.tallies {
		c.tallies[i] = append(c.tallies[i], tally{})
	}
	return a, nil
}

// unit returns the index of a unit and notes when it crosses into another arm.
func (c *collector) unit(arm uint8, id string) (u uint32, isNew bool, err error) {
	key := unitKey{maphash.String(c.seeds[0], id), maphash.String(c.seeds[1], id)}
	if u, ok := c.units[key]; ok {
		if c.armOf[u] != arm {
			c.armOf[u] = crossed
		}
		return u, false, nil
	}
	if len(c.units) == MaxUnits {
		return 0, false, errorf("file", "There are more than %d units.", MaxUnits)
	}
	u = uint32(len(c.armOf))
	c.units[key] = u
	c.armOf = append(c.armOf, arm)
	c.cells = slices.Grow(c.cells, len(c.row))[:len(c.cells)+len(c.row)]
	return u, true, nil
}

// stratum returns the index of a stratum, in the order of appearance.
func (c *collector) stratum(value string) (uint16, error) {
	if i, ok := c.strata[value]; ok {
		return i, nil
	}
	if len(c.strata) == MaxStrata {
		return 0, errorf("strata", "Column %q holds more than %d different values; is it the right one?", c.in.Strata, MaxStrata)
	}
	i := uint16(len(c.strata))
	c.strata[strings.Clone(value)] = i
	return i, nil
}

// checkBefore records when a further row of a unit says something else of the time
// before its exposure than the first, which is the one that counts.
func (c *collector) checkBefore(u uint32, line int) {
	if c.stratumOf[u] != c.before.stratum {
		c.problem(line, c.in.Strata, "the stratum of the unit is another than on its first row, which counts")
	}
	n := len(c.before.covariates)
	for i, x := range c.before.covariates {
		if c.in.Metrics[i].Covariate != "" && c.covariates[int(u)*n+i] != x {
			c.problem(line, c.in.Metrics[i].Covariate, "the covariate of the unit is another than on its first row, which counts")
		}
	}
}

// finish counts a unit whose rows are all in.
func (c *collector) finish(arm uint8, cluster uint32, cells []cell, b before) {
	if c.byCluster {
		c.addMember(cluster, cells)
		return
	}
	c.finished++
	c.unitsByArm[arm]++
	for i, m := range c.in.Metrics {
		t := &c.tallies[i][arm]
		t.add(m, cells[i], !c.byUnit)
		if cells[i].rows == 0 || !c.in.adjusted(m) {
			continue
		}
		if t.adjustment == nil {
			t.adjustment = &adjustment{}
		}
		t.adjustment.add(m, cells[i], b, i)
		if m.Covariate != "" && !b.covariates[i].known {
			t.quality.NoCovariate++
		}
	}
}

// beforeOf returns what was recorded of a unit.
func (c *collector) beforeOf(u int) before {
	n := len(c.before.covariates)
	return before{covariates: c.covariates[u*n:][:n], stratum: c.stratumOf[u]}
}

// close finishes the units that waited for their last row.
func (c *collector) close() {
	for u, arm := range c.armOf {
		cells := c.cells[u*len(c.row):][:len(c.row)]
		switch {
		case c.byCluster: // whether it crossed is a matter of the cluster
			c.addMember(c.clusterOf[u], cells)
		case arm == crossed:
			c.crossed++
		default:
			c.finish(arm, 0, cells, c.beforeOf(u))
		}
	}
	if c.byCluster {
		c.closeClusters()
		return
	}
	for i, m := range c.in.Metrics {
		if c.byUnit && m.Kind == KindQuantile {
			c.quantile(i, m.Level)
		}
	}
}

// quantile fills the histograms of a quantile over rows and, once the quantile
// of each arm is known, how many values of each unit lie at or below it.
func (c *collector) quantile(metric int, level float64) {
	tallies := c.tallies[metric]
	for _, r := range c.retained[metric] {
		if arm := c.armOf[r.unit]; arm != crossed {
			tallies[arm].histogram.Add(r.value)
		}
	}
	at := make([]float64, len(tallies))
	for arm := range tallies {
		q, err := tallies[arm].histogram.Quantile(level)
		if err != nil {
			continue // the tally refuses in the same words when it is asked
		}
		at[arm] = q.Value
	}
	below := make([]uint32, len(c.armOf))
	for _, r := range c.retained[metric] {
		if arm := c.armOf[r.unit]; arm != crossed && r.value <= at[arm] {
			below[r.unit]++
		}
	}
	for u, arm := range c.armOf {
		rows := c.cells[u*len(c.row)+metric].rows
		if arm != crossed && rows > 0 {
			tallies[arm].clusters.Add(float64(below[u]), float64(rows))
		}
	}
}

// tally is one metric in one arm.
type tally struct {
	quality   Quality
	moments   stats.Moments     // of a mean or a proportion, uncapped
	capped    stats.Moments     // of a mean with a given cap
	above     int64             // units above the cap
	values    []float64         // of a mean whose cap comes from the data
	pair      stats.PairMoments // of a ratio
	histogram stats.Histogram   // of a quantile
	clusters  stats.PairMoments // of a quantile with units: values at or below it, values
	split     bool              // a unit of a proportion had rows of both kinds

	adjustment *adjustment // nil: the metric is not adjusted, or the arm is empty

	// Of clusters. members and ones are those of a proportion.
	byCluster, plainByCluster []stats.Cluster
	members, ones             float64
}

// add counts one unit. rowIsUnit says that a quantile has one value a unit.
func (t *tally) add(m Metric, c cell, rowIsUnit bool) {
	t.quality.count(c)
	if c.rows == 0 {
		return
	}
	switch m.Kind {
	case KindMean:
		t.moments.Add(c.sum)
		switch {
		case m.Cap != nil:
			t.addCapped(c.sum, *m.Cap)
		case m.CapLevel > 0:
			t.values = append(t.values, c.sum)
		}
	case KindProportion:
		share := c.sum / float64(c.rows)
		t.split = t.split || share > 0 && share < 1
		t.moments.Add(share)
	case KindRatio:
		t.pair.Add(c.sum, c.den)
	case KindQuantile:
		if rowIsUnit {
			t.histogram.Add(c.sum)
		}
	}
}

func (t *tally) addCapped(v, limit float64) {
	if v > limit {
		t.above++
		v = limit
	}
	t.capped.Add(v)
}
