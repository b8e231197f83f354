package stats_test

import (
	"errors"
	"math"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// bcg are the 13 trials of the BCG vaccine (Colditz et al. 1994) as log risk
// ratios with variances, the example of the R package metafor.
var bcg = []stats.PastEffect{
	{-0.8893, 0.3256},
	{-1.5854, 0.1946},
	{-1.3481, 0.4154},
	{-1.4416, 0.0200},
	{-0.2175, 0.0512},
	{-0.7861, 0.0069},
	{-1.6209, 0.2230},
	{0.0120, 0.0040},
	{-0.4694, 0.0564},
	{-1.3713, 0.0730},
	{-0.3394, 0.0124},
	{0.4459, 0.5325},
	{-0.0173, 0.0714},
}

// metafor's rma(yi, vi, data = dat.bcg, method = "DL") gives the estimate
// -0.7141 and tau^2 0.3088, from variances with more digits than those above.
func TestPriorOfPast(t *testing.T) {
	t.Parallel()
	got, err := stats.PriorOfPast(bcg)
	if err != nil || math.Abs(got.Mean+0.7141) > 5e-4 || math.Abs(got.Variance-0.3088) > 5e-4 || !got.Proper {
		t.Errorf("PriorOfPast(BCG) = %+v, %v, want the mean -0.7141 and the variance 0.3088", got, err)
	}
	same := make([]stats.PastEffect, 10)
	for i := range same {
		same[i] = stats.PastEffect{Estimate: 0.02, Variance: 1}
	}
	if got, err := stats.PriorOfPast(same); err != nil || got.Variance != 0 || math.Abs(got.Mean-0.02) > 1e-12 {
		t.Errorf("PriorOfPast of equal effects = %+v, %v, want their value without variance", got, err)
	}
}

func TestPriorOfPastRefuses(t *testing.T) {
	t.Parallel()
	var refusal *stats.Refusal
	for name, past := range map[string][]stats.PastEffect{
		"nine":        bcg[:9],
		"no variance": append([]stats.PastEffect{{1, 0}}, bcg...),
		"no number":   append([]stats.PastEffect{{math.NaN(), 1}}, bcg...),
		"infinite":    append([]stats.PastEffect{{1, math.Inf(1)}}, bcg...),
	} {
		if got, err := stats.PriorOfPast(past); !errors.As(err, &refusal) {
			t.Errorf("%s: PriorOfPast = %+v, %v, want a refusal", name, got, err)
		}
	}
	if _, err := stats.PriorOfPast(bcg[:10]); err != nil {
		t.Errorf("PriorOfPast of ten effects: %v", err)
	}
}
