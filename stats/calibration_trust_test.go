package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// Guardrails. "Harm" is asked at no effect (truth 0) and at a loss of two margins
// (truth 1), "safe" at a loss of the margin (truth 0) and at no effect (truth 1).

var guardrailMethods = []string{"harm", "safe", "harm, pooled floor", "safe, pooled floor"}

func guardrailStudies(full bool) []study {
	var out []study
	for _, p := range populations() {
		for _, units := range [][2]int{{10_000, 10_000}, {18_000, 2000}, {2000, 18_000}} {
			if full || units[0] == 18_000 && !p.rate {
				out = append(out, guardrailStudy(p, units))
			}
		}
	}
	return out
}

func guardrailStudy(p population, units [2]int) study {
	const looks = 100
	// A margin that a single test clears with a power of 95 %.
	margin := p.mean * p.tableLift(units) * 3.29 / 2.80
	s := study{
		name:    fmt.Sprintf("%s, %s and %s", p.name, thousands(units[0]), thousands(units[1])),
		methods: guardrailMethods, looks: looks, runs: 2000,
	}
	s.promised = func(method string) (alarms, interval bool) {
		safe := units[0] == units[1] && !strings.HasPrefix(p.name, "lognormal") || strings.HasSuffix(method, "pooled floor")
		return safe, safe
	}
	guard := stats.NonInferiority{Margin: margin, HigherIsBetter: true, Alpha: calibrationAlpha}
	total := int64(units[0] + units[1])
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var c, t stats.Moments
		for look := range looks {
			newC, _ := p.draw(rng, units[0]*(look+1)/looks-int(c.N), 0)
			newT, _ := p.draw(rng, units[1]*(look+1)/looks-int(t.N), 0)
			c.Merge(newC)
			t.Merge(newT)
			if c.N < 2 || t.N < 2 || !p.ready(c, t) {
				continue
			}
			for i, compare := range []func(c, t stats.Arm) (stats.Effect, error){stats.Difference, stats.FlooredDifference} {
				e := must(compare(must(c.Arm()), must(t.Arm())))
				for loss := range 3 { // none, the margin, two margins
					moved := e
					moved.Estimate -= float64(loss) * margin
					g := must(guard.Watch(moved, total))
					threshold := -math.Log(calibrationAlpha)
					harm, safe := g.LogEHarm >= threshold, g.LogESafe >= threshold
					switch loss {
					case 0:
						say(2*i, 0, look, answer{rejects: harm, hasInterval: true, lower: g.WorstCase, upper: math.Inf(1)})
						say(2*i+1, 1, look, answer{rejects: safe})
					case 1:
						say(2*i+1, 0, look, answer{rejects: safe})
					case 2:
						say(2*i, 1, look, answer{rejects: harm})
					}
				}
			}
		}
	}
	return s
}

func guardrailTable(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| design | variance | false harm, % | worst case above the truth, % | false safe at the margin, % | safe at no effect, % | mean stop | harm at twice the margin, % | mean stop |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, o := range outcomes {
		for i, variance := range []string{"Welch", "pooled floor"} {
			harm, safe := o.tallies[2*i], o.tallies[2*i+1]
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.2f | %s | %.2f |\n", o.name, variance+strings.TrimPrefix(o.shownOnly(guardrailMethods[2*i]), guardrailMethods[2*i]),
				shareOf(harm[0].alarms, harm[0].runs), shareOf(harm[0].missed, harm[0].runs), shareOf(safe[0].alarms, safe[0].runs),
				shareOf(safe[1].alarms, safe[1].runs), safe[1].stop(o.looks).percent,
				shareOf(harm[1].alarms, harm[1].runs), harm[1].stop(o.looks).percent)
		}
	}
	return b.String()
}

// Rare counts with a load that swings by the hour.

var countMethods = []string{"rate ratio, tuned", "rate ratio, K = 100", "rate ratio, one-sided", "peeking at the exact test, every fifth look"}

func countStudies(full bool) []study {
	var out []study
	for _, events := range []float64{20, 100, 1000} {
		if full || events < 1000 {
			out = append(out, countStudy(events))
		}
	}
	return out
}

