package telemetry

import (
	"strconv"
	"strings"
)

// dictionary reads the dictionaries of RFC 8941 (structured field values),
// section 4.2.2, member by member and without allocation: inner lists share
// one buffer, strings are parts of the text. Unlike the RFC, which refuses a
// dictionary with one bad member, it goes on behind the next comma, as
// CTA-5004-B section 6 wants values dropped singly.
type dictionary struct {
	text string
	at   int
	buf  []sfItem
}

// sfKind is the type of a bare item.
type sfKind uint8

const (
	sfInteger sfKind = iota + 1
	sfDecimal
	sfString
	sfToken
	sfBoolean
	sfBytes
)

// sfItem is one item with the parameters that CMCD uses.
type sfItem struct {
	kind    sfKind
	integer int64
	decimal float64 // of sfInteger, too
	text    string  // of sfString and sfToken
	boolean bool
	flag    string // first parameter that is true, as in 5000;v
	rng     string // string parameter r, as in "next.m4s";r="0-99"
}

// sfMember is one member: a single item or an inner list.
type sfMember struct {
	key   string
	list  bool
	items []sfItem // exactly one unless list; valid until the next member
}

// RFC 8941 section 3.3: at most 15 digits in a number.
const sfMaxDigits = 15

// next returns the next member; ok is false when it is malformed, and then
// only its key, if that could be read, means something. The dictionary is at
// its end when more is false.
func (d *dictionary) next() (m sfMember, ok, more bool) {
	d.spaces()
	if d.at >= len(d.text) {
		return m, false, false
	}
	start := d.at
	d.buf = d.buf[:0]
	ok = d.member(&m)
	if ok {
		d.spaces()
		ok = d.at == len(d.text) || d.text[d.at] == ','
	}
	if !ok {
		d.at = start
		d.toComma()
	}
	d.at++
	return m, ok, true
}

// member reads key, value and parameters.
func (d *dictionary) member(m *sfMember) bool {
	if !d.key(&m.key) {
		return false
	}
	if d.at >= len(d.text) || d.text[d.at] != '=' {
		d.buf = append(d.buf, sfItem{kind: sfBoolean, boolean: true})
		m.items = d.buf
		return d.parameters(&d.buf[0])
	}
	d.at++
	var ok bool
	if d.at < len(d.text) && d.text[d.at] == '(' {
		m.list = true
		ok = d.innerList()
	} else {
		ok = d.item()
	}
	m.items = d.buf
	return ok
}

// spaces skips spaces and tabs.
func (d *dictionary) spaces() {
	for d.at < len(d.text) && (d.text[d.at] == ' ' || d.text[d.at] == '\t') {
		d.at++
	}
}

// toComma goes to the next comma outside strings, or to the end.
func (d *dictionary) toComma() {
	quoted := false
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '\\' && quoted:
			d.at++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return
		}
	}
	d.at = len(d.text)
}

// key reads a key (section 3.1.2).
func (d *dictionary) key(into *string) bool {
	start := d.at
	for d.at < len(d.text) && isKeyByte(d.text[d.at], d.at == start) {
		d.at++
	}
	*into = d.text[start:d.at]
	return d.at > start
}

func isKeyByte(c byte, first bool) bool {
	if 'a' <= c && c <= 'z' || c == '*' {
		return true
	}
	return !first && (isDigit(c) || c == '_' || c == '-' || c == '.')
}

// innerList reads the list whose parenthesis is next (section 3.1.1).
func (d *dictionary) innerList() bool {
	d.at++
	for {
		spaced := d.at
		for d.at < len(d.text) && d.text[d.at] == ' ' {
			d.at++
		}
		if d.at >= len(d.text) {
			return false
		}
		if d.text[d.at] == ')' {
			d.at++
			return d.parameters(new(sfItem))
		}
		if len(d.buf) > 0 && d.at == spaced {
			return false // items must be apart
		}
		if !d.item() {
			return false
		}
	}
}

