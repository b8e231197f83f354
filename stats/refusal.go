package stats

import (
	"fmt"
	"math"
)

// Code names the reason of a Refusal. The list below is closed.
type Code string

// The reasons for which a statistic is refused.
const (
	// TooFewUnits means an arm has too few units for the method to exist.
	TooFewUnits Code = "too_few_units"
	// BurnIn means the method exists but its asymptotics cannot be trusted yet.
	BurnIn Code = "burn_in"
	// ZeroVariance means nothing varied in any arm, so no uncertainty can be stated.
	ZeroVariance Code = "zero_variance"
	// NonPositiveBaseline means a relative effect was asked for a mean at or below zero.
	NonPositiveBaseline Code = "non_positive_baseline"
	// ZeroDenominator means a ratio has a denominator of zero.
	ZeroDenominator Code = "zero_denominator"
	// UnboundedRatio means a baseline so close to zero, in standard errors, that
	// the confidence set of a ratio is unbounded (Fieller's g is at least 1).
	UnboundedRatio Code = "unbounded_ratio"
	// NonFinite means an input, or a result that left the range of float64, is
	// not a finite number.
	NonFinite Code = "non_finite"
	// OutOfRange means a quantile fell where the histogram keeps only a count.
	OutOfRange Code = "out_of_range"
	// InvalidArgument means a setting or a count outside the domain of the function.
	InvalidArgument Code = "invalid_argument"
	// NoSolution means an equation has no root in the domain: for example no
	// sample size reaches the power that was asked for.
	NoSolution Code = "no_solution"
)

// Refusal is the error of this package: the statistic was not computed, and why.
type Refusal struct {
	Reason  Code   `json:"reason"`
	Message string `json:"message"` // a sentence for people
}

// Error returns the sentence.
func (r *Refusal) Error() string { return r.Message }

// refuse builds a Refusal; format is a sentence.
func refuse(reason Code, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// finite reports whether no value is NaN or infinite.
func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// ranged returns a result unless it left the range of float64, which it refuses with
// NonFinite.
func ranged(what string, v float64) (float64, error) {
	if !finite(v) {
		return 0, refuse(NonFinite, "The %s left the range of floating-point numbers.", what)
	}
	return v, nil
}

// checkProbability refuses a value outside the open interval (0, 1).
func checkProbability(name string, p float64) error {
	if p > 0 && p < 1 { // false for NaN
		return nil
	}
	return refuse(InvalidArgument, "The %s must lie strictly between 0 and 1; it is %v.", name, p)
}

// checkBetween refuses a value outside [low, high]: outside of it the number is no
// setting that anybody means, and formulas lose their digits.
func checkBetween(name string, v, low, high float64) error {
	if v >= low && v <= high {
		return nil
	}
	return refuse(InvalidArgument, "The %s lies between %g and %g; it is %v.", name, low, high, v)
}

// checkPositive refuses a value that is not a positive finite number.
func checkPositive(name string, v float64) error {
	if v > 0 && !math.IsInf(v, 1) {
		return nil
	}
	return refuse(InvalidArgument, "The %s must be a positive number; it is %v.", name, v)
}
