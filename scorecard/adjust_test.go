package scorecard

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// world is rows with known truth: y follows x, which not every unit has, and lies
// far apart in two countries.
type world struct {
	rows      strings.Builder
	y, w, x   []float64
	has, home []bool
}

func newWorld(n int, everybodyKnown bool) *world {
	rng := rand.New(rand.NewPCG(7, 11))
	d := &world{}
	d.rows.WriteString("arm,unit,v,pre,country\n")
	for i := range n {
		w, x := float64(i%2), 5+rng.NormFloat64()
		has, home := everybodyKnown || rng.Float64() < 0.8, rng.Float64() < 0.6
		y := 20 + 0.5*w + rng.NormFloat64()
		pre, country := "", "abroad"
		if has {
			y += 2 * x
			pre = fmt.Sprint(x)
		} else {
			x = 0
		}
		if home {
			y += 30
			country = "home"
		}
		d.y, d.w, d.x = append(d.y, y), append(d.w, w), append(d.x, x)
		d.has, d.home = append(d.has, has), append(d.home, home)
		// Two rows a unit: the values add up, what was before does not.
		fmt.Fprintf(&d.rows, "%c,u%d,%v,%s,%s\n%c,u%d,%v,%s,%s\n", 'a'+i%2, i, y-1, pre, country, 'a'+i%2, i, 1, pre, country)
	}
	return d
}

// TestCovariateIsARegression: the adjusted difference is the coefficient of the
// treatment in a regression on the covariate.
func TestCovariateIsARegression(t *testing.T) {
	t.Parallel()
	d := newWorld(600, true)
	fitted, err := stats.Regression{Y: d.y, Treatment: d.w, X: d.x, Model: stats.Ancova}.Effect(stats.HC2)
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, d.rows.String(), Input{ArmColumn: "arm", UnitColumn: "unit", Covariate: "pre", Metrics: metrics(t, "v:mean")})
	c := s.Metrics[0].Comparisons[0]
	check(t, "adjusted difference", c.Difference.Fixed.Estimate, fitted.Estimate)
	if c.Adjustment == nil || c.Adjustment.Covariate != "pre" || *c.Adjustment.Reduction <= 0 || *c.Adjustment.BalanceP < QualityAlphaP {
		t.Errorf("adjustment = %+v, want a reduction by pre, balanced", c.Adjustment)
	}
	ratio := c.Difference.Fixed.SE / s.Metrics[0].Unadjusted.Comparisons[0].Difference.Fixed.SE
	check(t, "reduction", *c.Adjustment.Reduction, 1-ratio*ratio)
	perMetric := read(t, d.rows.String(), Input{ArmColumn: "arm", UnitColumn: "unit", Metrics: metrics(t, "v:mean:covariate=pre")})
	check(t, "difference by the metric's own covariate", perMetric.Metrics[0].Comparisons[0].Difference.Fixed.Estimate, fitted.Estimate)
	var text strings.Builder
	if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "adjusted by pre (slope ") {
		t.Errorf("WriteText = %q, %v, want the slope", text.String(), err)
	}
}

// TestUnitsWithoutCovariateStay: the residuals of the value on the covariate and on
// having one, within arms, by the normal equations.
func TestUnitsWithoutCovariateStay(t *testing.T) {
	t.Parallel()
	d := newWorld(600, false)
	s := read(t, d.rows.String(), Input{ArmColumn: "arm", UnitColumn: "unit", Metrics: metrics(t, "v:mean:covariate=pre")})
	if q := s.Metrics[0].Quality; q[0].NoCovariate+q[1].NoCovariate == 0 || s.Metrics[0].Arms[0].N != 300 {
		t.Errorf("quality = %+v of %d units, want all units, some without covariate", q, s.Metrics[0].Arms[0].N)
	}
	mean := func(of func(i int) float64, arm float64) (m float64) {
		for i := range d.y {
			if d.w[i] == arm {
				m += of(i) / 300
			}
		}
		return m
	}
	value := func(i int) float64 { return d.y[i] }
	before := func(i int) float64 { return d.x[i] }
	known := func(i int) float64 {
		if d.has[i] {
			return 1
		}
		return 0
	}
	within := func(a, b func(int) float64) (sum float64) {
		for i := range d.y {
			sum += (a(i) - mean(a, d.w[i])) * (b(i) - mean(b, d.w[i]))
		}
		return sum
	}
	xx, xk, kk := within(before, before), within(before, known), within(known, known)
	xy, ky := within(before, value), within(known, value)
	det := xx*kk - xk*xk
	bx, bk := (kk*xy-xk*ky)/det, (xx*ky-xk*xy)/det
	gap := func(of func(int) float64) float64 { return mean(of, 1) - mean(of, 0) }
	check(t, "adjusted difference", s.Metrics[0].Comparisons[0].Difference.Fixed.Estimate, gap(value)-bx*gap(before)-bk*gap(known))
}

