package scorecard

import (
	"hash/maphash"
	"slices"
	"strconv"

	"github.com/splitcast/splitcast/stats"
)

// clusterCell is what the members of one cluster add up to, for one metric. The
// size is their number, and of a ratio their denominator.
type clusterCell struct {
	sum, size float64
	plain     float64 // sum without the cap
	above     int64   // members above the cap
	ones      float64 // of a proportion
	split     bool    // a member of a proportion had rows of both kinds
	quality   Quality
}

// clusterSet holds what the members of each cluster add up to. It is empty unless
// clusters were asked for.
type clusterSet struct {
	index map[unitKey]uint32
	armOf []uint8
	cells []clusterCell // by cluster, then metric
}

// cluster returns the index of a cluster and notes when it crosses into another arm.
func (c *collector) cluster(arm uint8, id string) (uint32, error) {
	key := unitKey{maphash.String(c.seeds[0], id), maphash.String(c.seeds[1], id)}
	s := &c.clusters
	if k, ok := s.index[key]; ok {
		if s.armOf[k] != arm {
			s.armOf[k] = crossed
		}
		return k, nil
	}
	if len(s.armOf) == MaxClusters {
		return 0, errorf("cluster", "Column %q holds more than %d different clusters; is it the right one?", c.in.Cluster, MaxClusters)
	}
	k := uint32(len(s.armOf))
	s.index[key] = k
	s.armOf = append(s.armOf, arm)
	n := len(c.in.Metrics)
	s.cells = slices.Grow(s.cells, n)[:len(s.cells)+n]
	return k, nil
}

// addMember counts a member whose rows are all in.
func (c *collector) addMember(cluster uint32, cells []cell) {
	for i, m := range c.in.Metrics {
		c.clusters.cells[int(cluster)*len(cells)+i].add(m, cells[i])
	}
	c.finished++
}

func (k *clusterCell) add(m Metric, c cell) {
	k.quality.count(c)
	if c.rows == 0 {
		return
	}
	switch m.Kind {
	case KindRatio:
		k.sum += c.sum
		k.size += c.den
		return
	case KindProportion:
		share := c.sum / float64(c.rows)
		k.split = k.split || share > 0 && share < 1
		k.ones += share
		k.sum += share
	case KindMean, KindQuantile:
		v := c.sum
		k.plain += v
		if m.Cap != nil && v > *m.Cap {
			k.above++
			v = *m.Cap
		}
		k.sum += v
	}
	k.size++
}

// closeClusters hands the clusters that are in one arm to the tallies.
func (c *collector) closeClusters() {
	n := len(c.in.Metrics)
	for k, arm := range c.clusters.armOf {
		if arm == crossed {
			c.crossed++
			continue
		}
		c.clustersByArm[arm]++
		members := int64(0)
		for i, m := range c.in.Metrics {
			cell := &c.clusters.cells[k*n+i]
			members = max(members, cell.quality.Units)
			c.tallies[i][arm].addCluster(m, cell)
		}
		c.unitsByArm[arm] += members
	}
}

func (t *tally) addCluster(m Metric, k *clusterCell) {
	t.quality.merge(k.quality)
	t.above += k.above
	t.ones += k.ones
	t.members += k.size
	t.split = t.split || k.split
	if k.quality.Units == k.quality.Unusable {
		return // no member of it has a value
	}
	t.byCluster = append(t.byCluster, stats.Cluster{Y: k.sum, X: k.size})
	if m.Cap != nil {
		t.plainByCluster = append(t.plainByCluster, stats.Cluster{Y: k.plain, X: k.size})
	}
}

// measureClusters is measure for an arm of clusters.
func (t *tally) measureClusters(m Metric, capped bool) measured {
	out := measured{name: t.quality.Arm, present: t.quality.Units - t.quality.Unusable, clusters: t.byCluster}
	if capped {
		out.capped = t.above
	} else if m.Cap != nil {
		out.clusters = t.plainByCluster
	}
	out.count = stats.ArmCount{Units: int64(len(out.clusters))}
	if m.Kind == KindProportion && !t.split { // with shares between 0 and 1 there is no count of events
		out.count.Rate = true
		out.count.Events = int64(min(t.ones, t.members-t.ones))
	}
	out.arm, out.err = stats.ClusterArm(out.clusters)
	return out
}

func (q *Quality) merge(o Quality) {
	q.Units += o.Units
	q.Missing += o.Missing
	q.Invalid += o.Invalid
	q.Negative += o.Negative
	q.Unusable += o.Unusable
	q.NoCovariate += o.NoCovariate
}

// clusterBurnIn refuses a sequence for clusters so unequal that few of them decide:
// Ready counts them, but the degrees of freedom tell how many there are in effect.
func clusterBurnIn(e stats.Effect) *stats.Refusal {
	if e.DF >= stats.BurnInUnits {
		return nil
	}
	return &stats.Refusal{
		Reason: stats.BurnIn,
		Message: "The clusters are so few, or so unequal, that they are worth only " + effective(e.DF) +
			" equal ones; an interval for every look needs " + effective(stats.BurnInUnits) + ".",
	}
}

func effective(df float64) string { return strconv.FormatFloat(df, 'f', 0, 64) }