func countStudy(events float64) study {
	const looks, share = 100, 2.0 / 3 // treatment has two thirds of the exposure
	effect := math.Exp(2.8 * math.Sqrt(1/events+1/(2*events)))
	s := study{
		name:    fmt.Sprintf("%.0f and %.0f events, rates ×%.2f", events, 2*events, effect),
		methods: countMethods, looks: looks, runs: 2000, truth: [2]float64{1, effect},
	}
	if events > 100 { // an exact sum over so many outcomes takes too long
		s.methods = countMethods[:3]
	}
	tuned := stats.RateSequence{
		Alpha: calibrationAlpha, Concentration: must(stats.RateConcentration(share, effect)),
	}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var c stats.Rate
		var t [2]stats.Rate
		for look := range looks {
			load := 1 + 0.8*math.Sin(float64(look)/4)
			per := events / looks
			c.Exposure++
			c.Events += poisson(rng, per*load)
			same := poisson(rng, 2*per*load)
			for truth, more := range []int64{0, poisson(rng, 2*per*load*(effect-1))} {
				t[truth].Exposure += 2
				t[truth].Events += same + more
				if c.Events+t[truth].Events == 0 {
					continue
				}
				for m, r := range []stats.RateSequence{tuned, {Alpha: calibrationAlpha, Concentration: 100}} {
					a := must(r.TwoSided(c, t[truth]))
					say(m, truth, look, answer{
						rejects: a.LogE >= -math.Log(calibrationAlpha), hasInterval: true, lower: a.Lower, upper: a.Upper,
					})
				}
				if look%5 == 4 {
					one := must(tuned.OneSided(c, t[truth], stats.Greater))
					say(2, truth, look, answer{
						rejects: one.LogE >= -math.Log(calibrationAlpha), hasInterval: true, lower: one.Bound, upper: math.Inf(1),
					})
				}
				if events <= 100 && look%5 == 4 {
					exact := must(stats.RateRatioExact(c, t[truth], 1-calibrationAlpha))
					say(3, truth, look, answer{rejects: exact.P <= calibrationAlpha})
				}
			}
		}
	}
	return s
}

// Sample ratio. Truth 0 is the planned split, truth 1 one that is off.

var ratioMonitors = []string{"Dirichlet K = 1,000, E ≥ 20", "Dirichlet K = 1,000, E ≥ 1,000", "peeking, chi-square at 5 %", "peeking, chi-square at 0.1 %"}

func srmStudies(full bool) []study {
	out := []study{srmStudy(20_000, 0.48)}
	if full {
		out = append(out, srmStudy(20_000, 0.49), srmStudy(1_000_000, 0.495))
	}
	return out
}

func srmStudy(units int, off float64) study {
	const looks = 100
	s := study{
		name:    fmt.Sprintf("%s units, split %.3f", thousandsOfMillions(units), off),
		methods: ratioMonitors, looks: looks, runs: 10_000,
	}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var counts [2][2]int64
		for look := range looks {
			n := units / looks
			fair := binomial(rng, n, 0.5)
			less := binomial(rng, fair, off/0.5)
			for truth, first := range []int{fair, less} {
				counts[truth][0] += int64(first)
				counts[truth][1] += int64(n - first)
				both := counts[truth][:]
				srm := must(stats.SampleRatio(both, []int64{1, 1}, stats.SampleRatioConcentration))
				say(0, truth, look, answer{rejects: srm.Status != stats.SRMOk})
				say(1, truth, look, answer{rejects: srm.Status == stats.SRMAlert})
				z := float64(both[0]-both[1]) / math.Sqrt(float64(both[0]+both[1]))
				say(2, truth, look, answer{rejects: math.Abs(z) > 1.959963984540054})
				say(3, truth, look, answer{rejects: math.Abs(z) > 3.290526731491926})
			}
		}
	}
	return s
}

func thousandsOfMillions(n int) string {
	if n >= 1_000_000 {
		return fmt.Sprintf("%d,%03d,%03d", n/1_000_000, n/1000%1000, n%1000)
	}
	return thousands(n)
}

// srmClaims holds the two thresholds to 5 % and to 0.1 %.
func srmClaims(o outcome) []claim {
	var out []claim
	for m, alpha := range []float64{0.05, 0.001} {
		null := o.tallies[m][0]
		out = append(out, claim{o.methods[m], "false alarms", null.alarms, null.runs, alpha})
	}
	return out
}

