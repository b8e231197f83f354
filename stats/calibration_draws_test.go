package stats_test

import (
	"math"
	"math/rand/v2"

	"github.com/splitcast/splitcast/stats"
)

// binomial draws the number of successes among n, by inversion.
func binomial(rng *rand.Rand, n int, p float64) int {
	if p <= 0 {
		return 0
	}
	if p > 0.5 {
		return n - binomial(rng, n, 1-p)
	}
	const largest = 400 // (1-p)^n must not underflow
	if n > largest {
		return binomial(rng, largest, p) + binomial(rng, n-largest, p)
	}
	odds := p / (1 - p)
	weight := math.Pow(1-p, float64(n))
	u := rng.Float64()
	k := 0
	for ; k < n && u > weight; k++ {
		u -= weight
		weight *= odds * float64(n-k) / float64(k+1)
	}
	return k
}

// poisson draws a count with the given mean.
func poisson(rng *rand.Rand, mean float64) int64 {
	const largest = 400
	if mean > largest {
		return poisson(rng, largest) + poisson(rng, mean-largest)
	}
	weight := math.Exp(-mean)
	u := rng.Float64()
	var k int64
	for ; u > weight && weight > 0; k++ {
		u -= weight
		weight *= mean / float64(k+1)
	}
	return k
}

// gamma draws from the gamma distribution of unit scale (Marsaglia and Tsang 2000).
func gamma(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(rng, shape+1) * math.Pow(rng.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := rng.Float64(); math.Log(u) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// beta draws from the beta distribution.
func beta(rng *rand.Rand, a, b float64) float64 {
	x := gamma(rng, a)
	return x / (x + gamma(rng, b))
}

// population is a kind of metric. Moments of many units are drawn at once where
// their distribution is known.
type population struct {
	name     string
	rate     bool // zeros and ones
	bounded  bool // in [0, 1]
	mean, sd float64
	// draw returns the moments of n units, and those of the same units with the mean
	// raised by a fraction.
	draw func(rng *rand.Rand, n int, lift float64) (null, effect stats.Moments)
}

func scaled(m stats.Moments, factor float64) stats.Moments {
	return stats.Moments{N: m.N, Mean: m.Mean * factor, M2: m.M2 * factor * factor}
}

// batch returns the moments of values, by two passes: fast, and exact enough for a
// few hundred of them.
func batch(values []float64) stats.Moments {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(len(values))
	m2 := 0.0
	for _, v := range values {
		m2 += (v - mean) * (v - mean)
	}
	return stats.Moments{N: int64(len(values)), Mean: mean, M2: m2}
}

// populations are those of the measured tables: the mean kinds of live video.
func populations() []population {
	const rate = 0.01
	ones := func(n, k int) stats.Moments {
		p := float64(k) / float64(n)
		return stats.Moments{N: int64(n), Mean: p, M2: float64(n) * p * (1 - p)}
	}
	return []population{
		{
			name: "normal", mean: 10, sd: 1,
			draw: func(rng *rand.Rand, n int, lift float64) (null, effect stats.Moments) {
				null = stats.Moments{N: int64(n), Mean: 10 + rng.NormFloat64()/math.Sqrt(float64(n))}
				if n > 1 {
					null.M2 = 2 * gamma(rng, float64(n-1)/2)
				}
				effect = null
				effect.Mean += 10 * lift
				return null, effect
			},
		},
		{
			name: "Bernoulli 1 %", rate: true, bounded: true, mean: rate, sd: math.Sqrt(rate * (1 - rate)),
			draw: func(rng *rand.Rand, n int, lift float64) (null, effect stats.Moments) {
				k := binomial(rng, n, rate)
				return ones(n, k), ones(n, k+binomial(rng, n-k, rate*lift/(1-rate)))
			},
		},
		{
			name: "lognormal σ = 2", mean: math.Exp(2), sd: math.Exp(2) * math.Sqrt(math.Expm1(4)),
			draw: func(rng *rand.Rand, n int, lift float64) (null, effect stats.Moments) {
				values := make([]float64, n)
				for i := range values {
					values[i] = math.Exp(2 * rng.NormFloat64())
				}
				null = batch(values)
				return null, scaled(null, 1+lift)
			},
		},
		{
			name: "stall ratio", bounded: true, mean: stallShare * stallMean, sd: stallSD(),
			draw: func(rng *rand.Rand, n int, lift float64) (null, effect stats.Moments) {
				k := binomial(rng, n, stallShare)
				values := make([]float64, k)
				for i := range values {
					values[i] = beta(rng, stallA, stallB)
				}
				if k > 0 {
					null = batch(values)
				}
				null.Merge(stats.Moments{N: int64(n - k)})
				return null, scaled(null, 1+lift)
			},
		},
	}
}

// A seventh of viewers stall, for a share of their time that is Beta(0.6, 12).
const (
	stallShare     = 0.15
	stallA, stallB = 0.6, 12.0
	stallMean      = stallA / (stallA + stallB)
)

func stallSD() float64 {
	square := stallMean * (stallA + 1) / (stallA + stallB + 1)
	mean := stallShare * stallMean
	return math.Sqrt(stallShare*square - mean*mean)
}

// tableLift is the effect, relative, that a single test at the end finds with a
// power of 80 % (in the normal approximation at equal variances).
func (p population) tableLift(units [2]int) float64 {
	const drift = 2.8015852181 // z at 97.5 % and at 80 %
	return drift * p.sd / p.mean * math.Sqrt(1/float64(units[0])+1/float64(units[1]))
}

func (p population) ready(c, t stats.Moments) bool {
	if p.rate {
		return stats.Ready(c.CountedRate(), t.CountedRate()) == nil
	}
	return stats.Ready(c.Counted(), t.Counted()) == nil
}
