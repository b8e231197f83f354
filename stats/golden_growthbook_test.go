package stats_test

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/splitcast/splitcast/stats"
)

// gbStatistic is an arm as GrowthBook's gbstats takes it: raw sums.
type gbStatistic struct {
	Kind       string
	N          int64
	Sum        float64
	SumSquares float64 `json:"sum_squares"`

	M, D *gbStatistic // ratio
	MD   float64      `json:"m_d_sum_of_products"`

	Post, Pre *gbStatistic // mean_cuped
	PostPre   float64      `json:"post_pre_sum_of_products"`

	MPost     *gbStatistic `json:"m_post"` // ratio_cuped
	DPost     *gbStatistic `json:"d_post"`
	MPre      *gbStatistic `json:"m_pre"`
	DPre      *gbStatistic `json:"d_pre"`
	MPostMPre float64      `json:"m_post_m_pre_sum_of_products"`
	DPostDPre float64      `json:"d_post_d_pre_sum_of_products"`
	MPreDPre  float64      `json:"m_pre_d_pre_sum_of_products"`
	MPostDPos float64      `json:"m_post_d_post_sum_of_products"`
	MPostDPre float64      `json:"m_post_d_pre_sum_of_products"`
	MPreDPost float64      `json:"m_pre_d_post_sum_of_products"`

	NStar         int64   `json:"n_star"` // quantile
	Nu            float64 `json:"nu"`
	QuantileHat   float64 `json:"quantile_hat"`
	QuantileLower float64 `json:"quantile_lower"`
	QuantileUpper float64 `json:"quantile_upper"`

	MainSum         float64 `json:"main_sum"` // quantile_clustered
	MainSquares     float64 `json:"main_sum_squares"`
	DenominatorSum  float64 `json:"denominator_sum"`
	DenominatorSqu  float64 `json:"denominator_sum_squares"`
	MainDenominator float64 `json:"main_denominator_sum_product"`
	NClusters       int64   `json:"n_clusters"`
}

func (s *gbStatistic) binary() bool { return s.Kind == "proportion" }

// squares returns the sum of squares, which proportions do not carry.
func (s *gbStatistic) squares() float64 {
	if s.binary() {
		return s.Sum
	}
	return s.SumSquares
}

// pair returns the joint moments of two statistics of the same units.
func pair(n int64, y, x *gbStatistic, products float64) stats.PairMoments {
	return stats.PairSums{N: n, Y: y.Sum, YY: y.squares(), X: x.Sum, XX: x.squares(), YX: products}.Moments()
}

// arm returns the statistics that have no covariate.
func (s *gbStatistic) arm() (stats.Arm, error) {
	switch s.Kind {
	case "mean":
		return stats.MomentsFromSums(s.N, s.Sum, s.SumSquares).Arm()
	case "proportion":
		return stats.Proportion{Successes: int64(s.Sum), Trials: s.N}.Arm()
	case "ratio":
		return s.ratio().RatioArm()
	case "quantile":
		return s.quantile().SampledArm(s.N)
	case "quantile_clustered":
		clusters := stats.PairSums{
			N: s.NClusters, Y: s.MainSum, YY: s.MainSquares, X: s.DenominatorSum, XX: s.DenominatorSqu, YX: s.MainDenominator,
		}.Moments()
		return s.quantile().ClusteredArm(s.N, clusters)
	}
	return stats.Arm{}, fmt.Errorf("unknown kind %q", s.Kind)
}

func (s *gbStatistic) ratio() stats.PairMoments {
	return pair(s.N, s.M, s.D, s.MD).WithBinary(s.M.binary(), s.D.binary())
}

func (s *gbStatistic) quantile() stats.Quantile {
	return stats.Quantile{Nu: s.Nu, Value: s.QuantileHat, Lower: s.QuantileLower, Upper: s.QuantileUpper, N: s.NStar}
}

