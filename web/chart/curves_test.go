package chart

import (
	"errors"
	"math"
	"testing"
)

func shiftPoints() []ShiftPoint {
	var out []ShiftPoint
	for _, level := range []float64{0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999} {
		estimate := -0.05 + 0.15*level*level
		width := 0.01 / math.Sqrt(level*(1-level))
		p := ShiftPoint{Level: level, Estimate: &estimate, Band: Interval{Lo: estimate - width, Hi: estimate + width}}
		switch level {
		case 0.01:
			p.Band.Lo = math.Inf(-1)
		case 0.999:
			p.Estimate, p.Band = nil, Interval{Lo: math.Inf(-1), Hi: math.Inf(1)}
		}
		out = append(out, p)
	}
	return out
}

func cumulativePoints() []CumulativePoint {
	var out []CumulativePoint
	for i := range 12 {
		v := 0.2 * math.Pow(1.5, float64(i))
		out = append(out, CumulativePoint{
			Value: v, Share: [2]float64{1 - math.Exp(-v), 1 - math.Exp(-v/1.3)}, Radius: [2]float64{0.02, 0.03},
		})
	}
	return out
}

func TestGoldenCurves(t *testing.T) {
	t.Parallel()
	one := shiftPoints()[3:4]
	for name, svg := range map[string]func() (string, error){
		"shift": QuantileShift{
			Title: "Change of each quantile", Desc: "In words", State: Changed, Levels: shiftPoints(),
			LowerIsBetter: true, Zone: 0.02, ZoneWords: "less than the planned effect of 2 %",
		}.SVG,
		"shift-one":  QuantileShift{Title: "One level", State: NotProven, Levels: one}.SVG,
		"shift-none": QuantileShift{Title: "None", State: NotProven}.SVG,
		"shares": Cumulative{
			Title: "Shares", Desc: "In words", Unit: "s", Names: [2]string{"Control", "טיפול <b>&\"'"}, Points: cumulativePoints(),
		}.SVG,
		"tail":        Cumulative{Title: "Tail", Tail: true, Unit: "s", Names: [2]string{"Control", "Treatment"}, Points: cumulativePoints()}.SVG,
		"shares-none": Cumulative{Title: "None", Unit: "s"}.SVG,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := svg()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "curves-"+name, got)
		})
	}
}

func TestCurvesRefuse(t *testing.T) {
	t.Parallel()
	nan, bad := math.NaN(), shiftPoints()
	bad[2].Estimate = &nan
	falling := shiftPoints()
	falling[1].Level = 0.005
	tooMany := make([]CumulativePoint, MaxNodes+1)
	for i := range tooMany {
		tooMany[i].Value = float64(i + 1)
	}
	if _, err := (Cumulative{Points: tooMany[:MaxNodes]}).SVG(); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	outside := cumulativePoints()
	outside[3].Share[1] = 1.5
	for name, svg := range map[string]func() (string, error){
		"an estimate that is no number": QuantileShift{Levels: bad}.SVG,
		"levels that fall":              QuantileShift{Levels: falling}.SVG,
		"too many points":               Cumulative{Points: tooMany}.SVG,
		"a share above one":             Cumulative{Points: outside}.SVG,
	} {
		_, err := svg()
		_, value := errors.AsType[*ValueError](err)
		_, limit := errors.AsType[*LimitError](err)
		if !value && !limit {
			t.Errorf("%s: %v, want a ValueError or LimitError", name, err)
		}
	}
}
