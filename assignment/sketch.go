package assignment

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/splitcast/splitcast/experiment"
)

// Size of a Sketch. 2^12 registers give a standard error of 1.04/sqrt(4096) =
// 1.6 %: enough to see a stage at which units are lost, in 4 kB an arm.
const (
	sketchBits = 12
	// SketchBytes is the length of a Sketch as bytes, one a register.
	SketchBytes = 1 << sketchBits
	// maxRank is the largest value of a register: the hash has 64 bits, of which
	// sketchBits choose the register.
	maxRank = 64 - sketchBits + 1
	// perWord registers share a word, because there are no atomic bytes.
	perWord = 4
)

// SketchErrorPct is the standard error of EstimateSketch in per cent of it: 1.04
// over the square root of SketchBytes (Flajolet et al. 2007, theorem 1).
const SketchErrorPct = 104.0 / 64

// Sketch counts distinct units in bounded memory: a HyperLogLog (Flajolet,
// Fusy, Gandouet and Meunier 2007) over a hash of 64 bits (Heule, Nunkesser and
// Hall 2013). To add a unit again changes nothing, and sketches of several
// servers merge to that of all units. The zero value is empty and takes no
// memory for registers; any number of goroutines may use it.
type Sketch struct {
	words atomic.Pointer[[SketchBytes / perWord]atomic.Uint32]
	dirty atomic.Bool   // a register grew since Changed was asked
	floor atomic.Uint32 // no register is below: most units of a large arm change none, and need not look at one
}

// Reserved reports whether the sketch has its registers.
func (s *Sketch) Reserved() bool { return s.words.Load() != nil }

// Reserve gives the sketch its registers, and reports whether it had none.
func (s *Sketch) Reserve() bool {
	return s.words.Load() == nil && s.words.CompareAndSwap(nil, new([SketchBytes / perWord]atomic.Uint32))
}

// Add counts the unit with a mark, such as Result.Mark. It needs Reserve before.
func (s *Sketch) Add(mark uint64) {
	i, rank := sketchPlace(mark)
	if rank <= s.floor.Load() {
		return
	}
	word, shift := &s.words.Load()[i/perWord], i%perWord*8
	for {
		old := word.Load()
		if old>>shift&0xff >= rank {
			return
		}
		if word.CompareAndSwap(old, old&^(0xff<<shift)|rank<<shift) {
			s.dirty.Store(true)
			return
		}
	}
}

// sketchPlace returns the register of a mark and its rank there: the position of
// the first one bit among those that do not choose the register. Marks are mixed
// first, for those of an arm have much in common.
func sketchPlace(mark uint64) (register, rank uint32) {
	h := mix(mark)
	rest := h<<sketchBits | 1<<(sketchBits-1) // a one that ends the search
	return uint32(h >> (64 - sketchBits)), uint32(bits.LeadingZeros64(rest)) + 1
}

// mix is the finaliser of MurmurHash3: a permutation after which every bit
// depends on every other.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Changed reports whether a register grew since the last call.
func (s *Sketch) Changed() bool { return s.dirty.Swap(false) }

// Unsaved lets Changed report a change again: what was read could not be stored.
func (s *Sketch) Unsaved() { s.dirty.Store(true) }

// AppendBytes appends the registers, one a byte; zeros for an empty sketch.
func (s *Sketch) AppendBytes(b []byte) []byte {
	words := s.words.Load()
	if words == nil {
		return append(b, make([]byte, SketchBytes)...)
	}
	from := len(b)
	for i := range words {
		w := words[i].Load()
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	s.floor.Store(uint32(slices.Min(b[from:]))) // registers only grow
	return b
}

// MergeSketch makes each register of into the larger of its own and that of from,
// and reports whether one grew. Both are as of AppendBytes. It returns an
// experiment.Error of CodeInvalid for what cannot be a sketch.
func MergeSketch(into, from []byte) (grew bool, err error) {
	if err := checkSketch(into); err != nil {
		return false, err
	}
	if err := checkSketch(from); err != nil {
		return false, err
	}
	for i, rank := range from {
		if rank > into[i] {
			into[i], grew = rank, true
		}
	}
	return grew, nil
}

func checkSketch(b []byte) error {
	if len(b) != SketchBytes {
		return experiment.Invalidf("registers", "a sketch has %d registers, not %d", SketchBytes, len(b))
	}
	for i, rank := range b {
		if rank > maxRank {
			return experiment.Invalidf("registers", "register %d holds %d, but the largest is %d", i, rank, maxRank)
		}
	}
	return nil
}

// EstimateSketch returns how many distinct units a sketch, as of AppendBytes, has
// seen. It is the improved estimator of Ertl ("New cardinality estimation
// algorithms for HyperLogLog sketches", 2017, algorithm 6), which is without bias
// at any number and needs no tables. It returns an experiment.Error of CodeInvalid
// for what cannot be a sketch.
func EstimateSketch(b []byte) (float64, error) {
	if err := checkSketch(b); err != nil {
		return 0, err
	}
	var counts [maxRank + 1]float64
	for _, rank := range b {
		counts[rank]++
	}
	const m = SketchBytes
	if counts[0] == m {
		return 0, nil
	}
	z := m * ertlTau(1-counts[maxRank]/m)
	for k := maxRank - 1; k >= 1; k-- {
		z = (z + counts[k]) / 2
	}
	z += m * ertlSigma(counts[0]/m)
	return m / (2 * math.Ln2) * m / z, nil
}

// ertlSigma corrects for registers that are still zero; x is below 1.
func ertlSigma(x float64) float64 {
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y *= 2
		if !(z > before) {
			return z
		}
	}
}

// ertlTau corrects for registers at their largest value.
func ertlTau(x float64) float64 {
	if x <= 0 || x >= 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y /= 2
		z -= (1 - x) * (1 - x) * y
		if !(z < before) {
			return z / 3
		}
	}
}
