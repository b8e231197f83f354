package telemetry

import (
	"encoding/json"
	"math"
	"strings"
)

// maxDepth bounds the nesting of JSON values that we skip: nothing we read is
// deeper than three, and the skipper is recursive.
const maxDepth = 64

// scanner reads JSON (RFC 8259) from a string without allocation: the strings
// it returns are parts of the text. Its methods return ok = false where the
// text is not JSON; the place is then undefined.
type scanner struct {
	text string
	at   int
}

// peek returns the next byte that is not white space, 0 at the end. A byte 0,
// which JSON does not have there either, is returned as 1.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return max(c, 1)
		}
	}
	return 0
}

// take consumes c if it is the next byte that is not white space.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// word consumes the literal w.
func (s *scanner) word(w string) bool {
	if !strings.HasPrefix(s.text[s.at:], w) {
		return false
	}
	s.at += len(w)
	return true
}

// str consumes a string, the next byte being its opening quote.
func (s *scanner) str() (value string, ok bool) {
	start := s.at + 1
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return s.text[start:i], true
		case c == '\\':
			return s.escapedStr(i)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// escapedStr consumes the string whose first backslash is at i. Escapes are
// rare enough to leave their many cases to the standard library.
func (s *scanner) escapedStr(i int) (value string, ok bool) {
	for i < len(s.text) && s.text[i] != '"' {
		if s.text[i] == '\\' {
			i++
		}
		i++
	}
	if i >= len(s.text) {
		return "", false
	}
	quoted := s.text[s.at : i+1]
	s.at = i + 1
	ok = json.Unmarshal([]byte(quoted), &value) == nil
	return value, ok
}

// number consumes a number. whole tells whether it is an integer in its
// notation and fits; only then value means something.
func (s *scanner) number() (value int64, whole, ok bool) {
	negative := s.at < len(s.text) && s.text[s.at] == '-'
	if negative {
		s.at++
	}
	first := s.at
	var n uint64
	whole = true
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		d := uint64(s.text[s.at] - '0')
		if n > (math.MaxInt64-d)/10 {
			whole = false
		}
		n = n*10 + d
		s.at++
	}
	digits := s.at - first
	if digits == 0 || digits > 1 && s.text[first] == '0' {
		return 0, false, false
	}
	if fraction, ok := s.fraction(); fraction || !ok {
		return 0, false, ok
	}
	value = int64(n)
	if negative {
		value = -value
	}
	return value, whole, true
}

// fraction consumes what follows the integer part of a number, if anything.
func (s *scanner) fraction() (present, ok bool) {
	if s.at < len(s.text) && s.text[s.at] == '.' {
		present = true
		s.at++
		if !s.digits() {
			return present, false
		}
	}
	if s.at < len(s.text) && (s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		present = true
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if !s.digits() {
			return present, false
		}
	}
	return present, true
}

// digits consumes one digit or more.
func (s *scanner) digits() bool {
	first := s.at
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
	}
	return s.at > first
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// skip consumes any value, nested at most depth deep.
func (s *scanner) skip(depth int) bool {
	if depth == 0 {
		return false
	}
	switch c := s.peek(); {
	case c == '"':
		_, ok := s.str()
		return ok
	case c == '-' || isDigit(c):
		_, _, ok := s.number()
		return ok
	case c == '{':
		return s.object(func(string) bool { return s.skip(depth - 1) })
	case c == '[':
		return s.skipArray(depth)
	}
	return s.word("null") || s.word("true") || s.word("false")
}

// skipArray consumes an array, the next byte being its bracket.
func (s *scanner) skipArray(depth int) bool {
	s.at++
	if s.take(']') {
		return true
	}
	for s.skip(depth - 1) {
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
	return false
}

// object consumes an object, the next byte being its brace, and calls member
// at the value of each key; member consumes it.
func (s *scanner) object(member func(key string) bool) bool {
	s.at++
	if s.take('}') {
		return true
	}
	for s.peek() == '"' {
		key, ok := s.str()
		if !ok || !s.take(':') {
			return false
		}
		s.peek()
		if !member(key) {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
	return false
}

// frame returns the place after the object that opens at start, by counting
// braces outside strings; ok is false when it does not end. It finds the next
// record behind one that is not JSON.
func (s *scanner) frame(start int) (end int, ok bool) {
	depth, quoted := 0, false
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '{':
			depth++
		case c == '}':
			depth--
			if depth == 0 {
				return i + 1, true
			}
		}
	}
	return 0, false
}
