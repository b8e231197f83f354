package stats

import (
	"math"
	"math/rand/v2"
)

// Switchback is an experiment in which whole blocks of time are assigned to an
// arm by a fair coin (Bojinov, Simchi-Levi and Zhao 2023).
type Switchback struct {
	Y           []float64 // outcome of each period
	BlockStarts []int     // first period of each block, rising from 0
	Treated     []bool    // the coin of each block
	// Carryover is for how many periods an assignment lasts beyond its own. A
	// period counts only when it and so many before it saw one arm.
	Carryover int
}

// SwitchbackResult is the Horvitz-Thompson estimate of the effect of being always
// treated and its randomisation p-value.
type SwitchbackResult struct {
	Estimate float64 `json:"estimate"`
	P        float64 `json:"p"`     // two-sided, of the sharp null of no effect on any period
	Exact    bool    `json:"exact"` // over all assignments, or over random ones
}

// The randomisation test enumerates all assignments of up to exactBlocks blocks,
// a million, and draws randomDraws otherwise, which resolves p to 0.0003 at 1 %.
const (
	exactBlocks = 20
	randomDraws = 100_000
)

// Estimate returns 1/(T-m) sum over periods t >= m of y_t 2^k [1(all treated) -
// 1(all control)], k the number of blocks that the periods t-m..t touch, and the
// share of assignments whose estimate is at least as far from zero. Above 20
// blocks it draws from random, which may be nil below. It refuses with
// InvalidArgument, NonFinite or TooFewUnits.
func (s Switchback) Estimate(random *rand.Rand) (SwitchbackResult, error) {
	if err := s.check(random); err != nil {
		return SwitchbackResult{}, err
	}
	windows := s.windows()
	periods := float64(len(s.Y) - s.Carryover)
	observed := 0.0
	for _, w := range windows {
		observed += w.value(s.Treated)
	}
	if !finite(observed) {
		return SwitchbackResult{}, refuse(NonFinite, "The estimate left the range of floating-point numbers.")
	}
	result := SwitchbackResult{Estimate: observed / periods, Exact: len(s.Treated) <= exactBlocks}
	threshold := math.Abs(observed) * (1 - randomisationSlack)
	if result.Exact {
		result.P = exactShare(windows, len(s.Treated), threshold)
	} else {
		result.P = randomShare(windows, len(s.Treated), threshold, random)
	}
	return result, nil
}

// exactShare returns the share of all assignments whose sum over windows is at
// least threshold in size. Exchanging the arms changes the sign only, so that half
// of them are enough.
func exactShare(windows []switchbackWindow, blocks int, threshold float64) float64 {
	masks := make([]uint32, len(windows))
	for i, w := range windows {
		masks[i] = (1<<(w.last+1) - 1) &^ (1<<w.first - 1)
	}
	half := uint32(1) << (blocks - 1)
	extreme := 0
	for treated := range half {
		sum := 0.0
		for i, mask := range masks {
			switch treated & mask {
			case mask:
				sum += windows[i].weighted
			case 0:
				sum -= windows[i].weighted
			}
		}
		if math.Abs(sum) >= threshold {
			extreme++
		}
	}
	return float64(extreme) / float64(half)
}

// randomShare estimates exactShare; the observed assignment is one of the draws.
func randomShare(windows []switchbackWindow, blocks int, threshold float64, random *rand.Rand) float64 {
	coins := make([]bool, blocks)
	extreme := 1
	for range randomDraws {
		for b := range coins {
			coins[b] = random.Uint64()&1 == 1
		}
		sum := 0.0
		for _, w := range windows {
			sum += w.value(coins)
		}
		if math.Abs(sum) >= threshold {
			extreme++
		}
	}
	return float64(extreme) / (randomDraws + 1)
}

// randomisationSlack counts an assignment as extreme as the observed one when
// only the order of summation tells them apart.
const randomisationSlack = 1e-10

// switchbackWindow is the summed outcome, already weighted, of the periods whose
// windows touch the same blocks first..last.
type switchbackWindow struct {
	first, last int
	weighted    float64
}

func (w switchbackWindow) value(treated []bool) float64 {
	arm := treated[w.first]
	for _, other := range treated[w.first+1 : w.last+1] {
		if other != arm {
			return 0
		}
	}
	if arm {
		return w.weighted
	}
	return -w.weighted
}

func (s Switchback) windows() []switchbackWindow {
	block := make([]int, len(s.Y))
	for t, b := 0, -1; t < len(s.Y); t++ {
		if b+1 < len(s.BlockStarts) && t == s.BlockStarts[b+1] {
			b++
		}
		block[t] = b
	}
	var out []switchbackWindow
	for t := s.Carryover; t < len(s.Y); t++ {
		first, last := block[t-s.Carryover], block[t]
		weighted := s.Y[t] * math.Ldexp(1, last-first+1)
		if n := len(out); n > 0 && out[n-1].first == first && out[n-1].last == last {
			out[n-1].weighted += weighted
			continue
		}
		out = append(out, switchbackWindow{first: first, last: last, weighted: weighted})
	}
	return out
}

func (s Switchback) check(random *rand.Rand) error {
	blocks := len(s.BlockStarts)
	switch {
	case blocks == 0 || blocks != len(s.Treated) || s.BlockStarts[0] != 0:
		return refuse(InvalidArgument, "A switchback needs blocks from period 0 on, each with its coin.")
	case s.Carryover < 0 || s.Carryover >= len(s.Y):
		return refuse(TooFewUnits, "%d periods are too few for a carry-over of %d.", len(s.Y), s.Carryover)
	case !finite(s.Y...):
		return refuse(NonFinite, "An outcome is not a finite number.")
	case blocks > exactBlocks && random == nil:
		return refuse(InvalidArgument, "More than %d blocks need a source of random assignments.", exactBlocks)
	}
	for i := 1; i < blocks; i++ {
		if s.BlockStarts[i] <= s.BlockStarts[i-1] || s.BlockStarts[i] >= len(s.Y) {
			return refuse(InvalidArgument, "The starts of blocks must rise and lie within the periods.")
		}
	}
	return nil
}