// item reads one item with its parameters into the buffer.
func (d *dictionary) item() bool {
	d.buf = append(d.buf, sfItem{})
	it := &d.buf[len(d.buf)-1]
	return d.bare(it) && d.parameters(it)
}

// parameters reads the parameters of an item (section 3.1.2).
func (d *dictionary) parameters(it *sfItem) bool {
	for d.at < len(d.text) && d.text[d.at] == ';' {
		d.at++
		for d.at < len(d.text) && d.text[d.at] == ' ' {
			d.at++
		}
		var key string
		if !d.key(&key) {
			return false
		}
		value := sfItem{kind: sfBoolean, boolean: true}
		if d.at < len(d.text) && d.text[d.at] == '=' {
			d.at++
			value = sfItem{}
			if !d.bare(&value) {
				return false
			}
		}
		switch {
		case value.kind == sfBoolean && value.boolean && it.flag == "":
			it.flag = key
		case value.kind == sfString && key == "r":
			it.rng = value.text
		}
	}
	return true
}

// bare reads one bare item (section 3.3).
func (d *dictionary) bare(it *sfItem) bool {
	if d.at >= len(d.text) {
		return false
	}
	switch c := d.text[d.at]; {
	case c == '-' || isDigit(c):
		return d.number(it)
	case c == '"':
		return d.str(it)
	case c == '?':
		return d.boolean(it)
	case c == ':':
		return d.bytes(it)
	case isAlpha(c) || c == '*':
		start := d.at
		for d.at < len(d.text) && isTokenByte(d.text[d.at]) {
			d.at++
		}
		it.kind, it.text = sfToken, d.text[start:d.at]
		return true
	}
	return false
}

// number reads an integer or a decimal.
func (d *dictionary) number(it *sfItem) bool {
	start, digits, point := d.at, 0, -1
	if d.text[d.at] == '-' {
		d.at++
	}
	var n int64
	for ; d.at < len(d.text); d.at++ {
		c := d.text[d.at]
		if c == '.' && point < 0 && digits > 0 {
			point = d.at
			continue
		}
		if !isDigit(c) {
			break
		}
		digits++
		if digits > sfMaxDigits {
			return false
		}
		n = n*10 + int64(c-'0')
	}
	if digits == 0 || point == d.at-1 {
		return false
	}
	if point >= 0 {
		var err error
		it.kind = sfDecimal
		it.decimal, err = strconv.ParseFloat(d.text[start:d.at], 64)
		return err == nil
	}
	if d.text[start] == '-' {
		n = -n
	}
	it.kind, it.integer, it.decimal = sfInteger, n, float64(n)
	return true
}

// str reads a string: printable ASCII, with \" and \\ for " and \.
func (d *dictionary) str(it *sfItem) bool {
	start := d.at + 1
	escaped := false
	for i := start; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			it.kind, it.text = sfString, d.text[start:i]
			if escaped {
				it.text = unescape.Replace(it.text)
			}
			d.at = i + 1
			return true
		case c == '\\':
			i++
			if i >= len(d.text) || d.text[i] != '"' && d.text[i] != '\\' {
				return false
			}
			escaped = true
		case c < ' ' || c > '~':
			return false
		}
	}
	return false
}

var unescape = strings.NewReplacer(`\"`, `"`, `\\`, `\`)

// boolean reads ?0 or ?1.
func (d *dictionary) boolean(it *sfItem) bool {
	if d.at+1 >= len(d.text) || d.text[d.at+1] != '0' && d.text[d.at+1] != '1' {
		return false
	}
	it.kind, it.boolean = sfBoolean, d.text[d.at+1] == '1'
	d.at += 2
	return true
}

// bytes skips a byte sequence; no key of CMCD has this type.
func (d *dictionary) bytes(it *sfItem) bool {
	for i := d.at + 1; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == ':':
			it.kind = sfBytes
			d.at = i + 1
			return true
		case !isAlpha(c) && !isDigit(c) && c != '+' && c != '/' && c != '=':
			return false
		}
	}
	return false
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isTokenByte reports whether c may stand in a token: tchar of RFC 9110, ":"
// and "/".
func isTokenByte(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}
