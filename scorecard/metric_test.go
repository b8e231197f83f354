package scorecard

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMetric(t *testing.T) {
	t.Parallel()
	limit := 14400.0
	for spec, want := range map[string]Metric{
		"watch_s:mean":           {Column: "watch_s", Kind: KindMean},
		"watch_s:mean:cap=14400": {Column: "watch_s", Kind: KindMean, Cap: &limit},
		"w:mean:cap=p99.9:lower": {Column: "w", Kind: KindMean, CapLevel: 0.999, LowerIsBetter: true},
		"w:mean:lower:cap=14400": {Column: "w", Kind: KindMean, Cap: &limit, LowerIsBetter: true},
		"ok:proportion":          {Column: "ok", Kind: KindProportion},
		"start:p95:lower":        {Column: "start", Kind: KindQuantile, Level: 0.95, LowerIsBetter: true},
		"start:quantile=0.5":     {Column: "start", Kind: KindQuantile, Level: 0.5},
		"stall/watch:ratio":      {Column: "stall", Denominator: "watch", Kind: KindRatio},
		"qoe:stall s:mean":       {Column: "qoe:stall s", Kind: KindMean},
	} {
		got, err := ParseMetric(spec)
		if err != nil {
			t.Errorf("ParseMetric(%q): %v", spec, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseMetric(%q) (-want +got):\n%s", spec, diff)
		}
	}
}

func TestParseMetricRefuses(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"", "watch_s", ":mean", "w:median", "w:p0", "w:p100", "w:p", "w:p1e1", "w:quantile=1", "w:quantile=NaN",
		"w:ratio", "/d:ratio", "n/:ratio", "a/b/c:ratio", "w:mean:upper", "w:mean:cap=", "w:mean:cap=Inf",
		"w:mean:cap=p100", "w:mean:cap=1:cap=2", "w:mean:cap=p9:cap=2", "w:mean:lower:lower", "w:p95:cap=1",
		"w:proportion:cap=1", "n/d:ratio:cap=1", "w:mean:",
		strings.Repeat("w", MaxSpecBytes-len(":mean")+1) + ":mean",
	} {
		var bad *Error
		if _, err := ParseMetric(spec); !errors.As(err, &bad) || bad.Field != "metric" {
			t.Errorf("ParseMetric(%.40q) = %v, want an Error of the field metric", spec, err)
		}
	}
	if _, err := ParseMetric(strings.Repeat("w", MaxSpecBytes-len(":mean")) + ":mean"); err != nil {
		t.Errorf("ParseMetric at the limit: %v", err)
	}
}

func FuzzParseMetric(f *testing.F) {
	for _, spec := range []string{"w:mean:cap=p99:lower", "a/b:ratio", "x:quantile=0.95", "a:b:p50", "w:mean:cap=-1e300"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		m, err := ParseMetric(spec)
		if err != nil {
			return
		}
		if len(m.String()) > MaxSpecBytes {
			return // the canonical form of a number may be longer than what was written
		}
		again, err := ParseMetric(m.String())
		if err != nil {
			t.Fatalf("ParseMetric(%q).String() = %q, which is refused: %v", spec, m, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Errorf("ParseMetric(%q) read again (-first +second):\n%s", spec, diff)
		}
	})
}
