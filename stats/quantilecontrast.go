package stats

import "math"

// QuantileContrast is an anytime-valid test that two arms have the same quantile
// at level Nu, exact at any number of independent values and nearly as powerful as
// the asymptotic sequence, where QuantileTest, which is exact too, pays twice.
//
// If x is the common quantile, the numbers of values at or below x are binomial
// with the share Nu in both arms. Against that simple hypothesis any mixture of
// likelihood ratios is an e-process; that of QuantileTest spreads its prior over
// both shares at random. Here the prior is laid along opposite shifts of the two
// arms, wide as AsympCS has it, and narrow across: when the quantiles differ, the
// x that explains the data best lies between them, where the shares differ in
// opposite directions. The e-value is the least over all x.
//
// Counts at x are known only at the edges of cells. Inside the cell that holds x
// they are taken on the straight line between its ends. The mixture is convex in
// the counts, so that by Jensen's inequality its value at their mean is at most
// its mean given the histograms, a martingale: the test stays exact if, when the
// quantiles are equal, values of that one cell lie at or below x with the same
// probability in both arms. For a metric that takes few different values (counts,
// rungs of a ladder) set Atoms, which needs no such condition.
type QuantileContrast struct {
	Nu   float64
	NOpt int64 // values of both arms for which the test is most powerful
	// Alpha is the level at which it is.
	Alpha float64
	// Share is treatment's planned share of the values, 0 for one half.
	Share float64
	// CellBuckets is the number of buckets of the histogram that make a cell: 0
	// means 4, or 3 % of the value. Wider cells have more power where few values lie.
	CellBuckets int
	Atoms       bool
}

// The default cell, and the widest: an octave.
const (
	usualCellBuckets = 4
	mostCellBuckets  = 1 << subBucketBits
)

// Histograms returns ln of the e-value. It refuses with InvalidArgument for the
// settings, TooFewUnits for an empty arm and NonFinite when a NaN was counted.
func (q QuantileContrast) Histograms(control, treatment *Histogram) (logE float64, err error) {
	mixture, err := q.mixture()
	if err != nil {
		return 0, err
	}
	if control.nan > 0 || treatment.nan > 0 {
		return 0, refuse(NonFinite, "A value of a histogram is not a number.")
	}
	if control.total < 1 || treatment.total < 1 {
		return 0, refuse(TooFewUnits, "A quantile test needs a value in each arm.")
	}
	mixture.observe(float64(control.total), float64(treatment.total))
	return mixture.least(q.cells(control, treatment), q.Nu), nil
}

// contrastPoint is how many values of each arm lie at or below a point.
type contrastPoint struct{ c, t float64 }

func (p contrastPoint) minus(o contrastPoint) contrastPoint {
	return contrastPoint{p.c - o.c, p.t - o.t}
}
func (p contrastPoint) dot(o contrastPoint) float64 { return p.c*o.c + p.t*o.t }
func (p contrastPoint) toward(o contrastPoint, share float64) contrastPoint {
	return contrastPoint{p.c + share*(o.c-p.c), p.t + share*(o.t-p.t)}
}

// contrastCell is a range of points. Those of an atom need not lie on the line
// between its ends.
type contrastCell struct {
	from, to contrastPoint
	atom     bool
}

// cells returns the occupied cells, rising. What lies below and above the range of
// the histogram is one value each for all that is known.
func (q QuantileContrast) cells(control, treatment *Histogram) []contrastCell {
	width := q.CellBuckets
	if width == 0 {
		width = usualCellBuckets
	}
	var out []contrastCell
	var at contrastPoint
	add := func(c, t int64, atom bool) {
		if c == 0 && t == 0 {
			return
		}
		to := contrastPoint{at.c + float64(c), at.t + float64(t)}
		out = append(out, contrastCell{from: at, to: to, atom: atom || q.Atoms})
		at = to
	}
	add(control.zero, treatment.zero, true)
	low, high := bucketCount, 0
	for _, h := range []*Histogram{control, treatment} {
		if len(h.counts) > 0 {
			low, high = min(low, h.first), max(high, h.first+len(h.counts))
		}
	}
	for first := low - low%width; first < high; first += width { // cells begin where they always do
		var c, t int64
		for bucket := first; bucket < first+width; bucket++ {
			c += control.bucket(bucket)
			t += treatment.bucket(bucket)
		}
		add(c, t, false)
	}
	add(control.over, treatment.over, true)
	return out
}

