package launch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Step is a part of the preparation, where a check is mended.
type Step string

// The steps in their order.
const (
	StepChange   Step = "change"
	StepMetrics  Step = "metrics"
	StepAudience Step = "audience"
	StepPower    Step = "power"
	StepTraffic  Step = "traffic"
	StepReview   Step = "review"
)

// Steps returns the steps in their order.
func Steps() []Step {
	return []Step{StepChange, StepMetrics, StepAudience, StepPower, StepTraffic, StepReview}
}

// StepOf returns the step in which a field of experiment.Spec is filled in.
func StepOf(field string) Step {
	for _, f := range []struct {
		prefix string
		step   Step
	}{
		{"plan.primary", StepMetrics},
		{"plan.secondary", StepMetrics},
		{"plan.guardrails", StepMetrics},
		{"plan", StepPower},
		{"unit", StepAudience},
		{"audience", StepAudience},
		{"layer", StepTraffic},
		{"slots", StepTraffic},
		{"ramp", StepTraffic},
		{"start_at", StepTraffic},
		{"stop_at", StepTraffic},
		{"requires", StepTraffic},
		{"ignore_holdouts", StepTraffic},
		{"on_pause", StepTraffic},
		{"status", StepReview},
	} {
		if strings.HasPrefix(field, f.prefix) {
			return f.step
		}
	}
	return StepChange
}

// Level is what a failing check means.
type Level string

// The levels.
const (
	LevelHard Level = "hard" // it cannot be launched
	LevelSoft Level = "soft" // it can, and the launch says that it was known
)