func (s *gbStatistic) joint() stats.JointMoments {
	four := []*gbStatistic{s.MPost, s.DPost, s.MPre, s.DPre}
	products := [][]float64{{}, {s.MPostDPos}, {s.MPostMPre, s.MPreDPost}, {s.MPostDPre, s.DPostDPre, s.MPreDPre}}
	j := stats.JointMoments{N: s.N, Mean: make([]float64, 4), Low: make([]float64, 4)}
	for a, x := range four {
		j.Mean[a] = x.Sum / float64(s.N)
		for b, y := range four[:a] {
			j.C = append(j.C, pair(s.N, x, y, products[a][b]).CXY)
		}
		j.C = append(j.C, stats.MomentsFromSums(s.N, x.Sum, x.squares()).M2)
	}
	return j
}

// baseline returns the unadjusted control value.
func (s *gbStatistic) baseline() float64 {
	switch s.Kind {
	case "mean_cuped":
		return s.Post.Sum / float64(s.N)
	case "ratio_cuped":
		return s.MPost.Sum / s.DPost.Sum
	case "ratio":
		return s.M.Sum / s.D.Sum
	case "quantile", "quantile_clustered":
		return s.QuantileHat
	}
	return s.Sum / float64(s.N)
}

// gbComparison is two arms and what is asked of them.
type gbComparison struct {
	Control, Treatment *gbStatistic
	Difference         string
	Alpha              float64
	Alternative        string
	TuningParameter    float64 `json:"tuning_parameter"`
	Inverse            bool
	Prior              stats.Prior
	TargetMDE          float64   `json:"target_mde"`
	ScalingFactors     []float64 `json:"scaling_factors"`
	Sequential         bool
}

func (c gbComparison) scale() stats.Scale {
	if c.Difference == "absolute" {
		return stats.Absolute
	}
	return stats.Fraction
}

// effect returns the comparison and the slope of the covariate.
func (c gbComparison) effect() (stats.Effect, float64, error) {
	switch c.Control.Kind {
	case "mean_cuped":
		a, err := stats.CupedMean{
			Control:   pair(c.Control.N, c.Control.Post, c.Control.Pre, c.Control.PostPre),
			Treatment: pair(c.Treatment.N, c.Treatment.Post, c.Treatment.Pre, c.Treatment.PostPre),
			Slope:     stats.SlopeGrowthBook, BinaryY: c.Control.Post.binary(), BinaryX: c.Control.Pre.binary(),
		}.Effect(c.scale())
		return a.Effect, a.Theta, err
	case "ratio_cuped":
		a, err := stats.CupedRatio{
			Control: c.Control.joint(), Treatment: c.Treatment.joint(), Slope: stats.SlopeGrowthBook,
		}.Effect(c.scale())
		return a.Effect, a.Theta, err
	}
	control, err := c.Control.arm()
	if err != nil {
		return stats.Effect{}, 0, err
	}
	treatment, err := c.Treatment.arm()
	if err != nil {
		return stats.Effect{}, 0, err
	}
	compare := stats.FractionLift
	if c.scale() == stats.Absolute {
		compare = stats.Difference
	}
	e, err := compare(control, treatment)
	return e, 0, err
}

func (c gbComparison) cs() stats.AsympCS {
	return stats.AsympCS{Alpha: c.Alpha, NOpt: int64(c.TuningParameter), Approximate: true}
}

