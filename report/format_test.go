package report

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		x        float64
		decimals int
		want     string
	}{
		{0, 2, "0.00"},
		{math.Copysign(0, -1), 2, "0.00"},
		{-0.001, 2, "0.00"},
		{-0.006, 2, "−0.01"},
		{12.345, 1, "12.3"},
		{999_999, 0, "999999"},
		{1e6, 0, "1.00e+06"},
		{-2.5e9, 1, "−2.50e+09"},
		{4e-9, 6, "4.00e−09"},
		{4e-9, 2, "0.00"},
	} {
		if got := number(test.x, test.decimals); got != test.want {
			t.Errorf("number(%v, %d) = %q, want %q", test.x, test.decimals, got, test.want)
		}
	}
}

func TestSigned(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0.031: "+3.1 %", -0.031: "−3.1 %", 0: "0.0 %", -0.0001: "0.0 %", 12: "+1200.0 %"} {
		if got := percent(x, 1); got != want {
			t.Errorf("percent(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestDecimalsFor(t *testing.T) {
	t.Parallel()
	for se, want := range map[float64]int{
		0.013: 3, 0.0099: 4, 0.1: 2, 0.99: 2, 1: 1, 9.9: 1, 10: 0, 1234: 0, 1e-12: maxDecimals, 0: 2,
	} {
		if got := decimalsFor(se); got != want {
			t.Errorf("decimalsFor(%v) = %d, want %d", se, got, want)
		}
	}
	if got := decimalsFor(math.NaN()); got != 2 {
		t.Errorf("decimalsFor(NaN) = %d", got)
	}
}

func TestPlannedAndCount(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0.005: "0.5 %", 0.1: "10 %", 0.02: "2 %", 0.07: "7 %", 0.00125: "0.125 %"} {
		if got := planned(x); got != want {
			t.Errorf("planned(%v) = %q, want %q", x, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -46248: "−46,248", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestOdds(t *testing.T) {
	t.Parallel()
	for logE, want := range map[float64]string{-3: "less than 1 : 1", 0: "1 : 1", 6.9: "992 : 1", 2302.6: "10¹⁰⁰⁰ : 1"} {
		if got := odds(logE); got != want {
			t.Errorf("odds(%v) = %q, want %q", logE, got, want)
		}
	}
	if got := eValue(-5_000); strings.Contains(got, "Inf") || got == "0" {
		t.Errorf("eValue(-5000) = %q", got)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := list(words); got != want {
			t.Errorf("list(%v) = %q, want %q", words, got, want)
		}
	}
}

// TestShownLooks checks that points are few, keep both ends, and never move as
// looks are added.
func TestShownLooks(t *testing.T) {
	t.Parallel()
	if got := ShownLooks(0); got != nil {
		t.Errorf("ShownLooks(0) = %v", got)
	}
	var before []int
	for newest := 1; newest <= 5_000; newest++ {
		got := ShownLooks(newest)
		if len(got) > MaxSeriesPoints || newest <= MaxSeriesPoints && len(got) != newest {
			t.Fatalf("ShownLooks(%d) has %d points", newest, len(got))
		}
		if newest > MaxSeriesPoints && len(got) < MaxSeriesPoints/2 {
			t.Fatalf("ShownLooks(%d) has %d points only", newest, len(got))
		}
		if got[0] != 1 || got[len(got)-1] != newest || !slices.IsSorted(got) {
			t.Fatalf("ShownLooks(%d) goes from %d to %d", newest, got[0], got[len(got)-1])
		}
		for _, n := range got[:len(got)-1] { // each was there before
			if _, ok := slices.BinarySearch(before, n); !ok {
				t.Fatalf("ShownLooks(%d) shows look %d, which ShownLooks(%d) did not", newest, n, newest-1)
			}
		}
		before = got
	}
}
