package simulate

import (
	"math"
	"math/rand/v2"
)

// Streams of randomness are told apart by a purpose, so that a draw added to
// one of them moves no other.
const (
	purposeRates    uint64 = iota + 1 // how often each viewer comes
	purposeViewer                     // who a viewer is
	purposeDay                        // a viewer's sessions of one day
	purposeSession                    // the course of one session
	purposeIdentity                   // the id of a session
	purposeTraces                     // the network library
	purposeSizes                      // sizes of segments
	purposeMischief                   // what goes wrong on the way to the server
	purposeLive                       // who comes in real time
	purposeArm                        // arms in Truth's and the tests' own randomisation
	purposeBots                       // sessions of programs
	purposeLoss                       // what reporters lose
	purposeSocial                     // chat, follows and purchases
	purposeClicks                     // who clicks on what an experiment shows
	purposeLies                       // what players tell that is not true
	purposeCasts                      // broadcasts
)

// mix folds numbers into one well-spread seed. Every step is the finaliser of
// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a bijection with full avalanche.
func mix(seed uint64, parts ...uint64) uint64 {
	h := seed
	for _, p := range parts {
		h = finalise(h + 0x9e3779b97f4a7c15 + finalise(p+0x9e3779b97f4a7c15))
	}
	return h
}

func finalise(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// dice is a seeded source with the distributions that the world is made of.
type dice struct {
	*rand.Rand
	pcg *rand.PCG
}

func newDice(seed uint64) dice {
	pcg := rand.NewPCG(seed, finalise(seed))
	return dice{rand.New(pcg), pcg}
}

// reseed makes the dice those of newDice(seed), without an allocation.
func (d dice) reseed(seed uint64) { d.pcg.Seed(seed, finalise(seed)) }

// chance reports true with probability p. It always takes one draw.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// logNormal draws exp(N(mu, sigma)).
func (d dice) logNormal(mu, sigma float64) float64 {
	return math.Exp(mu + sigma*d.NormFloat64())
}

// gamma draws from Gamma(shape, 1) for 0 < shape < 1 by the method of Marsaglia
// and Tsang (ACM TOMS 26, 2000) on shape + 1 and their power for small shapes.
func (d dice) gamma(shape float64) float64 {
	a := shape + 1 - 1.0/3
	c := 1 / math.Sqrt(9*a)
	for {
		x := d.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(d.Float64()) < x*x/2+a-a*v+a*math.Log(v) {
			return a * v * math.Pow(d.Float64(), 1/shape)
		}
	}
}

// poisson draws a count of the given mean, at most most.
func (d dice) poisson(mean float64, most int) int {
	limit, product := math.Exp(-mean), d.Float64()
	n := 0
	for product > limit && n < most {
		n++
		product *= d.Float64()
	}
	return n
}

// pick draws an index of weights whose running sums are cumulative; the last
// sum is the total.
func (d dice) pick(cumulative []float64) int {
	x := d.Float64() * cumulative[len(cumulative)-1]
	lo, hi := 0, len(cumulative)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if cumulative[mid] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// cumulate returns the running sums of weights.
func cumulate(weights ...float64) []float64 {
	out := make([]float64, len(weights))
	sum := 0.0
	for i, w := range weights {
		sum += w
		out[i] = sum
	}
	return out
}
