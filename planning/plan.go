package planning

import (
	"errors"
	"math"
	"slices"

	"github.com/splitcast/splitcast/stats"
)

// Result is what a plan costs.
type Result struct {
	Request Request `json:"request"` // with its defaults
	// Comparisons is over how many tests alpha is split: each primary metric of
	// each treatment arm.
	Comparisons  int     `json:"comparisons"`
	DesignEffect float64 `json:"design_effect"`
	// Rules are the costs under each rule; the first is that of the request, which
	// decides.
	Rules []Cost `json:"rules"`
	// Traffic is the cost in days of that rule by the share of traffic, empty
	// when the units of a day are unknown.
	Traffic []TrafficPoint `json:"traffic"`
	// Detectable is the smallest lift that the rule finds when planned for so
	// many days, empty likewise.
	Detectable []DayPoint `json:"detectable"`
}

// Cost is what a rule needs.
type Cost struct {
	Rule  stats.RuleKind `json:"rule"`
	Units int64          `json:"units"` // of all arms
	Arms  []int64        `json:"arms"`
	// Days until the last unit's window has closed; nil when unknown.
	Days      *float64 `json:"days"`
	OverFixed float64  `json:"over_fixed"` // units, over those of a single look
	// Expected and ExpectedNone are the mean units at which a group-sequential rule
	// stops when the effect is there, and when there is none; nil for other rules,
	// which have no formula for it.
	Expected     *int64 `json:"expected_units,omitempty"`
	ExpectedNone *int64 `json:"expected_units_without_effect,omitempty"`
}

// TrafficPoint is how long a plan takes with a share of the traffic.
type TrafficPoint struct {
	Share float64 `json:"share"`
	Days  float64 `json:"days"`
}

// DayPoint is what can be found in a number of days.
type DayPoint struct {
	Days  int     `json:"days"`
	Units int64   `json:"units"`
	MDE   float64 `json:"mde"`
}

// trafficShares are those of a ramp.
var trafficShares = [...]float64{0.01, 0.05, 0.1, 0.25, 0.5, 1}

// plannedDays are whole weeks, which hold each weekday equally often, and a day.
var plannedDays = [...]int{1, 7, 14, 21, 28, 42, 56}

// Plan answers a request. It returns an *Error for one that makes no sense.
func Plan(r Request) (*Result, error) {
	r.setDefaults()
	if err := r.check(); err != nil {
		return nil, err
	}
	variance, err := r.Baseline.variance()
	if err != nil {
		return nil, err
	}
	p := planner{request: r, variance: variance, designEffect: 1, comparisons: r.Primary * (len(r.Weights) - 1)}
	if r.ClusterSize > 0 {
		p.designEffect = 1 + (r.ClusterSize-1)*r.ClusterICC
	}
	return p.plan()
}

type planner struct {
	request      Request
	variance     float64
	designEffect float64
	comparisons  int
}

func (p *planner) plan() (*Result, error) {
	out := &Result{Request: p.request, Comparisons: p.comparisons, DesignEffect: p.designEffect}
	fixed, err := p.units(stats.RuleFixed)
	if err != nil {
		return nil, err
	}
	kinds := []stats.RuleKind{stats.RuleSequential, stats.RuleGroupSequential, stats.RuleFixed}
	if p.request.Method == stats.RuleGroupSequential {
		kinds[0], kinds[1] = kinds[1], kinds[0]
	}
	if p.request.Quantile {
		kinds = []stats.RuleKind{stats.RuleSequential, stats.RuleFixed}
	}
	for _, kind := range kinds {
		units, err := p.units(kind)
		if err != nil {
			return nil, err
		}
		cost, err := p.cost(kind, units, units/fixed)
		if err != nil {
			return nil, err
		}
		out.Rules = append(out.Rules, cost)
	}
	out.Traffic, out.Detectable = []TrafficPoint{}, []DayPoint{}
	if p.request.UnitsPerDay == 0 {
		return out, nil
	}
	for _, share := range trafficShares {
		out.Traffic = append(out.Traffic, TrafficPoint{share, p.days(float64(out.Rules[0].Units), share)})
	}
	for _, days := range plannedDays {
		point, ok, err := p.detectable(days)
		if err != nil {
			return nil, err
		}
		if ok {
			out.Detectable = append(out.Detectable, point)
		}
	}
	return out, nil
}

