package web

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/planning"
	"github.com/splitcast/splitcast/stats"
)

// PlannerView is the planner: a form and, once it is filled in, what the plan
// costs. The address holds the whole form, so that it can be sent to others.
type PlannerView struct {
	Chrome
	Base  string     // path of this page
	Query url.Values // the form as it was sent; empty: the first visit
}

// The query parameters of the planner. Percentages are in percent.
const (
	paramShare   = "share"
	paramMean    = "mean"
	paramSD      = "sd"
	paramMDE     = "mde"
	paramAlpha   = "alpha"
	paramPower   = "power"
	paramWeights = "weights"
	paramPrimary = "primary"
	paramMethod  = "method"
	paramLooks   = "looks"
	paramPerDay  = "per_day"
	paramTraffic = "traffic"
	paramWindow  = "window"
	paramCluster = "cluster"
	paramICC     = "icc"
)

// plannerField is one field of the form.
type plannerField struct {
	Name, Label, Hint string
	Value             string
	Error             string
	Wide              bool
	Options           []option // a choice instead of an input
}

// plannerPage is the planner ready for the template.
type plannerPage struct {
	Chrome
	Base     string
	Metric   []plannerField
	Design   []plannerField
	Traffic  []plannerField
	Fault    string // a fault that no field explains
	Open     bool   // fields below the fold differ from their defaults
	More     []plannerField
	Answered bool
	Sentence string
	Rules    []plannedRule
	Shares   []plannedShare
	Days     []plannedDay
	Command  string
}

type plannedRule struct {
	Name, Meaning             string
	Units, Arms, Days, Factor string
	Main                      bool
}

type plannedShare struct {
	Share, Days string
	Part        float64 // of the longest, for the bar
}

type plannedDay struct {
	Days, Lift, Units string
	Part              float64
	Enough            bool // the lift of the plan or less
}

// plannerDefaults are those of a plan; percentages in percent.
var plannerDefaults = map[string]string{
	paramMDE: "2", paramAlpha: "5", paramPower: "80", paramWeights: "1, 1", paramPrimary: "1",
	paramMethod: string(stats.RuleSequential), paramLooks: strconv.Itoa(planning.DefaultLooks), paramTraffic: "100", paramWindow: "1",
}

// newPlannerPage reads the form and plans.
func newPlannerPage(v PlannerView) plannerPage {
	p := plannerPage{Chrome: v.Chrome, Base: v.Base}
	form := plannerForm{query: v.Query, faults: map[string]string{}}
	asked := v.Query.Get(paramShare) != "" || v.Query.Get(paramMean) != ""
	if asked {
		if request := form.request(); len(form.faults) == 0 {
			p.answer(request, &form)
		}
	}
	p.Fault = form.faults[""]
	p.Metric = []plannerField{
		form.field(paramShare, "Share of units, %", "for a yes or no outcome: 97 if 97 of 100 viewers start"),
		form.field(paramMean, "or mean a unit", "for a number: hours, stalls, bitrate"),
		form.field(paramSD, "with standard deviation", "of units, not of sessions"),
	}
	p.Design = []plannerField{
		form.field(paramMDE, "Smallest lift worth finding, %", "of control's value"),
		form.field(paramWeights, "Split over the arms", "control first: 1, 1 or 9, 1 or 1, 1, 1"),
		form.method(),
	}
	p.Traffic = []plannerField{
		form.field(paramPerDay, "New units a day", "of the audience, first seen that day"),
		form.field(paramTraffic, "Share that takes part, %", "of them, over all arms"),
	}
	p.More = []plannerField{
		form.field(paramAlpha, "False-positive budget, %", "two-sided, of all primary metrics together"),
		form.field(paramPower, "Power, %", "chance to find the lift when it is there"),
		form.field(paramPrimary, "Primary metrics", "they share the budget"),
		form.field(paramLooks, "Looks", "of the group-sequential rule"),
		form.field(paramWindow, "Days to an outcome", "from a unit's exposure"),
		form.field(paramCluster, "Units in a cluster", "such as the viewers of a broadcaster"),
		form.field(paramICC, "Correlation within", "of two units of a cluster, 0 to 1"),
	}
	for _, f := range p.More {
		p.Open = p.Open || f.Error != "" || f.Value != plannerDefaults[f.Name]
	}
	return p
}