func (q QuantileContrast) share() float64 {
	if q.Share == 0 {
		return 0.5
	}
	return q.Share
}

func (q QuantileContrast) check() error {
	if err := checkProbability("quantile level", q.Nu); err != nil {
		return err
	}
	if err := checkProbability("alpha", q.Alpha); err != nil {
		return err
	}
	if err := checkProbability("share of treatment", q.share()); err != nil {
		return err
	}
	if q.NOpt < 1 {
		return refuse(InvalidArgument, "The planned number of values must be at least 1; it is %d.", q.NOpt)
	}
	if q.CellBuckets < 0 || q.CellBuckets > mostCellBuckets {
		return refuse(InvalidArgument, "A cell has up to %d buckets, not %d.", mostCellBuckets, q.CellBuckets)
	}
	return nil
}

// contrastNode is one point of the prior: the shares of both arms, as tilts of the
// log-odds from Nu, with ln of its weight. A discrete prior is as valid as any.
type contrastNode struct {
	control, treatment float64 // tilts
	logWeight          float64
	cumulantC          float64 // ln E[exp(tilt x)] of one value
	cumulantT          float64
	offset             float64 // logWeight less the cumulants of all values
}

type contrastMixture struct{ nodes []contrastNode }

// The prior. Opposite shifts are normal with the variance that AsympCS has, at
// nodes every quarter of a standard deviation. Common shifts need only be likely enough to
// rule out an x that explains the data badly: their standard deviation is that of
// the pooled share at NOpt times the root of contrastAcross, with thin tails that
// reach far. Between 0.1 and 0.6 the power varies by two points (measured).
const (
	contrastAcross = 0.3
	contrastReach  = 3.5
	contrastStep   = 0.25
	contrastTail   = 0.002
)

// mixture lays the prior out.
func (q QuantileContrast) mixture() (contrastMixture, error) {
	if err := q.check(); err != nil {
		return contrastMixture{}, err
	}
	information := float64(q.NOpt) * q.Nu * (1 - q.Nu)
	share := q.share()
	along := math.Sqrt(lambertTuning(q.Alpha) / (information * share * (1 - share)))
	across := math.Sqrt(contrastAcross / information)
	common := []float64{0, 1, 2, 3, 4.5, 7, 10, 15, 22}
	cumulant := func(tilt float64) float64 { return math.Log1p(q.Nu * math.Expm1(tilt)) }
	var m contrastMixture
	total := 0.0
	for x := -contrastReach; x <= contrastReach; x += contrastStep {
		for i, y := range common {
			weight := math.Exp(-x*x/2) * (math.Exp(-y*y/2) + contrastTail/float64(1+i))
			for _, sign := range []float64{1, -1} {
				if y == 0 && sign < 0 {
					continue
				}
				n := contrastNode{
					control:   sign*y*across - share*x*along,
					treatment: sign*y*across + (1-share)*x*along,
					logWeight: math.Log(weight),
				}
				n.cumulantC, n.cumulantT = cumulant(n.control), cumulant(n.treatment)
				m.nodes = append(m.nodes, n)
				total += weight
			}
		}
	}
	for i := range m.nodes {
		m.nodes[i].logWeight -= math.Log(total)
		if !finite(m.nodes[i].cumulantC, m.nodes[i].cumulantT) {
			return contrastMixture{}, refuse(InvalidArgument, "%d values are too few to plan a test of the quantile at %v for.", q.NOpt, q.Nu)
		}
	}
	return m, nil
}

// observe fixes the numbers of values.
func (m contrastMixture) observe(control, treatment float64) {
	for i, n := range m.nodes {
		m.nodes[i].offset = n.logWeight - control*n.cumulantC - treatment*n.cumulantT
	}
}

