package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
)

// launchProposal says what follows from what changes.
type launchProposal struct {
	Name, Unit, Design, Why, Primary string
	Guardrails                       []string
}

// launchInterference is the verdict about the arms' influence on one another.
type launchInterference struct {
	Word, Class, Words, Advice string
}

// launchPreview is a metric over the last days.
type launchPreview struct {
	Name, URL, Role, Value, Spread, Top, Tail, Needs string
	Units                                            string
	Warn                                             string // of the tail; empty: none
}

// launchAudience is the count of eligible units.
type launchAudience struct {
	Number, Sentence string
	Part             float64 // of all that were seen
	Notes            []string
}

// launchPlace is where the experiment would stand.
type launchPlace struct {
	Layer    layerPart
	New      bool
	Conflict string
	Ramp     string
	Meets    []launchMeeting
}

type launchMeeting struct {
	Name, URL, Layer, Share string
	Same                    bool
}

// launchReview is the last step.
type launchReview struct {
	Checks   []launchCheck
	Facts    [][2]string
	Document string
	Hard     int
	Launch   string // the words of the button
	Second   bool   // another person must approve it

	Reviewer, Note string // as typed
}

type launchCheck struct {
	Title, Detail, Step, StepTitle, Class, Word string
	OK                                          bool
}

// panels fills in what is known, as far as the step shows it.
func (p *launchPage) panels(v *LaunchView) {
	a := &v.Assessment
	if v.Draft == "" {
		return
	}
	switch v.Step {
	case launch.StepChange:
		p.proposal(v)
		p.interference(&a.Interference)
	case launch.StepMetrics:
		p.previews(v)
	case launch.StepAudience:
		p.Audience = newLaunchAudience(a.Audience)
	case launch.StepPower:
		p.Power = newLaunchPower(v)
	case launch.StepTraffic:
		p.place(v)
		p.interference(&a.Interference)
	case launch.StepReview:
		p.review(v)
	}
}

func (p *launchPage) proposal(v *LaunchView) {
	proposal := v.Assessment.Proposal
	if proposal == nil {
		return
	}
	names := metricNames(v.Metrics)
	out := launchProposal{
		Name: proposal.Name, Unit: string(proposal.Unit), Design: designWord(proposal.Design), Why: proposal.Why, Primary: names(proposal.Primary),
	}
	for _, g := range proposal.Guardrails {
		out.Guardrails = append(out.Guardrails, names(g.Metric)+", by no more than "+sharePct(g.Margin))
	}
	p.Proposal = &out
}

// metricNames returns what to call a metric.
func metricNames(all []metrics.Definition) func(key string) string {
	names := make(map[string]string, len(all))
	for i := range all {
		names[all[i].Key] = all[i].Name
	}
	return func(key string) string {
		if name, ok := names[key]; ok {
			return name
		}
		return key
	}
}

func (p *launchPage) interference(i *launch.Interference) {
	out := launchInterference{Words: i.Words, Advice: i.Advice, Class: "trust", Word: "Needs a switchback"}
	switch i.Verdict {
	case launch.InterferenceOK:
		out.Class, out.Word = "calm", "OK"
	case launch.InterferenceUnit:
		out.Word = "Needs broadcasters"
	case launch.InterferenceUnsaid:
		out.Class, out.Word = "open", "Not known"
	}
	p.Interference = &out
}

// previews lists the metrics of the plan that decide, as they were lately.
func (p *launchPage) previews(v *LaunchView) {
	add := func(key, role string, needs string) {
		preview, ok := v.Previews[key]
		if !ok {
			return
		}
		p.Previews = append(p.Previews, newLaunchPreview(&preview, v.Catalogue, role, needs))
	}
	for _, key := range v.Spec.Plan.Primary {
		needs := "–"
		if main, ok := v.Assessment.Power.Main(); ok {
			needs = fmt.Sprintf("%s to find %s", count(main.Units), sharePct(v.Spec.Plan.MDE))
		}
		add(key, "primary", needs)
	}
	for _, g := range v.Assessment.Guardrails {
		needs := "–"
		if g.Units != nil {
			needs = fmt.Sprintf("%s to exclude %s", count(*g.Units), sharePct(g.Margin))
		}
		add(g.Metric, "guardrail", needs)
	}
}

func newLaunchPreview(m *launch.MetricPreview, catalogue, role, needs string) launchPreview {
	d, shape := &m.Metric, &m.Preview.Shape
	out := launchPreview{Name: d.Name, URL: catalogue + "/" + d.Key, Role: role, Value: "–", Spread: "–", Top: "–", Tail: "–", Needs: needs}
	out.Units = count(m.Preview.Units)
	if shape.Value == nil {
		out.Value = shape.Refusal
		return out
	}
	out.Value = strconv.FormatFloat(*shape.Value, 'f', d.Decimals, 64) + " " + d.Unit
	if shape.Variance != nil && shape.Arm.Value != 0 {
		out.Spread = strconv.FormatFloat(math.Sqrt(shape.Arm.Variance)/math.Abs(shape.Arm.Value), 'g', 3, 64) + " ×"
	}
	if shape.TopShare != nil {
		out.Top = sharePct(*shape.TopShare)
	}
	if shape.TailIndex != nil {
		out.Tail = strconv.FormatFloat(*shape.TailIndex, 'g', 3, 64)
		if *shape.TailIndex <= 2 && !d.Capped() {
			out.Warn = "no end of the tail: take a cap"
		}
	}
	return out
}

