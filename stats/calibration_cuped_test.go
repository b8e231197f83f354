package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// CUPED in arms of nine to one: what history explains is gone, and what is left is
// as skew as before.

var unevenCupedMethods = []string{
	"unadjusted, lift", "unadjusted, lift, pooled floor",
	"CUPED, lift", "CUPED, lift, pooled floor",
	"CUPED, difference", "CUPED, difference, pooled floor",
}

// unevenCupedStudy gives nine tenths of the units to control.
func unevenCupedStudy(sigma float64) study {
	const looks = 50
	units := [2]int{18_000, 2_000}
	mean := math.Exp(sigma * sigma / 2)
	sd := mean * math.Sqrt(math.Expm1(sigma*sigma))
	lift := population{mean: mean, sd: sd}.tableLift(units)
	draw := func(rng *rand.Rand) (x, y float64) {
		a := rng.NormFloat64()
		return math.Exp(sigma * a), math.Exp(sigma * (0.8*a + 0.6*rng.NormFloat64()))
	}
	s := study{
		name:    fmt.Sprintf("lognormal σ = %v, log-correlation 0.8, %s and %s", sigma, thousands(units[0]), thousands(units[1])),
		methods: unevenCupedMethods, looks: looks, runs: 3000, truth: [2]float64{0, mean * lift},
		promised: func(method string) (alarms, interval bool) {
			safe := strings.HasSuffix(method, "lift, pooled floor")
			return strings.HasSuffix(method, "pooled floor"), safe
		},
	}
	cs := stats.AsympCS{Alpha: calibrationAlpha, NOpt: int64(units[0] + units[1])}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var arms [3]stats.PairMoments
		for look := range looks {
			for range units[0] / looks {
				x, y := draw(rng)
				arms[0].Add(y, x)
			}
			for range units[1] / looks {
				x, y := draw(rng)
				arms[1].Add(y, x)
				arms[2].Add(y*(1+lift), x)
			}
			if arms[1].N < stats.BurnInUnits {
				continue
			}
			for truth := range 2 {
				for i, e := range unevenCuped(arms[0], arms[1+truth]) {
					if e.N == 0 {
						continue // refused
					}
					a := sequenceAnswer(cs.TwoSided(e))
					if e.Scale == stats.LogRatio {
						a.lower, a.upper = math.Expm1(a.lower)*mean, math.Expm1(a.upper)*mean
					}
					say(i, truth, look, a)
				}
			}
		}
	}
	return s
}

// unevenCuped returns the effects of unevenCupedMethods; an empty one is refused.
func unevenCuped(c, t stats.PairMoments) []stats.Effect {
	var out []stats.Effect
	take := func(e stats.Effect, err error) {
		if err != nil {
			e = stats.Effect{}
		}
		out = append(out, e)
	}
	take(stats.LogLift(must(c.Y().Arm()), must(t.Y().Arm())))
	take(stats.FlooredLogLift(must(c.Y().Arm()), must(t.Y().Arm())))
	for _, scale := range []stats.Scale{stats.LogRatio, stats.Absolute} {
		for _, floored := range []bool{false, true} {
			a, err := stats.CupedMean{Control: c, Treatment: t, Floored: floored}.Effect(scale)
			take(a.Effect, err)
		}
	}
	return out
}
