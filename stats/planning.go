package stats

import (
	"cmp"
	"math"
)

// Rule is how an experiment will be decided; it fixes what a plan costs.
type Rule struct {
	Kind     RuleKind
	Alpha    float64
	OneSided bool
	// Looks is the information share at each look of RuleGroupSequential, ending
	// at 1.
	Looks []float64
	// Spending is the spending function of RuleGroupSequential; empty means
	// SpendOBrienFleming. Shape is that of SpendPower and SpendHwangShih.
	Spending GSTKind
	Shape    float64
}

// RuleKind is a family of rules.
type RuleKind string

// The rules.
const (
	// RuleFixed looks once, at the end.
	RuleFixed RuleKind = "fixed"
	// RuleSequential looks whenever, by AsympCS with NOpt at the planned end.
	RuleSequential RuleKind = "sequential"
	// RuleGroupSequential looks at planned times, by a spending function.
	RuleGroupSequential RuleKind = "group_sequential"
)

// Drift returns the mean z at the planned end with which the rule finds the effect
// with the given power: z_{1-alpha/2}+z_{power} for a fixed rule. For a sequential
// one it is the power at that look alone, so that the true power is higher. It
// refuses with InvalidArgument or NoSolution.
func (r Rule) Drift(power float64) (float64, error) {
	if err := checkProbability("alpha", r.Alpha); err != nil {
		return 0, err
	}
	if err := checkProbability("power", power); err != nil {
		return 0, err
	}
	z := Normal{}.Quantile(power)
	var reach float64
	switch {
	case r.Kind == RuleGroupSequential:
		g := r.groupSequential()
		bounds, err := g.Bounds()
		if err != nil {
			return 0, err
		}
		return g.DriftFor(bounds, power)
	case r.Kind == RuleSequential && r.OneSided:
		tuning := lambertTuning(min(2*r.Alpha, maxTuningAlpha))
		reach = halfNormalMixture{k: tuning}.bound(-math.Log(r.Alpha))
	case r.Kind == RuleSequential:
		reach = normalMixture{k: lambertTuning(r.Alpha)}.radius(r.Alpha)
	case r.Kind == RuleFixed && r.OneSided:
		reach = -Normal{}.Quantile(r.Alpha)
	case r.Kind == RuleFixed:
		reach = -Normal{}.Quantile(r.Alpha / 2)
	default:
		return 0, refuse(InvalidArgument, "There is no decision rule %q.", string(r.Kind))
	}
	if reach+z <= 0 {
		return 0, refuse(NoSolution, "A power of %v is reached without any effect.", power)
	}
	return ranged("drift", reach+z)
}

// groupSequential is the design of RuleGroupSequential.
func (r Rule) groupSequential() GroupSequential {
	return GroupSequential{
		Kind: cmp.Or(r.Spending, SpendOBrienFleming), Shape: r.Shape, Information: r.Looks, Alpha: r.Alpha, TwoSided: !r.OneSided,
	}
}

// ExpectedShare returns the mean share of the planned units at which a
// group-sequential rule stops when the effect has the given power, and when there
// is none. Other rules have no mean that a formula gives: it refuses them with
// InvalidArgument, and else as Drift does.
func (r Rule) ExpectedShare(power float64) (effect, none float64, err error) {
	if r.Kind != RuleGroupSequential {
		return 0, 0, refuse(InvalidArgument, "Only a group-sequential rule has an expected number of units; %q has not.", string(r.Kind))
	}
	drift, err := r.Drift(power)
	if err != nil {
		return 0, 0, err
	}
	g := r.groupSequential()
	bounds, err := g.Bounds()
	if err != nil {
		return 0, 0, err
	}
	return g.operate(bounds, nil, drift).ExpectedInformation, g.operate(bounds, nil, 0).ExpectedInformation, nil
}

