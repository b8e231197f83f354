package scorecard

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/stats"
)

// newSplit checks the units of each arm against the planned weights.
func newSplit(arms []string, units, weights []int64) Split {
	s := Split{Arms: make([]ArmShare, len(arms))}
	var total, weightSum int64
	for i := range arms {
		total += units[i]
		weightSum += weights[i]
	}
	floats := make([]float64, len(weights))
	for i, arm := range arms {
		floats[i] = float64(weights[i])
		s.Arms[i] = ArmShare{
			Arm: arm, Units: units[i], Weight: weights[i],
			Expected: float64(total) * floats[i] / float64(weightSum),
		}
	}
	sequential, err := stats.SampleRatio(units, weights, stats.SampleRatioConcentration)
	if err != nil {
		return s.refuse(err)
	}
	fixed, err := stats.PearsonSampleRatio(units, floats)
	if err != nil {
		return s.refuse(err)
	}
	s.Sequential, s.Fixed = &sequential, &fixed
	s.Words = splitWords(sequential, fixed)
	return s
}

func (s Split) refuse(err error) Split {
	s.Refused = refusalOf(err)
	s.Words = s.Refused.Message
	return s
}

// splitAlphaFixed is where the fixed test alarms, as the sequential one does at
// E = 1000.
const splitAlphaFixed = 0.001

// splitWords gives the verdict of the sequential test, and says so when the one
// of the fixed test is another.
func splitWords(s stats.SRM, f stats.ChiSquareTest) string {
	words := map[stats.SRMStatus]string{
		stats.SRMOk:    "The split agrees with the plan",
		stats.SRMWarn:  "The split is doubtful: find out why before you trust a comparison",
		stats.SRMAlert: "The split is broken: units were lost or added in some arm, and no comparison can be trusted",
	}[s.Status]
	words += fmt.Sprintf(" (E = %s at every look; chi-square %.2f on %.0f degrees of freedom, p = %.3g at this one look).",
		eValue(s.LogE), f.ChiSquare, f.DF, f.P)
	if s.Status == stats.SRMOk && f.P < splitAlphaFixed {
		words += " The fixed test alone would alarm; it is valid only if this is the one planned look."
	}
	return words
}

// eValue prints an e-value from its logarithm, which may be out of the range of
// float64.
func eValue(logE float64) string {
	const decimalsFrom = 1e6
	if e := math.Exp(logE); e < decimalsFrom {
		return fmt.Sprintf("%.3g", e)
	}
	exponent := math.Floor(logE / math.Ln10)
	return fmt.Sprintf("%.1fe+%.0f", math.Exp(logE-exponent*math.Ln10), exponent)
}
