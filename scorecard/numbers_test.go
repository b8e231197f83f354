package scorecard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// near reports whether two numbers agree to 1e-9, relative: far above what
// rounding does in these sums, far below any mistake in a formula.
func near(got, want float64) bool {
	return math.Abs(got-want) <= 1e-9*math.Max(math.Abs(want), 1e-3)
}

func check(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !near(got, want) {
		t.Errorf("%s = %.12g, want %.12g", what, got, want)
	}
}

// Units a: 4, 2, 6 and b: 3, 9, by hand: means 4 and 6, variances 4 and 18.
const handRows = "arm,u,v,w\na,1,1,1\na,1,3,1\na,2,2,1\na,3,6,2\nb,4,3,1\nb,5,4,2\nb,5,5,1\n"

func TestRowsOfAUnitAreAddedUp(t *testing.T) {
	t.Parallel()
	s := read(t, handRows, Input{ArmColumn: "arm", UnitColumn: "u", Metrics: metrics(t, "v:mean", "v/w:ratio", "v:mean:cap=5")})
	mean := s.Metrics[0]
	check(t, "mean of a", *mean.Arms[0].Mean, 4)
	check(t, "sd of a", *mean.Arms[0].SD, 2)
	check(t, "mean of b", *mean.Arms[1].Mean, 6)
	check(t, "sd of b", *mean.Arms[1].SD, math.Sqrt(18))
	difference := mean.Comparisons[0].Difference.Fixed
	check(t, "difference", difference.Estimate, 2)
	check(t, "se", difference.SE, math.Sqrt(4.0/3+18.0/2))
	check(t, "z", difference.Z, 2/math.Sqrt(4.0/3+9))
	check(t, "ratio of a", *s.Metrics[1].Arms[0].Mean, 12.0/5)
	check(t, "ratio of b", *s.Metrics[1].Arms[1].Mean, 12.0/4)
	capped := s.Metrics[2]
	check(t, "capped mean of a", *capped.Arms[0].Mean, (4+2+5)/3.0)
	check(t, "capped mean of b", *capped.Arms[1].Mean, (3+5)/2.0)
	check(t, "uncapped mean of b", *capped.Uncapped.Arms[1].Mean, 6)
	if got := []int64{capped.Arms[0].Capped, capped.Arms[1].Capped}; !cmp.Equal(got, []int64{1, 1}) {
		t.Errorf("units above the cap = %v, want 1 in each arm", got)
	}
	if got := mean.Comparisons[0].Difference.SequenceRefused; got == nil || got.Reason != stats.BurnIn {
		t.Errorf("sequence of 5 units: refused with %v, want %s", got, stats.BurnIn)
	}
}

func TestProportionIsTheMeanOfSharesOfUnits(t *testing.T) {
	t.Parallel()
	rows := "arm,u,ok\na,1,1\na,1,0\na,2,1\nb,3,0\nb,4,1\n"
	in := Input{ArmColumn: "arm", UnitColumn: "u", Metrics: metrics(t, "ok:proportion")}
	s := read(t, rows, in)
	check(t, "share of a", *s.Metrics[0].Arms[0].Mean, 0.75) // (1/2 + 1)/2
	check(t, "share of b", *s.Metrics[0].Arms[1].Mean, 0.5)
	in.UnitColumn = ""
	s = read(t, rows, in)
	check(t, "share of rows of a", *s.Metrics[0].Arms[0].Mean, 2.0/3)
}

func TestUnitsInTwoArmsAreLeftOut(t *testing.T) {
	t.Parallel()
	in := Input{ArmColumn: "arm", UnitColumn: "u", Metrics: metrics(t, "v:mean", "v:p50")}
	crossing := "a,9,1000,1\nb,9,1000,1\nb,9,1000,1\na,9,1000,1\n"
	got, want := read(t, handRows+crossing, in), read(t, handRows, in)
	if got.Crossed != 1 || want.Crossed != 0 {
		t.Errorf("Crossed = %d and %d, want 1 and 0", got.Crossed, want.Crossed)
	}
	if diff := cmp.Diff(want.Metrics, got.Metrics); diff != "" {
		t.Errorf("a crossed unit changed a number (-without +with):\n%s", diff)
	}
	if got.Units != want.Units {
		t.Errorf("Units = %d, want %d", got.Units, want.Units)
	}
}

func TestARatioNeedsBothOfItsValues(t *testing.T) {
	t.Parallel()
	rows := "arm,n,d\na,1,2\na,5,\na,,7\na,3,2\nb,1,1\nb,2,1\n"
	s := read(t, rows, Input{ArmColumn: "arm", Metrics: metrics(t, "n/d:ratio")})
	check(t, "ratio of a", *s.Metrics[0].Arms[0].Mean, 4.0/4)
	if got := s.Metrics[0].Quality[0]; got.Missing != 2 || got.Unusable != 2 {
		t.Errorf("Quality of a = %+v, want 2 missing and unusable", got)
	}
}

