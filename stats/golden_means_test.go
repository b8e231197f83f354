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
		"noninferiority_welch": on(func(in struct {
			armPair
			Margin         float64
			HigherIsBetter bool `json:"higher_is_better"`
			Alpha          float64
		},
		) (results, error) {
			effect, err := in.difference()
			if err != nil {
				return nil, err
			}
			test, err := stats.NonInferiority{
				Margin: in.Margin, HigherIsBetter: in.HigherIsBetter, Alpha: in.Alpha,
			}.Test(effect)
			return results{
				"t": test.T, "df": test.DF, "p": test.P, "bound": test.Bound, "non_inferior": test.NonInferior,
			}, err
		}),
		"relative_lift": on(func(in struct {
			MeanC float64 `json:"mean_c"`
			SEC   float64 `json:"se_c"`
			MeanT float64 `json:"mean_t"`
			SET   float64 `json:"se_t"`
			Alpha float64
		},
		) (results, error) {
			arm := func(mean, se float64) stats.Arm { return stats.Arm{N: 2, Value: mean, Variance: 2 * se * se} }
			r, err := stats.RelativeLift(arm(in.MeanC, in.SEC), arm(in.MeanT, in.SET), 1-in.Alpha)
			return results{
				"lift": r.Lift, "delta_se": r.DeltaSE, "delta_lower": r.Delta.Lower, "delta_upper": r.Delta.Upper,
				"log_se": r.LogSE, "log_lower": r.Log.Lower, "log_upper": r.Log.Upper,
				"fieller_g": r.G, "fieller_kind": string(r.Kind),
				"fieller_lower": r.Fieller.Lower, "fieller_upper": r.Fieller.Upper,
			}, err
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
