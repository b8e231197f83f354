package experiment

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// MaxKeptUnits bounds a UnitSet: 8 MB in memory, 11 MB of JSON.
const MaxKeptUnits = 1_000_000

// UnitSet is a set of unit ids that keeps 64 bits of the SHA-256 of each. Has
// is true for every member; among N ids that are none, N × Len / 2⁶⁴ are taken
// for members on average: at the limit one in 18 trillion.
// (docs/adr/0008-pausing-keeps-arms-by-a-set-of-hashes.md)
//
// It does not change once made and holds no id that could be read back.
type UnitSet struct {
	hashes []uint64 // ascending
}

// NewUnitSet returns the set of ids, in any order and with repetitions.
func NewUnitSet(ids []string) *UnitSet {
	s := &UnitSet{hashes: make([]uint64, len(ids))}
	for i, id := range ids {
		s.hashes[i] = hashUnit(id)
	}
	slices.Sort(s.hashes)
	s.hashes = slices.Compact(s.hashes)
	return s
}

// hashUnit returns the first 64 bits of the id's SHA-256.
func hashUnit(id string) uint64 {
	var buf [MaxUnitIDBytes]byte
	sum := sha256.Sum256(buf[:copy(buf[:], id)])
	return binary.BigEndian.Uint64(sum[:8])
}

// Has reports whether id, a valid unit id, is in the set. It allocates nothing.
func (s *UnitSet) Has(id string) bool {
	_, ok := slices.BinarySearch(s.hashes, hashUnit(id))
	return ok
}

// Len returns the number of units.
func (s *UnitSet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.hashes)
}

// AppendBinary appends the hashes, eight bytes each, ascending.
func (s *UnitSet) AppendBinary(b []byte) ([]byte, error) {
	b = slices.Grow(b, 8*len(s.hashes))
	for _, h := range s.hashes {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b, nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (s *UnitSet) UnmarshalBinary(b []byte) error {
	if len(b)%8 != 0 || len(b)/8 > MaxKeptUnits {
		return fmt.Errorf("%d bytes are not a set of at most %d units", len(b), MaxKeptUnits)
	}
	hashes := make([]uint64, len(b)/8)
	for i := range hashes {
		hashes[i] = binary.BigEndian.Uint64(b[8*i:])
		if i > 0 && hashes[i] <= hashes[i-1] {
			return fmt.Errorf("unit %d of the set is out of order", i)
		}
	}
	s.hashes = hashes
	return nil
}

// MarshalJSON writes the set as base64 of its binary form.
func (s *UnitSet) MarshalJSON() ([]byte, error) {
	b, err := s.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *UnitSet) UnmarshalJSON(b []byte) error {
	var text []byte // encoding/json decodes base64
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	return s.UnmarshalBinary(text)
}