// lognormal writes n rows an arm, each value k times under its own unit.
func lognormal(n, k int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("arm,u,v\n")
	for i := range 2 * n {
		v := math.Exp(r.NormFloat64())
		for range k {
			fmt.Fprintf(&b, "%s,%d,%g\n", []string{"a", "b"}[i%2], i, v)
		}
	}
	return b.String()
}

// A unit that repeats its value k times holds no more than one value: the
// quantile's standard error must stay that of the units, while rows taken as
// units would make it sqrt(k) smaller.
func TestAQuantileCountsUnitsNotRows(t *testing.T) {
	t.Parallel()
	const copies = 9
	se := func(rows, unit string) float64 {
		s := read(t, rows, Input{ArmColumn: "arm", UnitColumn: unit, Metrics: metrics(t, "v:p50")})
		return *s.Metrics[0].Arms[0].SE
	}
	single, clustered, naive := se(lognormal(4000, 1), ""), se(lognormal(4000, copies), "u"), se(lognormal(4000, copies), "")
	// The interval is read off the sample at nearby ranks, whose spacing is
	// itself random: 15 per cent covers it at 4,000 values.
	const slack = 0.15
	if math.Abs(clustered/single-1) > slack {
		t.Errorf("se with units = %g, of single values %g", clustered, single)
	}
	if want := single / math.Sqrt(copies); math.Abs(naive/want-1) > slack {
		t.Errorf("se of rows as units = %g, want about %g", naive, want)
	}
}

func TestAQuantileAmongNegativeValuesIsRefused(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("arm,v\n")
	for i := range 400 {
		fmt.Fprintf(&b, "%s,%d\n", []string{"a", "b"}[i%2], i/2-150)
	}
	s := read(t, b.String(), Input{ArmColumn: "arm", Metrics: metrics(t, "v:p50", "v:p90")})
	if got := s.Metrics[0].Arms[0].Refused; got == nil || got.Reason != stats.OutOfRange {
		t.Errorf("median among negative values: refused with %v, want %s", got, stats.OutOfRange)
	}
	if got := s.Metrics[1].Arms[0]; got.Refused != nil || math.Abs(*got.Mean-29.5) > 1 {
		t.Errorf("p90 above the negative values = %+v, want about 29.5", got)
	}
}

func TestACapFromTheDataHasNoSequence(t *testing.T) {
	t.Parallel()
	rows := lognormal(500, 1)
	s := read(t, rows, Input{ArmColumn: "arm", Metrics: metrics(t, "v:mean:cap=p99"), Planned: 1000})
	r := s.Metrics[0]
	if !r.CapFromData || r.CapValue == nil {
		t.Fatalf("CapFromData = %v, CapValue = %v, want a cap from the data", r.CapFromData, r.CapValue)
	}
	c := r.Comparisons[0]
	if c.Difference.Sequence != nil || c.Lift.Sequence != nil || c.Lift.SequenceRefused == nil || c.Lift.Fixed == nil {
		t.Errorf("comparison = %+v, want fixed intervals only", c)
	}
	if !strings.Contains(c.Words, "this one look only") {
		t.Errorf("Words = %q, want the one look named", c.Words)
	}
	if u := r.Uncapped.Comparisons[0]; u.Lift.Sequence == nil || !strings.Contains(u.Words, "at every look") {
		t.Errorf("uncapped comparison = %+v, want a sequence", u)
	}
	// The same cap, given in advance, gives the same fixed numbers and a sequence.
	given := read(t, rows, Input{ArmColumn: "arm", Metrics: metrics(t, fmt.Sprintf("v:mean:cap=%v", *r.CapValue)), Planned: 1000}).Metrics[0]
	if diff := cmp.Diff(r.Arms, given.Arms); diff != "" {
		t.Errorf("arms by a cap from the data and the same one given (-data +given):\n%s", diff)
	}
	if given.Comparisons[0].Lift.Sequence == nil {
		t.Error("a given cap has no sequence")
	}
}

