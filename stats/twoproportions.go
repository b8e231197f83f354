package stats

import "math"

// TwoProportions compares the shares of two arms by methods made for counts,
// which keep their level where a mean of zeros and ones does not: below about
// 30 events or 30 non-events in an arm. All of them are for one look.
type TwoProportions struct {
	Control   Proportion
	Treatment Proportion
}

// ZTest is a test with a standard normal statistic.
type ZTest struct {
	Z    float64 `json:"z"`
	P    float64 `json:"p"`
	LogP float64 `json:"log_p"`
}

// Pooled returns the two-sided z-test of equal shares with the pooled variance
// p(1-p)(1/n_c+1/n_t). It refuses with InvalidArgument, or ZeroVariance when
// all trials ended alike.
func (t TwoProportions) Pooled() (ZTest, error) {
	se, err := t.pooledError()
	if err != nil {
		return ZTest{}, err
	}
	z := t.difference() / se
	logP := min(0, Normal{}.Tails(-math.Abs(z)).LogCDF+math.Ln2)
	return ZTest{Z: z, P: math.Exp(logP), LogP: logP}, nil
}

// ChiSquareTest is Pearson's chi-square test of a table.
type ChiSquareTest struct {
	ChiSquare float64 `json:"chi_square"`
	DF        float64 `json:"df"`
	P         float64 `json:"p"`
	LogP      float64 `json:"log_p"`
}

func newChiSquareTest(statistic, df float64) ChiSquareTest {
	logP := ChiSquare{DF: df}.Tails(statistic).LogSF
	return ChiSquareTest{ChiSquare: statistic, DF: df, P: math.Exp(logP), LogP: logP}
}

// ChiSquare returns Pearson's test of equal shares with, for yates, the
// continuity correction min(1/2, |p_t-p_c|/(1/n_t+1/n_c)), and the Wald interval
// of the difference widened by the same correction, clipped to [-1, 1]; both as
// R's prop.test. It refuses as Pooled does, and for the level.
func (t TwoProportions) ChiSquare(yates bool, level float64) (ChiSquareTest, Interval, error) {
	if err := checkProbability("confidence level", level); err != nil {
		return ChiSquareTest{}, Interval{}, err
	}
	se, err := t.pooledError()
	if err != nil {
		return ChiSquareTest{}, Interval{}, err
	}
	difference, inverse := t.difference(), 1/t.nc()+1/t.nt()
	correction := 0.0
	if yates {
		correction = min(0.5, math.Abs(difference)/inverse)
	}
	z := (math.Abs(difference) - correction*inverse) / se
	radius := -Normal{}.Quantile((1-level)/2)*t.waldError() + correction*inverse
	return newChiSquareTest(z*z, 1), Interval{
		Lower: max(-1, difference-radius), Upper: min(1, difference+radius), Scale: Absolute,
	}, nil
}

// NonInferiority returns the one-sided Wald test that p_t - p_c exceeds margin,
// which is signed: a tolerated loss is negative. P is the upper tail. It refuses
// with InvalidArgument, or ZeroVariance when neither arm varies.
func (t TwoProportions) NonInferiority(margin float64) (ZTest, error) {
	if err := t.check(); err != nil {
		return ZTest{}, err
	}
	if !(math.Abs(margin) < 1) {
		return ZTest{}, refuse(InvalidArgument, "A margin between shares lies strictly between -1 and 1; it is %v.", margin)
	}
	se := t.waldError()
	if se == 0 {
		return ZTest{}, refuse(ZeroVariance, "Neither arm varies, so the uncertainty of the difference is unknown.")
	}
	z := (t.difference() - margin) / se
	logP := Normal{}.Tails(z).LogSF
	return ZTest{Z: z, P: math.Exp(logP), LogP: logP}, nil
}

// Fisher returns the two-sided p-value of Fisher's exact test and its logarithm:
// the probability, given the margins, of all tables no more likely than this
// one, with R's slack of 1e-7 for ties. It refuses with InvalidArgument.
func (t TwoProportions) Fisher() (p, logP float64, err error) {
	if err := t.check(); err != nil {
		return 0, 0, err
	}
	logP = hypergeometric{
		marked: t.Treatment.Trials, unmarked: t.Control.Trials, drawn: t.Treatment.Successes + t.Control.Successes,
	}.exact().twoSided(t.Treatment.Successes)
	return math.Exp(logP), logP, nil
}

func (t TwoProportions) check() error {
	if err := t.Control.check(); err != nil {
		return err
	}
	if err := t.Treatment.check(); err != nil {
		return err
	}
	if t.Control.Trials > math.MaxInt64-t.Treatment.Trials {
		return refuse(InvalidArgument, "%d and %d trials are more than can be counted.", t.Control.Trials, t.Treatment.Trials)
	}
	return nil
}

func (t TwoProportions) nc() float64 { return float64(t.Control.Trials) }
func (t TwoProportions) nt() float64 { return float64(t.Treatment.Trials) }

func (t TwoProportions) difference() float64 { return t.Treatment.share() - t.Control.share() }

// pooledError returns the standard error of the difference under equal shares.
func (t TwoProportions) pooledError() (float64, error) {
	if err := t.check(); err != nil {
		return 0, err
	}
	successes := t.Control.Successes + t.Treatment.Successes
	trials := t.Control.Trials + t.Treatment.Trials
	if successes == 0 || successes == trials {
		return 0, refuse(ZeroVariance, "All trials of both arms ended alike, so there is nothing to compare.")
	}
	share := float64(successes) / float64(trials)
	return math.Sqrt(share * (1 - share) * (1/t.nc() + 1/t.nt())), nil
}

// waldError returns the unpooled standard error of the difference.
func (t TwoProportions) waldError() float64 {
	pc, pt := t.Control.share(), t.Treatment.share()
	return math.Sqrt(pt*(1-pt)/t.nt() + pc*(1-pc)/t.nc())
}