// TestStrataAreComparedWithin: the weighted difference of the strata, by hand.
func TestStrataAreComparedWithin(t *testing.T) {
	t.Parallel()
	d := newWorld(600, true)
	want, total := 0.0, 0.0
	for _, home := range []bool{false, true} {
		var sum, n [2]float64
		for i, y := range d.y {
			if d.home[i] == home {
				sum[int(d.w[i])] += y
				n[int(d.w[i])]++
			}
		}
		want += (n[0] + n[1]) * (sum[1]/n[1] - sum[0]/n[0])
		total += n[0] + n[1]
	}
	in := Input{ArmColumn: "arm", UnitColumn: "unit", Strata: "country", Metrics: metrics(t, "v:mean")}
	s := read(t, d.rows.String(), in)
	c := s.Metrics[0].Comparisons[0]
	check(t, "stratified difference", c.Difference.Fixed.Estimate, want/total)
	if c.Adjustment.Strata != 2 || c.Adjustment.Merged != 0 || *c.Adjustment.Reduction < 0.9 {
		t.Errorf("adjustment = %+v, want 2 strata that remove nearly all", c.Adjustment)
	}
	// A stratum of one unit joins another instead of being dropped.
	few := read(t, d.rows.String()+"a,lone,40,5,nowhere\n", in).Metrics[0].Comparisons[0].Adjustment
	if few.Strata != 2 || few.Merged != 1 {
		t.Errorf("adjustment with a lone unit = %+v, want 2 strata and 1 merged", few)
	}
	in.Covariate = "pre"
	both := read(t, d.rows.String(), in).Metrics[0].Comparisons[0]
	if !(both.Difference.Fixed.SE < c.Difference.Fixed.SE) {
		t.Errorf("standard error with covariate and strata %v, with strata %v: want less", both.Difference.Fixed.SE, c.Difference.Fixed.SE)
	}
}

func TestRatiosAreAdjusted(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	rows.WriteString("arm,n,d,n0,d0,s\n")
	rng := rand.New(rand.NewPCG(3, 5))
	var arms [2]stats.JointMoments
	strata := make([]stats.Stratum[stats.PairMoments], 2)
	for i := range 400 {
		d0 := 1 + rng.Float64()
		n0 := d0 * (1 + rng.Float64())
		d := d0 + rng.Float64()
		n := n0 + rng.Float64()
		stratum := i / 2 % 2
		fmt.Fprintf(&rows, "%c,%v,%v,%v,%v,%d\n", 'a'+i%2, n, d, n0, d0, stratum)
		if err := arms[i%2].Add(n, d, n0, d0); err != nil {
			t.Fatal(err)
		}
		part := &strata[stratum].Control
		if i%2 == 1 {
			part = &strata[stratum].Treatment
		}
		part.Add(n, d)
	}
	want, err := stats.CupedRatio{Control: arms[0], Treatment: arms[1]}.Effect(stats.Absolute)
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, rows.String(), Input{ArmColumn: "arm", Metrics: metrics(t, "n/d:ratio:covariate=n0/d0")}).Metrics[0].Comparisons[0]
	check(t, "adjusted ratio", got.Difference.Fixed.Estimate, want.Estimate)
	check(t, "its standard error", got.Difference.Fixed.SE, want.SE())
	stratified, err := stats.PostStratifiedRatios(strata, stats.Absolute)
	if err != nil {
		t.Fatal(err)
	}
	got = read(t, rows.String(), Input{ArmColumn: "arm", Strata: "s", Metrics: metrics(t, "n/d:ratio")}).Metrics[0].Comparisons[0]
	check(t, "stratified ratio", got.Difference.Fixed.Estimate, stratified.Estimate)
	check(t, "its standard error", got.Difference.Fixed.SE, stratified.SE())
}

