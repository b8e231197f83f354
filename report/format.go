package report

import (
	"math"
	"strconv"
	"strings"
)

// Limits of printed numbers.
const (
	maxDecimals = 6   // of a number in words: no uncertainty here deserves more
	plainBelow  = 1e6 // larger numbers are printed with an exponent, and those too small for maxDecimals
)

// decimalsFor returns how many decimals show two significant digits of a
// standard error: the digits that the data deserve, and no more.
func decimalsFor(se float64) int {
	if !(se > 0) || math.IsInf(se, 0) {
		return 2
	}
	return min(maxDecimals, max(0, 1-int(math.Floor(math.Log10(se)))))
}

// number prints x with a true minus sign; a negative zero is a zero.
func number(x float64, decimals int) string {
	var s string
	switch size := math.Abs(x); {
	case size >= plainBelow, size > 0 && size < math.Pow10(-maxDecimals) && decimals == maxDecimals:
		s = strconv.FormatFloat(x, 'e', 2, 64)
	default:
		s = strconv.FormatFloat(x, 'f', decimals, 64)
		if strings.Trim(s, "-0.") == "" {
			s = strings.TrimPrefix(s, "-")
		}
	}
	return strings.Replace(s, "-", "−", 1)
}

// signed prints x with a plus or minus sign, zero without.
func signed(x float64, decimals int) string {
	s := number(x, decimals)
	if strings.HasPrefix(s, "−") || strings.Trim(s, "0.") == "" {
		return s
	}
	return "+" + s
}

// percent prints a fraction as a signed percentage.
func percent(fraction float64, decimals int) string {
	return signed(100*fraction, decimals) + " %"
}

// share prints a fraction as a percentage without sign.
func share(fraction float64, decimals int) string {
	return number(100*fraction, decimals) + " %"
}

// planned prints a fraction that a person chose, with the digits that they gave.
func planned(fraction float64) string {
	return strconv.FormatFloat(math.Round(1e8*fraction)/1e6, 'f', -1, 64) + " %"
}

// between prints a range of lifts.
func between(lower, upper float64, decimals int) string {
	return "between " + percent(lower, decimals) + " and " + percent(upper, decimals)
}

// count prints a whole number with commas between thousands.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return sign + s
}

// odds prints an e-value as odds against the hypothesis it tests.
func odds(logE float64) string {
	const million = 13.815510557964274 // ln 1e6
	switch {
	case logE < 0:
		return "less than 1 : 1"
	case logE < million:
		return count(int64(math.Round(math.Exp(logE)))) + " : 1"
	}
	return powerOfTen(int(logE/math.Ln10)) + " : 1"
}

// eValue prints an e-value.
func eValue(logE float64) string {
	if math.Abs(logE) < math.Log(plainBelow) {
		return strconv.FormatFloat(math.Exp(logE), 'g', 3, 64)
	}
	return powerOfTen(int(math.Floor(logE / math.Ln10)))
}

// powerOfTen prints 10 with an exponent in superscript digits.
func powerOfTen(exponent int) string {
	superscript := strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴",
		"5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")
	return "10" + superscript.Replace(strconv.Itoa(exponent))
}

// list joins words as a sentence does.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
