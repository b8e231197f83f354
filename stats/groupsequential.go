package stats

import "math"

// GSTKind is a family of group-sequential bounds.
type GSTKind string

// The families. The first three fix the shape of the bounds and need all looks
// in advance; the others spend alpha by information (Lan and DeMets 1983) and
// bound each look knowing only those before it.
const (
	OBrienFleming GSTKind = "obrien_fleming" // z_k = c/sqrt(t_k)
	Pocock        GSTKind = "pocock"         // z_k = c
	WangTsiatis   GSTKind = "wang_tsiatis"   // z_k = c t_k^(Shape-1/2)

	// SpendOBrienFleming spends 2(1-Phi(z_{1-a/2}/sqrt t)): almost nothing early,
	// almost a fixed test at the end. The default of this project.
	SpendOBrienFleming GSTKind = "spend_obrien_fleming"
	SpendPocock        GSTKind = "spend_pocock"     // a ln(1+(e-1) t)
	SpendPower         GSTKind = "spend_power"      // a t^Shape (Kim and DeMets)
	SpendHwangShih     GSTKind = "spend_hwang_shih" // a (1-exp(-Shape t))/(1-exp(-Shape))
)

// MaxLooks bounds a design: a look an hour for six weeks.
const MaxLooks = 1008

// Shares of information that a look can have: a billionth of the plan, or a hundred
// times of it.
const (
	leastInformation = 1e-9
	mostInformation  = 100
)

// leastAlpha is the smallest error probability that a plan can have.
const leastAlpha = 1e-15

// mostShapeRise bounds ln of how much higher bounds of a fixed shape are for many
// looks than for one; a thousand looks of Pocock's need less than 1.
const mostShapeRise = 20

// GroupSequential is a plan to look at given information times, exact for normal
// estimates. Unlike a confidence sequence it is valid only at the planned looks,
// and spends nearly all of alpha on them: it keeps 95 to 101 % of the power of a
// single test at the end, where a confidence sequence keeps about two thirds.
type GroupSequential struct {
	Kind GSTKind `json:"kind"`
	// Information is the share of the planned information (1/variance) at each
	// look, positive and not falling; shares need not be equal, and are those that
	// were reached, not those that were planned. A look without new information
	// reuses the bound before it. The first look at 1 or beyond spends what is left
	// of alpha, so that looks after it cannot reject.
	Information []float64 `json:"information"`
	Alpha       float64   `json:"alpha"`           // of both sides together
	TwoSided    bool      `json:"two_sided"`       // symmetric; else the upper side only
	Shape       float64   `json:"shape,omitempty"` // of WangTsiatis, SpendPower, SpendHwangShih
	// MaxZ cuts bounds that are higher; 0 does not. Such a look spends more than
	// planned: beyond 8, less than 1e-15.
	MaxZ float64 `json:"max_z,omitempty"`
	// Final says that the last look is the last there will be, although it came
	// short of the planned information: it spends all of alpha that is left. The
	// decision to end must not have come from the effect. A look beyond the plan
	// spends it all without being told.
	Final bool `json:"final,omitempty"`
}

// GSTBounds is a solved plan.
type GSTBounds struct {
	Z          []float64 // reject when z reaches it; infinite when a look cannot reject
	AlphaSpent []float64 // cumulative, both sides
}

// Bounds solves the plan by recursive numerical integration, to 1e-9 in z. It
// refuses with InvalidArgument, and with NoSolution when a cut of bounds leaves none.
func (g GroupSequential) Bounds() (GSTBounds, error) {
	if err := g.check(); err != nil {
		return GSTBounds{}, err
	}
	if g.spends() {
		return g.walkBounds(func(look int, step gstStep) float64 {
			before := 0.0
			if look > 0 {
				before = g.spentBy(look - 1)
			}
			return step.boundFor(g.spentBy(look) - before)
		}), nil
	}
	// The bounds are c times a shape; ln of what they spend falls in ln c.
	bounds := func(logC float64) GSTBounds {
		return g.walkBounds(func(look int, _ gstStep) float64 {
			return math.Exp(logC) * math.Pow(g.Information[look], g.exponent())
		})
	}
	excess := func(logC float64) float64 {
		spent := bounds(logC).AlphaSpent
		return math.Log(spent[len(spent)-1]) - math.Log(g.Alpha)
	}
	last := g.Information[len(g.Information)-1]
	single := -Normal{}.Quantile(g.sideAlpha()) // what one look at the end would need
	low := math.Log(single) - g.exponent()*math.Log(last)
	if single <= 0 {
		return GSTBounds{}, refuse(InvalidArgument, "Bounds of a fixed shape need an alpha below one half a side.")
	}
	high := low + 0.25
	for excess(high) > 0 {
		if high += 0.25; high > low+mostShapeRise {
			return GSTBounds{}, refuse(NoSolution, "Cut at %v the bounds cannot spend as little as alpha.", g.MaxZ)
		}
	}
	return bounds(brent(excess, low, high)), nil
}

