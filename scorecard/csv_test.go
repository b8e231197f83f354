package scorecard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func metrics(t testing.TB, specs ...string) []Metric {
	t.Helper()
	out := make([]Metric, len(specs))
	for i, spec := range specs {
		m, err := ParseMetric(spec)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = m
	}
	return out
}

func read(t testing.TB, rows string, in Input) *Scorecard {
	t.Helper()
	s, err := ReadCSV(t.Context(), strings.NewReader(rows), in)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBadRowsAreReportedAndTheRestIsRead(t *testing.T) {
	t.Parallel()
	rows := "\ufeffarm,v,ok\r\n" + // 1
		"a,1,0\n" + // 2
		"a,x,1\n" + // 3: v
		",2,1\n" + // 4: arm
		"b,2\n" + // 5: short
		"b,3,2\n" + // 6: ok
		"b,\"4\"5,1\n" + // 7: quote
		"b,NA,1\n" + // 8: missing
		"\"b\",-6,1\n" // 9: negative
	s := read(t, rows, Input{ArmColumn: "arm", Metrics: metrics(t, "v:mean", "ok:proportion")})
	want := Problems{Count: 5, First: []Problem{
		{Line: 3, Column: "v", Reason: `"x" is not a finite number`},
		{Line: 4, Column: "arm", Reason: "the arm is empty"},
		{Line: 5, Reason: "the row has 2 values for 3 columns"},
		{Line: 6, Column: "ok", Reason: `"2" is neither 0 nor 1`},
		{Line: 7, Reason: `extraneous or missing " in quoted-field`},
	}}
	if diff := cmp.Diff(want, s.Problems); diff != "" {
		t.Errorf("Problems (-want +got):\n%s", diff)
	}
	wantQuality := []Quality{
		{Arm: "a", Units: 2, Invalid: 1, Unusable: 1},
		{Arm: "b", Units: 3, Missing: 1, Negative: 1, Unusable: 1},
	}
	if diff := cmp.Diff(wantQuality, s.Metrics[0].Quality); diff != "" {
		t.Errorf("Quality of v (-want +got):\n%s", diff)
	}
	if got, want := s.Rows, int64(8); got != want {
		t.Errorf("Rows = %d, want %d", got, want)
	}
}

func TestProblemsAreCountedBeyondThoseListed(t *testing.T) {
	t.Parallel()
	for _, n := range []int{MaxProblems, MaxProblems + 1} {
		s := read(t, "arm,v\na,1\nb,1\n"+strings.Repeat("a,?\n", n), Input{ArmColumn: "arm", Metrics: metrics(t, "v:mean")})
		if len(s.Problems.First) != MaxProblems || s.Problems.Count != int64(n) {
			t.Errorf("%d bad rows: %d listed and %d counted, want %d and %d",
				n, len(s.Problems.First), s.Problems.Count, MaxProblems, n)
		}
	}
}

func TestRequestsThatCannotBeAnswered(t *testing.T) {
	t.Parallel()
	many := make([]Metric, MaxMetrics+1)
	for i := range many {
		many[i] = Metric{Column: fmt.Sprint("c", i), Kind: KindMean}
	}
	mean := metrics(t, "v:mean")
	const rows = "arm,v\na,1\nb,2\n"
	for name, test := range map[string]struct {
		rows  string
		in    Input
		field string
	}{
		"empty file":       {"", Input{ArmColumn: "arm", Metrics: mean}, "file"},
		"broken header":    {"a\"b,c\n", Input{ArmColumn: "arm", Metrics: mean}, "file"},
		"one arm":          {"arm,v\na,1\n", Input{ArmColumn: "arm", Metrics: mean}, "file"},
		"no arm column":    {rows, Input{ArmColumn: "group", Metrics: mean}, "arm"},
		"no arm named":     {rows, Input{Metrics: mean}, "arm"},
		"no unit column":   {rows, Input{ArmColumn: "arm", UnitColumn: "u", Metrics: mean}, "unit"},
		"no metric":        {rows, Input{ArmColumn: "arm"}, "metric"},
		"no metric column": {rows, Input{ArmColumn: "arm", Metrics: metrics(t, "w:mean")}, "metric"},
		"no denominator":   {rows, Input{ArmColumn: "arm", Metrics: metrics(t, "v/w:ratio")}, "metric"},
		"column twice":     {"arm,v,v\na,1,1\n", Input{ArmColumn: "arm", Metrics: mean}, "metric"},
		"metric twice":     {rows, Input{ArmColumn: "arm", Metrics: metrics(t, "v:p50", "v:quantile=0.5")}, "metric"},
		"many metrics":     {rows, Input{ArmColumn: "arm", Metrics: many}, "metric"},
		"unknown control":  {rows, Input{ArmColumn: "arm", Metrics: mean, Control: "c"}, "control"},
		"weights":          {rows, Input{ArmColumn: "arm", Metrics: mean, Weights: []int64{1}}, "weights"},
		"zero weight":      {rows, Input{ArmColumn: "arm", Metrics: mean, Weights: []int64{1, 0}}, "weights"},
		"heavy weight":     {rows, Input{ArmColumn: "arm", Metrics: mean, Weights: []int64{1, MaxWeight + 1}}, "weights"},
		"planned":          {rows, Input{ArmColumn: "arm", Metrics: mean, Planned: -1}, "planned"},
		"alpha":            {rows, Input{ArmColumn: "arm", Metrics: mean, Alpha: 1}, "alpha"},
	} {
		var bad *Error
		if _, err := ReadCSV(t.Context(), strings.NewReader(test.rows), test.in); !errors.As(err, &bad) || bad.Field != test.field {
			t.Errorf("%s: ReadCSV = %v, want an Error of the field %s", name, err, test.field)
		}
	}
}

func TestArmsLimit(t *testing.T) {
	t.Parallel()
	rows := func(arms int) io.Reader {
		var b strings.Builder
		b.WriteString("arm,v\n")
		for i := range arms {
			fmt.Fprintf(&b, "a%d,1\n", i)
		}
		return strings.NewReader(b.String())
	}
	in := Input{ArmColumn: "arm", Metrics: metrics(t, "v:mean")}
	if _, err := ReadCSV(t.Context(), rows(MaxArms), in); err != nil {
		t.Errorf("%d arms: %v", MaxArms, err)
	}
	var bad *Error
	if _, err := ReadCSV(t.Context(), rows(MaxArms+1), in); !errors.As(err, &bad) || bad.Field != "arm" {
		t.Errorf("%d arms: %v, want an Error of the field arm", MaxArms+1, err)
	}
}

func TestUnitLimits(t *testing.T) {
	t.Parallel()
	c := newCollector(Input{ArmColumn: "arm", Metrics: metrics(t, "v:mean")})
	for _, arm := range []string{"a", "b"} {
		if _, err := c.arm(arm); err != nil {
			t.Fatal(err)
		}
	}
	c.finished = MaxUnits - 1
	if err := c.add(rowKeys{arm: "a"}, 2); err != nil {
		t.Errorf("unit %d: %v", MaxUnits, err)
	}
	if err := c.add(rowKeys{arm: "b"}, 2); err == nil {
		t.Errorf("unit %d in the other arm was accepted", MaxUnits+1)
	}

	c = newCollector(Input{ArmColumn: "arm", UnitColumn: "u", Metrics: metrics(t, "v:p50")})
	c.row[0] = cell{rows: 1}
	c.kept = MaxRetained - 1
	if err := c.add(rowKeys{arm: "a", unit: "u1"}, 2); err != nil {
		t.Errorf("value %d: %v", MaxRetained, err)
	}
	if err := c.add(rowKeys{arm: "a", unit: "u1"}, 2); err == nil {
		t.Errorf("value %d was accepted", MaxRetained+1)
	}
}

func TestLongValues(t *testing.T) {
	t.Parallel()
	in := Input{ArmColumn: "arm", UnitColumn: "u", Metrics: metrics(t, "v:mean")}
	base := "arm,u,v\na,1,1\nb,2,2\n"
	arm, unit := strings.Repeat("x", MaxArmBytes), strings.Repeat("y", MaxUnitBytes)
	if s := read(t, base+arm+","+unit+",1\n", in); s.Problems.Count != 0 {
		t.Errorf("names at the limit: %v", s.Problems.First)
	}
	if s := read(t, base+arm+"x,3,1\na,"+unit+"y,1\n", in); s.Problems.Count != 2 {
		t.Errorf("names over the limit: %d problems, want 2", s.Problems.Count)
	}
	record := func(bytes int) string { return base + "a,3," + strings.Repeat(" ", bytes-len("a,3,1\n")) + "1\n" }
	if s := read(t, record(MaxLineBytes), in); s.Problems.Count != 0 || s.Rows != 3 {
		t.Errorf("a row of %d bytes: %+v", MaxLineBytes, s.Problems)
	}
	for name, rows := range map[string]string{
		"long":         record(MaxLineBytes + 1),
		"stray quote":  base + "a,\"3,1\n" + strings.Repeat("a,4,1\n", MaxLineBytes),
		"first header": strings.Repeat("a", 2*MaxLineBytes),
	} {
		var bad *Error
		if _, err := ReadCSV(t.Context(), strings.NewReader(rows), in); !errors.As(err, &bad) || bad.Field != "file" {
			t.Errorf("%s: ReadCSV = %v, want an Error of the field file", name, err)
		}
	}
}

// broken fails after its rows, as a truncated gzip stream does.
type broken struct{ rows io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.rows.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestReadingStops(t *testing.T) {
	t.Parallel()
	in := Input{ArmColumn: "arm", Metrics: metrics(t, "v:mean")}
	if _, err := ReadCSV(t.Context(), broken{strings.NewReader("arm,v\na,1\nb,2\n")}, in); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated rows: %v, want %v", err, io.ErrUnexpectedEOF)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadCSV(ctx, strings.NewReader("arm,v\na,1\nb,2\n"), in); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want %v", err, context.Canceled)
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("arm,u,v,w\na,1,2,3\nb,2,0,1\na,1,5,NA\n")
	f.Add("arm,u,v,w\na,1,1e308,1\na,2,1e308,1\nb,3,-1e308,0\nb,3,1,0\n")
	f.Add("arm,u,v,w\n\"a\",\"1\n\",x,\n,,,\n")
	all := metrics(f, "v:mean:cap=p99", "v:mean:cap=2", "w:proportion", "v:p50", "v/w:ratio")
	f.Fuzz(func(t *testing.T, rows string) {
		for _, unit := range []string{"", "u"} {
			s, err := ReadCSV(t.Context(), strings.NewReader(rows), Input{ArmColumn: "arm", UnitColumn: unit, Metrics: all, Pairs: true})
			if err != nil {
				continue
			}
			if _, err := json.Marshal(s); err != nil {
				t.Fatalf("unit column %q: the scorecard has no JSON: %v", unit, err)
			}
			if err := s.WriteText(io.Discard); err != nil {
				t.Fatal(err)
			}
			var units int64
			for _, a := range s.Split.Arms {
				units += a.Units
			}
			if units != s.Units {
				t.Errorf("unit column %q: %d units by arm, %d in all", unit, units, s.Units)
			}
		}
	})
}

// BenchmarkReadCSV reads rows of 3 columns; rows/s is what to look at.
func BenchmarkReadCSV(b *testing.B) {
	const rows = 200_000
	var text strings.Builder
	text.WriteString("arm,viewer,watch_s\n")
	for i := range rows {
		fmt.Fprintf(&text, "%s,viewer-%06d,%d.%03d\n", []string{"control", "treatment"}[i%2], i/4*2+i%2, i%9000, i%997)
	}
	for _, test := range []struct{ name, unit, metric string }{
		{"rows/mean", "", "watch_s:mean"},
		{"rows/cap=p99", "", "watch_s:mean:cap=p99"},
		{"rows/p95", "", "watch_s:p95"},
		{"units/mean", "viewer", "watch_s:mean"},
		{"units/p95", "viewer", "watch_s:p95"},
	} {
		b.Run(test.name, func(b *testing.B) {
			in := Input{ArmColumn: "arm", UnitColumn: test.unit, Metrics: metrics(b, test.metric)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ReadCSV(b.Context(), strings.NewReader(text.String()), in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
