package assignment_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/splitcast/splitcast/assignment"
)

// FuzzEvaluate asks every experiment of the vectors with any context at all:
// evaluation never panics, answers with an arm that exists, in valid JSON, and
// assigns nobody without a valid unit id.
func FuzzEvaluate(f *testing.F) {
	f.Add("viewer-1", "app_version", "5.2.0", 5000.0, "country")
	f.Add("", "targetingKey", "\x00ж", math.Copysign(0, -1), "viewer_id")
	f.Add("qa-1", "broadcaster_id", "host-1", 1e300, "build")
	f.Add("u", "session_id", "", 0.5, "kids")
	s := compile(f, readVectors(f).Config)
	f.Fuzz(func(t *testing.T, key, name, text string, number float64, other string) {
		c := assignment.NewContext(key)
		c.SetString(name, text)
		c.SetNumber(other, number)
		c.SetBool(text, number > 0)
		c.SetOther(name + other)
		s.AppendETag(nil, c)
		for i := range s.Len() {
			r, info := s.EvaluateAt(i, c), s.At(i)
			if info.Arms[r.Arm] != r.Variant {
				t.Fatalf("%s: arm %d is %q, not %q", info.Key, r.Arm, info.Arms[r.Arm], r.Variant)
			}
			if _, ok := c.Unit(info.Unit); !ok && (r.Assigned || r.Cause != assignment.CauseNoUnit) {
				t.Fatalf("%s: %+v without a unit", info.Key, r)
			}
			if b := r.AppendAnswer(nil); !json.Valid(b) {
				t.Fatalf("%s: AppendAnswer = %s", info.Key, b)
			}
		}
	})
}