func TestDirectionControlAndPairs(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("arm,v\n")
	for i := range 900 {
		fmt.Fprintf(&b, "%s,%d\n", []string{"a", "b", "c"}[i%3], 100*(i%3+1)+i%7)
	}
	in := Input{ArmColumn: "arm", Metrics: metrics(t, "v:mean", "v:mean:lower"), Control: "b", Pairs: true, Planned: 900}
	s := read(t, b.String(), in)
	got := [][3]string{}
	for _, r := range s.Metrics {
		for _, c := range r.Comparisons {
			verdict, _, _ := strings.Cut(c.Words, ":")
			got = append(got, [3]string{c.Control, c.Treatment, verdict})
		}
	}
	want := [][3]string{
		{"b", "a", "Worse"},
		{"b", "c", "Better"},
		{"a", "c", "Better"},
		{"b", "a", "Better"},
		{"b", "c", "Worse"},
		{"a", "c", "Worse"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comparisons (-want +got):\n%s", diff)
	}
}

// The arms of the Puffer experiment as published: chi2 = 65 on 4 degrees of
// freedom, p about 2e-13, if the design was uniform.
func TestSplitOfFiveArms(t *testing.T) {
	t.Parallel()
	units := []int64{46248, 45493, 45605, 43949, 44965}
	s := newSplit([]string{"a", "b", "c", "d", "e"}, units, []int64{1, 1, 1, 1, 1})
	if math.Abs(s.Fixed.ChiSquare-65) > 0.5 || s.Fixed.DF != 4 || s.Fixed.P < 1e-13 || s.Fixed.P > 4e-13 {
		t.Errorf("Fixed = %+v, want chi2 = 65 on 4 df, p about 2e-13", *s.Fixed)
	}
	if s.Sequential.Status != stats.SRMAlert || !strings.Contains(s.Words, "broken") {
		t.Errorf("Sequential = %+v, %q, want an alert", *s.Sequential, s.Words)
	}
	// Under the weights of the counts themselves nothing is wrong.
	if s := newSplit([]string{"a", "b", "c", "d", "e"}, units, units); s.Sequential.Status != stats.SRMOk || s.Fixed.P < 0.999 {
		t.Errorf("split against its own counts = %+v", s)
	}
}

// Sessions with a usable start time in the same experiment, 42.7, 40.8 and
// 39.6 per cent of three arms: z about 9 between the first and the last.
func TestMissingnessThatDiffersIsAnAlarm(t *testing.T) {
	t.Parallel()
	arm := func(name string, units, usable int64) Quality {
		return Quality{Arm: name, Units: units, Missing: units - usable, Unusable: units - usable}
	}
	got := gaps(arm("linear_bba_bbr", 45605, 18051), arm("puffer_ttp_cl_bbr", 46248, 19737))
	if len(got) != 1 || got[0].Fault != "unusable" {
		t.Fatalf("gaps = %+v, want the one of unusable units", got)
	}
	if z := math.Abs(got[0].Z); z < 9 || z > 10 {
		t.Errorf("z = %.2f, want about 9", z)
	}
	if same := gaps(arm("a", 45605, 18051), arm("b", 45605, 18060)); len(same) != 0 {
		t.Errorf("gaps of equal shares = %+v, want none", same)
	}
}

func TestEValue(t *testing.T) {
	t.Parallel()
	for logE, want := range map[float64]string{0: "1", -1.332442623: "0.264", math.Log(3310): "3.31e+03", 2000: "3.9e+868"} {
		if got := eValue(logE); got != want {
			t.Errorf("eValue(%v) = %q, want %q", logE, got, want)
		}
	}
}

// However the value of a unit is cut into rows, and in whatever order the rows
// of different units come, the scorecard is the same to rounding.
func TestCuttingAUnitIntoRowsChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(4, 40).Draw(rt, "units")
		var whole, cut []string
		for i := range n {
			arm := []string{"a", "b"}[i%2]
			parts := rapid.SliceOfN(rapid.IntRange(-50, 1000), 1, 5).Draw(rt, "parts")
			sum := 0
			for _, part := range parts {
				sum += part
				cut = append(cut, fmt.Sprintf("%s,%d,%d", arm, i, part))
			}
			whole = append(whole, fmt.Sprintf("%s,%d,%d", arm, i, sum))
		}
		// The first row names control, so it stays.
		rest := rapid.Permutation(cut[1:]).Draw(rt, "order")
		in := Input{ArmColumn: "arm", UnitColumn: "u", Metrics: metrics(t, "v:mean", "v:mean:cap=300", "v:mean:cap=p90"), Control: "a"}
		a := read(t, "arm,u,v\n"+strings.Join(whole, "\n"), in)
		b := read(t, "arm,u,v\n"+cut[0]+"\n"+strings.Join(rest, "\n"), in)
		arms := func(s *Scorecard) map[string]ArmValue {
			out := map[string]ArmValue{}
			for _, r := range s.Metrics {
				for _, v := range r.Arms {
					out[r.Name+" "+v.Arm] = v
				}
			}
			return out
		}
		if diff := cmp.Diff(arms(a), arms(b), cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
			rt.Errorf("arms of whole and of cut units (-whole +cut):\n%s", diff)
		}
	})
}