// A covariate that depends on the arm was not fixed before exposure.
func TestCovariateAfterExposureIsTold(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	rows.WriteString("arm,v,late\n")
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		fmt.Fprintf(&rows, "%c,%v,%v\n", 'a'+i%2, rng.NormFloat64(), rng.NormFloat64()+float64(i%2))
	}
	s := read(t, rows.String(), Input{ArmColumn: "arm", Covariate: "late", Metrics: metrics(t, "v:mean")})
	if !strings.Contains(strings.Join(s.Warnings, "\n"), "the covariate late differs between a and b") {
		t.Errorf("warnings = %q, want the covariate's", s.Warnings)
	}
}

// Equal clusters: the ratio over them is the mean of their means, its variance that
// of the means, and the degrees of freedom Welch's (4 + 3 clusters here).
func TestEqualClustersAreAWelchTestOfTheirMeans(t *testing.T) {
	t.Parallel()
	const rows = "arm,who,viewer,v\n" +
		"a,c1,v1,1\na,c1,v1,1\na,c1,v2,4\na,c2,v1,3\na,c2,v3,5\na,c3,v4,8\na,c3,v5,6\na,c4,v6,2\na,c4,v7,2\n" +
		"b,d1,v1,5\nb,d1,v9,7\nb,d2,v8,9\nb,d2,v2,3\nb,d3,v6,10\nb,d3,v7,12\n" +
		"a,x,v1,900\nb,x,v2,900\n" // a cluster in two arms is in none
	control, treatment := stats.MomentsOf([]float64{3, 4, 7, 2}), stats.MomentsOf([]float64{6, 6, 11})
	want, err := stats.MeanDifference(control, treatment)
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, rows, Input{ArmColumn: "arm", UnitColumn: "viewer", Cluster: "who", Metrics: metrics(t, "v:mean", "v:mean:cap=9")})
	got := s.Metrics[0].Comparisons[0].Difference
	check(t, "difference", got.Fixed.Estimate, want.Estimate)
	check(t, "standard error", got.Fixed.SE, want.SE())
	check(t, "degrees of freedom", got.Fixed.DF, want.DF)
	if s.Clusters != 7 || s.Units != 14 || s.Crossed != 1 || s.Split.Arms[0].Units != 4 {
		t.Errorf("%d clusters, %d units, %d crossed, split %v; want 7, 14, 1, 4 in a", s.Clusters, s.Units, s.Crossed, s.Split.Arms)
	}
	if got.SequenceRefused == nil || got.SequenceRefused.Reason != stats.BurnIn {
		t.Errorf("sequence of 7 clusters: refused with %v, want %s", got.SequenceRefused, stats.BurnIn)
	}
	a := s.Metrics[0].Arms[0]
	if a.SD != nil || a.Clusters != 4 || a.N != 8 {
		t.Errorf("arm a = %+v, want 8 members in 4 clusters and no sd", a)
	}
	check(t, "capped mean of b", *s.Metrics[1].Arms[1].Mean, (5+7+9+3+9+9)/6.0)
	check(t, "uncapped mean of b", *s.Metrics[1].Uncapped.Arms[1].Mean, 46.0/6)
	byRow := read(t, "arm,who,n,d\na,c1,1,2\na,c1,1,2\na,c2,5,4\nb,d1,1,1\nb,d2,3,4\n",
		Input{ArmColumn: "arm", Cluster: "who", Metrics: metrics(t, "n/d:ratio", "n:mean")})
	check(t, "ratio of a", *byRow.Metrics[0].Arms[0].Mean, 7.0/8)
	check(t, "mean of rows of a", *byRow.Metrics[1].Arms[0].Mean, 7.0/3)
	var text strings.Builder
	if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), "14 units in 7 clusters") {
		t.Errorf("WriteText = %q, %v, want the clusters", text.String(), err)
	}
}