// plannerForm reads the fields and remembers what is wrong with which.
type plannerForm struct {
	query  url.Values
	faults map[string]string
}

func (f *plannerForm) text(name string) string {
	if f.query.Has(name) {
		return strings.TrimSpace(f.query.Get(name))
	}
	return plannerDefaults[name]
}

func (f *plannerForm) field(name, label, hint string) plannerField {
	return plannerField{Name: name, Label: label, Hint: hint, Value: f.text(name), Error: f.faults[name]}
}

// method is the choice of how the experiment will be decided.
func (f *plannerForm) method() plannerField {
	field := f.field(paramMethod, "Decided", "planned looks need an end date; quantiles are decided at any look all the same")
	field.Options = methodOptions(field.Value)
	return field
}

// methodOptions are the methods of a plan in words.
func methodOptions(chosen string) []option {
	out := []option{
		{Value: string(experiment.MethodSequential), Text: "at any look"},
		{Value: string(experiment.MethodGroupSequential), Text: "at planned looks"},
	}
	for i := range out {
		out[i].Selected = out[i].Value == chosen
	}
	return out
}

// number reads a field; an empty one is 0.
func (f *plannerForm) number(name string) float64 {
	text := strings.ReplaceAll(f.text(name), " ", "")
	if text == "" {
		return 0
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f.faults[name] = "must be a number"
	}
	return x
}

// whole reads a field that counts something.
func (f *plannerForm) whole(name string) int {
	x := f.number(name)
	if x != float64(int(x)) {
		f.faults[name] = "must be a whole number"
	}
	return int(x)
}

func (f *plannerForm) weights() []int64 {
	var out []int64
	for part := range strings.SplitSeq(f.text(paramWeights), ",") {
		w, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil {
			f.faults[paramWeights] = "must be whole numbers with commas between them"
			return nil
		}
		out = append(out, w)
	}
	return out
}

func (f *plannerForm) request() planning.Request {
	return planning.Request{
		Baseline: planning.Baseline{Share: f.number(paramShare) / 100, Mean: f.number(paramMean), SD: f.number(paramSD)},
		MDE:      f.number(paramMDE) / 100, Alpha: f.number(paramAlpha) / 100, Power: f.number(paramPower) / 100,
		Weights: f.weights(), Primary: f.whole(paramPrimary),
		Method: stats.RuleKind(f.text(paramMethod)), Looks: f.whole(paramLooks),
		UnitsPerDay: f.number(paramPerDay), Traffic: f.number(paramTraffic) / 100, WindowDays: f.number(paramWindow),
		ClusterSize: f.number(paramCluster), ClusterICC: f.number(paramICC),
	}
}

// plannerParams are the fields that a fault of planning is shown at.
var plannerParams = map[string]string{
	"baseline": paramShare, "baseline.share": paramShare, "baseline.mean": paramMean, "baseline.sd": paramSD,
	"mde": paramMDE, "alpha": paramAlpha, "power": paramPower, "primary": paramPrimary, "looks": paramLooks, "method": paramMethod,
	"units_per_day": paramPerDay, "traffic": paramTraffic, "window_days": paramWindow,
	"cluster_size": paramCluster, "cluster_icc": paramICC,
}