// The whole path by windows: viewers come at any hour, come back, and what is kept of
// each is the total so far, so that the units of a look are those of the look before
// with more to their name.

var windowMethods = []string{"watch seconds, lift", "stall ratio, lift", "success of starts, difference", "new viewers only, lift", "peeking, watch seconds"}

func windowStudies(full bool) []study {
	const hours, visits = 14 * 24, 6
	viewers := 3000
	if !full {
		viewers = 600
	}
	lift := 0.06
	s := study{
		name:    thousands(viewers) + " viewers an arm, 1 to 6 visits each",
		methods: windowMethods, looks: hours, runs: 1000, truth: [2]float64{0, lift},
	}
	cs := stats.AsympCS{Alpha: calibrationAlpha, NOpt: int64(2 * viewers)}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		arms := [3]windowArm{}
		for a := range arms {
			arms[a].totals = make([][3]float64, viewers)
		}
		// Visits by hour: the evening has most of them.
		type visit struct{ arm, viewer int }
		byHour := make([][]visit, hours)
		interest := [2][]float64{make([]float64, viewers), make([]float64, viewers)}
		for arm := range 2 {
			for v := range viewers {
				interest[arm][v] = math.Exp(0.7 * rng.NormFloat64())
				for range 1 + rng.IntN(visits) {
					hour := rng.IntN(hours)
					for rng.Float64() > 0.2+0.8*math.Pow(math.Sin(math.Pi*float64(hour%24)/24), 2) {
						hour = rng.IntN(hours)
					}
					byHour[hour] = append(byHour[hour], visit{arm, v})
				}
			}
		}
		for look := range hours {
			for _, v := range byHour[look] {
				watch := 600 * interest[v.arm][v.viewer] * gamma(rng, 1.5)
				stall := 0.0
				if rng.Float64() < 0.2 {
					stall = watch * beta(rng, 1, 12)
				}
				failed := 0.0
				if rng.Float64() < 0.05 {
					failed = 1
				}
				if v.arm == 0 {
					arms[0].visit(v.viewer, watch, stall, failed)
					continue
				}
				arms[1].visit(v.viewer, watch, stall, failed)
				// With the effect everything is longer, and the stalls longer still.
				arms[2].visit(v.viewer, watch*(1+lift), stall*(1+lift)*(1+lift), failed)
			}
			for truth := range 2 {
				windowAnswers(cs, &arms[0], &arms[1+truth], lift*float64(truth), func(m int, a answer) { say(m, truth, look, a) })
			}
		}
	}
	return []study{s}
}

// windowArm is the totals of each viewer, and their moments, which are those of the
// totals at the look.
type windowArm struct {
	totals [][3]float64  // watch, stall, failed
	first  stats.Moments // watch of the first visit alone
	units  int64
	sum    [3]float64
	square [3]float64
	cross  float64 // watch times stall
}

func (w *windowArm) visit(viewer int, watch, stall, failed float64) {
	t := &w.totals[viewer]
	if t[0] == 0 {
		w.units++
		w.first.Add(watch)
	}
	w.cross -= t[0] * t[1]
	for i, more := range []float64{watch, stall, failed} {
		w.square[i] += (t[i]+more)*(t[i]+more) - t[i]*t[i]
		w.sum[i] += more
		t[i] += more
	}
	w.cross += t[0] * t[1]
}

func (w *windowArm) moments(i int) stats.Moments {
	return stats.MomentsFromSums(w.units, w.sum[i], w.square[i])
}

func (w *windowArm) ratio() stats.PairMoments {
	return stats.PairSums{N: w.units, Y: w.sum[1], X: w.sum[0], YY: w.square[1], XX: w.square[0], YX: w.cross}.Moments()
}

