package report_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

func readCSV(t *testing.T, r *report.Report) ([]string, [][]string) {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll() // fails where lines differ in length
	if err != nil {
		t.Fatal(err)
	}
	return lines[0], lines[1:]
}

// TestCSVHoldsTheReport reads every fixture's CSV back and finds its numbers.
func TestCSVHoldsTheReport(t *testing.T) {
	t.Parallel()
	for name, in := range reporttest.Fixtures() {
		r := report.Build(in)
		header, lines := readCSV(t, &r)
		rows := slices.Concat(r.Primary, r.Guardrails, r.Secondary)
		if len(lines) != len(rows)+len(r.Segments.Rows) {
			t.Fatalf("%s: %d lines for %d rows and %d segments", name, len(lines), len(rows), len(r.Segments.Rows))
		}
		column := func(line []string, name string) string { return line[slices.Index(header, name)] }
		for i, row := range rows {
			line := lines[i]
			if column(line, "metric") != row.Metric.Key || column(line, "arm") != row.ArmKey || column(line, "state") != string(row.State) {
				t.Errorf("%s: line %v is not %s of %s", name, line, row.Metric.Key, row.ArmKey)
			}
			if g := row.GroupSequential; g != nil && g.Interval != nil {
				if got, err := strconv.ParseFloat(column(line, "planned_upper"), 64); err != nil || got != g.Interval.Upper {
					t.Errorf("%s: planned_upper of %s = %v, want %v", name, row.Metric.Key, got, g.Interval.Upper)
				}
			} else if column(line, "planned_look") != "" || (g != nil) != (column(line, "planned_refusal") != "") {
				t.Errorf("%s: line %v of a row that no planned look decides", name, line)
			}
			if row.Effect == nil {
				if column(line, "lift") != "" || column(line, "refusal") == "" {
					t.Errorf("%s: %s has no effect, but the line %v", name, row.Metric.Key, line)
				}
				continue
			}
			for key, want := range map[string]float64{"lift": row.Effect.Estimate, "lower": row.Effect.Lower, "fixed_upper": row.Effect.FixedUpper} {
				if got, err := strconv.ParseFloat(column(line, key), 64); err != nil || got != want {
					t.Errorf("%s: %s of %s = %v, want %v", name, key, row.Metric.Key, got, want)
				}
			}
		}
	}
}

// TestCSVIsNoFormula keeps texts of users from being run by a spreadsheet.
func TestCSVIsNoFormula(t *testing.T) {
	t.Parallel()
	r := report.Build(reporttest.Fixtures()["typical"])
	r.Segments.Rows = []report.Segment{{Dimension: "isp", Value: "=cmd|' /C calc'!A0"}, {Value: "@x"}, {Value: "+1"}, {Value: "-1"}, {Value: "a=b"}}
	header, lines := readCSV(t, &r)
	at := slices.Index(header, "value")
	var got []string
	for _, line := range lines[len(lines)-5:] {
		got = append(got, line[at])
	}
	want := []string{"'=cmd|' /C calc'!A0", "'@x", "'+1", "'-1", "a=b"}
	if !slices.Equal(got, want) {
		t.Errorf("values = %q, want %q", got, want)
	}
}

// brokenWriter fails after some bytes.
type brokenWriter struct{ left int }

var errClosed = errors.New("the client is gone")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errClosed
	}
	return len(p), nil
}

func TestCSVReportsWriteErrors(t *testing.T) {
	t.Parallel()
	r := report.Build(reporttest.Fixtures()["twelve_arms"])
	for _, left := range []int{0, 5_000} {
		if err := r.WriteCSV(&brokenWriter{left}); !errors.Is(err, errClosed) {
			t.Errorf("WriteCSV after %d bytes = %v, want the error of the writer", left, err)
		}
	}
}