// answer plans, and shows the costs or what is wrong with the request.
func (p *plannerPage) answer(request planning.Request, form *plannerForm) {
	result, err := planning.Plan(request)
	if bad, ok := errors.AsType[*planning.Error](err); ok {
		field, _, _ := strings.Cut(bad.Field, "[")
		if field == "weights" {
			form.faults[paramWeights] = bad.Message
			return
		}
		form.faults[plannerParams[field]] = bad.Message
		return
	}
	if err != nil {
		form.faults[""] = err.Error()
		return
	}
	p.Answered = true
	main := &result.Rules[0]
	when := "whenever you look"
	if main.Rule == stats.RuleGroupSequential {
		when = "at " + plural(result.Request.Looks, "planned look", "planned looks")
	}
	p.Sentence = fmt.Sprintf("%s units find a lift of %s, %s", count(main.Units), sharePct(request.MDE), when)
	if main.Days != nil {
		p.Sentence += ": " + dayWords(*main.Days)
	}
	p.Sentence += "."
	for i := range result.Rules {
		rule := newPlannedRule(&result.Rules[i])
		rule.Main = i == 0 // that of the plan
		p.Rules = append(p.Rules, rule)
	}
	for _, s := range result.Traffic {
		p.Shares = append(p.Shares, plannedShare{Share: sharePct(s.Share), Days: dayWords(s.Days), Part: s.Days / result.Traffic[0].Days})
	}
	for _, d := range result.Detectable {
		p.Days = append(p.Days, plannedDay{
			Days: plural(d.Days, "day", "days"), Lift: sharePct(d.MDE), Units: count(d.Units),
			Part: d.MDE / result.Detectable[0].MDE, Enough: d.MDE <= max(request.MDE, -request.MDE),
		})
	}
	p.Command = planCommand(&result.Request)
}

// The rules in the words of the page.
var plannedRules = map[stats.RuleKind][2]string{
	stats.RuleSequential:      {"Sequential", "Look whenever, stop at any time."},
	stats.RuleGroupSequential: {"Group-sequential", "Look at planned times; needs an end date."},
	stats.RuleFixed:           {"Fixed", "One look at the end, none before."},
}

func newPlannedRule(c *planning.Cost) plannedRule {
	words := plannedRules[c.Rule]
	out := plannedRule{
		Name: words[0], Meaning: words[1], Units: count(c.Units), Days: "–",
		Factor: fmt.Sprintf("× %.2f", c.OverFixed),
	}
	if c.Expected != nil && c.ExpectedNone != nil {
		out.Meaning += fmt.Sprintf(" Stops at %s on average when the lift is there, at %s when nothing is.", count(*c.Expected), count(*c.ExpectedNone))
	}
	arms := make([]string, len(c.Arms))
	for i, n := range c.Arms {
		arms[i] = count(n)
	}
	out.Arms = strings.Join(arms, " + ")
	if c.Days != nil {
		out.Days = dayWords(*c.Days)
	}
	return out
}

// planCommand is the command line that answers the same.
func planCommand(r *planning.Request) string {
	var b strings.Builder
	b.WriteString("splitcast plan")
	flag := func(name string, x float64) {
		if x != 0 {
			fmt.Fprintf(&b, " --%s=%v", name, x)
		}
	}
	flag("share", r.Baseline.Share)
	flag("mean", r.Baseline.Mean)
	flag("sd", r.Baseline.SD)
	flag("mde", r.MDE)
	flag("alpha", r.Alpha)
	flag("power", r.Power)
	weights := make([]string, len(r.Weights))
	for i, w := range r.Weights {
		weights[i] = strconv.FormatInt(w, 10)
	}
	fmt.Fprintf(&b, " --weights=%s --primary=%d --looks=%d", strings.Join(weights, ","), r.Primary, r.Looks)
	if r.Method == stats.RuleGroupSequential {
		fmt.Fprintf(&b, " --method=%s", r.Method)
	}
	flag("units-per-day", r.UnitsPerDay)
	flag("traffic", r.Traffic)
	flag("window-days", r.WindowDays)
	flag("cluster-size", r.ClusterSize)
	flag("cluster-icc", r.ClusterICC)
	return b.String()
}

// sharePct formats a fraction as a percentage of three digits: "2.35 %".
func sharePct(x float64) string { return strconv.FormatFloat(100*x, 'g', 3, 64) + " %" }

// dayWords formats a number of days.
func dayWords(days float64) string {
	switch {
	case days < 10:
		return fmt.Sprintf("%.1f days", days)
	case days > 3650:
		return "more than ten years"
	}
	return plural(int(days+0.5), "day", "days")
}
