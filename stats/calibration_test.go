package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// The calibration tests run experiments without an effect, look 100 times, and
// count how often a method ever raises an alarm. A binomial bound of three
// standard errors above the nominal rate allows for the number of runs; the seed
// is fixed, so that a failure is repeatable.

const looks = 100

// alarmBound is the nominal rate plus three standard errors of a share of runs.
func alarmBound(nominal float64, runs int) float64 {
	return nominal + 3*math.Sqrt(nominal*(1-nominal)/float64(runs))
}

// alarms returns the share of runs in which run reports an alarm.
func alarms(runs int, seed uint64, run func(rng *rand.Rand) bool) float64 {
	raised := 0
	for i := range runs {
		if run(rand.New(rand.NewPCG(seed, uint64(i)))) {
			raised++
		}
	}
	return float64(raised) / float64(runs)
}

// population is one of those of the measured tables: the mean kinds of live
// video.
type population struct {
	name  string
	units int // per arm at the end
	rate  bool
	draw  func(rng *rand.Rand) float64
}

func populations() []population {
	return []population{
		{"normal", 2000, false, func(rng *rand.Rand) float64 { return 10 + rng.NormFloat64() }},
		{"bernoulli", 10_000, true, func(rng *rand.Rand) float64 {
			if rng.Float64() < 0.01 {
				return 1
			}
			return 0
		}},
		{"lognormal", 2000, false, func(rng *rand.Rand) float64 { return math.Exp(2 * rng.NormFloat64()) }},
		// 15 % of viewers stall, with a share of about Beta(0.6, 12).
		{"stall ratio", 2000, false, func(rng *rand.Rand) float64 {
			if rng.Float64() >= 0.15 {
				return 0
			}
			return math.Pow(rng.Float64(), 1/0.6) * 0.2
		}},
	}
}

// monitor feeds two arms of a population and asks alarm at every look.
func (p population) monitor(rng *rand.Rand, alarm func(c, t stats.Moments) bool) bool {
	var c, t stats.Moments
	for look := range looks {
		for c.N < int64(p.units*(look+1)/looks) {
			c.Add(p.draw(rng))
			t.Add(p.draw(rng))
		}
		if alarm(c, t) {
			return true
		}
	}
	return false
}

func (p population) ready(c, t stats.Moments) bool {
	if p.rate {
		return stats.Ready(c.CountedRate(), t.CountedRate()) == nil
	}
	return stats.Ready(c.Counted(), t.Counted()) == nil
}

func TestCalibrationOfMeans(t *testing.T) {
	t.Parallel()
	const runs, alpha = 400, 0.05
	for _, p := range populations() {
		cs := stats.AsympCS{Alpha: alpha, NOpt: int64(2 * p.units)}
		mixture, err := stats.OptimalG(int64(2*p.units), 2, alpha)
		if err != nil {
			t.Fatal(err)
		}
		methods := map[string]func(c, t stats.Moments) bool{
			"AsympCS on differences": func(c, t stats.Moments) bool {
				e, err := stats.MeanDifference(c, t)
				s, err2 := cs.TwoSided(e)
				return err == nil && err2 == nil && s.LogE >= -math.Log(alpha)
			},
			"AsympCS on lifts": func(c, t stats.Moments) bool {
				e, err := stats.MeanLift(c, t)
				s, err2 := cs.TwoSided(e)
				return err == nil && err2 == nil && !s.Contains(0)
			},
			"TMixture": func(c, t stats.Moments) bool {
				e, err := stats.MeanDifference(c, t)
				s, err2 := mixture.TwoSided(e)
				return err == nil && err2 == nil && s.P <= alpha
			},
		}
		for name, alarm := range methods {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				got := alarms(runs, 11, func(rng *rand.Rand) bool {
					return p.monitor(rng, func(c, t stats.Moments) bool { return p.ready(c, t) && alarm(c, t) })
				})
				t.Logf("%.1f %%", 100*got)
				if got > alarmBound(alpha, runs) {
					t.Errorf("%.1f %% of A/A experiments raised an alarm, want at most %v %%", 100*got, 100*alpha)
				}
			})
		}
		t.Run(p.name+"/peeking at a fixed test", func(t *testing.T) {
			t.Parallel()
			got := alarms(runs, 11, func(rng *rand.Rand) bool {
				return p.monitor(rng, func(c, t stats.Moments) bool {
					e, err := stats.MeanDifference(c, t)
					if err != nil {
						return false
					}
					test, err := stats.Welch(e, 1-alpha)
					return err == nil && test.P <= alpha
				})
			})
			t.Logf("%.1f %%", 100*got)
			if got < 0.20 {
				t.Errorf("peeking raised an alarm in %.1f %% only: the experiment is too tame to test anything", 100*got)
			}
		})
	}
}