// walkBounds finds the bound of every look in turn by bound, given the step to
// the look.
func (g GroupSequential) walkBounds(bound func(look int, step gstStep) float64) GSTBounds {
	var out GSTBounds
	walk := newGSTWalk(0)
	spent := 0.0
	for k, t := range g.Information {
		if k > 0 && t <= g.Information[k-1] {
			out.Z = append(out.Z, out.Z[k-1])
			out.AlphaSpent = append(out.AlphaSpent, out.AlphaSpent[k-1])
			continue
		}
		step := walk.to(t)
		z := bound(k, step)
		if g.MaxZ > 0 {
			z = math.Min(z, g.MaxZ)
		}
		crossed, _ := step.above(z)
		if g.TwoSided {
			crossed *= 2
		}
		spent += crossed
		out.Z, out.AlphaSpent = append(out.Z, z), append(out.AlphaSpent, spent)
		walk = step.stay(g.next(k), gstRange{g.lower(z), z})
	}
	return out
}

// lower returns the lower end of going on.
func (g GroupSequential) lower(z float64) float64 {
	if g.TwoSided {
		return -z
	}
	return math.Inf(-1)
}

// next returns the information time of the first later look that has more, or
// that of look k.
func (g GroupSequential) next(k int) float64 {
	for _, t := range g.Information[k:] {
		if t > g.Information[k] {
			return t
		}
	}
	return g.Information[k]
}

// spends reports whether the kind is a spending function.
func (g GroupSequential) spends() bool { return g.Kind.spends() }

func (k GSTKind) spends() bool {
	switch k {
	case SpendOBrienFleming, SpendPocock, SpendPower, SpendHwangShih:
		return true
	case OBrienFleming, Pocock, WangTsiatis:
	}
	return false
}

// sideAlpha is the error probability of a side.
func (g GroupSequential) sideAlpha() float64 {
	if g.TwoSided {
		return g.Alpha / 2
	}
	return g.Alpha
}

// spentBy returns the error probability of a side that may be spent up to a look.
func (g GroupSequential) spentBy(look int) float64 {
	if g.Final && look == len(g.Information)-1 {
		return g.sideAlpha()
	}
	return g.spending(g.Information[look])
}

// spending returns the error probability of a side that may be spent until t.
func (g GroupSequential) spending(t float64) float64 {
	return spend(g.Kind, g.Shape, g.sideAlpha(), t)
}

// spend returns how much of an error probability a spending function has spent by
// the information t.
func spend(kind GSTKind, shape, total, t float64) float64 {
	t = math.Min(t, 1)
	switch kind {
	case SpendOBrienFleming:
		return 2 * math.Exp(Normal{}.Tails(-Normal{}.Quantile(total/2)/math.Sqrt(t)).LogSF)
	case SpendPocock:
		return total * math.Log1p((math.E-1)*t)
	case SpendPower:
		return total * math.Pow(t, shape)
	case SpendHwangShih:
		if shape == 0 {
			return total * t
		}
		return total * math.Expm1(-shape*t) / math.Expm1(-shape)
	case OBrienFleming, Pocock, WangTsiatis:
	}
	return 0
}

// exponent is the power of information in bounds of a fixed shape.
func (g GroupSequential) exponent() float64 {
	switch g.Kind {
	case OBrienFleming:
		return -0.5
	case WangTsiatis:
		return g.Shape - 0.5
	case Pocock, SpendOBrienFleming, SpendPocock, SpendPower, SpendHwangShih:
	}
	return 0
}

func (g GroupSequential) check() error {
	if err := checkProbability("alpha", g.Alpha); err != nil {
		return err
	}
	if len(g.Information) == 0 || len(g.Information) > MaxLooks {
		return refuse(InvalidArgument, "A design has 1 to %d looks, not %d.", MaxLooks, len(g.Information))
	}
	before := 0.0
	for _, t := range g.Information {
		if !(t >= before) {
			return refuse(InvalidArgument, "Information must not fall; %v comes after %v.", t, before)
		}
		if err := checkBetween("share of the planned information", t, leastInformation, mostInformation); err != nil {
			return err
		}
		before = t
	}
	if g.Alpha < leastAlpha {
		return refuse(InvalidArgument, "An alpha below %g is no alpha; it is %v.", leastAlpha, g.Alpha)
	}
	if g.MaxZ != 0 && !(g.MaxZ >= 1) {
		return refuse(InvalidArgument, "A cut of bounds is at 1 or above, or 0 for none; it is %v.", g.MaxZ)
	}
	if g.Final && !g.spends() {
		return refuse(InvalidArgument, "Only a spending function can end before its plan; %q cannot.", string(g.Kind))
	}
	return g.Kind.check(g.Shape)
}

// mostShape bounds the shape of a design: beyond it everything is spent at the
// first look or at the last.
const mostShape = 500

// check refuses an unknown kind and a shape out of its domain.
func (k GSTKind) check(shape float64) error {
	switch k {
	case OBrienFleming, Pocock, SpendOBrienFleming, SpendPocock:
	case WangTsiatis, SpendHwangShih:
		if !(math.Abs(shape) <= mostShape) {
			return refuse(InvalidArgument, "The shape of the design lies between -%v and %v; it is %v.", mostShape, mostShape, shape)
		}
	case SpendPower:
		if !(shape > 0 && shape <= mostShape) {
			return refuse(InvalidArgument, "The power of the spending function lies above 0 and at most at %v; it is %v.", mostShape, shape)
		}
	default:
		return refuse(InvalidArgument, "There is no group-sequential design %q.", string(k))
	}
	return nil
}
