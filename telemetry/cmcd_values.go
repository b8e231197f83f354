package telemetry

import (
	"slices"
	"strconv"
	"strings"
)

// itemChunk is how many list items are allocated at once for many records.
const itemChunk = 128

// setList takes the numbers of an inner list, or the bare number that v1 has
// and that Shaka 5.2.12 sends in v2, too.
func (d *cmcdDecoder) setList(r *Record, into *List, bit Keys, most int64, items []sfItem) Reason {
	if cap(d.items)-len(d.items) < len(items) {
		d.items = make([]Item, 0, max(itemChunk, len(items)))
	}
	start := len(d.items)
	for _, it := range items {
		reason := Reason("")
		switch {
		case it.kind != sfInteger:
			reason = ReasonType
		case it.integer < 0:
			reason = ReasonRange
		case it.integer > most:
			reason = ReasonImplausible
		}
		if reason != "" {
			d.items = d.items[:start]
			return reason
		}
		d.items = append(d.items, Item{Value: it.integer, Type: it.flag})
	}
	*into = List(d.items[start:len(d.items):len(d.items)])
	r.Has |= bit
	return ""
}

// setTexts takes the strings of nor and ec. dash.js 5.2.1 sends ec as a bare
// integer.
func (d *cmcdDecoder) setTexts(r *Record, m sfMember) Reason {
	texts := make([]TextItem, 0, len(m.items))
	for _, it := range m.items {
		text := TextItem{Value: it.text, Range: it.rng}
		switch it.kind {
		case sfString, sfToken:
		case sfInteger:
			text.Value = strconv.FormatInt(it.integer, 10)
		default:
			return ReasonType
		}
		if len(text.Value) > maxURLBytes {
			return ReasonRange
		}
		texts = append(texts, text)
	}
	if m.key == "ec" {
		r.EC = texts
		r.Has |= KeyEC
	} else {
		r.NOR = texts
		r.Has |= KeyNOR
	}
	return ""
}

func (r *Record) setInteger(into *int64, bit Keys, it sfItem, least, most int64) Reason {
	switch {
	case it.kind != sfInteger:
		return ReasonType
	case it.integer < 0:
		return ReasonRange
	case it.integer < least || it.integer > most:
		return ReasonImplausible
	}
	*into = it.integer
	r.Has |= bit
	return ""
}

func (r *Record) setString(into *string, bit Keys, it sfItem, most int) Reason {
	switch {
	case it.kind != sfString:
		return ReasonType
	case len(it.text) > most:
		return ReasonRange
	}
	*into = it.text
	r.Has |= bit
	return ""
}

func (r *Record) setToken(into *string, bit Keys, it sfItem, known []string) Reason {
	switch {
	case it.kind != sfToken:
		return ReasonType
	case len(it.text) > maxShortBytes, known != nil && !slices.Contains(known, it.text):
		return ReasonRange
	}
	*into = it.text
	r.Has |= bit
	return ""
}

func (r *Record) setRate(it sfItem) Reason {
	switch {
	case it.kind != sfInteger && it.kind != sfDecimal:
		return ReasonType
	case it.decimal < 0:
		return ReasonRange
	case it.decimal > maxPlaybackRate:
		return ReasonImplausible
	}
	r.PR = it.decimal
	r.Has |= KeyPR
	return ""
}

// maxCustom bounds the custom keys kept of one record.
const maxCustom = 16

// setCustom keeps a hyphenated key of the application and ignores any other.
func (r *Record) setCustom(key string, it sfItem) Reason {
	if strings.IndexByte(key, '-') < 0 {
		return ""
	}
	switch {
	case it.kind != sfString && it.kind != sfToken:
		return ReasonType
	case len(it.text) > maxShortBytes, len(key) > maxShortBytes:
		return ReasonRange
	}
	for i := range r.Custom {
		if r.Custom[i].Key == key {
			r.Custom[i].Value = it.text
			return ""
		}
	}
	if len(r.Custom) == maxCustom {
		return ReasonTooMany
	}
	r.Custom = append(r.Custom, Custom{Key: key, Value: it.text})
	return ""
}
