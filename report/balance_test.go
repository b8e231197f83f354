package report_test

import (
	"math"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// TestSplitInWords withholds a verdict for a split that was off at the first of two looks
// and is less so now: an alert stays, and the words are those of the strongest evidence,
// with a bound that is never smaller than 1/E.
func TestSplitInWords(t *testing.T) {
	t.Parallel()
	build := func(first, second [2]int64) report.Report {
		s := newSynthetic(2).at(5_000).at(20_000)
		for i, counts := range [][2]int64{first, second} {
			for arm, n := range counts {
				s.looks[i].Arms[arm].Exposed = n
			}
		}
		return report.Build(s.input())
	}
	logE := func(counts [2]int64) float64 {
		srm, err := stats.SampleRatio(counts[:], []int64{1, 1}, stats.SampleRatioConcentration)
		if err != nil {
			t.Fatal(err)
		}
		return srm.LogE
	}
	mended, slight, gross := [2]int64{20_000, 19_900}, [2]int64{5_000, 4_500}, [2]int64{5_000, 4_000}
	if e := logE(slight); e < math.Log(1_000) || e > math.Log(1e6) || logE(mended) > 0 {
		t.Fatalf("the samples have ln E of %v and %v", e, logE(mended))
	}
	for _, test := range []struct {
		name          string
		first, second [2]int64
		want          string
	}{
		{"gone by now", slight, mended, "5,000 a (planned 4,750), 4,500 b (planned 4,750): a split this uneven, as of look 1, would arise by chance in at most one of "},
		{"grows", slight, [2]int64{20_000, 18_000}, "20,000 a (planned 19,000), 18,000 b (planned 19,000): a split this uneven would arise by chance in at most one of 10²"},
		{"power of ten", gross, mended, "in at most one of 10²¹ experiments that are split as planned, however often one looks."},
	} {
		v := build(test.first, test.second).Verdict
		if v.State != report.VerdictUntrustworthy || !strings.Contains(v.Sentence, test.want) || strings.Contains(v.Sentence+v.Action, "E = ") {
			t.Errorf("%s: %s, %q; want %q", test.name, v.State, v.Sentence, test.want)
		}
	}
}
