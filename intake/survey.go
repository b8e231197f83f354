package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// Survey is what is known of a file before any of it is sent.
type Survey struct {
	Hash string // SHA-256 of the file, in hex
	Rows int64
	// Crossed counts the units that the file has in two arms.
	Crossed int64

	seeds [2]maphash.Seed
	arms  map[unitKey]uint32 // by unit: index of the arm, or crossed
}

// unitKey is 128 bits of hash of a unit id: among MaxUnits the chance that any two
// collide is below 1e-24.
type unitKey [2]uint64

// crossed marks a unit that is in two arms.
const crossed = ^uint32(0)

// TakeSurvey reads the file from its beginning to its end. Units that it has in two
// arms must be known before the first of their rows is sent.
func TakeSurvey(file io.Reader, plan *Plan) (*Survey, error) {
	s := &Survey{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, arms: map[unitKey]uint32{}}
	sum := sha256.New()
	whole := io.TeeReader(file, sum)
	rows, err := Open(whole)
	if err != nil {
		return nil, err
	}
	arms := map[string]uint32{}
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if _, bad := errors.AsType[*Fault](err); err != nil && !bad {
			return nil, err
		}
		s.Rows++
		if err != nil || !plan.what.hasArms() {
			continue
		}
		if unit, arm, fault := plan.Unit(&row); fault == nil {
			if _, known := arms[arm]; !known {
				arms[arm] = uint32(len(arms))
			}
			if err := s.note(unit, arms[arm]); err != nil {
				return nil, err
			}
		}
	}
	if _, err := io.Copy(io.Discard, whole); err != nil { // what gzip left behind its end
		return nil, err
	}
	s.Hash = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

func (s *Survey) note(unit string, arm uint32) error {
	key := s.key(unit)
	known, ok := s.arms[key]
	switch {
	case !ok && len(s.arms) == MaxUnits:
		return &Fault{Reason: fmt.Sprintf("there are more than %d units", MaxUnits)}
	case !ok:
		s.arms[key] = arm
	case known != arm && known != crossed:
		s.arms[key] = crossed
		s.Crossed++
	}
	return nil
}

func (s *Survey) key(unit string) unitKey {
	return unitKey{maphash.String(s.seeds[0], unit), maphash.String(s.seeds[1], unit)}
}

// IsCrossed reports whether the file has the unit in two arms.
func (s *Survey) IsCrossed(unit string) bool { return s.arms[s.key(unit)] == crossed }
