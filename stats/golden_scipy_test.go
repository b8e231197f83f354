package stats_test

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/stats"
)

// scipyEnds returns the results of a t-test with the error of scipy's quantile at
// level p added to its ends.
func scipyEnds(test stats.Test, p float64) (results, error) {
	exact := stats.StudentT{DF: test.DF}.Quantile(p)
	excess := scipyQuantile(p, test.DF) - exact
	if math.Abs(excess) > 1e-8*exact {
		return nil, fmt.Errorf("the t quantile at %v with df %v is %v, scipy's differs by %v", p, test.DF, exact, excess)
	}
	r, err := testResults(test, nil)
	r["ci_lower"] = test.Lower - excess*test.SE
	r["ci_upper"] = test.Upper + excess*test.SE
	return r, err
}

// scipyQuantile returns Student's t quantile as scipy 1.10 leaves it: CDFLIB's
// inversion of an accurate cdf, which stops at a relative tolerance of 1e-8. The
// ends of GrowthBook's intervals carry that error, and where an end is near zero
// it exceeds the tolerance of the case. The search below takes the same steps and
// so stops at the same place.
func scipyQuantile(p, df float64) float64 {
	q := 1 - p
	f := func(t float64) float64 {
		tails := stats.StudentT{DF: df}.Tails(t)
		if p <= q {
			return math.Exp(tails.LogCDF) - p
		}
		return math.Exp(tails.LogSF) - q
	}
	rising := p <= q
	x := scipyStart(p, df)
	y := f(x)
	if y == 0 {
		return x
	}
	step := max(0.5, 0.5*math.Abs(x))
	low, high := x, x
	if up := (y < 0) == rising; up {
		for high = x + step; (f(high) < 0) == rising; high += step {
			step *= 5
			low = high
		}
	} else {
		for low = x - step; (f(low) > 0) == rising; low -= step {
			step *= 5
			high = low
		}
	}
	return dekker(f, low, high)
}

// scipyStart is CDFLIB's dt1: the expansion of the quantile in 1/df.
func scipyStart(p, df float64) float64 {
	x := math.Abs(stats.Normal{}.Quantile(p))
	xx := x * x
	sum := x +
		x*(xx+1)/(4*df) +
		x*((5*xx+16)*xx+3)/(96*df*df) +
		x*(((3*xx+19)*xx+17)*xx-15)/(384*df*df*df) +
		x*((((79*xx+776)*xx+1482)*xx-1920)*xx-945)/(92160*df*df*df*df)
	if p < 0.5 {
		return -sum
	}
	return sum
}

// dekker is CDFLIB's dzror, algorithm R of Bus and Dekker 1975.
func dekker(f func(x float64) float64, low, high float64) float64 {
	const relative, absolute = 1e-8, 1e-50
	b, a := low, high
	fb, fa := f(b), f(a)
	var d, fd float64
	first := true
	c, fc, extrapolations := a, fa, 0
	for {
		if math.Abs(fc) < math.Abs(fb) {
			if c != a {
				d, fd = a, fa
			}
			a, fa = b, fb
			b, fb = c, fc
			c, fc = a, fa
		}
		tolerance := 0.5 * max(absolute, relative*math.Abs(b))
		half := (c+b)*0.5 - b
		if math.Abs(half) <= tolerance {
			return b
		}
		w := half
		if extrapolations <= 3 {
			tolerance = math.Copysign(tolerance, half)
			p := (b - a) * fb
			q := fa - fb
			if !first {
				fdb, fda := (fd-fb)/(d-b), (fd-fa)/(d-a)
				p *= fda
				q = fdb*fa - fda*fb
			}
			first = false
			if p < 0 {
				p, q = -p, -q
			}
			if extrapolations == 3 {
				p *= 2
			}
			switch {
			case p == 0 || p <= q*tolerance:
				w = tolerance
			case p < half*q:
				w = p / q
			}
		}
		d, fd = a, fa
		a, fa = b, fb
		b += w
		fb = f(b)
		switch {
		case fc*fb >= 0:
			c, fc, extrapolations = a, fa, 0
		case w == half:
			extrapolations = 0
		default:
			extrapolations++
		}
	}
}