// rule is a decision rule at the alpha of one comparison.
func (p *planner) rule(kind stats.RuleKind) stats.Rule {
	rule := stats.Rule{Kind: kind, Alpha: p.request.Alpha / float64(p.comparisons)}
	if kind == stats.RuleGroupSequential {
		rule.Spending, rule.Shape, _ = stats.NamedSpending(p.request.Spending)
		for k := range p.request.Looks {
			rule.Looks = append(rule.Looks, float64(k+1)/float64(p.request.Looks))
		}
	}
	return rule
}

// units returns how many units of all arms the rule needs.
func (p *planner) units(kind stats.RuleKind) (float64, error) {
	pair, err := p.pair().Units(p.rule(kind), p.request.MDE)
	if err != nil {
		return 0, refused(err)
	}
	return pair / p.pairShare(), nil
}

// detectable returns the smallest lift for a plan of so many days, unless no
// window closes in them.
func (p *planner) detectable(days int) (point DayPoint, ok bool, err error) {
	units := (float64(days) - p.request.WindowDays) * p.request.UnitsPerDay * p.request.Traffic
	if units < 1 {
		return point, false, nil
	}
	mde, err := p.pair().MDE(p.rule(p.request.Method), units*p.pairShare())
	if err != nil {
		return point, false, refused(err)
	}
	return DayPoint{Days: days, Units: int64(units), MDE: mde}, true, nil
}

// smallest is the weight of the treatment arm that gets the fewest units: its
// comparison with control is the least precise.
func (p *planner) smallest() int64 { return slices.Min(p.request.Weights[1:]) }

// pair is that comparison.
func (p *planner) pair() stats.Plan {
	return stats.Plan{
		UnitVariance: p.variance, Power: p.request.Power, DesignEffect: p.designEffect,
		Ratio: float64(p.smallest()) / float64(p.request.Weights[0]),
	}
}

// pairShare is the share of all units that it compares.
func (p *planner) pairShare() float64 {
	return float64(p.smallest()+p.request.Weights[0]) / p.totalWeight()
}

func (p *planner) totalWeight() float64 {
	total := 0.0
	for _, w := range p.request.Weights {
		total += float64(w)
	}
	return total
}

func (p *planner) cost(kind stats.RuleKind, units, overFixed float64) (Cost, error) {
	c := Cost{Rule: kind, OverFixed: overFixed}
	for _, w := range p.request.Weights {
		n := int64(math.Ceil(units * float64(w) / p.totalWeight()))
		c.Arms = append(c.Arms, n)
		c.Units += n
	}
	if p.request.UnitsPerDay > 0 {
		days := p.days(float64(c.Units), p.request.Traffic)
		c.Days = &days
	}
	if kind != stats.RuleGroupSequential {
		return c, nil
	}
	effect, none, err := p.rule(kind).ExpectedShare(p.request.Power)
	if err != nil {
		return c, refused(err)
	}
	found, idle := int64(math.Ceil(effect*units)), int64(math.Ceil(none*units))
	c.Expected, c.ExpectedNone = &found, &idle
	return c, nil
}

// days returns when the windows of so many units have closed.
func (p *planner) days(units, share float64) float64 {
	return units/(p.request.UnitsPerDay*share) + p.request.WindowDays
}

// refused turns a refusal of package stats into an Error: every number that it
// could blame comes from the request.
func refused(err error) error {
	if r, ok := errors.AsType[*stats.Refusal](err); ok {
		return errorf("mde", "%s", r.Error())
	}
	return err
}
