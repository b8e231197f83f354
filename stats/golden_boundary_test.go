package stats_test

import (
	"github.com/splitcast/splitcast/stats"
)

// boundaryPoint is a boundary and where to evaluate it.
type boundaryPoint struct {
	S, V, C, G, H, Alpha float64
	VOpt                 float64 `json:"v_opt"`
	AlphaOpt             float64 `json:"alpha_opt"`
	OneSided             bool    `json:"is_one_sided"`
}

// boundary is what the mixtures share.
type boundary interface {
	LogMixture(s, v float64) (float64, error)
	Bound(v, alpha float64) (float64, error)
}

// mixtureAdapters makes the two adapters of one family.
func mixtureAdapters(all map[string]adapter, name string, of func(in boundaryPoint) boundary) {
	all["confseq_"+name+"_log_mixture"] = on(func(in boundaryPoint) (results, error) {
		value, err := of(in).LogMixture(in.S, in.V)
		return results{"log_mixture": value}, err
	})
	all["confseq_"+name+"_bound"] = on(func(in boundaryPoint) (results, error) {
		bound, err := of(in).Bound(in.V, in.Alpha)
		return results{"bound": bound}, err
	})
}

func goldenBoundaries() map[string]adapter {
	all := map[string]adapter{}
	mixtureAdapters(all, "normal", func(in boundaryPoint) boundary {
		return stats.NormalBoundary{VOpt: in.VOpt, AlphaOpt: in.AlphaOpt, OneSided: in.OneSided}
	})
	all["confseq_normal_mixture_bound"] = all["confseq_normal_bound"] // as the file calls it
	delete(all, "confseq_normal_bound")
	mixtureAdapters(all, "gamma_exponential", func(in boundaryPoint) boundary {
		return stats.GammaExponentialBoundary{VOpt: in.VOpt, C: in.C, AlphaOpt: in.AlphaOpt}
	})
	mixtureAdapters(all, "gamma_poisson", func(in boundaryPoint) boundary {
		return stats.GammaPoissonBoundary{VOpt: in.VOpt, C: in.C, AlphaOpt: in.AlphaOpt}
	})
	mixtureAdapters(all, "beta_binomial", func(in boundaryPoint) boundary {
		return stats.BetaBinomialBoundary{
			VOpt: in.VOpt, G: in.G, H: in.H, AlphaOpt: in.AlphaOpt, OneSided: in.OneSided,
		}
	})
	all["confseq_poly_stitching_bound"] = on(func(in struct {
		V, Alpha, C, S, Eta float64
		VMin                float64 `json:"v_min"`
	},
	) (results, error) {
		bound, err := stats.PolynomialStitching{VMin: in.VMin, C: in.C, S: in.S, Eta: in.Eta}.Bound(in.V, in.Alpha)
		return results{"bound": bound}, err
	})
	all["confseq_double_stitching_bound"] = on(func(in struct {
		T, Alpha, Delta, S, Eta float64
		P                       float64 `json:"quantile_p"`
		TOpt                    float64 `json:"t_opt"`
	},
	) (results, error) {
		d := stats.DoubleStitching{TOpt: in.TOpt, Delta: in.Delta, S: in.S, Eta: in.Eta}
		bound, err := d.Bound(in.P, in.T, in.Alpha)
		return results{"bound": bound}, err
	})
	all["confseq_empirical_process_lil_bound"] = on(func(in struct {
		T, Alpha, A float64
		TMin        float64 `json:"t_min"`
	},
	) (results, error) {
		bound, err := stats.EmpiricalProcessLIL{TMin: in.TMin, A: in.A}.Bound(in.T, in.Alpha)
		return results{"bound": bound}, err
	})
	all["confseq_bernoulli_ci"] = on(func(in struct {
		Successes float64 `json:"num_successes"`
		Trials    float64 `json:"num_trials"`
		Alpha     float64 `json:"alpha"`
		TOpt      float64 `json:"t_opt"`
		AlphaOpt  float64 `json:"alpha_opt"`
	},
	) (results, error) {
		return ends(stats.BernoulliSequence{Alpha: in.Alpha, TOpt: in.TOpt, AlphaOpt: in.AlphaOpt}.
			Interval(in.Successes, in.Trials))
	})
	all["confseq_quantile_ab_p_value"] = on(func(in struct {
		A, B     []float64
		P        float64 `json:"quantile_p"`
		TOpt     float64 `json:"t_opt"`
		AlphaOpt float64 `json:"alpha_opt"`
	},
	) (results, error) {
		logE, err := stats.QuantileTest{Nu: in.P, TOpt: in.TOpt, AlphaOpt: in.AlphaOpt}.Values(in.A, in.B)
		return results{"p_value": must(stats.PFromE(logE))}, err
	})
	return all
}
