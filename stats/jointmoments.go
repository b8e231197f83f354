package stats

import "math"

// JointMoments is the moments of several variables of the same unit: numerator
// and denominator of a ratio with their pre-period values, or a metric with
// several covariates. The zero value is an empty sample of any number of
// variables; the first Add or Merge fixes it. See Moments for why the moments are
// centred and each mean has two parts. Copying shares the slices.
type JointMoments struct {
	N    int64     `json:"n"`
	Mean []float64 `json:"mean"`
	Low  []float64 `json:"low"`
	// C is the centred sums of products, row by row of the lower triangle:
	// (0,0), (1,0), (1,1), (2,0), ...
	C []float64 `json:"c"`
}

// maxVariables bounds a JointMoments: numerator and denominator with two
// covariates each need 6; 16 are 136 products a unit.
const maxVariables = 16

// Add counts one unit. It refuses, with InvalidArgument, another number of values
// than before, none, or more than 16.
func (j *JointMoments) Add(values ...float64) error {
	if err := j.fix(len(values)); err != nil {
		return err
	}
	j.N++
	n := float64(j.N)
	var d [maxVariables]float64
	for i, v := range values {
		d[i] = v - j.Mean[i] - j.Low[i]
		j.Mean[i], j.Low[i] = shiftMean(j.Mean[i], j.Low[i], d[i]/n)
	}
	j.accumulate(d[:len(values)], (n-1)/n)
	return nil
}

// Merge adds the sample that o describes. It refuses as Add does. Merging an
// empty sample changes nothing.
func (j *JointMoments) Merge(o JointMoments) error {
	if o.N == 0 {
		return nil
	}
	if err := o.check(); err != nil {
		return err
	}
	if err := j.fix(len(o.Mean)); err != nil {
		return err
	}
	na, nb := float64(j.N), float64(o.N)
	share := nb / (na + nb)
	j.N += o.N
	var d [maxVariables]float64
	for i := range o.Mean {
		d[i] = o.Mean[i] - j.Mean[i] + (o.Low[i] - j.Low[i])
		if na == 0 {
			j.Mean[i], j.Low[i] = o.Mean[i], o.Low[i]
			continue
		}
		j.Mean[i], j.Low[i] = shiftMean(j.Mean[i], j.Low[i], d[i]*share)
	}
	j.accumulate(d[:len(o.Mean)], na*share)
	for i, c := range o.C {
		j.C[i] += c
	}
	return nil
}

// Variables returns their number, 0 for an empty sample.
func (j JointMoments) Variables() int { return len(j.Mean) }

// Sum returns the centred sum of products of the variables a and b.
func (j JointMoments) Sum(a, b int) float64 {
	if a < b {
		a, b = b, a
	}
	return j.C[a*(a+1)/2+b]
}

// Combine returns the joint moments of two linear combinations of the variables,
// y and x, given by one weight a variable. It refuses, with InvalidArgument,
// another number of weights than variables, and with NonFinite.
func (j JointMoments) Combine(y, x []float64) (PairMoments, error) {
	if err := j.check(); err != nil {
		return PairMoments{}, err
	}
	if len(y) != len(j.Mean) || len(x) != len(j.Mean) {
		return PairMoments{}, refuse(InvalidArgument, "There are %d and %d weights for %d variables.",
			len(y), len(x), len(j.Mean))
	}
	p := PairMoments{N: j.N}
	at := 0 // in the triangle
	for a := range j.Mean {
		mean := j.Mean[a] + j.Low[a]
		p.MeanY += y[a] * mean
		p.MeanX += x[a] * mean
		for b := range a {
			c := j.C[at]
			p.M2Y += 2 * y[a] * y[b] * c
			p.M2X += 2 * x[a] * x[b] * c
			p.CXY += (y[a]*x[b] + y[b]*x[a]) * c
			at++
		}
		c := j.C[at]
		p.M2Y += y[a] * y[a] * c
		p.M2X += x[a] * x[a] * c
		p.CXY += y[a] * x[a] * c
		at++
	}
	if !finite(p.MeanY, p.MeanX, p.M2Y, p.M2X, p.CXY) {
		return PairMoments{}, refuse(NonFinite, "The combination left the range of floating-point numbers.")
	}
	p.M2Y, p.M2X = math.Max(p.M2Y, 0), math.Max(p.M2X, 0) // rounding of a combination that does not vary
	return p, nil
}

// accumulate adds weight times the products of d to the centred sums.
func (j *JointMoments) accumulate(d []float64, weight float64) {
	at := 0
	for a := range d {
		for b := range a + 1 {
			j.C[at] += d[a] * d[b] * weight
			at++
		}
	}
}

// fix makes an empty sample one of k variables and checks any other.
func (j *JointMoments) fix(k int) error {
	if k < 1 || k > maxVariables {
		return refuse(InvalidArgument, "Joint moments hold 1 to %d variables, not %d.", maxVariables, k)
	}
	if j.N == 0 && len(j.Mean) == 0 {
		j.Mean, j.Low, j.C = make([]float64, k), make([]float64, k), make([]float64, k*(k+1)/2)
	}
	if len(j.Mean) != k {
		return refuse(InvalidArgument, "Joint moments of %d variables cannot take %d.", len(j.Mean), k)
	}
	return j.check()
}

// check refuses slices that do not belong together, as damaged storage may hold.
func (j JointMoments) check() error {
	k := len(j.Mean)
	if k < 1 || k > maxVariables || len(j.Low) != k || len(j.C) != k*(k+1)/2 {
		return refuse(InvalidArgument, "Joint moments of %d variables have %d and %d parts.", k, len(j.Low), len(j.C))
	}
	return nil
}

// checkPairs refuses as PairMoments.check does for any two of the variables.
func (j JointMoments) checkPairs() error {
	row := 0 // of the triangle
	for a := range j.Mean {
		diagonal := 0
		for b := range a {
			// Nearly all moments are settled here.
			if cross, bound := j.C[row+b], j.C[row+a]*j.C[diagonal]; !(cross*cross <= bound && bound <= math.MaxFloat64) || j.C[diagonal] < 0 {
				if err := j.pair(a, b).check(); err != nil {
					return err
				}
			}
			diagonal += b + 2
		}
		row += a + 1
	}
	return nil
}

// pair returns the joint moments of two variables.
func (j JointMoments) pair(y, x int) PairMoments {
	return PairMoments{
		N: j.N, MeanY: j.Mean[y], MeanX: j.Mean[x], M2Y: j.Sum(y, y), M2X: j.Sum(x, x), CXY: j.Sum(y, x),
		LowY: j.Low[y], LowX: j.Low[x],
	}
}