// at returns ln of the e-value of a point and its gradient, the posterior means of
// the tilts.
func (m contrastMixture) at(p contrastPoint) (logE float64, gradient contrastPoint) {
	most := math.Inf(-1)
	for i := range m.nodes {
		n := &m.nodes[i]
		most = max(most, p.c*n.control+p.t*n.treatment+n.offset)
	}
	sum := 0.0
	for i := range m.nodes {
		n := &m.nodes[i]
		l := p.c*n.control + p.t*n.treatment + n.offset - most
		if l < negligibleLog {
			continue
		}
		e := math.Exp(l)
		sum += e
		gradient.c += e * n.control
		gradient.t += e * n.treatment
	}
	return most + math.Log(sum), contrastPoint{gradient.c / sum, gradient.t / sum}
}

// negligibleLog is ln of a share that no sum of a few hundred notices.
const negligibleLog = -45

// least returns the least e-value over all points of the cells. Beyond a point
// with both tilts positive all further points, which have larger counts, have
// larger values because the mixture is convex; and likewise below.
func (m contrastMixture) least(cells []contrastCell, nu float64) float64 {
	last := cells[len(cells)-1].to
	goal := nu * (last.c + last.t)
	middle := 0
	for middle < len(cells)-1 && cells[middle].to.c+cells[middle].to.t < goal {
		middle++
	}
	best := math.Inf(1)
	for i := middle; i < len(cells); i++ {
		if _, g := m.at(cells[i].from); i > middle && g.c >= 0 && g.t >= 0 {
			break
		}
		best = min(best, m.leastOf(cells[i]))
	}
	for i := middle - 1; i >= 0; i-- {
		if _, g := m.at(cells[i].to); g.c <= 0 && g.t <= 0 {
			break
		}
		best = min(best, m.leastOf(cells[i]))
	}
	return best
}

func (m contrastMixture) leastOf(cell contrastCell) float64 {
	if cell.atom {
		return m.leastOfBox(cell)
	}
	return m.leastOfLine(cell.from, cell.to)
}

// contrastHalvings resolves a cell to a thousandth of itself: the values at its
// ends bound what lies between them from below, by their tangents.
const contrastHalvings = 10

// leastOfLine returns a lower bound, tight to second order, of the least value on
// the line.
func (m contrastMixture) leastOfLine(from, to contrastPoint) float64 {
	along := to.minus(from)
	low, gLow := m.at(from)
	if gLow.dot(along) >= 0 {
		return low
	}
	high, gHigh := m.at(to)
	if gHigh.dot(along) <= 0 {
		return high
	}
	a, b := 0.0, 1.0
	fa, fb, sa, sb := low, high, gLow.dot(along), gHigh.dot(along)
	for range contrastHalvings {
		middle := (a + b) / 2
		f, g := m.at(from.toward(to, middle))
		if s := g.dot(along); s > 0 {
			b, fb, sb = middle, f, s
		} else {
			a, fa, sa = middle, f, s
		}
	}
	// Where the tangents at both ends meet.
	meet := (fb - fa + sa*a - sb*b) / (sa - sb)
	if !finite(meet) || meet < a || meet > b {
		meet = a
	}
	return min(fa, fb, max(fa+sa*(meet-a), min(fa, fb)-math.Abs(sa)*(b-a)))
}

// leastOfBox returns a lower bound of the least value on the rectangle: the
// tangent plane at the end of a descent by coordinates, which convexity puts below
// the mixture everywhere.
func (m contrastMixture) leastOfBox(cell contrastCell) float64 {
	const sweeps = 8
	p := cell.from.toward(cell.to, 0.5)
	for range sweeps {
		p.c = m.descend(cell.from.c, cell.to.c, func(c float64) float64 {
			_, g := m.at(contrastPoint{c, p.t})
			return g.c
		})
		p.t = m.descend(cell.from.t, cell.to.t, func(t float64) float64 {
			_, g := m.at(contrastPoint{p.c, t})
			return g.t
		})
	}
	f, g := m.at(p)
	return f + min(g.c*(cell.from.c-p.c), g.c*(cell.to.c-p.c)) + min(g.t*(cell.from.t-p.t), g.t*(cell.to.t-p.t))
}

// descend returns where a rising slope turns positive in [low, high].
func (m contrastMixture) descend(low, high float64, slope func(x float64) float64) float64 {
	const halvings = 40
	if slope(low) >= 0 {
		return low
	}
	if slope(high) <= 0 {
		return high
	}
	for range halvings {
		if middle := (low + high) / 2; slope(middle) > 0 {
			high = middle
		} else {
			low = middle
		}
	}
	return (low + high) / 2
}
