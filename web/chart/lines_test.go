package chart

import (
	"errors"
	"math"
	"testing"
)

func TestLines(t *testing.T) {
	t.Parallel()
	ticks := []Tick{{1, "1"}, {10, "10"}}
	good := Lines{
		Title: "A <curve>", Desc: "Words.", XName: "x", YName: "y", XTicks: ticks, YTicks: []Tick{{0, "0"}, {1, "1"}}, LogX: true, Rule: &Tick{0.5, "half"},
		Curves: []Curve{{"up", "line-a", []XY{{1, 0}, {3, 0.4}, {10, 2}}}, {"flat", "line-b", []XY{{1, 0.2}, {5, 0.2}}}},
	}
	out, err := good.SVG()
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, out)
	golden(t, "lines.svg", out+"\n")
	var value *ValueError
	var limit *LimitError
	for name, spoil := range map[string]func(*Lines){
		"no extent":    func(l *Lines) { l.YTicks = ticks[:1] },
		"no ticks":     func(l *Lines) { l.XTicks = nil },
		"log of zero":  func(l *Lines) { l.Curves[0].Points[0].X = 0 },
		"not a number": func(l *Lines) { l.Curves[0].Points[1].Y = math.NaN() },
	} {
		bad := good
		bad.Curves = []Curve{{"up", "line-a", []XY{{1, 0}, {3, 0.4}}}}
		spoil(&bad)
		if _, err := bad.SVG(); !errors.As(err, &value) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n, want := range map[int]bool{0: true, 1: false, MaxCurvePoints: false, MaxCurvePoints + 1: true} {
		l := good
		l.Curves = []Curve{{"", "line-a", make([]XY, n)}}
		for i := range n {
			l.Curves[0].Points[i].X = float64(i + 1)
		}
		if _, err := l.SVG(); errors.As(err, &limit) != want {
			t.Errorf("%d points: %v", n, err)
		}
	}
	for n, want := range map[int]bool{MaxCurves: false, MaxCurves + 1: true} {
		l := good
		l.Curves = make([]Curve, n)
		for i := range l.Curves {
			l.Curves[i].Points = []XY{{1, 1}}
		}
		if _, err := l.SVG(); errors.As(err, &limit) != want {
			t.Errorf("%d curves: %v", n, err)
		}
	}
}