// Check is one line of the checklist.
type Check struct {
	Level  Level  `json:"level"`
	OK     bool   `json:"ok"`
	Step   Step   `json:"step"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
}

// Bounds of the checklist.
const (
	// longDays is when a plan takes longer than most teams keep still.
	longDays = 28
	// shortUnits is the part of the needed units below which a plan is too small
	// to be likely to find what it looks for.
	shortUnits = 0.7
	// wideStart is the part of the traffic at which a change should not begin at
	// once.
	wideStart = 0.5
	// endlessTail is the tail index at which the variance of a mean has no limit.
	endlessTail = 2
)

func checklist(in *Input, a *Assessment) []Check {
	var out []Check
	for _, fault := range in.Faults {
		c := Check{Level: LevelHard, Step: StepOf(fault.Field), Title: capital(fault.Message)}
		if fault.Field != "" {
			c.Detail = "In " + fault.Field + "."
		}
		out = append(out, c)
	}
	out = append(out, checkKey(in), checkPlace(a), checkWhy(in), checkGuardrails(in), checkAudience(in))
	out = append(out, checkPower(in, a)...)
	out = append(out, checkTail(in)...)
	out = append(out, checkInterference(a), checkMeetings(a), checkStart(in))
	rank := func(c Check) int {
		switch {
		case c.OK:
			return 2
		case c.Level == LevelSoft:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(x, y Check) int { return rank(x) - rank(y) })
	return out
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// group writes a count with commas between thousands.
func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func checkKey(in *Input) Check {
	c := Check{Level: LevelHard, Step: StepChange, OK: true, Title: "The key is free"}
	for i := range in.Others {
		if in.Others[i].Key == in.Spec.Key {
			c.OK, c.Title, c.Detail = false, "The key is taken", "There is an experiment "+in.Spec.Key+" already. Give this one another key."
		}
	}
	return c
}

func checkPlace(a *Assessment) Check {
	c := Check{Level: LevelHard, Step: StepTraffic, OK: true, Title: "The layer has room"}
	if a.Placement.Conflict != "" {
		c.OK, c.Title, c.Detail = false, "The layer has no room", capital(a.Placement.Conflict)+"."
	}
	return c
}

func checkWhy(in *Input) Check {
	c := Check{Level: LevelSoft, Step: StepChange, OK: true, Title: "Who owns it and why is written down"}
	switch why, who := in.Spec.Hypothesis != "", in.Spec.Owner != ""; {
	case !why && !who:
		c.OK, c.Title = false, "It has no hypothesis and no owner"
	case !why:
		c.OK, c.Title = false, "It has no hypothesis"
	case !who:
		c.OK, c.Title = false, "It has no owner"
	}
	if !c.OK {
		c.Detail = "Whoever reads the report in a year was not there."
	}
	return c
}

func checkGuardrails(in *Input) Check {
	c := Check{Level: LevelSoft, Step: StepMetrics, OK: true, Title: "Guardrails watch for harm"}
	if len(in.Spec.Plan.Guardrails) == 0 {
		c.OK, c.Title, c.Detail = false, "Nothing watches for harm", "Add at least one guardrail: a change that helps the primary metric can still break starts."
	}
	return c
}

func checkAudience(in *Input) Check {
	c := Check{Level: LevelSoft, Step: StepAudience, OK: true, Title: "There is somebody to expose"}
	n := in.Audience
	switch {
	case n == nil:
		c.OK, c.Title, c.Detail = false, "The audience was not counted", "Stored sessions name no units of this type."
	case n.Seen == 0:
		c.OK, c.Title = false, "No telemetry of such units lately"
		c.Detail = fmt.Sprintf("No session of the last %d days names a %s. Connect a player, or there will be nothing to compare.", AudienceDays, n.Unit)
	case n.Eligible+n.Maybe == 0:
		c.OK, c.Title, c.Detail = false, "Nobody fits the audience", "No unit of the last days would have been in."
	case n.Eligible == 0:
		c.OK, c.Title = false, "It is not known whom the audience fits"
		c.Detail = "Sessions do not keep " + strings.Join(n.Unknown, ", ") + "; only services know."
	}
	return c
}

func checkPower(in *Input, a *Assessment) []Check {
	c := Check{Level: LevelSoft, Step: StepPower, OK: true, Title: "The plan can find what it looks for"}
	main, ok := a.Power.Main()
	if !ok {
		c.OK, c.Title = false, "Nobody knows how long it takes"
		if a.Power != nil {
			c.Detail = "The primary metric could not be previewed: " + strings.TrimSuffix(a.Power.Refusal, ".") + "."
		}
		return []Check{c}
	}
	if units := in.Spec.Plan.Units; float64(units) < shortUnits*float64(main.Units) {
		c.OK, c.Title = false, "The plan is too small for its lift"
		c.Detail = fmt.Sprintf("It plans %s units; finding a lift of %.3g %% takes about %s.", group(units), 100*in.Spec.Plan.MDE, group(main.Units))
	}
	out := []Check{c}
	if main.Days == nil {
		return out
	}
	long := Check{Level: LevelSoft, Step: StepPower, OK: true, Title: "It is done within four weeks"}
	end := in.Spec.Plan.End
	switch {
	case end != nil && end.Sub(in.Now).Hours()/24 < *main.Days:
		long.OK, long.Title = false, "It ends before it is done"
		long.Detail = fmt.Sprintf("With this traffic it takes about %.0f days.", *main.Days)
	case *main.Days > longDays:
		long.OK, long.Title = false, fmt.Sprintf("It takes about %.0f days", *main.Days)
		long.Detail = "Take more traffic, a larger lift, or a primary metric that varies less."
	}
	return append(out, long)
}

func checkTail(in *Input) []Check {
	var out []Check
	for _, key := range in.Spec.Plan.Primary {
		p, ok := in.Previews[key]
		if !ok || p.Metric.Capped() || p.Preview.Shape.TailIndex == nil || *p.Preview.Shape.TailIndex > endlessTail {
			continue
		}
		out = append(out, Check{
			Level: LevelSoft, Step: StepMetrics, Title: p.Metric.Name + " has a tail without end",
			Detail: "A few units decide its mean, however many come. Take a capped metric.",
		})
	}
	return out
}

func checkInterference(a *Assessment) Check {
	c := Check{Level: LevelSoft, Step: StepTraffic, OK: true, Title: "The arms do not disturb one another"}
	switch a.Interference.Verdict {
	case InterferenceSwitchback:
		c.OK, c.Title = false, "The arms share links"
	case InterferenceUnit:
		c.OK, c.Title, c.Step = false, "The unit does not fit the change", StepAudience
	case InterferenceUnsaid:
		c.OK, c.Title, c.Step = false, "It is not said what changes", StepChange
	}
	if !c.OK {
		c.Detail = strings.TrimSpace(a.Interference.Words + " " + a.Interference.Advice)
	}
	return c
}

func checkMeetings(a *Assessment) Check {
	c := Check{Level: LevelSoft, Step: StepTraffic, OK: true, Title: "No other experiment on the same thing shares its units"}
	for _, m := range a.Placement.Meets {
		if m.SameChange {
			c.OK, c.Title = false, m.Experiment+" changes the same thing"
			c.Detail = fmt.Sprintf("Up to %.3g %% of the units would be in both. Put both into the layer %s to keep them apart.", 100*m.Share, m.Layer)
			break
		}
	}
	return c
}

func checkStart(in *Input) Check {
	c := Check{Level: LevelSoft, Step: StepTraffic, OK: true, Title: "It begins small"}
	total, treated := int64(0), int64(0)
	for i, w := range in.Spec.Weights() {
		total += w
		if i > 0 {
			treated += w
		}
	}
	if total == 0 {
		return c
	}
	slots, past := firstSlots(&in.Spec, in.Now)
	part := float64(slots) / experiment.TotalSlots
	if past > 0 {
		c.OK, c.Title = false, fmt.Sprintf("It begins with %.3g %% of the traffic: the time of %d of the %d steps of its ramp is past", 100*part, past, len(in.Spec.Ramp))
		c.Detail = "Choose the ramp anew and it begins at launch."
		return c
	}
	if part >= wideStart {
		c.OK, c.Title = false, fmt.Sprintf("It begins with %.3g %% of the traffic", 100*part)
		c.Detail = fmt.Sprintf("The change reaches %.3g %% of all units in the first minute. A ramp moves nobody between arms.", 100*part*float64(treated)/float64(total))
	}
	return c
}

// firstSlots returns what an experiment owns once it runs, and how many steps of its
// ramp are due by then: they are taken at once.
func firstSlots(spec *experiment.Spec, now time.Time) (slots, past int) {
	begin := now
	if spec.StartAt != nil && spec.StartAt.After(now) {
		begin = *spec.StartAt
	}
	slots = spec.Slots
	for _, step := range spec.Ramp {
		if step.At.After(begin) {
			break
		}
		slots = max(slots, step.Slots)
		past++
	}
	return slots, past
}
