package experiment

import (
	"cmp"
	"strconv"
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
	parts := strings.Split(core, ".")
	if len(parts) > 3 {
		return Semver{}, false
	}
	var n [3]uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return Semver{}, false
		}
		n[i] = v
	}
	return Semver{n[0], n[1], n[2], pre}, true
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
		nx, errX := strconv.ParseUint(x, 10, 64)
		ny, errY := strconv.ParseUint(y, 10, 64)
		var c int
		switch {
		case errX == nil && errY == nil:
			c = cmp.Compare(nx, ny)
		case errX == nil:
			c = -1 // numeric identifiers come first
		case errY == nil:
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
