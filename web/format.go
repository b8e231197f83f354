package web

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// count formats a number of things with separators: 1,234,567.
func count[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	digits := strings.TrimPrefix(s, "-")
	var b strings.Builder
	b.WriteString(s[:len(s)-len(digits)])
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plural returns "1 look" or "2 looks".
func plural[T int | int64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// signedPct formats a fraction as a percentage with sign: "−3.10 %".
func signedPct(v float64, decimals int) string {
	s := strconv.FormatFloat(100*math.Abs(v), 'f', min(12, max(0, decimals)), 64)
	switch {
	case strings.Trim(s, "0.") == "":
		return s + "\u00a0%"
	case v < 0:
		return "−" + s + "\u00a0%"
	}
	return "+" + s + "\u00a0%"
}

// share formats a fraction as a percentage of at most two significant decimals:
// "0.5 %", "12.5 %".
func share(v float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(100*v, 'f', 2, 64), "0"), ".") + "\u00a0%"
}

// wholePct formats progress as a whole percentage. It does not round up to 100:
// what is not complete must not look complete.
func wholePct(v float64) string {
	return strconv.FormatFloat(math.Floor(100*v), 'f', 0, 64) + "\u00a0%"
}

// tight keeps each number of a sentence on one line with its per cent sign.
func tight(sentence string) string {
	return strings.ReplaceAll(sentence, " %", "\u00a0%")
}

// sig formats a raw number for the reader who checks the arithmetic.
func sig(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }

// Formats of times; all of them are in UTC and say so.
const (
	clockFormat = "2 Jan 2006, 15:04 UTC"
	dayFormat   = "2 Jan 2006"
	shortFormat = "2 Jan 15:04" // under a head that says UTC
	listFormat  = "2\u00a0Jan 15:04\u00a0UTC"
)

// stamp is a time for people and for machines.
type stamp struct {
	Text, ISO string
}

// newStamp formats t in UTC; the zero stamp stands for no time.
func newStamp(t *time.Time, layout string) stamp {
	if t == nil || t.IsZero() {
		return stamp{}
	}
	u := t.UTC()
	return stamp{Text: u.Format(layout), ISO: u.Format(time.RFC3339)}
}

// span words a number of seconds in its largest unit.
func span(sec int64) string {
	switch {
	case sec < 120:
		return count(max(sec, 0)) + " s"
	case sec < 120*60:
		return count(sec/60) + " min"
	case sec < 48*3600:
		return count(sec/3600) + " h"
	}
	return count(sec/86400) + " days"
}
