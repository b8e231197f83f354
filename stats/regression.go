package stats

import (
	"gonum.org/v1/gonum/mat"
)

// Covariates is how a Regression uses its covariate.
type Covariates string

// The models of a Regression; xc is the covariate less its mean over all units.
const (
	// Unadjusted is y ~ 1 + w: the difference of means.
	Unadjusted Covariates = "unadjusted"
	// Ancova is y ~ 1 + w + xc: one slope for both arms, CUPED's.
	Ancova Covariates = "ancova"
	// Interacted is y ~ 1 + w + xc + w xc: a slope for each arm. Asymptotically
	// never worse than Unadjusted, whatever the truth is (Lin 2013).
	Interacted Covariates = "interacted"
)

// Regression is an ordinary least-squares comparison of two arms from raw rows.
type Regression struct {
	Y         []float64
	Treatment []float64 // w: 1 in treatment, 0 in control
	X         []float64 // the covariate; unused when Unadjusted
	Model     Covariates
}

// ErrorModel is how the variance of a regression is estimated.
type ErrorModel string

// The error models. HC0 to HC3 are heteroscedasticity-consistent sandwiches with
// e^2, e^2 n/(n-k), e^2/(1-h), e^2/(1-h)^2 (h the leverage); HC2 of an Unadjusted
// model is Welch's variance.
const (
	Classical ErrorModel = "classical"
	HC0       ErrorModel = "hc0"
	HC1       ErrorModel = "hc1"
	HC2       ErrorModel = "hc2"
	HC3       ErrorModel = "hc3"
)

// fit is a solved regression.
type fit struct {
	design    *mat.Dense
	bread     *mat.SymDense // (X'X)^-1
	beta      []float64
	residuals []float64
}

// treatmentColumn is the column of w in every design.
const treatmentColumn = 1

// Effect returns the coefficient of treatment with the variance of the error
// model, n-k degrees of freedom and n units. It refuses with InvalidArgument for
// columns of different lengths or an unknown model, NonFinite, TooFewUnits when
// units do not exceed coefficients, ZeroVariance when an arm is empty, the
// covariate is constant, or nothing is left to estimate a variance from.
func (r Regression) Effect(errors ErrorModel) (Effect, error) {
	f, err := r.fit()
	if err != nil {
		return Effect{}, err
	}
	n, k := f.design.Dims()
	df := float64(n - k)
	if errors == Classical {
		squares := 0.0
		for _, e := range f.residuals {
			squares += e * e
		}
		return f.effect(squares/df*f.bread.At(treatmentColumn, treatmentColumn), df)
	}
	influence := f.influence()
	sum := 0.0
	for i, e := range f.residuals {
		weight := 1.0
		switch errors {
		case HC0:
		case HC1:
			weight = float64(n) / df
		case HC2, HC3:
			free := 1 - f.leverage(i)
			if free < leastFreedom {
				return Effect{}, refuse(ZeroVariance, "A row alone fixes a coefficient, so its error cannot be estimated.")
			}
			weight = 1 / free
			if errors == HC3 {
				weight /= free
			}
		case Classical:
		default:
			return Effect{}, refuse(InvalidArgument, "There is no error model %q.", string(errors))
		}
		sum += weight * influence[i] * influence[i] * e * e
	}
	return f.effect(sum, df)
}

// leastFreedom is the least share of a row's variance that a fit must leave to its
// residual; below it the residual is rounding.
const leastFreedom = 1e-10

// ClusterSmallSample is the correction of a clustered variance.
type ClusterSmallSample struct {
	Groups bool // times G/(G-1), G the number of clusters
	Units  bool // times (n-1)/(n-k)
}

// ClusteredEffect returns the coefficient of treatment with the variance of rows
// that depend on one another within clusters: the sandwich of the clusters'
// summed scores (Liang and Zeger 1986), with G-1 degrees of freedom and G units.
// It refuses as Effect does, and with TooFewUnits below two clusters.
func (r Regression) ClusteredEffect(cluster []int, correction ClusterSmallSample) (Effect, error) {
	if len(cluster) != len(r.Y) {
		return Effect{}, refuse(InvalidArgument, "There are %d cluster labels for %d rows.", len(cluster), len(r.Y))
	}
	f, err := r.fit()
	if err != nil {
		return Effect{}, err
	}
	scores := map[int]float64{}
	order := []int{} // first come first summed, so that the result does not depend on the map
	influence := f.influence()
	for i, e := range f.residuals {
		if _, seen := scores[cluster[i]]; !seen {
			order = append(order, cluster[i])
		}
		scores[cluster[i]] += influence[i] * e
	}
	groups := float64(len(order))
	if groups < 2 {
		return Effect{}, refuse(TooFewUnits, "A clustered variance needs at least 2 clusters; there are %d.", len(order))
	}
	variance := 0.0
	for _, c := range order {
		variance += scores[c] * scores[c]
	}
	n, k := f.design.Dims()
	if correction.Groups {
		variance *= groups / (groups - 1)
	}
	if correction.Units {
		variance *= float64(n-1) / float64(n-k)
	}
	effect, err := f.effect(variance, groups-1)
	effect.N = int64(len(order))
	return effect, err
}

