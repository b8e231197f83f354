package stats

import "math"

// Moments is the count, the mean and the centred second moment of one variable.
// The zero value is an empty sample. Two Moments of disjoint samples merge into
// the Moments of the union, so an arm can be counted in pieces.
//
// Sums of squares are never kept: (sum of squares) - n*mean^2 loses every digit
// once (mean/sd)^2 exceeds 1e15. The mean is carried in two parts, Mean + Low
// with |Low| at most half a unit in the last place of Mean, because even a
// correctly rounded mean is too coarse when mean/sd is beyond 1e9.
type Moments struct {
	N    int64   `json:"n"`
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"` // sum of (y - mean)^2
	Low  float64 `json:"low,omitempty"`
}

// MomentsOf returns the moments of values.
func MomentsOf(values []float64) Moments {
	var m Moments
	for _, v := range values {
		m.Add(v)
	}
	return m
}

// Add counts one value (Welford 1962).
func (m *Moments) Add(y float64) {
	m.N++
	n := float64(m.N)
	d := y - m.Mean - m.Low
	m.Mean, m.Low = shiftMean(m.Mean, m.Low, d/n)
	m.M2 += d * d * ((n - 1) / n)
}

// AddN counts the same value k times; k below 1 changes nothing.
func (m *Moments) AddN(y float64, k int64) {
	if k < 1 {
		return
	}
	m.Merge(Moments{N: k, Mean: y})
}

// Merge adds the sample that o describes (Chan, Golub and LeVeque 1979).
// Merging an empty sample changes nothing.
func (m *Moments) Merge(o Moments) {
	if o.N == 0 {
		return
	}
	if m.N == 0 {
		*m = o
		return
	}
	na, nb := float64(m.N), float64(o.N)
	n := na + nb
	d := o.Mean - m.Mean + (o.Low - m.Low)
	m.N += o.N
	m.Mean, m.Low = shiftMean(m.Mean, m.Low, d*(nb/n))
	m.M2 += o.M2 + d*d*(na*(nb/n))
}

// Variance returns the sample variance M2/(n-1). It is false below two units.
func (m Moments) Variance() (float64, bool) {
	if m.N < 2 {
		return 0, false
	}
	return m.M2 / float64(m.N-1), true
}

// shiftMean adds step to the two-part number mean + low and renormalises it
// (Knuth's two-sum). A non-finite mean stays non-finite in its high part, so
// that the low part never hides it.
func shiftMean(mean, low, step float64) (newMean, newLow float64) {
	step += low
	sum := mean + step
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return sum, 0
	}
	part := sum - mean
	return sum, (mean - (sum - part)) + (step - part)
}
