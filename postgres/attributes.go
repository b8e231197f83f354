package postgres

import (
	"bytes"
	"encoding/json"
)

// maxInterned bounds the strings that an attributeDecoder remembers: the keys
// and the common values. A platform has dozens of countries and player versions
// and hundreds of providers; the rest is not worth remembering.
const maxInterned = 4_096

// attributeDecoder reads the attributes of exposures: flat JSON objects of
// strings, as json.Marshal writes them. The same few keys and values come again
// and again, so it makes each of their strings once.
type attributeDecoder struct {
	interned map[string]string
	out      map[string]string
}

// decode returns the attributes of an object. The map is valid until the next
// call.
func (d *attributeDecoder) decode(text []byte) (map[string]string, error) {
	if d.out == nil {
		d.interned, d.out = map[string]string{}, map[string]string{}
	}
	clear(d.out)
	if d.plain(text) {
		return d.out, nil
	}
	clear(d.out)
	err := json.Unmarshal(text, &d.out)
	return d.out, err
}

// plain reads an object without white space and escapes, and reports whether
// the text was one.
func (d *attributeDecoder) plain(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte{'{'})
	if !ok {
		return false
	}
	if string(rest) == "}" {
		return true
	}
	for {
		key, after, ok := cutPlainString(rest)
		if !ok || len(after) == 0 || after[0] != ':' {
			return false
		}
		value, after, ok := cutPlainString(after[1:])
		if !ok || len(after) == 0 {
			return false
		}
		d.out[d.intern(key)] = d.intern(value)
		switch rest = after[1:]; after[0] {
		case ',':
		case '}':
			return len(rest) == 0
		default:
			return false
		}
	}
}

// cutPlainString reads a JSON string of printable ASCII without escapes.
func cutPlainString(text []byte) (value, after []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return text[1:i], text[i+1:], true
		case c == '\\' || c < ' ' || c > '~':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

func (d *attributeDecoder) intern(b []byte) string {
	if s, ok := d.interned[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(d.interned) < maxInterned {
		d.interned[s] = s
	}
	return s
}