// With a hundred clusters that are worth ten, no interval for every look is shown.
func TestUnequalClustersAreWorthFew(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	rows.WriteString("arm,c,n,d\n")
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range 400 {
		size := 1.0
		if i < 10 {
			size = 1000
		}
		fmt.Fprintf(&rows, "%c,c%d,%v,%v\n", 'a'+i%2, i, size*(1+rng.Float64()), size)
	}
	got := read(t, rows.String(), Input{ArmColumn: "arm", Cluster: "c", Metrics: metrics(t, "n/d:ratio")}).Metrics[0].Comparisons[0].Difference
	if got.Fixed == nil || got.Fixed.DF > 20 || got.SequenceRefused == nil {
		t.Errorf("difference = %+v with %v, want few degrees of freedom and no sequence", got.Fixed, got.SequenceRefused)
	}
}

func TestCombinationsThatAreRefused(t *testing.T) {
	t.Parallel()
	mean, ratio, quantile := metrics(t, "v:mean"), metrics(t, "v/p:ratio"), metrics(t, "v:p50")
	for name, test := range map[string]struct {
		in    Input
		field string
	}{
		"covariate of a ratio":           {Input{Metrics: ratio, Covariate: "p"}, "covariate"},
		"covariate of a quantile":        {Input{Metrics: quantile, Covariate: "p"}, "covariate"},
		"covariate is the metric":        {Input{Metrics: mean, Covariate: "v"}, "covariate"},
		"covariate is the arm":           {Input{Metrics: mean, Covariate: "arm"}, "covariate"},
		"no covariate column":            {Input{Metrics: mean, Covariate: "q"}, "covariate"},
		"covariate and cap from data":    {Input{Metrics: metrics(t, "v:mean:cap=p99"), Covariate: "p"}, "covariate"},
		"strata of a quantile":           {Input{Metrics: quantile, Strata: "s"}, "strata"},
		"strata are the arms":            {Input{Metrics: mean, Strata: "arm"}, "strata"},
		"strata are the units":           {Input{Metrics: mean, UnitColumn: "u", Strata: "u"}, "strata"},
		"strata and covariate, ratio":    {Input{Metrics: metrics(t, "v/p:ratio:covariate=s/u"), Strata: "s"}, "strata"},
		"strata and cap from data":       {Input{Metrics: metrics(t, "v:mean:cap=p99"), Strata: "s"}, "strata"},
		"strata and clusters":            {Input{Metrics: mean, Strata: "s", Cluster: "u"}, "strata"},
		"no strata column":               {Input{Metrics: mean, Strata: "q"}, "strata"},
		"clusters are the arms":          {Input{Metrics: mean, Cluster: "arm"}, "cluster"},
		"clusters are the units":         {Input{Metrics: mean, UnitColumn: "u", Cluster: "u"}, "cluster"},
		"clusters and covariate":         {Input{Metrics: mean, Cluster: "u", Covariate: "p"}, "cluster"},
		"clusters and a quantile":        {Input{Metrics: quantile, Cluster: "u"}, "cluster"},
		"clusters and cap from the data": {Input{Metrics: metrics(t, "v:mean:cap=p99"), Cluster: "u"}, "cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.in.ArmColumn = "arm"
			_, err := ReadCSV(t.Context(), strings.NewReader("arm,u,v,p,s\na,1,1,1,x\nb,2,2,2,y\n"), test.in)
			bad, ok := errors.AsType[*Error](err)
			if !ok || bad.Field != test.field {
				t.Errorf("ReadCSV: %v, want an Error of %s", err, test.field)
			}
		})
	}
}

func TestStrataLimit(t *testing.T) {
	t.Parallel()
	rows := func(n int) string {
		var b strings.Builder
		b.WriteString("arm,v,s\n")
		for i := range n {
			fmt.Fprintf(&b, "a,1,s%d\nb,2,s%d\n", i, i)
		}
		return b.String()
	}
	in := Input{ArmColumn: "arm", Strata: "s", Metrics: metrics(t, "v:mean")}
	if _, err := ReadCSV(t.Context(), strings.NewReader(rows(MaxStrata)), in); err != nil {
		t.Errorf("%d strata: %v", MaxStrata, err)
	}
	_, err := ReadCSV(t.Context(), strings.NewReader(rows(MaxStrata+1)), in)
	if bad, ok := errors.AsType[*Error](err); !ok || bad.Field != "strata" {
		t.Errorf("%d strata: %v, want an Error of strata", MaxStrata+1, err)
	}
}
