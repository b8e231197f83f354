// Package chart draws the pictures of a report as SVG: forest rows, the interval
// funnel over looks, and sparklines.
//
// The functions are pure: values in, markup out. They name CSS classes and never
// a colour, so themes, print and high contrast are the style sheet's business;
// positions along x are percentages, so a chart fills whatever width it is given
// and its text keeps its size. Every chart carries its words in title and desc,
// for a screen reader reads those. Nothing here estimates, rounds for meaning or
// decides who won: the caller says it, in State and in words. A number that is
// not a number is refused, never drawn.
//
//	forest, err := chart.NewForest([]chart.Row{{
//		Words:    "Startup p90: 3.1 % lower, between 4.4 % and 1.8 % lower at any look; better",
//		State:    chart.Better,
//		Estimate: &estimate,
//		Anytime:  &chart.Interval{Lo: 0.018, Hi: 0.044},
//	}})
//	svg := forest.Row(0)
package chart

import (
	"fmt"
	"math"
)

// Limits of a chart.
const (
	// MaxRows bounds a forest: 40 metrics times 11 treatment arms is the most
	// that a plan allows.
	MaxRows = 440
	// MaxPoints bounds the looks drawn by a funnel. A curve of 48 points is
	// smooth at 1,000 px and keeps the page and the table beneath it small.
	MaxPoints = 48
	// MaxSparkPoints bounds the looks drawn by a sparkline of 96 px.
	MaxSparkPoints = 20
	// MaxLooks bounds the looks that a series may be given before it is thinned.
	MaxLooks = 100_000
)

// State says what a row has shown. It becomes a class; the words beside the
// chart say the same.
type State string

// The states of a row.
const (
	Better    State = "better"
	Worse     State = "worse"
	Changed   State = "changed" // proven different, of a metric without a good side
	NotProven State = "open"
	Withheld  State = "trust" // the data are not trusted, so nothing is claimed
)

// Interval is a confidence interval. An infinite end is an end that the data do
// not bound; it is drawn open.
type Interval struct {
	Lo, Hi float64
}

// valid reports whether the interval can be drawn.
func (i Interval) valid() bool {
	return i.Lo <= i.Hi && !math.IsInf(i.Lo, 1) && !math.IsInf(i.Hi, -1)
}

// ValueError says which number of a chart cannot be drawn.
type ValueError struct {
	Index int    // of the row or point
	What  string // such as "estimate"
	Value string // as formatted by fmt
}

// Error returns the sentence.
func (e *ValueError) Error() string {
	return fmt.Sprintf("chart: %s of item %d is %s, which cannot be drawn", e.What, e.Index, e.Value)
}

// LimitError says that a chart was given more than it draws.
type LimitError struct {
	What       string
	Got, Limit int
}

// Error returns the sentence.
func (e *LimitError) Error() string {
	return fmt.Sprintf("chart: %d %s, at most %d are drawn", e.Got, e.What, e.Limit)
}

// checkNumber refuses a value that is present but not finite.
func checkNumber(index int, what string, v *float64) error {
	if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
		return &ValueError{Index: index, What: what, Value: fmt.Sprint(*v)}
	}
	return nil
}

// checkInterval refuses an interval that is present but has no order.
func checkInterval(index int, what string, i *Interval) error {
	if i != nil && !i.valid() {
		return &ValueError{Index: index, What: what, Value: fmt.Sprintf("[%v, %v]", i.Lo, i.Hi)}
	}
	return nil
}
