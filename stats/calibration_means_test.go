package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// The methods for means. Those with "lift" work on the log-ratio.
const (
	methodFixed     = "one look at the end"
	methodPeek      = "peeking at a fixed test"
	methodLift      = "AsympCS, lift, N_opt = both arms"
	methodTotal     = "AsympCS, N_opt = both arms"
	methodArm       = "AsympCS, N_opt = one arm"
	methodGB        = "AsympCS, N_opt = 5,000"
	methodMixture   = "t-mixture"
	methodMSPRT     = "mSPRT, τ = effect"
	methodOBF       = "GST O'Brien–Fleming"
	methodPocock    = "GST Pocock"
	methodCounts    = "conditional counts, K = 100"
	methodBernstein = "bounded (empirical Bernstein)"

	methodFloor     = "AsympCS, pooled floor"
	methodFloorLift = "AsympCS, lift, pooled floor"
	methodFloorGST  = "GST O'Brien–Fleming, pooled floor"
)

func meanMethods(p population) []string {
	out := []string{
		methodFixed, methodPeek, methodLift, methodTotal, methodArm, methodGB, methodMixture, methodMSPRT,
		methodOBF, methodPocock,
	}
	if p.rate {
		out = append(out, methodCounts)
	}
	if p.bounded {
		out = append(out, methodBernstein)
	}
	return out
}

// must ends a simulation that was set up wrongly.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// spent returns the p, in logarithm, at which a two-sided plan rejects at each of so
// many looks, of which those before first are not taken.
func spent(kind stats.GSTKind, looks, first int) []float64 {
	g := stats.GroupSequential{Kind: kind, Alpha: calibrationAlpha, TwoSided: true}
	for k := first; k < looks; k++ {
		g.Information = append(g.Information, float64(k+1)/float64(looks))
	}
	bounds := must(g.Bounds())
	out := make([]float64, looks)
	for k := range out {
		out[k] = math.Inf(-1)
		if k >= first {
			out[k] = math.Ln2 + stats.Normal{}.Tails(bounds.Z[k-first]).LogSF
		}
	}
	return out
}

// meanStudy compares means of a population by all methods.
func meanStudy(p population, units [2]int, looks, runs int) study {
	lift := p.tableLift(units)
	total := int64(units[0] + units[1])
	methods := meanMethods(p)
	if units[0] != units[1] {
		methods = append(methods, methodFloor, methodFloorLift, methodFloorGST)
	}
	first := 0
	for min(units[0], units[1])*(first+1)/looks < stats.BurnInUnits {
		first++
	}
	m := &meanMonitor{
		p: p, units: units, looks: looks, methods: methods, lift: lift,
		mixture: must(stats.OptimalG(total, 2, calibrationAlpha)),
		obf:     spent(stats.SpendOBrienFleming, looks, first),
		pocock:  spent(stats.SpendPocock, looks, first),
		bounded: stats.BoundedSequence{
			Alpha: calibrationAlpha, Upper: 1, Mean: min(1, p.mean), SD: p.sd, NOpt: total,
		},
	}
	name := fmt.Sprintf("%s, %s an arm", p.name, thousands(units[0]))
	if units[0] != units[1] {
		name = fmt.Sprintf("%s, %s and %s", p.name, thousands(units[0]), thousands(units[1]))
	}
	return study{
		name: name, methods: m.methods, looks: looks, runs: runs,
		truth: [2]float64{0, p.mean * lift}, run: m.run, promised: m.promised,
	}
}

// meanMonitor watches one experiment of a population.
type meanMonitor struct {
	p           population
	units       [2]int
	looks       int
	methods     []string
	lift        float64
	mixture     stats.TMixture
	obf, pocock []float64
	bounded     stats.BoundedSequence
}

// promised leaves out what the page shows to be wrong. A difference of lognormal
// means of this width is no normal number at any of these sizes: two arms without
// an effect err alike, but intervals are those of arms that differ; only the
// log-ratio, on which they differ by a shift, stays symmetric. In arms of unequal
// size not even that helps, and the floor of the variance does.
func (m *meanMonitor) promised(method string) (alarms, interval bool) {
	heavy := strings.HasPrefix(m.p.name, "lognormal")
	if m.units[0] != m.units[1] && (heavy || m.p.name == "stall ratio") {
		safe := strings.HasSuffix(method, "pooled floor") || method == methodBernstein
		return safe, safe
	}
	// Twenty events in the smaller arm are too few for a normal test at one look, which
	// has no burn-in.
	few := m.p.rate && m.units[0] != m.units[1] && method == methodFixed
	return !few, !few && (!heavy || method == methodLift)
}

