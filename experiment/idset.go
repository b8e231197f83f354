package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
)

// IDSet is an exact set of ids that is made once and then read by any number
// of goroutines. Beside the ids' own bytes it keeps 12 to 20 bytes for each,
// and a look-up allocates nothing.
type IDSet struct {
	text   string   // the ids, ascending, each followed by a line feed
	ends   []uint32 // where the line feed of each id is
	table  []uint32 // open addressing: index + 1 of an id; 0: free
	seed   maphash.Seed
	digest string
}

// ParseIDSet reads one id a line. Empty lines, and space around an id, are
// dropped; repetitions count once. It returns Errors as NewIDSet does.
func ParseIDSet(text string) (*IDSet, error) {
	var ids []string
	for line := range strings.Lines(text) {
		if id := strings.TrimSpace(line); id != "" {
			ids = append(ids, id)
		}
		if len(ids) > MaxListIDs {
			break
		}
	}
	return NewIDSet(ids)
}

// NewIDSet returns the set of ids. It returns an Error of CodeTooLarge for
// more than MaxListIDs, and of CodeInvalid for one that cannot be a unit id.
func NewIDSet(ids []string) (*IDSet, error) {
	if len(ids) > MaxListIDs {
		return nil, Errorf(CodeTooLarge, "ids", "a list has at most %d ids", MaxListIDs)
	}
	size := 0
	for i, id := range ids {
		if !ValidUnitID(id) {
			return nil, Invalidf("ids", "id %d, %.150q, must be 1 to %d printable ASCII characters", i+1, id, MaxUnitIDBytes)
		}
		size += len(id) + 1
	}
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var text strings.Builder
	text.Grow(size)
	s := &IDSet{ends: make([]uint32, len(sorted)), seed: maphash.MakeSeed()}
	for i, id := range sorted {
		text.WriteString(id)
		s.ends[i] = uint32(text.Len())
		text.WriteByte('\n')
	}
	s.text = text.String()
	sum := sha256.Sum256([]byte(s.text))
	s.digest = hex.EncodeToString(sum[:])
	s.index()
	return s, nil
}

// index fills the table, which is at most half full.
func (s *IDSet) index() {
	slots := 1
	for slots < 2*len(s.ends) {
		slots *= 2
	}
	s.table = make([]uint32, slots)
	for i := range s.ends {
		at := s.home(s.at(i))
		for s.table[at] != 0 {
			at = (at + 1) & (len(s.table) - 1)
		}
		s.table[at] = uint32(i + 1)
	}
}

func (s *IDSet) home(id string) int {
	return int(maphash.String(s.seed, id) & uint64(len(s.table)-1))
}

func (s *IDSet) at(i int) string {
	from := uint32(0)
	if i > 0 {
		from = s.ends[i-1] + 1
	}
	return s.text[from:s.ends[i]]
}

// Has reports whether id is in the set.
func (s *IDSet) Has(id string) bool {
	for at := s.home(id); ; at = (at + 1) & (len(s.table) - 1) {
		i := s.table[at]
		if i == 0 {
			return false
		}
		if s.at(int(i-1)) == id {
			return true
		}
	}
}

// Len returns the number of ids.
func (s *IDSet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.ends)
}

// Text returns the ids in ascending order, each on a line of its own.
func (s *IDSet) Text() string { return s.text }

// Digest returns the SHA-256 of Text in hexadecimal: equal sets have equal ones.
func (s *IDSet) Digest() string { return s.digest }

// IDs returns the ids in ascending order.
func (s *IDSet) IDs() []string {
	out := make([]string, len(s.ends))
	for i := range out {
		out[i] = s.at(i)
	}
	return out
}

// MarshalJSON writes the ids as an array.
func (s *IDSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.IDs()) }

// UnmarshalJSON reads an array of ids.
func (s *IDSet) UnmarshalJSON(b []byte) error {
	var ids []string
	if err := json.Unmarshal(b, &ids); err != nil {
		return err
	}
	made, err := NewIDSet(ids)
	if err != nil {
		return err
	}
	*s = *made
	return nil
}
