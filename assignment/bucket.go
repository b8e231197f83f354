package assignment

import (
	"github.com/twmb/murmur3"

	"github.com/splitcast/splitcast/experiment"
)

// position maps a unit to [0, total): (h × total) >> 32 with h the
// murmur3-x86-32 hash, seed 0, of prefix + unit, where prefix is a salt and a
// colon. This is flagd's fractional since April 2026. Multiply-and-shift gives
// each integer weight unit floor or ceil of 2³²/total hashes, so thirds are
// thirds; a modulus of 10,000 buckets would not.
func position(prefix, unit string, total uint32) uint32 {
	return scale(hashOf(prefix, unit), total)
}

// hashOf is the hash of prefix + unit. prefix has at most maxSaltBytes + 1 bytes
// and unit at most experiment.MaxUnitIDBytes: Compile and Context see to it.
func hashOf(prefix, unit string) uint32 {
	var buf [maxSaltBytes + 1 + experiment.MaxUnitIDBytes]byte
	n := copy(buf[:], prefix)
	n += copy(buf[n:], unit)
	return murmur3.Sum32(buf[:n])
}

// scale maps a hash to [0, total).
func scale(hash, total uint32) uint32 { return uint32(uint64(hash) * uint64(total) >> 32) }

// slotAt returns the slot of a unit whose hash under the layer's salt is known.
func slotAt(hash uint32) int { return int(scale(hash, experiment.TotalSlots)) }

// markOf joins the hashes of a unit under the salts of layer and experiment, which
// are independent, to one of 64 bits. Both are there when a unit is assigned.
func markOf(layerHash, armHash uint32) uint64 { return uint64(layerHash)<<32 | uint64(armHash) }

// owns reports whether the slot belongs to the experiment.
func (c *compiled) owns(slot int) bool {
	for _, r := range c.slots {
		if slot < r.To {
			return slot >= r.From
		}
	}
	return false
}

// armAt returns the arm whose share holds the position.
func (c *compiled) armAt(pos uint32) int {
	i := 0
	for pos >= c.arms[i].below {
		i++
	}
	return i
}