func thousands(n int) string {
	if n >= 1000 {
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprint(n)
}

func (m *meanMonitor) run(rng *rand.Rand, say func(method, truth, look int, a answer)) {
	var c stats.Moments
	var t [2]stats.Moments
	var news [2][]stats.BoundedLook
	var done [16][2]bool
	for look := range m.looks {
		nc := m.units[0]*(look+1)/m.looks - int(c.N)
		nt := m.units[1]*(look+1)/m.looks - int(t[0].N)
		newC, _ := m.p.draw(rng, nc, 0)
		var newT [2]stats.Moments
		newT[0], newT[1] = m.p.draw(rng, nt, m.lift)
		c.Merge(newC)
		for truth := range 2 {
			t[truth].Merge(newT[truth])
			if m.p.bounded {
				news[truth] = append(news[truth], stats.BoundedLook{Control: newC, Treatment: newT[truth]})
			}
			m.look(c, t[truth], news[truth], look, func(method int, a answer) {
				say(method, truth, look, a)
				done[method][truth] = done[method][truth] || a.rejects
			}, func(method int) bool { return done[method][truth] })
		}
	}
}

// look asks every method at a look. Those without an interval are not asked again
// after an alarm.
func (m *meanMonitor) look(c, t stats.Moments, news []stats.BoundedLook, look int, say func(method int, a answer), done func(method int) bool) {
	last := look == m.looks-1
	e, err := stats.MeanDifference(c, t)
	ready := err == nil && m.p.ready(c, t)
	logP := 0.0
	fixed := answer{}
	if err == nil {
		logP = math.Ln2 + stats.StudentT{DF: e.DF}.Tails(math.Abs(e.Estimate)/e.SE()).LogSF
		fixed = answer{rejects: logP <= math.Log(calibrationAlpha)}
	}
	if last {
		test := must(stats.Welch(e, 1-calibrationAlpha))
		fixed.hasInterval, fixed.lower, fixed.upper = true, test.Lower, test.Upper
	}
	for i, method := range m.methods {
		switch method {
		case methodFixed:
			if last {
				say(i, fixed)
			}
		case methodPeek:
			say(i, answer{rejects: fixed.rejects})
		case methodOBF:
			say(i, answer{rejects: ready && logP <= m.obf[look]})
		case methodPocock:
			say(i, answer{rejects: ready && logP <= m.pocock[look]})
		case methodCounts:
			if !done(i) {
				say(i, m.counts(c, t))
			}
		case methodBernstein:
			if last || !done(i) && look%20 == 19 { // exact at any looks; few are cheap
				say(i, sequenceAnswer(m.bounded.TwoSided(news)))
			}
		case methodLift:
			if ready {
				say(i, m.lifted(stats.LogLift, c, t))
			}
		case methodFloorLift:
			if ready {
				say(i, m.lifted(stats.FlooredLogLift, c, t))
			}
		case methodFloor:
			if ready {
				e := must(stats.FlooredDifference(must(c.Arm()), must(t.Arm())))
				say(i, m.sequence(methodTotal, e))
			}
		case methodFloorGST:
			if ready {
				e := must(stats.FlooredDifference(must(c.Arm()), must(t.Arm())))
				p := math.Ln2 + stats.StudentT{DF: e.DF}.Tails(math.Abs(e.Estimate)/e.SE()).LogSF
				say(i, answer{rejects: p <= m.obf[look]})
			}
		default:
			if ready {
				say(i, m.sequence(method, e))
			}
		}
	}
}

func (m *meanMonitor) lifted(compare func(c, t stats.Arm) (stats.Effect, error), c, t stats.Moments) answer {
	e, err := compare(must(c.Arm()), must(t.Arm()))
	if err != nil {
		return answer{}
	}
	a := sequenceAnswer(stats.AsympCS{Alpha: calibrationAlpha, NOpt: int64(m.units[0] + m.units[1])}.TwoSided(e))
	a.lower, a.upper = math.Expm1(a.lower)*m.p.mean, math.Expm1(a.upper)*m.p.mean
	return a
}

func (m *meanMonitor) sequence(method string, e stats.Effect) answer {
	switch method {
	case methodTotal:
		return sequenceAnswer(stats.AsympCS{Alpha: calibrationAlpha, NOpt: int64(m.units[0] + m.units[1])}.TwoSided(e))
	case methodArm:
		return sequenceAnswer(stats.AsympCS{Alpha: calibrationAlpha, NOpt: int64(m.units[0]+m.units[1]) / 2}.TwoSided(e))
	case methodGB:
		return sequenceAnswer(stats.AsympCS{Alpha: calibrationAlpha, NOpt: 5000, Approximate: true}.TwoSided(e))
	case methodMSPRT:
		tau := m.p.mean * m.lift
		return sequenceAnswer(stats.MSPRT{Alpha: calibrationAlpha, Tau2: tau * tau}.TwoSided(e))
	}
	return sequenceAnswer(m.mixture.TwoSided(e))
}

func (m *meanMonitor) counts(c, t stats.Moments) answer {
	rate := func(m stats.Moments) stats.Rate {
		return stats.Rate{Events: int64(math.Round(m.Mean * float64(m.N))), Exposure: float64(m.N)}
	}
	a, b := rate(c), rate(t)
	if a.Events+b.Events == 0 {
		return answer{}
	}
	share := b.Exposure / (a.Exposure + b.Exposure)
	logE := must(stats.Multinomial{Shares: []float64{1 - share, share}, Concentration: 100}.LogE([]int64{a.Events, b.Events}))
	return answer{rejects: logE >= -math.Log(calibrationAlpha)}
}

// sequenceAnswer reads a sequence at the nominal level; a refusal is no answer.
func sequenceAnswer(s stats.Sequence, err error) answer {
	if err != nil {
		return answer{}
	}
	return answer{rejects: s.LogE >= -math.Log(calibrationAlpha), hasInterval: true, lower: s.Lower, upper: s.Upper}
}

// meanStudies are those of the measured tables: 100 looks.
func meanStudies(full bool) []study {
	var out []study
	for _, p := range populations() {
		for _, size := range []struct{ units, runs int }{{1000, 10_000}, {10_000, 10_000}, {100_000, 1500}} {
			if !full && size.units > 1000 {
				continue
			}
			runs := size.runs
			if p.name == "normal" && size.units == 1000 {
				runs = 40_000 // where plans spend all of alpha, a tenth of a point matters
			}
			out = append(out, meanStudy(p, [2]int{size.units, size.units}, 100, runs))
		}
	}
	return out
}

// unequalStudies give a tenth of the units to treatment.
func unequalStudies(full bool) []study {
	var out []study
	for _, p := range populations() {
		if full || !p.rate {
			out = append(out, meanStudy(p, [2]int{18_000, 2_000}, 100, 5000))
		}
	}
	return out
}