func newLaunchAudience(c *launch.AudienceCount) *launchAudience {
	if c == nil {
		return &launchAudience{Number: "?", Sentence: "Stored sessions do not name units of this type, so nobody can be counted."}
	}
	out := &launchAudience{Number: count(c.Eligible)}
	days := fmt.Sprintf("the last %d days", launch.AudienceDays)
	if c.Truncated {
		days = "the last " + span(int64(c.Until.Sub(c.Since).Seconds()))
	}
	switch {
	case c.Seen == 0:
		out.Sentence = "No session of " + days + " names a " + string(c.Unit) + ". Connect a player first, or launch and wait."
		return out
	case c.Maybe > 0:
		out.Number = count(c.Eligible) + " to " + count(c.Eligible+c.Maybe)
	}
	out.Sentence = fmt.Sprintf("of %s of %s would have been in.", plural(c.Seen, string(c.Unit), string(c.Unit)+"s"), days)
	out.Part = float64(c.Eligible) / float64(c.Seen)
	if len(c.Unknown) > 0 {
		out.Notes = append(out.Notes, "Sessions do not keep "+strings.Join(c.Unknown, ", ")+": only services know it, so the count is a range.")
	} else if c.Maybe > 0 {
		out.Notes = append(out.Notes, "Of "+count(c.Maybe)+" an attribute that the audience reads was not reported.")
	}
	if perDay, ok := c.PerDay(); ok {
		out.Notes = append(out.Notes, "About "+count(int64(perDay+0.5))+" a day, each counted once.")
	}
	if c.Nameless > 0 {
		out.Notes = append(out.Notes, plural(c.Nameless, "session names", "sessions name")+" no "+string(c.Unit)+": whose they are is not known.")
	}
	if c.Truncated {
		out.Notes = append(out.Notes, "There were more: the newest "+count(c.Sessions)+" sessions were read.")
	}
	return out
}

func (p *launchPage) place(v *LaunchView) {
	place := v.Assessment.Placement
	if place == nil {
		return
	}
	view := LayerView{Key: place.Layer, Unit: place.Unit, Free: place.Free}
	for _, o := range place.Owners {
		view.Owners = append(view.Owners, SlotOwner{o.Experiment, o.Status, v.Experiment + "/" + o.Experiment, o.SlotRange})
	}
	out := &launchPlace{Layer: newLayerPart(&view), New: place.New, Conflict: place.Conflict, Ramp: rampWords(&v.Spec)}
	for _, r := range place.Ranges {
		out.Layer.Strip = append(out.Layer.Strip, stripPart{From: r.From, Width: r.Len(), Title: "this experiment: slots " + slotRange(r), New: true})
	}
	if place.Conflict == "" {
		out.Layer.Words += ", of which this experiment takes " + slotShare(place.Wanted)
	}
	for _, m := range place.Meets {
		out.Meets = append(out.Meets, launchMeeting{m.Name, v.Experiment + "/" + m.Experiment, m.Layer, sharePct(m.Share), m.SameChange})
	}
	p.Place = out
}

func (p *launchPage) review(v *LaunchView) {
	a := &v.Assessment
	names := metricNames(v.Metrics)
	r := &launchReview{Document: v.Document, Hard: a.Blockers(launch.LevelHard), Launch: "Launch"}
	if v.Spec.StartAt != nil {
		r.Launch = "Schedule"
	}
	if soft := a.Blockers(launch.LevelSoft); soft > 0 {
		r.Launch += " with " + plural(soft, "open point", "open points")
	}
	for _, c := range a.Checks {
		row := launchCheck{Title: c.Title, Detail: c.Detail, Step: string(c.Step), StepTitle: launchTitle(c.Step), OK: c.OK, Class: "calm", Word: "OK"}
		switch {
		case c.OK:
		case c.Level == launch.LevelHard:
			row.Class, row.Word = "worse", "Must be mended"
		default:
			row.Class, row.Word = "trust", "Better mended"
		}
		r.Checks = append(r.Checks, row)
	}
	if v.Reviewed {
		r.Second, r.Reviewer, r.Note = true, v.Form.Get(ParamReviewer), v.Form.Get(ParamNote)
		r.Launch = strings.Replace(r.Launch, "Launch", "Ask for a review", 1)
		r.Launch = strings.Replace(r.Launch, "Schedule", "Ask for a review", 1)
	}
	r.Facts = append([][2]string{{"Key", v.Spec.Key}, {"Arms", armKeys(&v.Spec)}}, launchFacts(&v.Spec, names)...)
	p.Review = r
}

func armKeys(spec *experiment.Spec) string {
	keys := make([]string, len(spec.Arms))
	for i := range spec.Arms {
		keys[i] = spec.Arms[i].Key
	}
	return strings.Join(keys, ", ")
}

// launchFacts lists in words what a launch fixes.
func launchFacts(spec *experiment.Spec, names func(string) string) [][2]string {
	var primary, guards []string
	for _, key := range spec.Plan.Primary {
		primary = append(primary, names(key))
	}
	for _, g := range spec.Plan.Guardrails {
		guards = append(guards, names(g.Metric)+" "+sharePct(g.Margin))
	}
	if len(guards) == 0 {
		guards = []string{"none"}
	}
	return [][2]string{
		{"Unit", string(spec.Unit)},
		{"Primary", strings.Join(primary, ", ")},
		{"Guardrails", strings.Join(guards, ", ")},
		{"Smallest lift", sharePct(spec.Plan.MDE)},
		{"Planned units", count(spec.Plan.Units)},
		{"Traffic", rampWords(spec)},
	}
}
