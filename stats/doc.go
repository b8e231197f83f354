// Package stats turns per-arm aggregates of an experiment into effects,
// intervals and e-values that stay valid however often anyone looks.
//
// It is layered, and each layer knows only the one below:
//
//	Moments, PairMoments, Histogram    what is kept per arm; mergeable
//	Arm                                one arm's point value and per-unit variance
//	Effect                             treatment against control, on a named scale
//	Welch, AsympCS, TMixture, ...      inference on an Effect
//
// Beside the layers stand tests that need more than an effect: of whole histograms
// (ThresholdTest, QuantileContrast, DistributionBands), of what each look adds
// (BoundedSequence), of clusters (ClusteredRatio), of counts (RateSequence,
// SampleRatio), and plans (GroupSequential, Plan, Traffic).
//
// Everything is a pure function of its arguments. The package never reads a
// clock, never keeps state between calls, never draws a random number that its
// caller did not supply, and never returns NaN, a made-up zero or p = 1 for
// what cannot be computed: it returns a *Refusal that says why. An infinite
// end of an Interval means what it says, that this side has no limit; it occurs
// only where the documentation of the function announces it.
//
// The distributions (Normal, StudentT, NoncentralT, ChiSquare, Gamma, F, Beta) are
// functions of real numbers as those of package math are: outside their domain they
// are NaN.
//
// A comparison in full:
//
//	effect, err := stats.MeanLift(control, treatment)
//	if err != nil {
//		return err // a *stats.Refusal with a sentence for people
//	}
//	sequence, err := stats.AsympCS{Alpha: 0.05, NOpt: 400_000}.TwoSided(effect)
//	if err != nil {
//		return err
//	}
//	lift, _ := sequence.Lift() // fractions of control, 0.01 is one per cent
//	fmt.Printf("%+.2f%% to %+.2f%%\n", 100*lift.Lower, 100*lift.Upper)
package stats
