package stats_test

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/stats"
)

// gstInput is a group-sequential design in the words of rpact, ldbounds or
// Spotify's confidence.
type gstInput struct {
	Type        string
	Spending    string
	Information []float64 `json:"information_rates"`
	Alpha       float64
	AlphaTwo    float64 `json:"alpha_two_sided"`
	Sided       int
	Sides       int
	Gamma       float64
	Rho         float64
	DeltaWT     float64 `json:"delta_wt"`
	MaxZ        float64 `json:"z_truncation"`
	Beta        float64
	Delta, SD   float64
	MaxN        float64 `json:"max_n_total"`
	Allocation  float64 `json:"allocation_ratio"`
}

func (in gstInput) design() (stats.GroupSequential, error) {
	g := stats.GroupSequential{
		Information: in.Information, Alpha: in.Alpha + in.AlphaTwo, TwoSided: in.Sided == 2 || in.AlphaTwo > 0,
		Shape: in.Gamma + in.Rho + in.DeltaWT, MaxZ: in.MaxZ, // at most one of each is given
	}
	kinds := map[string]stats.GSTKind{
		"OF": stats.OBrienFleming, "P": stats.Pocock, "WT": stats.WangTsiatis,
		"asOF": stats.SpendOBrienFleming, "asP": stats.SpendPocock, "asKD": stats.SpendPower,
		"asHSD":          stats.SpendHwangShih,
		"obrien_fleming": stats.SpendOBrienFleming, "pocock": stats.SpendPocock, "power": stats.SpendPower,
	}
	kind, ok := kinds[in.Type+in.Spending]
	if !ok {
		return g, fmt.Errorf("unknown design %q%q", in.Type, in.Spending)
	}
	g.Kind = kind
	return g, nil
}

func (in gstInput) solve() (stats.GroupSequential, stats.GSTBounds, error) {
	g, err := in.design()
	if err != nil {
		return g, stats.GSTBounds{}, err
	}
	b, err := g.Bounds()
	return g, b, err
}

func (in gstInput) means() stats.MeansDrift {
	return stats.MeansDrift{Delta: in.Delta, SD: in.SD, Ratio: in.Allocation}
}

func goldenGroupSequential() map[string]adapter {
	return map[string]adapter{
		"gst_boundary": on(func(in gstInput) (results, error) {
			_, b, err := in.solve()
			levels := make([]float64, len(b.Z))
			for i, z := range b.Z {
				levels[i] = math.Exp(stats.Normal{}.Tails(z).LogSF)
			}
			return results{"critical_values": b.Z, "alpha_spent": b.AlphaSpent, "stage_levels_one_sided": levels}, err
		}),
		"gst_boundary_highprec": on(func(in gstInput) (results, error) {
			g, b, err := in.solve()
			if err != nil {
				return nil, err
			}
			r := results{"critical_values": b.Z, "alpha_spent": b.AlphaSpent}
			for name, drift := range map[string]float64{"drift_1.0": 1, "drift_2.5": 2.5, "drift_3.2": 3.2} {
				o, err := g.Operate(b, drift)
				if err != nil {
					return nil, err
				}
				r[name] = results{"power_upper": o.Power(), "expected_information_fraction": o.ExpectedInformation}
			}
			return r, nil
		}),
		"gst_boundary_ldbounds": on(func(in gstInput) (results, error) {
			_, b, err := in.solve()
			return results{"upper": b.Z, "cumulative_alpha": b.AlphaSpent}, err
		}),
		"gst_boundary_spotify": on(func(in gstInput) (results, error) {
			in.Spending, in.Alpha = "power", in.Alpha/float64(in.Sides)
			_, b, err := in.solve()
			return results{"upper": b.Z}, err
		}),
		"gst_characteristics": on(func(in gstInput) (results, error) {
			g, err := in.design()
			if err != nil {
				return nil, err
			}
			c, err := g.Characteristics(1 - in.Beta)
			return results{
				"shift": c.Shift, "inflation_factor": c.Inflation, "asn_h1_over_fixed": c.ExpectedH1,
				"asn_h01_over_fixed": c.ExpectedH01, "asn_h0_over_fixed": c.ExpectedH0, "power_by_stage": c.PowerByLook,
			}, err
		}),
		"gst_power_means": on(func(in gstInput) (results, error) {
			g, b, err := in.solve()
			if err != nil {
				return nil, err
			}
			drift, err := in.means().At(in.MaxN)
			if err != nil {
				return nil, err
			}
			o, err := g.Operate(b, drift)
			if err != nil {
				return nil, err
			}
			return results{
				"power": o.Power(), "reject_per_stage": o.Upper, "expected_n": in.MaxN * o.ExpectedInformation,
			}, nil
		}),
		"gst_sample_size_means": on(func(in gstInput) (results, error) {
			g, b, err := in.solve()
			if err != nil {
				return nil, err
			}
			drift, err := g.DriftFor(b, 1-in.Beta)
			if err != nil {
				return nil, err
			}
			n, err := in.means().Units(drift)
			if err != nil {
				return nil, err
			}
			h1, err := g.Operate(b, drift)
			if err != nil {
				return nil, err
			}
			h0, err := g.Operate(b, 0)
			return results{
				"max_n_total": n, "expected_n_h1": n * h1.ExpectedInformation, "expected_n_h0": n * h0.ExpectedInformation,
			}, err
		}),
	}
}