func windowAnswers(cs stats.AsympCS, c, t *windowArm, lift float64, say func(method int, a answer)) {
	if stats.Ready(stats.ArmCount{Units: c.units}, stats.ArmCount{Units: t.units}) != nil {
		return
	}
	of := func(e stats.Effect, err error) answer {
		if err != nil {
			return answer{}
		}
		a := sequenceAnswer(cs.TwoSided(e))
		if e.Scale == stats.LogRatio {
			a.lower, a.upper = math.Expm1(a.lower), math.Expm1(a.upper)
		}
		return a
	}
	watch, err := stats.MeanLift(c.moments(0), t.moments(0))
	say(0, of(watch, err))
	if err == nil {
		test := must(stats.Welch(watch, 1-calibrationAlpha))
		say(4, answer{rejects: test.P <= calibrationAlpha})
	}
	say(1, of(stats.RatioLift(c.ratio(), t.ratio())))
	failed := of(stats.MeanDifference(c.moments(2), t.moments(2)))
	failed.lower, failed.upper = failed.lower+lift, failed.upper+lift // nothing changes it: the truth is 0
	say(2, failed)
	say(3, of(stats.MeanLift(c.first, t.first)))
}

// Bands of whole distributions, and how often they are wrong anywhere.

func bandStudies(bool) []study {
	const units, looks = 10_000, 20
	s := study{
		name: "lognormal σ = 1, 10,000 an arm, 20 looks, +15 %", methods: []string{"band of the difference"}, looks: looks, runs: 400,
	}
	bands := stats.DistributionBands{Alpha: calibrationAlpha, TMin: units / looks}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var arms [3]stats.Histogram
		for look := range looks {
			for range units / looks {
				arms[0].Add(1000 * math.Exp(rng.NormFloat64()))
				v := 1000 * math.Exp(rng.NormFloat64())
				arms[1].Add(v)
				arms[2].Add(1.15 * v)
			}
			for truth, factor := range []float64{1, 1.15} {
				points := must(bands.Compare(&arms[0], &arms[1+truth]))
				a := answer{hasInterval: true, lower: math.Inf(-1), upper: math.Inf(1)}
				for _, p := range points {
					a.rejects = a.rejects || !p.Difference.Contains(0)
					z := math.Log(p.Value / 1000)
					cdf := func(z float64) float64 { return math.Exp(stats.Normal{}.Tails(z).LogCDF) }
					if !p.Difference.Contains(cdf(z-math.Log(factor)) - cdf(z)) {
						a.lower, a.upper = 1, 1 // a miss: no truth is 1
					}
				}
				say(0, truth, look, a)
			}
		}
	}
	return []study{s}
}

// Futility: truth 0 is no effect, truth 1 the effect that the plan was made for.

func futilityStudies(bool) []study {
	var out []study
	for _, looks := range []int{4, 14, 28} {
		out = append(out, futilityStudy(looks))
	}
	return out
}

func futilityStudy(looks int) study {
	g := stats.GroupSequential{Kind: stats.SpendOBrienFleming, Alpha: calibrationAlpha, TwoSided: true}
	for k := range looks {
		g.Information = append(g.Information, float64(k+1)/float64(looks))
	}
	bounds := must(g.Bounds())
	futility := must(g.Futility(bounds, stats.Futility{Kind: stats.SpendPower, Shape: 2, Beta: 0.2}))
	s := study{
		name:    fmt.Sprintf("O'Brien–Fleming, %d looks, power spending of β", looks),
		methods: []string{"advice followed", "advice ignored", "given up"}, looks: looks, runs: 20_000,
		truth: [2]float64{0, futility.Drift},
	}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		noise, before := 0.0, 0.0
		var over [2]bool
		for k, now := range g.Information {
			noise += math.Sqrt(now-before) * rng.NormFloat64()
			before = now
			for truth, drift := range []float64{0, futility.Drift} {
				z := noise/math.Sqrt(now) + drift*math.Sqrt(now)
				radius := bounds.Z[k] / math.Sqrt(now)
				a := answer{rejects: math.Abs(z) >= bounds.Z[k], hasInterval: true}
				a.lower, a.upper = z/math.Sqrt(now)-radius, z/math.Sqrt(now)+radius
				say(1, truth, k, a)
				if over[truth] {
					continue
				}
				say(0, truth, k, a)
				gaveUp := k < looks-1 && math.Abs(z) <= futility.Z[k]
				say(2, truth, k, answer{rejects: gaveUp})
				over[truth] = gaveUp || a.rejects
			}
		}
	}
	return s
}

// futilityClaims leaves out how often a plan gives up, which is no error.
func futilityClaims(o outcome) []claim {
	o.tallies, o.methods = o.tallies[:2], o.methods[:2]
	return o.claims()
}
