package experiment_test

import (
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// The order is the example of semver.org section 11.4, with releases around it.
func TestSemverOrder(t *testing.T) {
	t.Parallel()
	ordered := []string{
		"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "v1.10", "2",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			x, okX := experiment.ParseSemver(a)
			y, okY := experiment.ParseSemver(b)
			if !okX || !okY {
				t.Fatalf("ParseSemver(%q), ParseSemver(%q) failed", a, b)
			}
			want := 0
			if i < j {
				want = -1
			}
			if i > j {
				want = 1
			}
			if got := x.Compare(y); got != want {
				t.Errorf("%s.Compare(%s) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestParseSemverRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "v", "1.", "1..2", "a.b.c", "1.2.3.4", "1.2.3-", "-1.0.0", "99999999999.0.0"} {
		if v, ok := experiment.ParseSemver(s); ok {
			t.Errorf("ParseSemver(%q) = %v, want a refusal", s, v)
		}
	}
}
