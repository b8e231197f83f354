package stats_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// edgyValue draws values in, at the ends of, and outside the buckets.
func edgyValue() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64Range(1e-3, 1e6),
		rapid.Float64Range(-1, 1e-6),
		rapid.SampledFrom([]float64{
			0, math.Copysign(0, -1), -5, 1, 2, 1024, 0x1p-20, math.Nextafter(0x1p-20, 1), 0x1p44,
			math.Nextafter(0x1p44, math.Inf(1)), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64,
			math.SmallestNonzeroFloat64,
		}),
	)
}

func histogramOf(values []float64) *stats.Histogram {
	h := &stats.Histogram{}
	for _, v := range values {
		h.Add(v)
	}
	return h
}

func asJSON(t interface{ Fatal(args ...any) }, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHistogramMergeIsTheHistogramOfTheUnion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(edgyValue(), 0, 50).Draw(t, "a")
		b := rapid.SliceOfN(edgyValue(), 0, 50).Draw(t, "b")
		want := asJSON(t, histogramOf(slices.Concat(a, b)))
		ab, ba := histogramOf(a), histogramOf(b)
		ab.Merge(histogramOf(b))
		ba.Merge(histogramOf(a))
		for _, got := range []*stats.Histogram{ab, ba} {
			if text := asJSON(t, got); text != want {
				t.Errorf("merged %s, want %s", text, want)
			}
		}
		empty := histogramOf(a)
		empty.Merge(&stats.Histogram{})
		if got, want := asJSON(t, empty), asJSON(t, histogramOf(a)); got != want {
			t.Errorf("merging nothing gave %s, want %s", got, want)
		}
	})
}

func TestHistogramRoundTripJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := histogramOf(rapid.SliceOf(edgyValue()).Draw(t, "values"))
		var got stats.Histogram
		if err := json.Unmarshal([]byte(asJSON(t, want)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Count() != want.Count() || asJSON(t, got) != asJSON(t, want) {
			t.Errorf("round trip of %s gave %s", asJSON(t, want), asJSON(t, got))
		}
	})
}

func TestHistogramCountsExactlyAtEdges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1, 1e5), 1, 60).Draw(t, "values")
		h := histogramOf(values)
		for edge, atOrBelow := range h.Edges {
			var want int64
			for _, v := range values {
				if v <= edge {
					want++
				}
			}
			if atOrBelow != want || h.CountAtOrBelow(edge) != float64(want) {
				t.Errorf("at edge %v: Edges %d, CountAtOrBelow %v, want %d", edge, atOrBelow, h.CountAtOrBelow(edge), want)
			}
		}
	})
}

func TestHistogramBucketsAreNarrow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := math.Exp2(rapid.Float64Range(-19.99, 44).Draw(t, "log2"))
		h := histogramOf([]float64{v})
		for edge := range h.Edges {
			if edge < v || edge > v*(1+1.0/128) {
				t.Errorf("the bucket of %v ends at %v, want at most 1/128 above", v, edge)
			}
		}
	})
}

func TestHistogramQuantileOfLognormal(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 200_000)
	for i := range values {
		values[i] = 1000 * math.Exp(rng.NormFloat64())
	}
	h := histogramOf(values)
	slices.Sort(values)
	for _, nu := range []float64{0.05, 0.5, 0.9, 0.99, 0.999} {
		got, err := h.Quantile(nu)
		if err != nil {
			t.Fatal(err)
		}
		n := float64(len(values))
		reach := 1.959963984540054 * math.Sqrt(nu*(1-nu)*n)
		at := func(rank float64) float64 { return values[int(rank)] }
		// The histogram must not add visibly to the sampling error, of which
		// the order-statistic interval is the measure.
		noise := at(nu*n+reach) - at(nu*n-reach)
		for _, pair := range [][2]float64{
			{got.Value, at(nu * n)}, {got.Lower, at(nu*n - reach)}, {got.Upper, at(nu*n + reach)},
		} {
			if math.Abs(pair[0]-pair[1]) > 0.05*noise {
				t.Errorf("Quantile(%v): got %v, exact order statistic %v, interval width %v", nu, pair[0], pair[1], noise)
			}
		}
	}
}

