package stats_test

import (
	"math"

	"github.com/splitcast/splitcast/stats"
)

// plan is the settings of an asymptotic confidence sequence; sizes come as
// numbers with a decimal point.
type plan struct {
	Alpha    float64 `json:"alpha"`
	AlphaOpt float64 `json:"alpha_opt"`
	NOpt     float64 `json:"n_opt"`
	TOpt     float64 `json:"t_opt"`
}

func (p plan) rho2() (exact, approximate float64, err error) {
	cs := stats.AsympCS{Alpha: p.Alpha + p.AlphaOpt, NOpt: int64(p.NOpt + p.TOpt)} // one of each is given
	exact, err = cs.Rho2()
	if err != nil {
		return 0, 0, err
	}
	cs.Approximate = true
	approximate, err = cs.Rho2()
	return exact, approximate, err
}

// unitEffect is the mean of t units of variance 1 that happens to be 0, so that
// limits are margins.
func unitEffect(t float64) stats.Effect {
	return stats.Effect{Variance: 1 / t, N: int64(t), DF: math.Inf(1)}
}

func goldenSequences() map[string]adapter {
	return map[string]adapter{
		"asympcs_rho": on(func(in plan) (results, error) {
			exact, approximate, err := in.rho2()
			return results{"rho_exact": math.Sqrt(exact), "rho_approx": math.Sqrt(approximate)}, err
		}),
		"asympcs_best_rho2": on(func(in plan) (results, error) {
			exact, approximate, err := in.rho2()
			return results{"rho2_exact": exact, "rho2_approx": approximate}, err
		}),
		"asympcs_std_margin": on(func(in struct{ T, Rho2, Alpha float64 }) (results, error) {
			s, err := stats.MSPRT{Alpha: in.Alpha, Tau2: in.Rho2}.TwoSided(unitEffect(in.T))
			return results{"margin": s.Upper}, err
		}),
		"asympcs_lil_margin": on(func(in struct{ T, Alpha float64 }) (results, error) {
			i, err := stats.IteratedLogarithmCS(unitEffect(in.T), in.Alpha)
			return results{"margin": i.Upper}, err
		}),
		"asympcs_mean_raw": on(func(in struct {
			X        []float64
			TOpt     int64 `json:"t_opt"`
			Alpha    float64
			Lyapunov float64 `json:"lyapunov_rho2"`
		},
		) (results, error) {
			mean, err := stats.MeanEffect(stats.MomentsOf(in.X))
			if err != nil {
				return nil, err
			}
			s, err := stats.AsympCS{Alpha: in.Alpha, NOpt: in.TOpt}.TwoSided(mean)
			if err != nil {
				return nil, err
			}
			lil, err := stats.IteratedLogarithmCS(mean, in.Alpha)
			if err != nil {
				return nil, err
			}
			lyapunov, err := stats.LyapunovCS{Alpha: in.Alpha, Rho2: in.Lyapunov}.TwoSided(mean)
			return results{
				"lower": s.Lower, "upper": s.Upper, "lil_lower": lil.Lower, "lil_upper": lil.Upper,
				"lyapunov_lower": lyapunov.Lower, "lyapunov_upper": lyapunov.Upper,
			}, err
		}),
		"msprt_normal": on(func(in struct {
			Estimate float64 `json:"estimate"`
			Variance float64 `json:"se_squared"`
			Tau2     float64 `json:"tau_squared"`
			Theta0   float64 `json:"theta0"`
			Alpha    float64 `json:"alpha"`
		},
		) (results, error) {
			s, err := stats.MSPRT{Alpha: in.Alpha, Tau2: in.Tau2, Theta0: in.Theta0}.
				TwoSided(stats.Effect{Estimate: in.Estimate, Variance: in.Variance})
			return results{"log_lambda": s.LogE, "p_instant": s.P, "ci_lower": s.Lower, "ci_upper": s.Upper}, err
		}),
		"srm_sequential_multinomial": on(func(in countRows) (results, error) {
			logE, _, err := in.logE(in.Concentration)
			if err != nil {
				return nil, err
			}
			posterior := make([]float64, len(logE))
			for i, l := range logE {
				posterior[i] = must(stats.MismatchProbability(l))
			}
			p, err := stats.RunningP(logE)
			return results{"log_bayes_factors": logE, "p_values": p, "posterior_prob": posterior}, err
		}),
		"multinomial_cs": on(func(in countRows) (results, error) {
			logE, total, err := in.logE(in.K)
			if err != nil {
				return nil, err
			}
			p := make([]float64, len(logE))
			for i, l := range logE {
				p[i] = must(stats.PFromE(l))
			}
			intervals, err := stats.Multinomial{Shares: in.Probs, Concentration: in.K}.Intervals(total, in.Alpha)
			var lower, upper []float64
			for _, i := range intervals {
				lower, upper = append(lower, i.Lower), append(upper, i.Upper)
			}
			return results{"p_instant": p, "ci_lower_at_last": lower, "ci_upper_at_last": upper}, err
		}),
		"poisson_counts_anytime": on(func(in struct {
			CountA int64 `json:"count_a"`
			CountB int64 `json:"count_b"`
			Phi    float64
			Alpha  float64
		},
		) (results, error) {
			p := stats.PoissonCounts{Phi: in.Phi, Alpha: in.Alpha}
			logE, err := p.LogE(in.CountA, in.CountB)
			if err != nil {
				return nil, err
			}
			mean, err := p.MeanInterval(in.CountB)
			if err != nil {
				return nil, err
			}
			difference, err := p.DifferenceInterval(in.CountA, in.CountB)
			return results{
				"log_p": -logE, "ci_mean_b_lower": mean.Lower, "ci_mean_b_upper": mean.Upper,
				"ci_diff_lower": difference.Lower, "ci_diff_upper": difference.Upper,
			}, err
		}),
		"e_bh": on(func(in struct {
			EValues []float64 `json:"e_values"`
			Alpha   float64
		},
		) (results, error) {
			logE := make([]float64, len(in.EValues))
			for i, e := range in.EValues {
				logE[i] = math.Log(e)
			}
			rejected, err := stats.EBH(logE, in.Alpha)
			return results{"rejected_indices": append([]int{}, rejected...)}, err
		}),
		"p_to_e": on(func(in struct{ P float64 }) (results, error) {
			half, err := stats.LogEFromP(in.P)
			if err != nil {
				return nil, err
			}
			mixed, err := stats.LogEFromPMixed(in.P)
			return results{
				"calibrator_kappa_half": math.Exp(half), "calibrator_integral": math.Exp(mixed),
				"e_to_p_of_inverse": must(stats.PFromE(-math.Log(in.P))),
			}, err
		}),
	}
}

// countRows is increments of counts of arms, row by row.
type countRows struct {
	Counts           [][]int64
	Probs            []float64
	Concentration, K float64
	Alpha            float64
}

// logE returns the log e-value after every row, and the final counts.
func (in countRows) logE(concentration float64) (logE []float64, total []int64, err error) {
	split := stats.Multinomial{Shares: in.Probs, Concentration: concentration}
	total = make([]int64, len(in.Probs))
	for _, row := range in.Counts {
		for i, c := range row {
			total[i] += c
		}
		l, err := split.LogE(total)
		if err != nil {
			return nil, nil, err
		}
		logE = append(logE, l)
	}
	return logE, total, nil
}
