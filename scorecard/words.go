package scorecard

import (
	"fmt"
	"strconv"
	"strings"
)

// words says what a comparison shows: by the sequence where there is one, else
// by the fixed interval, with the look it is valid for. The lift speaks before
// the difference.
func (inf inference) words(c Comparison) string {
	always := "at every look"
	if !inf.planned {
		always = "by the always-valid interval of this look"
	}
	if s := c.Lift.Sequence; s != nil {
		return inf.sentence(s.Lower, s.Upper, true, always)
	}
	if s := c.Difference.Sequence; s != nil {
		return inf.sentence(s.Lower, s.Upper, false, always)
	}
	if f := c.Lift.Fixed; f != nil {
		return inf.sentence(f.Lower, f.Upper, true, "at this one look only")
	}
	if f := c.Difference.Fixed; f != nil {
		return inf.sentence(f.Lower, f.Upper, false, "at this one look only")
	}
	if c.Difference.Refused != nil {
		return "Not computed: " + c.Difference.Refused.Message
	}
	return "Not computed."
}

func (inf inference) sentence(lower, upper float64, relative bool, when string) string {
	verdict := "Not proven"
	switch {
	case lower > 0 && !inf.lower, upper < 0 && inf.lower:
		verdict = "Better"
	case lower > 0, upper < 0:
		verdict = "Worse"
	}
	return fmt.Sprintf("%s: the effect lies between %s and %s, %s.",
		verdict, effectText(lower, relative), effectText(upper, relative), when)
}

// effectText prints an effect with its sign, a relative one in per cent.
func effectText(v float64, relative bool) string {
	if relative {
		return signed(strconv.FormatFloat(100*v, 'f', 2, 64)) + " %"
	}
	return signed(strconv.FormatFloat(v, 'g', 5, 64))
}

func signed(s string) string {
	if strings.HasPrefix(s, "-") {
		return s
	}
	return "+" + s
}
