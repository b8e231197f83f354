package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cmcdRecord is one CMCD record, key by key. It is read by the grammar of
// RFC 8941 dictionaries, written here independently of the sender.
type cmcdRecord struct {
	keys   []string
	values map[string]string
}

func (r cmcdRecord) text(key string) string { return strings.Trim(r.values[key], `"`) }

func (r cmcdRecord) number(key string) int64 {
	n, err := strconv.ParseInt(strings.Trim(r.values[key], "()"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func parseCMCD(line string) (cmcdRecord, error) {
	r := cmcdRecord{values: map[string]string{}}
	for line != "" {
		key, rest, ok := strings.Cut(line, "=")
		if !ok || key == "" {
			return r, fmt.Errorf("no key in %q", line)
		}
		value, tail, err := cmcdValue(rest)
		if err != nil {
			return r, err
		}
		if _, twice := r.values[key]; twice {
			return r, fmt.Errorf("key %q twice", key)
		}
		r.keys = append(r.keys, key)
		r.values[key] = value
		line = tail
	}
	if !slices.IsSorted(r.keys) {
		return r, fmt.Errorf("keys not in alphabetical order: %v", r.keys)
	}
	for _, must := range []string{"e", "sid", "sn", "ts", "v"} {
		if r.values[must] == "" {
			return r, fmt.Errorf("no %s", must)
		}
	}
	return r, nil
}

// cmcdValue splits a value from what follows its comma.
func cmcdValue(s string) (value, rest string, err error) {
	end := strings.IndexByte(s, ',')
	switch {
	case strings.HasPrefix(s, `"`):
		last := strings.IndexByte(s[1:], '"')
		if last < 0 {
			return "", "", fmt.Errorf("open string %q", s)
		}
		end = last + 2
	case strings.HasPrefix(s, "("):
		last := strings.IndexByte(s, ')')
		if last < 0 {
			return "", "", fmt.Errorf("open list %q", s)
		}
		end = last + 1
	}
	if end < 0 || end == len(s) {
		return s, "", nil
	}
	if s[end] != ',' || end+1 == len(s) {
		return "", "", fmt.Errorf("no comma after %q", s[:end])
	}
	return s[:end], s[end+1:], nil
}