func TestCalibrationOfQuantiles(t *testing.T) {
	t.Parallel()
	const runs, alpha, units = 200, 0.05, 5000
	for _, nu := range []float64{0.5, 0.95} {
		cs := stats.AsympCS{Alpha: alpha, NOpt: 2 * units}
		exact := stats.QuantileTest{Nu: nu, TOpt: units, AlphaOpt: alpha}
		var conservative int
		got := alarms(runs, 12, func(rng *rand.Rand) bool {
			var c, w stats.Histogram
			alarm := false
			for look := range 50 {
				for range units / 50 {
					c.Add(1000 * math.Exp(rng.NormFloat64()))
					w.Add(1000 * math.Exp(rng.NormFloat64()))
				}
				e, err := stats.QuantileLift(&c, &w, nu)
				s, err2 := cs.TwoSided(e)
				alarm = alarm || look > 2 && err == nil && err2 == nil && s.P <= alpha
			}
			if logE, err := exact.Histograms(&c, &w); err != nil || stats.PFromE(logE) <= alpha {
				conservative++
			}
			return alarm
		})
		if got > alarmBound(alpha, runs) {
			t.Errorf("p%v: AsympCS raised an alarm in %.1f %% of A/A experiments", 100*nu, 100*got)
		}
		if share := float64(conservative) / runs; share > alarmBound(alpha, runs) {
			t.Errorf("p%v: the exact test rejected in %.1f %% of A/A experiments", 100*nu, 100*share)
		}
	}
}

func TestCalibrationOfRates(t *testing.T) {
	t.Parallel()
	const runs, alpha = 500, 0.05
	r := stats.RateSequence{Alpha: alpha, Concentration: 100}
	poisson := func(rng *rand.Rand, mean float64) int64 {
		var n int64
		for sum := rng.ExpFloat64(); sum < mean; sum += rng.ExpFloat64() {
			n++
		}
		return n
	}
	count := func(seed uint64, alarm func(c, t stats.Rate) bool) float64 {
		return alarms(runs, seed, func(rng *rand.Rand) bool {
			var c, w stats.Rate
			for hour := range looks {
				load := 1 + 0.8*math.Sin(float64(hour)/4) // a day's swing leaves it valid
				c.Exposure++
				w.Exposure += 2
				c.Events += poisson(rng, load)
				w.Events += poisson(rng, 2*load)
				if c.Events+w.Events > 0 && alarm(c, w) {
					return true
				}
			}
			return false
		})
	}
	two := count(13, func(c, w stats.Rate) bool {
		s, err := r.TwoSided(c, w)
		return err == nil && (s.LogE >= -math.Log(alpha) || s.Lower > 1 || s.Upper < 1)
	})
	one := count(14, func(c, w stats.Rate) bool {
		s, err := r.OneSided(c, w, stats.Greater)
		return err == nil && s.P <= alpha
	})
	if limit := alarmBound(alpha, runs); two > limit || one > limit {
		t.Errorf("two-sided %.1f %%, one-sided %.1f %% of A/A experiments raised an alarm", 100*two, 100*one)
	}
}

func TestCalibrationOfSampleRatio(t *testing.T) {
	t.Parallel()
	const runs, units = 400, 20_000
	split := func(seed uint64, share float64) (warned, alerted float64) {
		warnings := 0
		alerted = alarms(runs, seed, func(rng *rand.Rand) bool {
			counts := []int64{0, 0}
			worst := stats.SRMOk
			for range looks {
				for range units / looks {
					if rng.Float64() < share {
						counts[0]++
					} else {
						counts[1]++
					}
				}
				srm, err := stats.SampleRatio(counts, []int64{1, 1}, stats.SampleRatioConcentration)
				if err != nil {
					return true
				}
				if srm.Status == stats.SRMAlert {
					worst = srm.Status
				} else if worst == stats.SRMOk {
					worst = srm.Status
				}
			}
			if worst != stats.SRMOk {
				warnings++
			}
			return worst == stats.SRMAlert
		})
		return float64(warnings) / runs, alerted
	}
	if warned, alerted := split(15, 0.5); warned > alarmBound(0.05, runs) || alerted > alarmBound(0.001, runs) {
		t.Errorf("a fair split warned in %.1f %% and alerted in %.2f %%", 100*warned, 100*alerted)
	}
	// Measured: 94.6 % of alerts at a split of 48:52 among 20,000.
	if _, alerted := split(16, 0.48); alerted < 0.9 {
		t.Errorf("a split of 48:52 alerted in %.1f %% only", 100*alerted)
	}
}

func TestCalibrationOfGroupSequentialBounds(t *testing.T) {
	t.Parallel()
	const runs, alpha = 4000, 0.05
	g := stats.GroupSequential{
		Kind: stats.SpendOBrienFleming, Information: []float64{0.2, 0.4, 0.6, 0.8, 1}, Alpha: alpha, TwoSided: true,
	}
	bounds, err := g.Bounds()
	if err != nil {
		t.Fatal(err)
	}
	const drift = 3
	operation, err := g.Operate(bounds, drift)
	if err != nil {
		t.Fatal(err)
	}
	walk := func(drift float64) func(rng *rand.Rand) bool {
		return func(rng *rand.Rand) bool {
			score, before := 0.0, 0.0
			for k, now := range g.Information {
				score += drift*(now-before) + math.Sqrt(now-before)*rng.NormFloat64()
				before = now
				if math.Abs(score/math.Sqrt(now)) >= bounds.Z[k] {
					return true
				}
			}
			return false
		}
	}
	for _, test := range []struct{ drift, want float64 }{{0, alpha}, {drift, operation.Power()}} {
		got := alarms(runs, 17, walk(test.drift))
		if se := math.Sqrt(test.want * (1 - test.want) / runs); math.Abs(got-test.want) > 4*se {
			t.Errorf("at drift %v the walk stopped in %.2f %%, want %.2f", test.drift, 100*got, 100*test.want)
		}
	}
}
