package chart

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

var launch = time.Date(2026, 11, 12, 14, 5, 0, 0, time.FixedZone("Tokyo", 9*3600))

// series is n looks whose interval narrows as the root of the look.
func series(n int, estimate, half float64) []Point {
	out := make([]Point, n)
	for i := range out {
		w := half * math.Sqrt(float64(n)/float64(i+1))
		e := estimate + w*0.3*math.Sin(float64(i))/float64(i+1)
		out[i] = Point{
			Look: i + 1, At: launch.Add(time.Duration(i) * time.Hour), Estimate: e,
			Anytime: Interval{e - 1.7*w, e + 1.7*w}, Fixed: &Interval{e - w, e + w},
		}
	}
	return out
}

func funnel(t *testing.T, f Funnel) string {
	t.Helper()
	out, err := f.SVG()
	if err != nil {
		t.Fatalf("SVG: %v", err)
	}
	wellFormed(t, out)
	return out + "\n"
}

func TestFunnelGolden(t *testing.T) {
	t.Parallel()
	open := series(6, 0.01, 0.004)
	open[0].Anytime = Interval{math.Inf(-1), math.Inf(1)}
	tests := []struct {
		name string
		f    Funnel
	}{
		{"funnel-none.svg", Funnel{Title: "Startup p90", Desc: "No look yet."}},
		{"funnel-one.svg", Funnel{Title: "Startup p90", Points: series(1, -0.03, 0.01), LowerIsBetter: true, MDE: new(-0.02)}},
		{"funnel-guardrail.svg", Funnel{Title: "Start success", Points: series(12, -0.001, 0.002), Margin: new(-0.005)}},
		{"funnel-planned.svg", Funnel{Title: "Watch time", Points: series(12, 0.01, 0.002), MDE: new(0.02), Planned: []Planned{
			{Look: 4, Interval: Interval{Lo: -0.02, Hi: 0.05}}, {Look: 9, Interval: Interval{Lo: 0.001, Hi: 0.03}}, {Look: 14, Interval: Interval{Lo: 0, Hi: 1}},
		}}},
		{"funnel-open.svg", Funnel{Title: "Bitrate", Points: open, MDE: new(0.02)}},
		{"funnel-far-mde.svg", Funnel{Title: "Watch time", Points: series(4, 1e-6, 5e-7), MDE: new(0.02), Margin: new(-0.0125)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			golden(t, tt.name, funnel(t, tt.f))
		})
	}
}

func TestFunnelShowsZeroAndUTC(t *testing.T) {
	t.Parallel()
	out := funnel(t, Funnel{Title: "far from zero", Points: series(30, 0.5, 0.01)})
	if !strings.Contains(out, `class="zero"`) {
		t.Error("the line of no difference is missing")
	}
	if !strings.Contains(out, ">12 Nov 05:05<") || !strings.Contains(out, " UTC<") {
		t.Errorf("times are not in UTC: %s", out)
	}
}

func TestFunnelOfManyLooksIsThinned(t *testing.T) {
	t.Parallel()
	looks := series(1000, 0.01, 0.002)
	out := funnel(t, Funnel{Title: "1,000 looks", Points: looks})
	if len(out) > 8<<10 {
		t.Errorf("funnel has %d bytes, want at most 8 KB", len(out))
	}
	thin := Thin(looks, MaxPoints)
	if len(thin) != MaxPoints || thin[0].Look != 1 || thin[MaxPoints-1].Look != 1000 {
		t.Errorf("Thin keeps %d looks from %d to %d, want %d from 1 to 1000", len(thin), thin[0].Look, thin[len(thin)-1].Look, MaxPoints)
	}
	for i := range thin[1:] {
		if thin[i+1].Look <= thin[i].Look {
			t.Errorf("Thin repeats look %d", thin[i].Look)
		}
	}
}

func TestFunnelRefuses(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, change := range map[string]func(*Point){
		"NaN estimate":   func(p *Point) { p.Estimate = nan },
		"NaN interval":   func(p *Point) { p.Anytime.Lo = nan },
		"NaN fixed":      func(p *Point) { p.Fixed = &Interval{nan, 1} },
		"repeated look":  func(p *Point) { p.Look = 1 },
		"reversed":       func(p *Point) { p.Anytime = Interval{1, 0} },
		"infinite value": func(p *Point) { p.Estimate = math.Inf(-1) },
	} {
		looks := series(3, 0.01, 0.01)
		change(&looks[1])
		var bad *ValueError
		if _, err := (Funnel{Points: looks}).SVG(); !errors.As(err, &bad) || bad.Index != 1 {
			t.Errorf("%s: SVG error = %v, want a ValueError of item 1", name, err)
		}
		if _, err := Sparkline("", NotProven, looks); !errors.As(err, &bad) {
			t.Errorf("%s: Sparkline error = %v, want a ValueError", name, err)
		}
	}
	for name, planned := range map[string]Planned{
		"planned twice": {Look: 1, Interval: Interval{0, 1}}, "planned NaN": {Look: 2, Interval: Interval{nan, 1}},
	} {
		var bad *ValueError
		f := Funnel{Points: series(3, 0.01, 0.01), Planned: []Planned{{Look: 1, Interval: Interval{0, 1}}, planned}}
		if _, err := f.SVG(); !errors.As(err, &bad) || bad.Index != 1 {
			t.Errorf("%s: SVG error = %v, want a ValueError of item 1", name, err)
		}
	}
	var limit *LimitError
	if _, err := (Funnel{Planned: make([]Planned, MaxLooks+1)}).SVG(); !errors.As(err, &limit) {
		t.Errorf("MaxLooks+1 planned: %v, want a LimitError", err)
	}
	if _, err := (Funnel{Points: make([]Point, MaxLooks+1)}).SVG(); !errors.As(err, &limit) {
		t.Errorf("MaxLooks+1: %v, want a LimitError", err)
	}
	if _, err := (Funnel{Points: series(MaxLooks, 0.01, 0.01)}).SVG(); err != nil {
		t.Errorf("MaxLooks: %v", err)
	}
}

func TestFunnelHugeValues(t *testing.T) {
	t.Parallel()
	looks := series(5, 0.01, 0.01)
	looks[0].Anytime = Interval{-math.MaxFloat64, math.MaxFloat64}
	looks[0].Estimate = 1e300
	out := funnel(t, Funnel{Title: "huge", Points: looks})
	if !strings.Contains(out, "unbounded at first") {
		t.Errorf("an end beyond any scale is not called unbounded: %s", out)
	}
}

func TestSparklineGolden(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, n := range []int{0, 1, 2, 500} {
		svg, err := Sparkline("interval over looks", Better, series(n, 0.02, 0.004))
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, svg)
		if len(svg) > 900 {
			t.Errorf("a sparkline of %d looks has %d bytes, want at most 900", n, len(svg))
		}
		out.WriteString(svg + "\n")
	}
	golden(t, "spark.svg", out.String())
}

func TestShort(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.005: "+0.5\u00a0%", -0.02: "−2\u00a0%", 0.0125: "+1.25\u00a0%", 1e-6: "+0.0001\u00a0%", 1: "+100\u00a0%", -0.123456: "−12.3\u00a0%",
	} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %q, want %q", v, got, want)
		}
	}
}

func BenchmarkFunnel1000Looks(b *testing.B) {
	f := Funnel{Title: "1,000 looks", Points: series(1000, 0.01, 0.002)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.SVG(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSparkline(b *testing.B) {
	points := series(1000, 0.01, 0.002)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Sparkline("", Better, points); err != nil {
			b.Fatal(err)
		}
	}
}
