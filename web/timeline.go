package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web/chart"
)

// TimelineView is the experiments by when they run.
type TimelineView struct {
	Chrome
	Base        string // path of the list
	New         string // address of the form that makes an experiment; empty: there is none
	Filter      Filter
	Choice      TimelineChoice
	Experiments []experiment.Experiment // those that match
	Freezes     []experiment.Freeze     // those that end within the time shown, or later
	Now         time.Time
	Total       int // of all experiments, matching or not
}

// TimelineChoice is how a timeline is arranged, from the query of the page.
type TimelineChoice struct {
	Group string // groupLayer or groupOwner
	Days  int    // how far back it goes; 0: to the first
}

// The query parameters of the timeline.
const (
	ParamGroup = "group"
	ParamBack  = "back" // days

	// ViewTimeline is the value of ParamView that shows it.
	ViewTimeline = "timeline"

	groupLayer = "layer"
	groupOwner = "owner"
)

// Times of a timeline.
const (
	// timelineAhead is how far beyond now it goes at least, as a part of the
	// whole, and timelineMostAhead at most: a plan for next year must not squash
	// this month.
	timelineAhead     = 0.08
	timelineMostAhead = 0.5
	// timelineLeast keeps an hour from filling the width.
	timelineLeast = 7 * 24 * time.Hour
	// MaxTimeline bounds the rows of a page.
	MaxTimeline = 400
)

// timelineDays are the choices of how far back it goes.
var timelineDays = []struct {
	days int
	text string
}{{90, "Quarter"}, {365, "Year"}, {0, "All"}}

// ReadTimelineChoice returns the arrangement in a query. What does not exist is
// the first choice: it comes from an address that a person edited.
func ReadTimelineChoice(q url.Values) TimelineChoice {
	c := TimelineChoice{Group: groupLayer, Days: timelineDays[0].days}
	if q.Get(ParamGroup) == groupOwner {
		c.Group = groupOwner
	}
	for _, d := range timelineDays {
		if q.Get(ParamBack) == strconv.Itoa(d.days) {
			c.Days = d.days
		}
	}
	return c
}

// timelinePage is the view ready for the template.
type timelinePage struct {
	Chrome
	Base, New, Query string
	Statuses         []option
	Views            []Link
	Groupings, Spans []Link
	Kept             []hidden
	Axis             template.HTML
	Groups           []timelineGroup
	Freezes          []timelineFreeze
	Shown            string
	Total            int
}

type timelineGroup struct {
	Name string
	Rows []timelineItem
}

type timelineItem struct {
	Name, Key, URL, Dates string
	Status                string
	Chart                 template.HTML
}

type timelineFreeze struct {
	Key, Reason string
	From, To    stamp
}

func newTimelinePage(v TimelineView) (timelinePage, error) {
	p := timelinePage{Chrome: v.Chrome, Base: v.Base, New: v.New, Query: v.Filter.Query, Total: v.Total, Statuses: statusOptions(v.Filter.Status)}
	p.links(&v)
	rows, earlier := timelineShown(&v)
	line := timelineOf(&v, rows)
	for _, z := range v.Freezes {
		if z.From.Before(line.To) && z.To.After(line.From) {
			line.Freezes = append(line.Freezes, chart.Span{From: z.From, To: z.To})
			p.Freezes = append(p.Freezes, timelineFreeze{z.Key, z.Reason, newStamp(&z.From, clockFormat), newStamp(&z.To, clockFormat)})
		}
	}
	axis, err := line.Axis("Time from " + line.From.UTC().Format(dayFormat) + " to " + line.To.UTC().Format(dayFormat))
	if err != nil {
		return p, err
	}
	p.Axis = template.HTML(axis) //nolint:gosec // drawn by package chart, which escapes every text
	p.Shown = plural(len(rows), "experiment", "experiments")
	if earlier > 0 {
		p.Shown += "; " + count(earlier) + " ended earlier"
	}
	err = p.group(&v, line, rows)
	return p, err
}

