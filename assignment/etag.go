package assignment

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/twmb/murmur3"
)

// etagBytes is room on the stack for what usual contexts hash.
const etagBytes = 1024

// AppendETag appends the strong entity tag of the bulk answer to ctx: the
// configuration's version and a 128-bit hash of its content and of the
// context in canonical form: unit ids, then the attributes that any audience
// reads, in the order of their names, typed and with exact numbers. Whatever
// cannot change an answer is left out, so that a context with a timestamp
// still gets its 304; and no evaluation is needed to compute it.
func (s *Snapshot) AppendETag(b []byte, ctx *Context) []byte {
	var room [etagBytes]byte
	c := append(room[:0], s.fingerprint[:]...)
	c = appendCanonical(c, &ctx.key)
	for u := range ctx.ids {
		c = append(c, byte(ctx.ids[u].state))
		c = appendText(c, ctx.ids[u].text)
	}
	for _, name := range s.attributes {
		a := ctx.find(name)
		if a == nil {
			c = append(c, canonicalAbsent)
			continue
		}
		c = appendCanonical(c, a)
	}
	h1, h2 := murmur3.Sum128(c)
	var sum [16]byte
	binary.BigEndian.PutUint64(sum[:8], h1)
	binary.BigEndian.PutUint64(sum[8:], h2)
	b = append(b, '"')
	b = strconv.AppendInt(b, s.version, 10)
	b = append(b, '-')
	b = hex.AppendEncode(b, sum[:])
	return append(b, '"')
}

// canonicalAbsent differs from every kind.
const canonicalAbsent = 0xff

// appendCanonical appends the kind and value of an attribute; lengths precede
// strings, so that no two lists of values look alike.
func appendCanonical(b []byte, a *attr) []byte {
	b = append(b, byte(a.kind))
	switch a.kind {
	case kindString:
		return appendText(b, a.str)
	case kindNumber, kindBool:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(a.num+0)) // +0 makes -0 and 0 equal, as comparisons do
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
