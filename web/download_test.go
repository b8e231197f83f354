package web

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestChartFiles draws every chart of every variant as a file of its own.
func TestChartFiles(t *testing.T) {
	t.Parallel()
	r := renderer(t)
	for name, rep := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := reportView(rep)
			for _, kind := range []string{ChartHarm, ChartPrimary, ChartSecondary, ChartLooks, ChartValues, ChartWhere} {
				svg, ok, err := r.ChartSVG(v, kind)
				if err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				if ok {
					checkFile(t, kind, svg)
				}
			}
		})
	}
}

// checkFile checks that a file is well-formed SVG with a name space and no script.
func checkFile(t *testing.T, kind, svg string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(svg))
	first := true
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v in %.400s", kind, err, svg)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if first && (el.Name.Space != "http://www.w3.org/2000/svg" || el.Name.Local != "svg") {
			t.Errorf("%s begins with %v", kind, el.Name)
		}
		first = false
		if el.Name.Local == "script" || el.Name.Local == "foreignObject" {
			t.Errorf("%s contains %s", kind, el.Name.Local)
		}
		for _, a := range el.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "NaN") {
				t.Errorf("%s: %s=%q", kind, a.Name.Local, a.Value)
			}
		}
	}
}

func TestUnknownChart(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "nothing"} {
		if _, ok, err := renderer(t).ChartSVG(reportView(sample(t, "typical")), kind); ok || err != nil {
			t.Errorf("chart %q: %v, %v, want none", kind, ok, err)
		}
	}
}

func TestFilesAreOffered(t *testing.T) {
	t.Parallel()
	v := reportView(sample(t, "quality"))
	v.Choice = Choice{Metric: "stall_ratio", View: ViewTail}
	page := renderReport(t, v)
	for _, want := range []string{
		`href="/experiments/abr-safety-75/chart.svg?chart=values&amp;metric=stall_ratio&amp;view=tail" download="values.svg"`,
		`href="/api/v1/experiments/abr-safety-75/outcomes?format=parquet"`,
		`href="/api/v1/experiments/abr-safety-75/notebook"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	v.Charts, v.Notebook, v.Outcomes = "", "", ""
	if page := renderReport(t, v); strings.Contains(page, "chart.svg") || strings.Contains(page, "Notebook") {
		t.Error("files are offered that nobody makes")
	}
}
