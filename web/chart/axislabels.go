package chart

import (
	"math"
	"unicode/utf8"
)

// How much room the labels of an axis take. Text does not stretch with the drawing, so
// that they are laid out for the narrowest one: a board on paper.
const (
	axisNarrowPx = 170
	axisCharPx   = 6.2 // of a digit at 11 px
	axisGapPx    = 7   // between two labels
)

// axisLabel is one text beneath an axis, at a place in per cent of its width.
type axisLabel struct {
	at   float64
	text string
	side string // class of the anchor
}

// extent returns from where to where the label reaches, with its gap.
func (l *axisLabel) extent() (lo, hi float64) {
	const pct = 100.0 / axisNarrowPx
	width := axisCharPx * pct * float64(utf8.RuneCountInString(l.text))
	lo = l.at - width/2
	switch l.side {
	case " start":
		lo = l.at
	case " end":
		lo = l.at - width
	}
	return lo - axisGapPx*pct/2, lo + width + axisGapPx*pct/2
}

// clearOf reports whether the label overlaps none of the others.
func (l *axisLabel) clearOf(others []axisLabel) bool {
	lo, hi := l.extent()
	for i := range others {
		if from, to := others[i].extent(); lo < to && from < hi {
			return false
		}
	}
	return true
}

// labels lays out what is written beneath the axis: the 0 always, then the name of the
// wall where it fits, then as many numbers as keep clear of each other, evenly.
func (f *Forest) labels() []axisLabel {
	zero := axisLabel{f.scale.at(0), "0", anchor(f.scale.at(0))}
	out := []axisLabel{zero}
	if wall, ok := f.wallLabel(out); ok {
		out = append(out, wall)
	}
	every := f.numbers(1)
	for stride := 2; !apart(append(every, zero)) && stride <= len(f.ticks); stride++ {
		every = f.numbers(stride)
	}
	for _, l := range every {
		if l.clearOf(out) {
			out = append(out, l)
		}
	}
	return out
}

// wallLabel names the wall, at its middle or at either side, whichever is free.
func (f *Forest) wallLabel(taken []axisLabel) (axisLabel, bool) {
	if !f.margins || !f.on(-1) {
		return axisLabel{}, false
	}
	at := f.scale.at(-1)
	for _, side := range []string{anchor(at), " end", " start"} {
		l := axisLabel{at, "margin", side}
		if lo, hi := l.extent(); lo > -axisGapPx && hi < 100+axisGapPx && l.clearOf(taken) {
			return l, true
		}
	}
	return axisLabel{}, false
}

// numbers returns the labels of every stride-th grid line but that at 0, which has its
// own, and that at the wall, which has its name.
func (f *Forest) numbers(stride int) []axisLabel {
	var out []axisLabel
	for _, v := range f.ticks {
		i := int(math.Round(v / f.step()))
		if i == 0 || i%stride != 0 || f.margins && v == -1 {
			continue
		}
		l := axisLabel{f.scale.at(v), f.label(v), anchor(f.scale.at(v))}
		if lo, hi := l.extent(); lo < -axisGapPx {
			l.side = " start"
		} else if hi > 100+axisGapPx {
			l.side = " end"
		}
		out = append(out, l)
	}
	return out
}

// apart reports whether no two labels overlap.
func apart(all []axisLabel) bool {
	for i := range all {
		if !all[i].clearOf(all[:i]) {
			return false
		}
	}
	return true
}