func goldenGrowthBook() map[string]adapter {
	return map[string]adapter{
		"gb_ttest_two_sided": on(func(in gbComparison) (results, error) {
			effect, theta, err := in.effect()
			if err != nil {
				return nil, err
			}
			test, err := stats.Welch(effect, 1-in.Alpha)
			if err != nil {
				return nil, err
			}
			r, err := scipyEnds(test, 1-in.Alpha/2)
			if err != nil {
				return nil, err
			}
			r["theta"] = theta
			return r, nil
		}),
		"gb_ttest_one_sided": on(func(in gbComparison) (results, error) {
			effect, _, err := in.effect()
			if err != nil {
				return nil, err
			}
			test, err := stats.WelchOneSided(effect, 1-in.Alpha, sideOf(in.Alternative))
			if err != nil {
				return nil, err
			}
			return scipyEnds(test, 1-in.Alpha)
		}),
		"gb_sequential_two_sided": on(func(in gbComparison) (results, error) {
			effect, _, err := in.effect()
			if err != nil {
				return nil, err
			}
			rho2, err := in.cs().Rho2()
			if err != nil {
				return nil, err
			}
			s, err := in.cs().TwoSided(effect)
			return results{
				"estimate": effect.Estimate, "se": effect.SE(), "rho": math.Sqrt(rho2),
				"ci_lower": s.Lower, "ci_upper": s.Upper, "p": s.P,
			}, err
		}),
		"gb_sequential_one_sided_bound": on(func(in gbComparison) (results, error) {
			effect, _, err := in.effect()
			if err != nil {
				return nil, err
			}
			doubled := in.cs()
			doubled.Alpha *= 2
			rho2, err := doubled.Rho2()
			if err != nil {
				return nil, err
			}
			i, err := in.cs().OneSidedClosed(effect, sideOf(in.Alternative))
			return results{"rho": math.Sqrt(rho2), "ci_lower": i.Lower}, err
		}),
		"gb_bayes_effect": on(func(in gbComparison) (results, error) {
			effect, _, err := in.effect()
			if err != nil {
				return nil, err
			}
			prior := in.Prior
			if in.scale() == stats.Absolute {
				prior = prior.Times(in.Control.baseline())
			}
			p, err := stats.NewPosterior(effect, prior, 1-in.Alpha, in.Inverse)
			return results{
				"post_mean": p.Mean, "post_sd": p.SD, "ci_lower": p.Lower, "ci_upper": p.Upper,
				"chance_to_win": p.ChanceToWin, "risk_control": p.LossChoosingControl,
				"risk_treatment": p.LossChoosingTreatment,
			}, err
		}),
		"gb_mid_experiment_power": on(func(in gbComparison) (results, error) {
			effect, _, err := in.effect()
			if err != nil {
				return nil, err
			}
			question := stats.MidExperimentPower{MDE: in.TargetMDE, Alpha: in.Alpha}
			if in.Sequential {
				question.Sequence = in.cs()
			}
			power := make([]float64, len(in.ScalingFactors))
			for i, factor := range in.ScalingFactors {
				if power[i], err = question.At(effect, factor); err != nil {
					return nil, err
				}
			}
			return results{"power": power, "se": effect.SE()}, nil
		}),
		"gb_error": on(func(in gbComparison) (results, error) {
			_, _, err := in.effect()
			return results{"error": anyReason(reasonOf(err))}, nil
		}),
		"gb_post_stratified": goldenPostStratified,
		"srm_chisq": on(func(in struct {
			Users   []int64
			Weights []float64
		},
		) (results, error) {
			test, err := stats.PearsonSampleRatio(in.Users, in.Weights)
			return results{"p": test.P}, err
		}),
	}
}

func goldenPostStratified(raw json.RawMessage) (results, error) {
	var in struct {
		Strata     []gbComparison
		Difference string
	}
	if err := json.Unmarshal(raw, &in); err != nil || len(in.Strata) == 0 {
		return nil, fmt.Errorf("decode strata: %w", err)
	}
	scale := gbComparison{Difference: in.Difference}.scale()
	var arms []stats.Stratum[stats.Arm]
	var pairs []stats.Stratum[stats.PairMoments]
	kind := in.Strata[0].Control.Kind
	for _, s := range in.Strata {
		switch kind {
		case "mean", "proportion":
			c, err := s.Control.arm()
			if err != nil {
				return nil, err
			}
			t, err := s.Treatment.arm()
			if err != nil {
				return nil, err
			}
			arms = append(arms, stats.Stratum[stats.Arm]{Control: c, Treatment: t})
		case "ratio":
			pairs = append(pairs, stats.Stratum[stats.PairMoments]{Control: s.Control.ratio(), Treatment: s.Treatment.ratio()})
		case "mean_cuped":
			pairs = append(pairs, stats.Stratum[stats.PairMoments]{
				Control:   pair(s.Control.N, s.Control.Post, s.Control.Pre, s.Control.PostPre),
				Treatment: pair(s.Treatment.N, s.Treatment.Post, s.Treatment.Pre, s.Treatment.PostPre),
			})
		}
	}
	switch kind {
	case "ratio":
		return estimateResults(stats.PostStratifiedRatios(pairs, scale))
	case "mean_cuped":
		return estimateResults(stats.PostStratifiedCuped(pairs, scale))
	}
	return estimateResults(stats.PostStratifiedMeans(arms, scale))
}