// SerialEffect returns the coefficient of treatment with the variance of rows in
// time order whose errors are correlated up to lag rows apart: Newey and West
// 1987 with Bartlett weights 1-l/(lag+1), without prewhitening or small-sample
// factor. It refuses as Effect does, and with InvalidArgument for a lag out of
// range.
func (r Regression) SerialEffect(lag int) (Effect, error) {
	if lag < 0 || lag >= len(r.Y) {
		return Effect{}, refuse(InvalidArgument, "A lag lies between 0 and the number of rows; it is %d.", lag)
	}
	f, err := r.fit()
	if err != nil {
		return Effect{}, err
	}
	influence := f.influence()
	for i, e := range f.residuals {
		influence[i] *= e
	}
	variance := 0.0
	for l := 0; l <= lag; l++ {
		sum := 0.0
		for i := l; i < len(influence); i++ {
			sum += influence[i] * influence[i-l]
		}
		weight := 2 * (1 - float64(l)/float64(lag+1))
		if l == 0 {
			weight = 1
		}
		variance += weight * sum
	}
	n, k := f.design.Dims()
	return f.effect(variance, float64(n-k))
}

// fit solves the least-squares problem by QR.
func (r Regression) fit() (fit, error) {
	design, err := r.design()
	if err != nil {
		return fit{}, err
	}
	n, k := design.Dims()
	if n <= k {
		return fit{}, refuse(TooFewUnits, "%d rows are too few for %d coefficients.", n, k)
	}
	var qr mat.QR
	qr.Factorize(design)
	if qr.Cond() > worstCondition {
		return fit{}, refuse(ZeroVariance, "An arm is empty or the covariate does not vary, so the model has no solution.")
	}
	var beta mat.VecDense
	if err := qr.SolveVecTo(&beta, false, mat.NewVecDense(n, r.Y)); err != nil {
		return fit{}, refuse(ZeroVariance, "The regression has no unique solution (%v).", err)
	}
	var upper mat.Dense
	qr.RTo(&upper)
	var inverse, product mat.Dense
	if err := inverse.Inverse(upper.Slice(0, k, 0, k)); err != nil {
		return fit{}, refuse(ZeroVariance, "The regression has no unique solution (%v).", err)
	}
	product.Mul(&inverse, inverse.T())
	bread := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			bread.SetSym(i, j, product.At(i, j))
		}
	}
	f := fit{design: design, bread: bread, beta: beta.RawVector().Data, residuals: make([]float64, n)}
	var fitted mat.VecDense
	fitted.MulVec(design, &beta)
	for i := range n {
		f.residuals[i] = r.Y[i] - fitted.AtVec(i)
	}
	return f, nil
}

// worstCondition is the condition number of a design beyond which coefficients
// have no digits left.
const worstCondition = 1e12

// design returns the model matrix.
func (r Regression) design() (*mat.Dense, error) {
	n := len(r.Y)
	if len(r.Treatment) != n || r.Model != Unadjusted && len(r.X) != n {
		return nil, refuse(InvalidArgument, "The columns of a regression must have equal lengths.")
	}
	if n == 0 {
		return nil, refuse(TooFewUnits, "There are no rows.")
	}
	if !finite(r.Y...) || !finite(r.Treatment...) || !finite(r.X...) {
		return nil, refuse(NonFinite, "A value is not a finite number.")
	}
	columns, ok := map[Covariates]int{Unadjusted: 2, Ancova: 3, Interacted: 4}[r.Model]
	if !ok {
		return nil, refuse(InvalidArgument, "There is no regression model %q.", string(r.Model))
	}
	centre := 0.0
	if columns > 2 {
		centre = MomentsOf(r.X).Mean
	}
	design := mat.NewDense(n, columns, nil)
	for i := range n {
		row := design.RawRowView(i)
		row[0], row[treatmentColumn] = 1, r.Treatment[i]
		if columns > 2 {
			row[2] = r.X[i] - centre
		}
		if columns > 3 {
			row[3] = r.Treatment[i] * row[2]
		}
	}
	return design, nil
}

// influence returns, for each row, the weight of its error in the coefficient of
// treatment: the row of (X'X)^-1 X'.
func (f fit) influence() []float64 {
	n, k := f.design.Dims()
	out := make([]float64, n)
	for i := range n {
		for j, x := range f.design.RawRowView(i)[:k] {
			out[i] += f.bread.At(treatmentColumn, j) * x
		}
	}
	return out
}

// leverage returns x' (X'X)^-1 x of row i.
func (f fit) leverage(i int) float64 {
	row := f.design.RawRowView(i)
	sum := 0.0
	for a, x := range row {
		for b, y := range row {
			sum += x * f.bread.At(a, b) * y
		}
	}
	return sum
}

func (f fit) effect(variance, df float64) (Effect, error) {
	e := Effect{
		Estimate: f.beta[treatmentColumn], Variance: variance, DF: df, N: int64(len(f.residuals)), Scale: Absolute,
	}
	return e, e.check()
}
