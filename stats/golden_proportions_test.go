package stats_test

import (
	"fmt"

	"github.com/splitcast/splitcast/stats"
)

// twoShares is successes and trials of two arms.
type twoShares struct {
	XC        int64   `json:"x_c"`
	NC        int64   `json:"n_c"`
	XT        int64   `json:"x_t"`
	NT        int64   `json:"n_t"`
	Yates     bool    `json:"yates"`
	Margin    float64 `json:"margin"`
	Method    string  `json:"method"`
	ConfLevel float64 `json:"conf_level"`
}

func (s twoShares) pair() stats.TwoProportions {
	return stats.TwoProportions{
		Control:   stats.Proportion{Successes: s.XC, Trials: s.NC},
		Treatment: stats.Proportion{Successes: s.XT, Trials: s.NT},
	}
}

// oneShare is successes and trials.
type oneShare struct {
	X         int64
	N         int64
	Method    string
	ConfLevel float64 `json:"conf_level"`
}

func (s oneShare) interval(method stats.ProportionMethod) (results, error) {
	return ends(stats.Proportion{Successes: s.X, Trials: s.N}.Interval(method, s.ConfLevel))
}

func ends(i stats.Interval, err error) (results, error) {
	return results{"lower": i.Lower, "upper": i.Upper}, err
}

func goldenProportions() map[string]adapter {
	return map[string]adapter{
		"two_prop_z_pooled": on(func(in twoShares) (results, error) {
			test, err := in.pair().Pooled()
			return results{"z": test.Z, "p": test.P}, err
		}),
		"two_prop_chisq": on(func(in twoShares) (results, error) {
			test, i, err := in.pair().ChiSquare(in.Yates, in.ConfLevel)
			return results{"chisq": test.ChiSquare, "p": test.P, "ci_lower": i.Lower, "ci_upper": i.Upper}, err
		}),
		"two_prop_noninferiority_wald": on(func(in twoShares) (results, error) {
			test, err := in.pair().NonInferiority(in.Margin)
			return results{"z": test.Z, "p": test.P}, err
		}),
		"two_prop_diff_ci": on(func(in twoShares) (results, error) {
			methods := map[string]stats.TwoProportionMethod{
				"wald": stats.Wald, "agresti-caffo": stats.AgrestiCaffo, "newcomb": stats.Newcombe, "score": stats.ScoreStatsmodels,
			}
			return ends(in.pair().DifferenceInterval(methods[in.Method], in.ConfLevel))
		}),
		"two_prop_ratio_ci": on(func(in twoShares) (results, error) {
			methods := map[string]stats.TwoProportionMethod{
				"log": stats.Katz, "log-adjusted": stats.Walter, "score": stats.Score,
			}
			return ends(in.pair().RatioInterval(methods[in.Method], in.ConfLevel))
		}),
		"prop_ci": on(func(in oneShare) (results, error) {
			methods := map[string]stats.ProportionMethod{
				"wilson": stats.Wilson, "beta": stats.ClopperPearson, "jeffreys": stats.Jeffreys,
				"agresti_coull": stats.AgrestiCoull,
			}
			method, ok := methods[in.Method]
			if !ok {
				return nil, fmt.Errorf("unknown interval %q", in.Method)
			}
			return in.interval(method)
		}),
		"wilson_interval": on(func(in oneShare) (results, error) { return in.interval(stats.Wilson) }),
		"clopper_pearson": on(func(in oneShare) (results, error) { return in.interval(stats.ClopperPearson) }),
		"fisher_exact": on(func(in twoShares) (results, error) {
			p, _, err := in.pair().Fisher()
			return results{"p": p}, err
		}),
		"poisson_rate_ratio_exact": on(func(in struct {
			XC        int64   `json:"x_c"`
			TC        float64 `json:"t_c"`
			XT        int64   `json:"x_t"`
			TT        float64 `json:"t_t"`
			ConfLevel float64 `json:"conf_level"`
		},
		) (results, error) {
			ratio, err := stats.RateRatioExact(stats.Rate{Events: in.XC, Exposure: in.TC},
				stats.Rate{Events: in.XT, Exposure: in.TT}, in.ConfLevel)
			return results{"ratio": ratio.Ratio, "p": ratio.P, "ci_lower": ratio.Lower, "ci_upper": ratio.Upper}, err
		}),
		"chisq_sf": on(func(in struct{ X, DF float64 }) (results, error) {
			return logTails(stats.ChiSquare{DF: in.DF}.Tails(in.X)), nil
		}),
		"f_sf": on(func(in struct{ F, DF1, DF2 float64 }) (results, error) {
			return logTails(stats.F{DF1: in.DF1, DF2: in.DF2}.Tails(in.F)), nil
		}),
		"beta_cdf": on(func(in struct{ X, A, B float64 }) (results, error) {
			return logTails(stats.Beta{A: in.A, B: in.B}.Tails(in.X)), nil
		}),
	}
}
