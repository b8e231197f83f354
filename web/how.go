package web

import (
	"strconv"

	"github.com/splitcast/splitcast/report"
)

// howPart opens a number: what went in and how it was computed.
type howPart struct {
	Definition string
	Method     string
	Level      string
	Variance   string
	Arms       []howArm
	Version    string
	Cap        string
}

// howArm is the sufficient statistics of one arm.
type howArm struct{ Key, Sums, Moments string }

// newHow prepares the derivation of a row; terms adds the moments of each arm.
func newHow(r *report.Row, terms bool) *howPart {
	e := &r.Explain
	p := &howPart{
		Definition: e.Definition, Method: e.Method,
		Version: r.Metric.Key + " v" + strconv.Itoa(r.Metric.Version),
		Cap:     r.Metric.Cap,
	}
	if e.Alpha > 0 {
		p.Level = "error at most " + share(e.Alpha) + " over all looks, tightest at " + count(e.NOpt) + " units of both arms"
	}
	if e.Variance > 0 {
		p.Variance = sig(e.VarianceControl) + " + " + sig(e.VarianceTreatment) + " = " + sig(e.Variance)
	}
	if !terms {
		return p
	}
	for _, a := range e.Arms {
		p.Arms = append(p.Arms, howArm{
			Key:  a.Key,
			Sums: "n " + count(a.N) + " · mean numerator " + sig(a.MeanNumerator) + " · mean denominator " + sig(a.MeanDenominator),
			Moments: "squares " + sig(a.M2Numerator) + ", " + sig(a.M2Denominator) + " · cross " + sig(a.Cross) +
				" · variance per unit " + sig(a.UnitVariance),
		})
	}
	return p
}