// Plan is what is known about a metric before an experiment.
type Plan struct {
	// UnitVariance is what a unit contributes to the variance of an arm on the
	// scale of the effect: sd^2 for a difference, (sd/mean)^2 for a log-ratio or a
	// lift, p(1-p) or (1-p)/p for a proportion.
	UnitVariance float64
	Power        float64
	Ratio        float64 // treatment units per control unit; 0 means 1
	// DesignEffect multiplies the variance for units that depend on one another;
	// 0 means 1.
	DesignEffect float64
}

// Units returns the units of both arms with which the rule finds an effect of mde
// with the plan's power, drift^2 v (1+r)^2/r / mde^2. It refuses with
// InvalidArgument or NoSolution.
func (p Plan) Units(rule Rule, mde float64) (float64, error) {
	spread, err := p.spread()
	if err != nil {
		return 0, err
	}
	if mde == 0 || !finite(mde) {
		return 0, refuse(InvalidArgument, "The effect to find must be a number other than zero; it is %v.", mde)
	}
	drift, err := rule.Drift(p.Power)
	if err != nil {
		return 0, err
	}
	root := drift / mde
	units := root * root * spread
	return units, checkUnits(units)
}

// MDE returns the effect that the rule finds with the plan's power among units of
// both arms. It refuses with InvalidArgument or NoSolution.
func (p Plan) MDE(rule Rule, units float64) (float64, error) {
	spread, err := p.spread()
	if err != nil {
		return 0, err
	}
	if err := checkPositive("number of units", units); err != nil {
		return 0, err
	}
	drift, err := rule.Drift(p.Power)
	if err != nil {
		return 0, err
	}
	return ranged("effect", drift*math.Sqrt(spread)/math.Sqrt(units))
}

// spread is the variance of the effect times the units of both arms.
func (p Plan) spread() (float64, error) {
	if err := checkPositive("variance of a unit", p.UnitVariance); err != nil {
		return 0, err
	}
	ratio, err := checkRatio(p.Ratio)
	if err != nil {
		return 0, err
	}
	effect := p.DesignEffect
	if effect == 0 {
		effect = 1
	}
	if err := checkPositive("design effect", effect); err != nil {
		return 0, err
	}
	return ranged("variance", p.UnitVariance*effect*(1+ratio)*(1+ratio)/ratio)
}

// DesignEffect returns by how much clusters inflate the variance of a mean over
// their members: 1 + (m(1+cv^2) - 1) icc, for cluster sizes with the mean m and
// the coefficient of variation cv, and icc the correlation of two members (Eldridge,
// Ashby and Kerry 2006). It refuses with InvalidArgument.
func DesignEffect(sizes Moments, icc float64) (float64, error) {
	if sizes.N < 1 || !(sizes.Mean >= 1) || !(sizes.M2 >= 0) || !finite(sizes.Mean, sizes.M2) {
		return 0, refuse(InvalidArgument, "Clusters have at least one member; their mean size is %v.", sizes.Mean)
	}
	if !(icc >= 0 && icc <= 1) {
		return 0, refuse(InvalidArgument, "The correlation within clusters lies between 0 and 1; it is %v.", icc)
	}
	squares := sizes.Mean + sizes.M2/float64(sizes.N)/sizes.Mean // m(1+cv^2)
	return ranged("design effect", 1+(squares-1)*icc)
}

// EffectiveClusters returns how many clusters of equal size would carry the same
// information when members of a cluster are alike: (sum m)^2/sum m^2 (Kish). A few
// large streamers make it much smaller than the count. It refuses with
// TooFewUnits when there is no member, and with InvalidArgument for moments of no
// sizes.
func EffectiveClusters(sizes Moments) (float64, error) {
	if sizes.N < 1 || !(sizes.Mean > 0) {
		return 0, refuse(TooFewUnits, "There are no clusters with members.")
	}
	if !(sizes.M2 >= 0) || !finite(sizes.Mean, sizes.M2) {
		return 0, refuse(InvalidArgument, "Sizes of clusters have a mean of %v and a sum of squares of %v.", sizes.Mean, sizes.M2)
	}
	n := float64(sizes.N)
	return ranged("number of clusters", n/(1+sizes.M2/n/(sizes.Mean*sizes.Mean)))
}
