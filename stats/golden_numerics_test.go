package stats_test

import (
	"github.com/splitcast/splitcast/stats"
)

func goldenNumerics() map[string]adapter {
	return map[string]adapter{
		"norm_quantile": on(func(in struct{ P float64 }) (results, error) {
			return results{"x": stats.Normal{}.Quantile(in.P)}, nil
		}),
		"norm_quantile_log": on(func(in logTail) (results, error) {
			return results{"x": in.quantile(stats.Normal{}.LogQuantile)}, nil
		}),
		"norm_logcdf": on(func(in struct{ X float64 }) (results, error) {
			return logTails(stats.Normal{}.Tails(in.X)), nil
		}),
		"t_quantile": on(func(in struct{ P, DF float64 }) (results, error) {
			return results{"x": stats.StudentT{DF: in.DF}.Quantile(in.P)}, nil
		}),
		"t_quantile_log": on(func(in logTail) (results, error) {
			return results{"x": in.quantile(stats.StudentT{DF: in.DF}.LogQuantile)}, nil
		}),
		"t_cdf": on(func(in struct{ T, DF float64 }) (results, error) {
			return logTails(stats.StudentT{DF: in.DF}.Tails(in.T)), nil
		}),
		"sample_quantile": on(func(in struct {
			X, Probs []float64
			Type     int
		},
		) (results, error) {
			q, err := stats.SampleQuantiles(in.X, in.Probs, in.Type)
			return results{"q": q}, err
		}),
		"winsorize_percentile": on(func(in struct {
			X        []float64
			LowerPct float64 `json:"lower_pct"`
			UpperPct float64 `json:"upper_pct"`
		},
		) (results, error) {
			caps, err := stats.PercentileCaps(in.X, in.LowerPct, in.UpperPct)
			if err != nil {
				return nil, err
			}
			var m stats.Moments
			sum, squares := 0.0, 0.0
			for _, x := range in.X {
				y := caps.Clamp(x)
				m.Add(y)
				sum += y
				squares += y * y
			}
			variance, _ := m.Variance()
			return results{
				"cap_lower": caps.Lower, "cap_upper": caps.Upper, "sum": sum, "sum_squares": squares,
				"mean": m.Mean, "var": variance,
			}, nil
		}),
		"p_adjust_bh":         adjustment(stats.BenjaminiHochberg),
		"p_adjust_by":         adjustment(stats.BenjaminiYekutieli),
		"p_adjust_bonferroni": adjustment(stats.Bonferroni),
		"p_adjust_hochberg":   adjustment(stats.Hochberg),
		"p_adjust_holm":       adjustment(stats.Holm),
		"p_adjust_hommel":     adjustment(stats.Hommel),
		"moments_merge": on(func(in struct {
			X, Y   []float64
			Chunks []int
		},
		) (results, error) {
			var all stats.PairMoments
			at := 0
			for _, size := range in.Chunks {
				var chunk stats.PairMoments
				for i := at; i < at+size; i++ {
					chunk.Add(in.Y[i], in.X[i])
				}
				all.Merge(chunk)
				at += size
			}
			varX, _ := all.X().Variance()
			varY, _ := all.Y().Variance()
			cov, _ := all.Covariance()
			return results{
				"mean_x": all.MeanX, "mean_y": all.MeanY, "var_x": varX, "var_y": varY, "cov_xy": cov,
			}, nil
		}),
	}
}

// logTail is a probability given by its logarithm.
type logTail struct {
	LogP      float64 `json:"log_p"`
	DF        float64 `json:"df"`
	LowerTail bool    `json:"lower_tail"`
}

// quantile uses that these distributions are symmetric about zero.
func (l logTail) quantile(lower func(logP float64) float64) float64 {
	if l.LowerTail {
		return lower(l.LogP)
	}
	return -lower(l.LogP)
}

func logTails(t stats.Tails) results {
	return results{"log_cdf": t.LogCDF, "log_sf": t.LogSF}
}

func adjustment(by stats.Adjustment) adapter {
	return on(func(in struct{ P []float64 }) (results, error) {
		adjusted, err := stats.AdjustP(in.P, by)
		return results{"adjusted": adjusted}, err
	})
}
