package stats_test

import (
	"math"

	"github.com/splitcast/splitcast/stats"
)

func goldenSequences() map[string]adapter {
	return map[string]adapter{
		"srm_sequential_multinomial": on(func(in struct {
			Counts        [][]int64
			Probs         []float64
			Concentration float64
		},
		) (results, error) {
			split := stats.Multinomial{Shares: in.Probs, Concentration: in.Concentration}
			total := make([]int64, len(in.Probs))
			var logE, p, posterior []float64
			for _, row := range in.Counts {
				for i, c := range row {
					total[i] += c
				}
				l, err := split.LogE(total)
				if err != nil {
					return nil, err
				}
				logE = append(logE, l)
				p = append(p, math.Exp(-max(0, l)))
				posterior = append(posterior, 1/(1+math.Exp(-l)))
			}
			return results{"log_bayes_factors": logE, "p_values": p, "posterior_prob": posterior}, nil
		}),
	}
}
