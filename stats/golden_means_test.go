package stats_test

import (
	"fmt"

	"github.com/splitcast/splitcast/stats"
)

// armPair is two arms by their sample moments.
type armPair struct {
	NC    int64   `json:"n_c"`
	MeanC float64 `json:"mean_c"`
	VarC  float64 `json:"var_c"`
	NT    int64   `json:"n_t"`
	MeanT float64 `json:"mean_t"`
	VarT  float64 `json:"var_t"`
}

func (p armPair) difference() (stats.Effect, error) {
	return stats.Difference(
		stats.Arm{N: p.NC, Value: p.MeanC, Variance: p.VarC},
		stats.Arm{N: p.NT, Value: p.MeanT, Variance: p.VarT},
	)
}

func goldenMeans() map[string]adapter {
	return map[string]adapter{
		"welch_t_stats": on(func(in struct {
			armPair
			ConfLevel float64 `json:"conf_level"`
		},
		) (results, error) {
			effect, err := in.difference()
			if err != nil {
				return nil, err
			}
			return testResults(stats.Welch(effect, in.ConfLevel))
		}),
		"welch_t_raw": on(func(in struct {
			Control, Treatment []float64
			Alternative        string
			ConfLevel          float64 `json:"conf_level"`
		},
		) (results, error) {
			effect, err := stats.MeanDifference(stats.MomentsOf(in.Control), stats.MomentsOf(in.Treatment))
			if err != nil {
				return nil, err
			}
			if in.Alternative == "two.sided" {
				return testResults(stats.Welch(effect, in.ConfLevel))
			}
			return testResults(stats.WelchOneSided(effect, in.ConfLevel, sideOf(in.Alternative)))
		}),
	}
}

func testResults(t stats.Test, err error) (results, error) {
	return results{
		"diff": t.Estimate, "estimate": t.Estimate, "se": t.SE, "df": t.DF, "t": t.T, "p": t.P, "log_p": t.LogP,
		"ci_lower": t.Lower, "ci_upper": t.Upper,
	}, err
}

// sideOf translates the alternative of a case.
func sideOf(alternative string) stats.Side {
	switch alternative {
	case "greater":
		return stats.Greater
	case "less":
		return stats.Less
	}
	panic(fmt.Sprintf("alternative %q", alternative))
}
