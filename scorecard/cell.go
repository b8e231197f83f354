package scorecard

import (
	"math"
	"strconv"
	"strings"
)

// faults is what was wrong with the rows of a unit, for one metric.
type faults uint8

const (
	faultMissing faults = 1 << iota
	faultInvalid
	faultNegative
)

// cell is what the rows of one unit add up to, for one metric.
type cell struct {
	sum, den float64
	rows     uint32 // usable
	faults   faults
}

// add counts one row into the cell.
func (c *cell) add(row cell) {
	c.sum += row.sum
	c.den += row.den
	c.rows += row.rows
	c.faults |= row.faults
}

// columns is where the values of one metric stand in a record.
type columns struct{ num, den int }

// read makes the cell of one row. A ratio needs both of its values: a numerator
// without its denominator would bias it. fault is the column and the reason of
// a value that cannot be used, unless it is merely missing.
func (m Metric) read(record []string, at columns) (c cell, column, reason string) {
	num, missing, reason := m.number(record[at.num])
	if reason != "" {
		return cell{faults: faultInvalid}, m.Column, reason
	}
	den := 0.0
	if m.Kind == KindRatio {
		var denMissing bool
		den, denMissing, reason = m.number(record[at.den])
		if reason != "" {
			return cell{faults: faultInvalid}, m.Denominator, reason
		}
		missing = missing || denMissing
	}
	if missing {
		return cell{faults: faultMissing}, "", ""
	}
	c = cell{sum: num, den: den, rows: 1}
	if num < 0 || den < 0 {
		c.faults = faultNegative
	}
	return c, "", ""
}

// maxShownBytes bounds how much of a bad value is repeated in a Problem.
const maxShownBytes = 40

func (m Metric) number(text string) (v float64, missing bool, reason string) {
	text = strings.TrimSpace(text)
	if isMissing(text) {
		return 0, true, ""
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, false, quoted(text) + " is not a finite number"
	}
	if m.Kind == KindProportion && v != 0 && v != 1 { // both are exact
		return 0, false, quoted(text) + " is neither 0 nor 1"
	}
	return v, false, ""
}

// isMissing reports whether a value is one of the ways in which R, pandas and
// databases write that there is none.
func isMissing(text string) bool {
	switch text {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL", `\N`:
		return true
	}
	return false
}

func quoted(text string) string {
	if len(text) > maxShownBytes {
		return strconv.Quote(text[:maxShownBytes]) + " (cut)"
	}
	return strconv.Quote(text)
}
