package experiment

import (
	"cmp"
	"math"
	"strings"
)

// Semver is a semantic version (semver.org 2.0.0); build metadata is dropped.
type Semver struct {
	Major, Minor, Patch uint64
	Pre                 string // without the hyphen; empty for a release
}

// ParseSemver reads a version. A leading v is allowed, and missing minor or
// patch numbers count as 0, because players report "v5.2" too.
func ParseSemver(s string) (Semver, bool) {
	s = strings.TrimPrefix(s, "v")
	s, _, _ = strings.Cut(s, "+")
	core, pre, hasPre := strings.Cut(s, "-")
	if hasPre && pre == "" || len(s) > MaxKeyBytes {
		return Semver{}, false
	}
	var n [3]uint64
	for i := range n {
		part, rest, more := strings.Cut(core, ".")
		v, ok := parseNumber(part)
		if !ok || v > math.MaxUint32 {
			return Semver{}, false
		}
		n[i] = v
		if !more {
			return Semver{n[0], n[1], n[2], pre}, true
		}
		core = rest
	}
	return Semver{}, false // a fourth number
}

// maxDigits keeps a number of a version within a uint64.
const maxDigits = 19

// parseNumber reads decimal digits. It exists because assignment parses a
// version at each evaluation and must not allocate, not even for what is no
// number, as strconv does.
func parseNumber(s string) (uint64, bool) {
	if s == "" || len(s) > maxDigits {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

// Compare orders versions as semver.org section 11 does: -1, 0 or 1.
func (v Semver) Compare(w Semver) int {
	c := cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
	if c != 0 || v.Pre == w.Pre {
		return c
	}
	if v.Pre == "" {
		return 1
	}
	if w.Pre == "" {
		return -1
	}
	return comparePre(v.Pre, w.Pre)
}

func comparePre(a, b string) int {
	for a != "" || b != "" {
		if a == "" {
			return -1
		}
		if b == "" {
			return 1
		}
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		nx, numX := parseNumber(x)
		ny, numY := parseNumber(y)
		var c int
		switch {
		case numX && numY:
			c = cmp.Compare(nx, ny)
		case numX:
			c = -1 // numeric identifiers come first
		case numY:
			c = 1
		default:
			c = cmp.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
