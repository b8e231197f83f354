package stats

import "math"

// log1pmx returns ln(1+x) - x for x > -1 without the cancellation at small x.
func log1pmx(x float64) float64 {
	if x < -0.4 || x > 0.6 { // no digits cancel out here
		return math.Log1p(x) - x
	}
	// ln(1+x) = 2 artanh(r), r = x/(2+x), and 2r - x = -x r.
	r := x / (2 + x)
	r2 := r * r
	sum, power := 0.0, 1.0
	for odd := 3.0; ; odd += 2 {
		term := power / odd
		sum += term
		if term <= 1e-17*sum {
			break
		}
		power *= r2
	}
	return r * (2*r2*sum - x)
}

// logRatioExcess returns ln(x/y) - (x-y)/y for positive x and y whose difference
// is given, because the caller may know it better than subtraction does.
func logRatioExcess(x, y, difference float64) float64 {
	r := difference / y
	if r < -0.4 || r > 0.6 {
		return math.Log(x/y) - r
	}
	return log1pmx(r)
}

// stirlingError returns lnGamma(x) - ((x-1/2) ln x - x + ln(2 pi)/2) for x > 0:
// what Stirling's formula lacks, 1/(12x) - 1/(360x^3) + ...  Differences of
// lnGamma at large arguments lose their digits; differences of this do not.
func stirlingError(x float64) float64 {
	// The first omitted term of the series at 10 is below 1e-17.
	const seriesFrom = 10
	shift := 0.0
	for x < seriesFrom {
		shift += (x+0.5)*math.Log1p(1/x) - 1
		x++
	}
	r := 1 / (x * x)
	return shift + (1.0/12-r*(1.0/360-r*(1.0/1260-r*(1.0/1680-r*(1.0/1188-r*(691.0/360360-r/156))))))/x
}

// halfLog2Pi is ln(2 pi)/2.
const halfLog2Pi = 0.9189385332046727417803297

// log1mexp returns ln(1 - exp(x)) for x < 0 (Maechler 2012).
func log1mexp(x float64) float64 {
	if x > -math.Ln2 {
		return math.Log(-math.Expm1(x))
	}
	return math.Log1p(-math.Exp(x))
}