// group puts the rows in their groups, each in the order of time.
func (p *timelinePage) group(v *TimelineView, line chart.Timeline, rows []*experiment.Experiment) error {
	at := map[string]int{}
	for _, e := range rows {
		name := e.LayerKey()
		if v.Choice.Group == groupOwner {
			name = cmp.Or(e.Owner, "no owner")
		} else if e.Layer == "" {
			name = "layers of their own"
		}
		i, ok := at[name]
		if !ok {
			i = len(p.Groups)
			at[name] = i
			p.Groups = append(p.Groups, timelineGroup{Name: name})
		}
		item := timelineItem{
			Name: cmp.Or(e.Name, e.Key), Key: e.Key, URL: v.Base + "/" + e.Key, Status: timelineStatus(e), Dates: timelineDates(e, v.Now),
		}
		svg, err := line.Row(item.Name+": "+item.Status+", "+item.Dates, timelineBars(e, v.Now))
		if err != nil {
			return fmt.Errorf("experiment %s: %w", e.Key, err)
		}
		item.Chart = template.HTML(svg) //nolint:gosec // drawn by package chart, which escapes every text
		p.Groups[i].Rows = append(p.Groups[i].Rows, item)
	}
	slices.SortStableFunc(p.Groups, func(a, b timelineGroup) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// links are the ways to see the same otherwise.
func (p *timelinePage) links(v *TimelineView) {
	to := func(view, group string, days int) string {
		q := url.Values{}
		if v.Filter.Status != "" {
			q.Set(ParamStatus, string(v.Filter.Status))
		}
		if v.Filter.Query != "" {
			q.Set(ParamQuery, v.Filter.Query)
		}
		if view != "" {
			q.Set(ParamView, view)
			q.Set(ParamGroup, group)
			q.Set(ParamBack, strconv.Itoa(days))
		}
		if len(q) == 0 {
			return v.Base
		}
		return v.Base + "?" + q.Encode()
	}
	c := v.Choice
	p.Views = []Link{{Text: "List", URL: to("", "", 0)}, {Text: "Timeline", URL: to(ViewTimeline, c.Group, c.Days), Current: true}}
	for _, g := range []struct{ key, text string }{{groupLayer, "By layer"}, {groupOwner, "By owner"}} {
		p.Groupings = append(p.Groupings, Link{Text: g.text, URL: to(ViewTimeline, g.key, c.Days), Current: g.key == c.Group})
	}
	for _, d := range timelineDays {
		p.Spans = append(p.Spans, Link{Text: d.text, URL: to(ViewTimeline, c.Group, d.days), Current: d.days == c.Days})
	}
	p.Kept = []hidden{{ParamView, ViewTimeline}, {ParamGroup, c.Group}, {ParamBack, strconv.Itoa(c.Days)}}
}

// timelineStart is when an experiment started, or is to; nil: neither is known.
func timelineStart(e *experiment.Experiment) *time.Time {
	if e.StartedAt != nil {
		return e.StartedAt
	}
	if e.Status == experiment.StatusDraft {
		return e.StartAt
	}
	return nil
}

// timelinePlanned is when an experiment is planned to end; nil: it is not.
func timelinePlanned(e *experiment.Experiment) *time.Time {
	switch {
	case e.StopAt != nil:
		return e.StopAt
	case e.Plan.End != nil:
		return &e.Plan.End.Time
	}
	return nil
}

// timelineShown returns the experiments that have a place in the time shown, in
// its order, and how many ended before it.
func timelineShown(v *TimelineView) (rows []*experiment.Experiment, earlier int) {
	for i := range v.Experiments {
		e := &v.Experiments[i]
		if timelineStart(e) == nil {
			continue
		}
		if v.Choice.Days > 0 && e.StoppedAt != nil && e.StoppedAt.Before(v.Now.AddDate(0, 0, -v.Choice.Days)) {
			earlier++
			continue
		}
		rows = append(rows, e)
	}
	slices.SortStableFunc(rows, func(a, b *experiment.Experiment) int {
		return cmp.Or(timelineStart(a).Compare(*timelineStart(b)), strings.Compare(a.Key, b.Key))
	})
	if n := len(rows) - MaxTimeline; n > 0 { // the newest
		rows, earlier = rows[n:], earlier+n
	}
	return rows, earlier
}

// timelineOf returns the time that the rows span, within the choice.
func timelineOf(v *TimelineView, rows []*experiment.Experiment) chart.Timeline {
	from, ahead := v.Now.Add(-timelineLeast), v.Now
	for _, e := range rows {
		if at := timelineStart(e); at.Before(from) {
			from = *at
		}
		for _, at := range []*time.Time{timelineStart(e), timelinePlanned(e)} {
			if at != nil && at.After(ahead) && e.StoppedAt == nil {
				ahead = *at
			}
		}
	}
	if limit := v.Now.AddDate(0, 0, -v.Choice.Days); v.Choice.Days > 0 && from.Before(limit) {
		from = limit
	}
	past := v.Now.Sub(from)
	least, most := v.Now.Add(time.Duration(timelineAhead*float64(past))), v.Now.Add(time.Duration(timelineMostAhead*float64(past)))
	if ahead.Before(least) {
		ahead = least
	}
	if ahead.After(most) {
		ahead = most
	}
	return chart.Timeline{Span: chart.Span{From: from, To: ahead}, Now: v.Now}
}

// timelineBars are what was, and what is planned.
func timelineBars(e *experiment.Experiment, now time.Time) []chart.TimelineBar {
	var bars []chart.TimelineBar
	add := func(from, to time.Time, class chart.BarClass) {
		if from.Before(to) {
			bars = append(bars, chart.TimelineBar{Span: chart.Span{From: from, To: to}, Class: class})
		}
	}
	start, planned := *timelineStart(e), timelinePlanned(e)
	switch {
	case e.Status == experiment.StatusDraft:
		to := start.Add(timelineLeast) // how long is not known
		if planned != nil {
			to = *planned
		}
		add(start, to, chart.BarPlanned)
		return bars
	case e.StoppedAt != nil:
		class := chart.BarStopped
		if e.ShippedArm != "" {
			class = chart.BarShipped
		}
		add(start, *e.StoppedAt, class)
		return bars
	case e.Status == experiment.StatusPaused:
		add(start, now, chart.BarPaused)
	default:
		add(start, now, chart.BarRunning)
	}
	if planned != nil {
		add(now, *planned, chart.BarPlanned)
	}
	return bars
}

// timelineStatus words a status.
func timelineStatus(e *experiment.Experiment) string {
	if e.ShippedArm != "" {
		return "Shipped " + e.ShippedArm
	}
	return statusWord(e.Status)
}

// timelineDates words from when to when.
func timelineDates(e *experiment.Experiment, now time.Time) string {
	start, end := *timelineStart(e), e.StoppedAt
	text := start.UTC().Format(dayFormat)
	switch planned := timelinePlanned(e); {
	case end != nil:
		return text + " – " + end.UTC().Format(dayFormat) + ", " + span(int64(end.Sub(start).Seconds()))
	case e.Status == experiment.StatusDraft:
		return "starts " + text
	case planned != nil && planned.After(now):
		return "since " + text + ", ends " + planned.UTC().Format(dayFormat)
	}
	return "since " + text + ", " + span(int64(now.Sub(start).Seconds()))
}
