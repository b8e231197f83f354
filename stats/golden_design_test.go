package stats_test

import (
	"math"

	"github.com/splitcast/splitcast/stats"
)

// sizing is a planned comparison at one look.
type sizing struct {
	NPerArm     float64 `json:"n_per_arm"`
	NControl    float64 `json:"n_control"`
	EffectSize  float64 `json:"effect_size"`
	Delta, SD   float64
	P1, P2      float64
	Alpha       float64
	Beta        float64
	Power       float64
	Ratio       float64
	Alternative string
	Allocation  float64 `json:"allocation_ratio"`
	ThetaH0     float64 `json:"theta_h0"`
	PTreatment  float64 `json:"p_treatment"`
	PControl    float64 `json:"p_control"`
}

func (s sizing) oneSided() bool { return s.Alternative != "two.sided" && s.Alternative != "two-sided" }

func (s sizing) tTest() stats.TTestDesign {
	return stats.TTestDesign{SD: s.SD, Alpha: s.Alpha, OneSided: s.oneSided()}
}

func (s sizing) shares() stats.ProportionDesign {
	return stats.ProportionDesign{Alpha: s.Alpha, OneSided: s.oneSided()}
}

func (s sizing) nonInferiority() stats.NonInferiorityDesign {
	return stats.NonInferiorityDesign{Margin: s.ThetaH0, Alpha: s.Alpha, Power: 1 - s.Beta, Ratio: s.Allocation}
}

// value makes a result of one number.
func value(key string, x float64, err error) (results, error) { return results{key: x}, err }

func goldenDesigns() map[string]adapter {
	return map[string]adapter{
		"power_t_test": on(func(in sizing) (results, error) {
			power, err := in.tTest().Power(in.NPerArm, in.Delta)
			return value("power", power, err)
		}),
		"sample_size_t_test": on(func(in sizing) (results, error) {
			n, err := in.tTest().Units(in.Delta, in.Power)
			return value("n_per_arm", n, err)
		}),
		"mde_t_test": on(func(in sizing) (results, error) {
			delta, err := in.tTest().MinimumDetectable(in.NPerArm, in.Power)
			return value("delta", delta, err)
		}),
		"power_t_ratio": on(func(in sizing) (results, error) {
			power, err := stats.TTestDesign{
				SD: 1, Alpha: in.Alpha, Ratio: in.Ratio, OneSided: in.oneSided(), BothTails: true,
			}.Power(in.NControl, in.EffectSize)
			return value("power", power, err)
		}),
		"sample_size_z": on(func(in sizing) (results, error) {
			n, err := stats.ZTestDesign{Alpha: in.Alpha, Ratio: in.Ratio, OneSided: in.oneSided()}.Units(in.EffectSize, in.Power)
			return value("n_control", n, err)
		}),
		"power_prop_test": on(func(in sizing) (results, error) {
			power, err := in.shares().Power(in.NPerArm, in.P1, in.P2)
			return value("power", power, err)
		}),
		"sample_size_prop_test": on(func(in sizing) (results, error) {
			n, err := in.shares().Units(in.P1, in.P2, in.Power)
			return value("n_per_arm", n, err)
		}),
		"noninf_sample_size_means": on(func(in sizing) (results, error) {
			n, err := in.nonInferiority().MeanUnits(in.Delta, in.SD)
			return results{"n_total": n.Total(), "n_treatment": n.Treatment, "n_control": n.Control}, err
		}),
		"noninf_sample_size_rates": on(func(in sizing) (results, error) {
			n, err := in.nonInferiority().ShareUnits(in.PControl, in.PTreatment)
			return value("n_total", n.Total(), err)
		}),
		"bayes_beta_binomial": on(func(in struct {
			twoShares
			PriorAlpha float64 `json:"prior_alpha"`
			PriorBeta  float64 `json:"prior_beta"`
		},
		) (results, error) {
			p, err := in.pair().Posterior(stats.BetaPrior{Alpha: in.PriorAlpha, Beta: in.PriorBeta})
			return results{
				"chance_treatment_better": p.ChanceToWin, "expected_loss_choose_control": p.LossChoosingControl,
				"expected_loss_choose_treatment": p.LossChoosingTreatment,
				"post_mean_c":                    p.MeanControl, "post_mean_t": p.MeanTreatment,
			}, err
		}),
		"switchback_ht": on(func(in struct {
			Y           []float64
			BlockStarts []int `json:"block_starts"`
			Assignment  []int
			Carryover   int `json:"carryover_order"`
		},
		) (results, error) {
			treated := make([]bool, len(in.Assignment))
			for i, a := range in.Assignment {
				treated[i] = a == 1
			}
			r, err := stats.Switchback{
				Y: in.Y, BlockStarts: in.BlockStarts, Treated: treated, Carryover: in.Carryover,
			}.Estimate(nil)
			return results{"tau_hat": r.Estimate, "fisher_p_two_sided": r.P}, err
		}),
		"nist_anova": on(func(in struct {
			Group []int
			Y     []float64
		},
		) (results, error) {
			groups := []stats.Moments{}
			index := map[int]int{}
			for i, g := range in.Group {
				at, ok := index[g]
				if !ok {
					at = len(groups)
					index[g] = at
					groups = append(groups, stats.Moments{})
				}
				groups[at].Add(in.Y[i])
			}
			a, err := stats.OneWayANOVA(groups)
			return results{
				"f": a.F, "r_squared": a.RSquared, "residual_sd": a.ResidualSD,
				"df_between": a.DFBetween, "df_within": a.DFWithin,
			}, err
		}),
		"nist_univariate": on(func(in struct{ X []float64 }) (results, error) {
			m := stats.MomentsOf(in.X)
			variance, _ := m.Variance()
			r, err := stats.Autocorrelation(in.X, 1)
			return results{"mean": m.Mean, "sd": math.Sqrt(variance), "lag1_autocorr": r}, err
		}),
	}
}
