package stats_test

import (
	"fmt"
	"math"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// rows is raw data of a regression.
type rows struct {
	Y, W, X []float64
}

func (r rows) regression(model string) (stats.Regression, error) {
	models := map[string]stats.Covariates{
		"unadjusted": stats.Unadjusted, "ancova": stats.Ancova, "lin_interacted": stats.Interacted,
	}
	m, ok := models[model]
	if !ok {
		return stats.Regression{}, fmt.Errorf("unknown model %q", model)
	}
	return stats.Regression{Y: r.Y, Treatment: r.W, X: r.X, Model: m}, nil
}

func errorModel(name string) stats.ErrorModel {
	if name == "none" {
		return stats.Classical
	}
	return stats.ErrorModel(strings.ToLower(name))
}

func estimateResults(e stats.Effect, err error) (results, error) {
	return results{"estimate": e.Estimate, "se": e.SE()}, err
}

func goldenRobust() map[string]adapter {
	return map[string]adapter{
		"hc_robust_diff": on(func(in struct {
			rows
			Type string
		},
		) (results, error) {
			r, err := in.regression("unadjusted")
			if err != nil {
				return nil, err
			}
			return estimateResults(r.Effect(errorModel(in.Type)))
		}),
		"cluster_robust_diff": on(func(in struct {
			rows
			Cluster []int
			Type    string
			CAdjust bool
		},
		) (results, error) {
			r, err := in.regression("unadjusted")
			if err != nil {
				return nil, err
			}
			return estimateResults(r.ClusteredEffect(in.Cluster, stats.ClusterSmallSample{
				Groups: in.CAdjust, Units: in.Type == "HC1",
			}))
		}),
		"hac_newey_west_diff": on(func(in struct {
			rows
			Lag int
		},
		) (results, error) {
			r, err := in.regression("unadjusted")
			if err != nil {
				return nil, err
			}
			return estimateResults(r.SerialEffect(in.Lag))
		}),
		"avlm_lm_treatment_effect": on(func(in struct {
			rows
			Model, Vcov string
			G, Alpha    float64
		},
		) (results, error) {
			r, err := in.regression(in.Model)
			if err != nil {
				return nil, err
			}
			effect, err := r.Effect(errorModel(in.Vcov))
			if err != nil {
				return nil, err
			}
			s, err := stats.TMixture{Alpha: in.Alpha, G: in.G}.TwoSided(effect)
			return results{
				"estimate": effect.Estimate, "se": effect.SE(), "t": effect.Estimate / effect.SE(),
				"p_anytime": s.P, "ci_lower": s.Lower, "ci_upper": s.Upper,
			}, err
		}),
		"avlm_log_G_t": on(func(in struct{ T2, Nu, N, G float64 }) (results, error) {
			logE, err := stats.TMixtureStatistic{F: in.T2, DF1: 1, DF2: in.Nu, N: in.N, G: in.G}.LogE()
			return results{"log_e": logE, "p": must(stats.PFromE(logE))}, err
		}),
		"avlm_log_G_f": on(func(in struct{ F, D, Nu, N, G float64 }) (results, error) {
			logE, err := stats.TMixtureStatistic{F: in.F, DF1: in.D, DF2: in.Nu, N: in.N, G: in.G}.LogE()
			return results{"log_e": logE, "p": must(stats.PFromE(logE))}, err
		}),
		"avlm_t_radius": on(func(in struct {
			G, N, Alpha  float64
			Coefficients float64 `json:"number_of_coefficients"`
		},
		) (results, error) {
			m := stats.TMixture{Alpha: in.Alpha, G: in.G}
			radius, bounded, err := m.Radius(in.N, in.N-in.Coefficients)
			if err != nil {
				return nil, err
			}
			if !bounded {
				radius = math.Inf(1)
			}
			normal, err := m.NormalRadius(in.N)
			return results{"radius_in_se": radius, "z_radius_in_se": normal}, err
		}),
		"avlm_optimal_g": on(func(in struct {
			N            int64
			Coefficients int `json:"number_of_coefficients"`
			Alpha        float64
		},
		) (results, error) {
			m, err := stats.OptimalG(in.N, in.Coefficients, in.Alpha)
			if err != nil {
				return nil, err
			}
			radius, _, err := m.Radius(float64(in.N), float64(in.N)-float64(in.Coefficients))
			return results{"radius_at_optimum": radius}, err
		}),
	}
}
