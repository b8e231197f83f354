package stats

import (
	"math"
	"slices"
)

// gstWalk is the state of a group-sequential trial that has not stopped: the
// distribution of the score S = z sqrt(t) at information t, a Brownian motion with
// drift, restricted to having stayed between all earlier bounds (Armitage,
// McPherson and Rowe 1969). The density is held at Gauss-Legendre nodes.
type gstWalk struct {
	drift float64
	time  float64
	nodes []float64 // rising
	mass  []float64 // quadrature weight times density at the node
}

// newGSTWalk starts at zero, where all mass is on one point.
func newGSTWalk(drift float64) *gstWalk {
	return &gstWalk{drift: drift, nodes: []float64{0}, mass: []float64{1}}
}

// gstStep is the move from a walk to a later information time.
type gstStep struct {
	from      *gstWalk
	time      float64
	sd, shift float64
}

func (w *gstWalk) to(t float64) gstStep {
	return gstStep{from: w, time: t, sd: math.Sqrt(t - w.time), shift: w.drift * (t - w.time)}
}

// above returns the probability to be above z now without having stopped before,
// and its negative derivative by z.
func (s gstStep) above(z float64) (probability, density float64) {
	root := math.Sqrt(s.time)
	bound := z*root - s.shift
	for i, node := range s.from.nodes {
		x := (bound - node) / s.sd
		probability += s.from.mass[i] * math.Erfc(x/math.Sqrt2)
		density += s.from.mass[i] * math.Exp(-x*x/2)
	}
	return probability / 2, density / s.sd * root * math.Exp(-halfLog2Pi)
}

// below is the mirror image of above.
func (s gstStep) below(z float64) float64 {
	root := math.Sqrt(s.time)
	bound := z*root - s.shift
	probability := 0.0
	for i, node := range s.from.nodes {
		probability += s.from.mass[i] * math.Erfc((node-bound)/s.sd/math.Sqrt2)
	}
	return probability / 2
}

// boundFor returns the z above which the walk is with the given probability. It
// is infinite when the probability is too small to have a bound.
func (s gstStep) boundFor(probability float64) float64 {
	if probability < leastSpending {
		return math.Inf(1)
	}
	target := math.Log(probability)
	gap := func(z float64) (value, slope float64) {
		above, density := s.above(z)
		return target - math.Log(above), density / above // +Inf where above underflows
	}
	// Not having stopped before only lowers the probability of the plain normal
	// tail. Nor does the walk go farther than some steps beyond where it was.
	const farSteps = 12
	root := math.Sqrt(s.time)
	start := -Normal{}.LogQuantile(target)
	if n := len(s.from.nodes); n > 0 {
		start = math.Min(start, (s.from.nodes[n-1]+s.shift+farSteps*s.sd)/root)
	}
	return monotoneRoot(gap, start, s.sd/root)
}

// leastSpending is the smallest error probability that a look can spend; below
// it, at z = 37, a bound is infinite.
const leastSpending = 1e-300

// Quadrature of the walk. The density is smooth on the scale of the smaller of
// the steps before and after a look: a Gaussian blur of the one, to be multiplied
// by a kernel of the other. Sampled at panelNodes nodes every gstPanelWidth of
// that scale, bounds are good to 1e-11 (measured against panels half as wide).
// Beyond gstReach standard deviations of the unrestricted walk lies less than
// 1e-16 of the mass.
const (
	gstPanelWidth = 16
	gstReach      = 8.3
	gstFarReach   = 38 // towards a bound that is infinite
)

// gstRange is a range of z in which a trial goes on.
type gstRange struct{ lower, upper float64 }

// stay restricts the walk at this look to z in the ranges, rising and apart, and
// returns it. next is the following information time, or the same when there is
// none.
func (s gstStep) stay(next float64, ranges ...gstRange) *gstWalk {
	root := math.Sqrt(s.time)
	centre := s.from.drift * s.time
	scale := s.sd
	if next > s.time {
		scale = math.Min(scale, math.Sqrt(next-s.time))
	}
	w := &gstWalk{drift: s.from.drift, time: s.time}
	for _, r := range ranges {
		low := math.Max(r.lower*root, centre-gstReach*root)
		high := math.Min(r.upper*root, centre+gstFarReach*root)
		if r.upper*root > centre+gstReach*root && s.from.drift != 0 {
			high = centre + gstReach*root // relative accuracy far out matters to spending only
		}
		if high > low {
			w.fill(s, low, high, scale)
		}
	}
	return w
}

// fill adds nodes between low and high for a density that is smooth on a scale.
func (w *gstWalk) fill(s gstStep, low, high, scale float64) {
	panels := max(1, int(math.Ceil((high-low)/(gstPanelWidth*scale))))
	w.nodes, w.mass = slices.Grow(w.nodes, panels*panelNodes), slices.Grow(w.mass, panels*panelNodes)
	rule := legendre()
	half := (high - low) / float64(panels) / 2
	for p := range panels {
		middle := low + half*float64(2*p+1)
		for i, node := range rule.nodes {
			x := middle + half*node
			w.nodes = append(w.nodes, x)
			w.mass = append(w.mass, rule.weights[i]*half*s.density(x))
		}
	}
}

// density returns the density of the score at x.
func (s gstStep) density(x float64) float64 {
	// Kernels beyond kernelReach contribute less than rounding, also relative to
	// the far tail, whose likeliest origin lies toward zero.
	const kernelReach = 9
	x -= s.shift
	reach := kernelReach*s.sd + math.Abs(x)*(s.sd*s.sd)/s.time
	first, _ := slices.BinarySearch(s.from.nodes, x-reach)
	sum := 0.0
	scale := 1 / s.sd
	for i := first; i < len(s.from.nodes); i++ {
		d := (x - s.from.nodes[i]) * scale
		if d < -reach*scale {
			break
		}
		sum += s.from.mass[i] * math.Exp(-d*d/2)
	}
	return sum * scale * math.Exp(-halfLog2Pi)
}