func TestHistogramQuantileRefusals(t *testing.T) {
	t.Parallel()
	many := func(v float64) *stats.Histogram {
		h := &stats.Histogram{}
		h.AddN(v, 1000)
		return h
	}
	withNaN := many(3)
	withNaN.Add(math.NaN())
	tests := []struct {
		name string
		h    *stats.Histogram
		nu   float64
		want stats.Code
	}{
		{"level 0", many(3), 0, stats.InvalidArgument},
		{"level 1", many(3), 1, stats.InvalidArgument},
		{"level NaN", many(3), math.NaN(), stats.InvalidArgument},
		{"empty", &stats.Histogram{}, 0.5, stats.TooFewUnits},
		{"interval beyond the largest", many(3), 0.9999, stats.TooFewUnits},
		{"overflow", many(1e300), 0.5, stats.OutOfRange},
		{"NaN", withNaN, 0.5, stats.NonFinite},
	}
	for _, test := range tests {
		if got, err := test.h.Quantile(test.nu); reasonOf(err) != test.want {
			t.Errorf("%s: Quantile = %+v, %v, want reason %s", test.name, got, err, test.want)
		}
	}
}

func TestHistogramCloneSharesNothing(t *testing.T) {
	t.Parallel()
	h := histogramOf([]float64{1, 2, 3})
	before := asJSON(t, h)
	c := h.Clone()
	c.AddN(2, 5)
	if got := asJSON(t, h); got != before {
		t.Errorf("changing the clone changed %s to %s", before, got)
	}
}

func TestHistogramJSONIsCompact(t *testing.T) {
	t.Parallel()
	h := histogramOf([]float64{1, 1.1, 1.1, 0, 1e300})
	const want = `{"zero":1,"over":1,"first":2559,"counts":[1,-12,2]}`
	if diff := cmp.Diff(want, asJSON(t, h)); diff != "" {
		t.Error(diff)
	}
}

func FuzzHistogramUnmarshal(f *testing.F) {
	f.Add([]byte(`{"zero":1,"over":1,"first":2559,"counts":[1,-12,2]}`))
	f.Add([]byte(`{"counts":[-9223372036854775808]}`))
	f.Add([]byte(`{"first":8191,"counts":[1]}`))
	f.Add([]byte(`{"first":8191,"counts":[1,1]}`))
	f.Add([]byte(`{"zero":9223372036854775807,"over":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h stats.Histogram
		if json.Unmarshal(data, &h) != nil {
			return
		}
		if h.Count() < 0 {
			t.Fatalf("%s: count %d", data, h.Count())
		}
		var again stats.Histogram
		text := asJSON(t, h)
		if err := json.Unmarshal([]byte(text), &again); err != nil {
			t.Fatalf("%s became %s: %v", data, text, err)
		}
		if asJSON(t, again) != text {
			t.Fatalf("%s: %s and %s", data, text, asJSON(t, again))
		}
	})
}

func TestHistogramUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		`{"zero":-1}`, `{"over":-1}`, `{"nan":-1}`, `{"first":-1,"counts":[1]}`,
		`{"first":8191,"counts":[1,1]}`, `{"counts":[-9000,1]}`, `{"first":9000,"counts":[1]}`,
		`{"zero":9223372036854775807,"over":1}`,
		`{"counts":[9223372036854775807,9223372036854775807,9223372036854775807]}`,
	} {
		var h stats.Histogram
		if err := json.Unmarshal([]byte(bad), &h); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("Unmarshal(%s): %v, want reason %s", bad, err, stats.InvalidArgument)
		}
	}
	var atLimit stats.Histogram
	if err := json.Unmarshal([]byte(`{"first":8191,"counts":[1]}`), &atLimit); err != nil {
		t.Errorf("the last bucket: %v", err)
	}
}
