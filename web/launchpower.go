package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/stats"
	"github.com/splitcast/splitcast/web/chart"
)

// launchPower is what the plan costs.
type launchPower struct {
	Sentence, Refusal string
	Note              string
	Rules             []plannedRule
	Shares            []plannedShare
	Days              []plannedDay
	Curve             template.HTML // empty: the traffic is not known
}

func newLaunchPower(v *LaunchView) *launchPower {
	power := v.Assessment.Power
	main, ok := power.Main()
	if !ok {
		out := &launchPower{Refusal: "Choose a primary metric first."}
		if power != nil {
			out.Refusal = "The primary metric has no numbers of the last days to plan with: " + strings.TrimSuffix(power.Refusal, ".") +
				". The plan takes 100,000 units unless you say otherwise; the planner answers for numbers that you know."
		}
		return out
	}
	when := "whenever you look"
	if main.Rule == stats.RuleGroupSequential {
		when = "at " + plural(power.Result.Request.Looks, "planned look", "planned looks")
	}
	out := &launchPower{Note: tight(power.Note), Sentence: fmt.Sprintf("%s units find a lift of %s, %s", count(main.Units), sharePct(v.Spec.Plan.MDE), when)}
	if main.Days != nil {
		out.Sentence += ": " + dayWords(*main.Days) + " with " + sharePct(power.Result.Request.Traffic) + " of the traffic"
	}
	out.Sentence += "."
	for i := range power.Result.Rules {
		rule := newPlannedRule(&power.Result.Rules[i])
		rule.Main = i == 0 // that of the plan
		out.Rules = append(out.Rules, rule)
	}
	for _, s := range power.Result.Traffic {
		out.Shares = append(out.Shares, plannedShare{Share: sharePct(s.Share), Days: dayWords(s.Days), Part: s.Days / power.Result.Traffic[0].Days})
	}
	for _, d := range power.Result.Detectable {
		out.Days = append(out.Days, plannedDay{
			Days: plural(d.Days, "day", "days"), Lift: sharePct(d.MDE), Units: count(d.Units),
			Part: d.MDE / power.Result.Detectable[0].MDE, Enough: d.MDE <= v.Spec.Plan.MDE,
		})
	}
	out.Curve = powerCurve(power.Curves(), v.Spec.Plan.MDE)
	return out
}

// The picture reaches as high as most of the ramp's smallest step needs at four
// weeks, within these multiples of the lift of the plan: below the least nothing
// is seen of the way there, above the most nothing of the place itself.
const (
	leastCurveTop = 2.0
	mostCurveTop  = 8.0
	curveTicks    = 4
)

// curveTop is the highest lift of the picture.
func curveTop(curves []launch.TrafficCurve, mde float64) float64 {
	top := leastCurveTop * mde
	for _, c := range curves {
		for _, p := range c.Points {
			if p.Days == 28 {
				top = max(top, 1.2*p.MDE)
			}
		}
	}
	return min(top, mostCurveTop*mde)
}

// powerCurve draws what can be found by day and share of the traffic; empty
// without curves.
func powerCurve(curves []launch.TrafficCurve, mde float64) template.HTML {
	l := chart.Lines{
		Title: "Lift that can be found, by day and share of the traffic",
		XName: "days", YName: "lift that can be found",
		Rule: &chart.Tick{At: mde, Text: sharePct(mde) + ": worth finding"},
	}
	for _, day := range []int{0, 7, 14, 21, 28, 42, 56} {
		l.XTicks = append(l.XTicks, chart.Tick{At: float64(day), Text: count(day)})
	}
	top := curveTop(curves, mde)
	for i := range curveTicks + 1 {
		at := top * float64(i) / curveTicks
		l.YTicks = append(l.YTicks, chart.Tick{At: at, Text: sharePct(at)})
	}
	classes := [...]string{"line-d", "line-b", "line-c", "line-a"}
	for i, c := range curves {
		curve := chart.Curve{Name: sharePct(c.Share), Class: classes[i%len(classes)]}
		for _, p := range c.Points {
			if p.MDE <= top {
				curve.Points = append(curve.Points, chart.XY{X: float64(p.Days), Y: p.MDE})
			}
		}
		if n := len(c.Points); n > 0 {
			l.Desc += fmt.Sprintf("With %s of the traffic, %s after %d days. ", sharePct(c.Share), sharePct(c.Points[n-1].MDE), c.Points[n-1].Days)
		}
		if len(curve.Points) > 0 {
			l.Curves = append(l.Curves, curve)
		}
	}
	if len(l.Curves) == 0 {
		return ""
	}
	svg, err := l.SVG()
	if err != nil { // numbers that no picture holds: the table says them
		return ""
	}
	return template.HTML(svg) //nolint:gosec // package chart escapes what it is given
}
