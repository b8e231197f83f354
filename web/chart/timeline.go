package chart

import (
	"fmt"
	"strconv"
	"time"
)

// Sizes of a timeline in px.
const (
	timelineRow  = 26
	timelineBar  = 12
	timelineAxis = 34
	// timelineLabels is how many dates stand on the axis at most: more do not fit
	// at 360 px.
	timelineLabels = 5
)

// Span is a stretch of time.
type Span struct{ From, To time.Time }

// valid reports whether the span can be drawn.
func (s Span) valid() bool { return s.From.Before(s.To) }

// Timeline is a stretch of time that rows share.
type Timeline struct {
	Span
	Now     time.Time
	Freezes []Span // shaded in every row
}

// BarClass is the look of a bar.
type BarClass string

// The looks of bars. The words beside a row say the same.
const (
	BarRunning BarClass = "running"
	BarPaused  BarClass = "paused"
	BarStopped BarClass = "stopped"
	BarShipped BarClass = "shipped"
	BarPlanned BarClass = "planned" // what is to come
)

// TimelineBar is a stretch of one row.
type TimelineBar struct {
	Span
	Class BarClass
}

// check refuses a stretch that is none.
func (t Timeline) check() error {
	if !t.valid() {
		return &ValueError{What: "timeline", Value: t.From.String() + " to " + t.To.String()}
	}
	return nil
}

// at is a place in per cent.
func (t Timeline) at(when time.Time) float64 {
	return 100 * float64(when.Sub(t.From)) / float64(t.To.Sub(t.From))
}

// Axis draws the dates. It returns a *ValueError when the timeline has no extent.
func (t Timeline) Axis(words string) (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	var c canvas
	c.open("timeline-axis", timelineAxis, words, "")
	layout, ticks := t.ticks()
	for _, tick := range ticks {
		at := t.at(tick)
		c.raw(`<line class="grid" y1="22" y2="34"`)
		c.pct("x1", at)
		c.pct("x2", at)
		c.raw("/>")
		if at < 4 || at > 94 { // its text would leave the frame
			continue
		}
		c.raw(`<text class="axis-tick" y="14"`)
		c.pct("x", at)
		c.raw(">")
		c.text(tick.Format(layout))
		c.raw("</text>")
	}
	t.now(&c, timelineAxis)
	return c.close(), nil
}

// Row draws the bars of one row. It returns a *ValueError when the timeline or a
// bar has no extent.
func (t Timeline) Row(words string, bars []TimelineBar) (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	var c canvas
	c.open("timeline", timelineRow, words, "")
	_, ticks := t.ticks()
	for _, tick := range ticks {
		c.raw(`<line class="grid" y1="0" y2="`, strconv.Itoa(timelineRow), `"`)
		c.pct("x1", t.at(tick))
		c.pct("x2", t.at(tick))
		c.raw("/>")
	}
	for _, z := range t.Freezes {
		t.rect(&c, "freeze", z, 0, timelineRow)
	}
	for i, b := range bars {
		if !b.valid() {
			return "", &ValueError{Index: i, What: "bar", Value: fmt.Sprint(b.From, " to ", b.To)}
		}
		t.rect(&c, "bar-"+string(b.Class), b.Span, (timelineRow-timelineBar)/2, timelineBar)
	}
	t.now(&c, timelineRow)
	return c.close(), nil
}

// rect draws what of a span is within the timeline.
func (t Timeline) rect(c *canvas, class string, s Span, y, height int) {
	from, to := max(0, t.at(s.From)), min(100, t.at(s.To))
	if to <= from {
		return
	}
	c.raw(`<rect class="`, class, `" rx="3" y="`, strconv.Itoa(y), `" height="`, strconv.Itoa(height), `"`)
	c.pct("x", from)
	c.pct("width", max(to-from, 0.4)) // an hour of a year is seen, too
	c.raw("/>")
}

// now draws the line of the present.
func (t Timeline) now(c *canvas, height int) {
	if at := t.at(t.Now); at >= 0 && at <= 100 {
		c.raw(`<line class="now" y1="0" y2="`, strconv.Itoa(height), `"`)
		c.pct("x1", at)
		c.pct("x2", at)
		c.raw("/>")
	}
}

// ticks returns round dates, and how to write them.
func (t Timeline) ticks() (layout string, out []time.Time) {
	days := t.To.Sub(t.From).Hours() / 24
	first := t.From.UTC().Truncate(24 * time.Hour)
	if days <= 80 {
		step := 1
		for days/float64(step) > timelineLabels {
			step = map[int]int{1: 2, 2: 7, 7: 14, 14: 28, 28: 56}[step]
		}
		for day := first; !day.After(t.To); day = day.AddDate(0, 0, 1) {
			whole := int(day.Unix() / 86400)
			if whole%step == 0 && !day.Before(t.From) {
				out = append(out, day)
			}
		}
		return "2 Jan", out
	}
	step := 1
	for _, months := range []int{1, 2, 3, 6, 12, 24, 60, 120} {
		if step = months; days/30.4/float64(months) <= timelineLabels {
			break
		}
	}
	for month := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC); !month.After(t.To); month = month.AddDate(0, 1, 0) {
		if (month.Year()*12+int(month.Month())-1)%step == 0 && !month.Before(t.From) {
			out = append(out, month)
		}
	}
	if step >= 12 {
		return "2006", out
	}
	return "Jan 2006", out
}
