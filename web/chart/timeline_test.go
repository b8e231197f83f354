package chart

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTimelineGolden(t *testing.T) {
	t.Parallel()
	line := Timeline{Span: Span{launch, launch.AddDate(0, 0, 30)}, Now: launch.AddDate(0, 0, 20), Freezes: []Span{{launch.AddDate(0, 0, 3), launch.AddDate(0, 0, 4)}}}
	axis, err := line.Axis("A <month>")
	if err != nil {
		t.Fatal(err)
	}
	row, err := line.Row("An <experiment>", []TimelineBar{{Span{launch.AddDate(0, 0, -9), line.Now}, BarRunning}, {Span{line.Now, launch.AddDate(1, 0, 0)}, BarPlanned}})
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, axis+row)
	golden(t, "timeline.svg", axis+"\n"+row+"\n")
}

func TestTimelineRefuses(t *testing.T) {
	t.Parallel()
	var value *ValueError
	none := Timeline{Span: Span{launch, launch}}
	if _, err := none.Axis(""); !errors.As(err, &value) {
		t.Errorf("a timeline without extent: %v", err)
	}
	day := Timeline{Span: Span{launch, launch.AddDate(0, 0, 1)}}
	if _, err := day.Row("", []TimelineBar{{Span: Span{launch, launch}}}); !errors.As(err, &value) {
		t.Errorf("a bar without extent: %v", err)
	}
}

// Any stretch of time has some dates on its axis, and not too many.
func TestTimelineTicks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := launch.Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "from")) * time.Second)
		days := rapid.IntRange(8, 8_000).Draw(t, "days")
		line := Timeline{Span: Span{from, from.AddDate(0, 0, days)}, Now: from}
		_, ticks := line.ticks()
		if len(ticks) < 1 || len(ticks) > timelineLabels+2 {
			t.Fatalf("%d dates on an axis of %d days", len(ticks), days)
		}
		axis, err := line.Axis("")
		if err != nil || strings.Contains(axis, `x="-`) {
			t.Fatalf("Axis: %v %s", err, axis)
		}
	})
}
