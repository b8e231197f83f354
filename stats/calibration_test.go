package stats_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The calibration tests simulate experiments, with and without an effect, let every
// method look as often as people do, and count how often it is wrong, how often it
// finds the effect, when, and how often its interval misses the truth at any look.
//
// A share of errors that is promised to be at most 5 % passes up to 5 % plus two
// standard errors. Of some hundred honest shares a few are above that by chance, so
// that a design with one above is simulated again, with other draws and four times
// as many experiments, and fails when the same share is above again.
//
// `go test` runs a short version. With SPLITCAST_CALIBRATE=full, as `make calibrate`
// sets it, all designs run in full and docs/calibration.md is written anew. Seeds are
// fixed: every run says the same.

// calibrationPage is written by the full suite.
const calibrationPage = "../docs/calibration.md"

// fullCalibration reports whether all runs are asked for.
func fullCalibration() bool { return os.Getenv("SPLITCAST_CALIBRATE") == "full" }

// answer is what a method says at a look.
type answer struct {
	rejects bool
	// hasInterval is false where a method has none, or refused.
	hasInterval  bool
	lower, upper float64
}

// study is a design: who is compared how often, by which methods. run simulates one
// experiment and hands every answer of every method to say; truth 0 is no effect,
// truth 1 the effect, on the same draws where possible.
type study struct {
	name    string
	methods []string
	looks   int
	truth   [2]float64 // what intervals have to cover
	runs    int        // of the full suite
	// severalRows says that a method answers for several treatments, whose intervals
	// have no common width.
	severalRows bool
	// promised says which of its two promises a method makes in this design: few
	// alarms without an effect, and an interval that holds. nil: both, all of them.
	promised func(method string) (alarms, interval bool)
	run      func(rng *rand.Rand, say func(method, truth, look int, a answer))
}

// tally counts over runs of one method at one truth.
type tally struct {
	runs, alarms, missed int
	stops, squaredStops  int     // the look of the alarm, from 1; the last without one
	answered             int     // runs with an interval at the end
	width                float64 // the sum of theirs
}

func (t *tally) add(o tally) {
	t.runs += o.runs
	t.alarms += o.alarms
	t.missed += o.missed
	t.stops += o.stops
	t.squaredStops += o.squaredStops
	t.answered += o.answered
	t.width += o.width
}

// share is a share of runs in percent with its standard error.
type share struct{ percent, se float64 }

func shareOf(count, runs int) share {
	p := float64(count) / float64(runs)
	return share{100 * p, 100 * math.Sqrt(p*(1-p)/float64(runs))}
}

func (s share) String() string { return fmt.Sprintf("%.2f (%.2f)", s.percent, s.se) }

// stop is the mean stopping time as a share of the plan with its standard error.
func (t tally) stop(looks int) share {
	n := float64(t.runs)
	mean := float64(t.stops) / n
	variance := float64(t.squaredStops)/n - mean*mean
	return share{mean / float64(looks), math.Sqrt(max(0, variance)/n) / float64(looks)}
}

// track follows one method through one experiment.
type track struct {
	stopped int
	missed  bool
	last    answer
}

func (s study) one(rng *rand.Rand, into [][2]tally) {
	tracks := make([][2]track, len(s.methods))
	s.run(rng, func(method, truth, look int, a answer) {
		t := &tracks[method][truth]
		if a.rejects && t.stopped == 0 {
			t.stopped = look + 1
		}
		if a.hasInterval && (s.truth[truth] < a.lower || s.truth[truth] > a.upper) {
			t.missed = true
		}
		t.last = a
	})
	for m := range tracks {
		for truth := range 2 {
			t, out := &tracks[m][truth], &into[m][truth]
			out.runs++
			if t.missed {
				out.missed++
			}
			at := t.stopped
			if at == 0 {
				at = s.looks
			} else {
				out.alarms++
			}
			out.stops += at
			out.squaredStops += at * at
			if width := t.last.upper - t.last.lower; t.last.hasInterval && width < math.MaxFloat64 {
				out.answered++
				out.width += width
			}
		}
	}
}

// outcome is a study that has been run.
type outcome struct {
	study
	tallies [][2]tally // by method and truth
}

// calibrationChunk is how many runs share a slot of the sums, so that rounding does
// not depend on which processor was first.
const calibrationChunk = 50

// simulate runs the study on all processors.
func (s study) simulate(runs int, seed uint64) outcome {
	chunks := (runs + calibrationChunk - 1) / calibrationChunk
	parts := make([][][2]tally, chunks)
	var group sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for chunk := range next {
				part := make([][2]tally, len(s.methods))
				for i := chunk * calibrationChunk; i < min(runs, (chunk+1)*calibrationChunk); i++ {
					s.one(rand.New(rand.NewPCG(seed, uint64(i))), part)
				}
				parts[chunk] = part
			}
		})
	}
	for chunk := range chunks {
		next <- chunk
	}
	close(next)
	group.Wait()
	o := outcome{study: s, tallies: make([][2]tally, len(s.methods))}
	for _, part := range parts {
		for m := range part {
			for truth := range 2 {
				o.tallies[m][truth].add(part[m][truth])
			}
		}
	}
	return o
}

// The seeds of the first run and of the second, whose draws have nothing to do with
// one another.
const (
	calibrationSeed  = 20_240_601
	confirmationSeed = 20_240_602
)

// liberal are methods that are measured to show what they do wrong.
func liberal(method string) bool { return strings.HasPrefix(method, "peeking") }

// promises returns which of its two promises a method makes in a study.
func (s *study) promises(method string) (alarms, interval bool) {
	switch {
	case liberal(method):
		return false, false
	case s.promised != nil:
		return s.promised(method)
	}
	return true, true
}

// shownOnly marks a method in a table that promises nothing in the design.
func (s *study) shownOnly(method string) string {
	if alarms, interval := s.promises(method); alarms || interval {
		return method
	}
	return method + dagger
}

const dagger = " †"

// claim is a share of experiments that is promised to be at most alpha.
type claim struct {
	method, what string
	count, runs  int
	alpha        float64
}

// allowance is how many standard errors a share may lie above its alpha.
const allowance = 2

func (c claim) limit() float64 {
	return c.alpha + allowance*math.Sqrt(c.alpha*(1-c.alpha)/float64(c.runs))
}

func (c claim) broken() bool { return float64(c.count)/float64(c.runs) > c.limit() }

func (c claim) String() string { return shareOf(c.count, c.runs).String() }

// claims are those of all methods that promise something: few alarms without an
// effect, and intervals that hold the truth.
func (o outcome) claims() []claim {
	var out []claim
	for m, method := range o.methods {
		alarms, interval := o.promises(method)
		null, effect := o.tallies[m][0], o.tallies[m][1]
		if alarms {
			out = append(out, claim{method, "alarms without an effect", null.alarms, null.runs, calibrationAlpha})
		}
		if interval {
			out = append(out, claim{method, "intervals that miss no effect", null.missed, null.runs, calibrationAlpha},
				claim{method, "intervals that miss the effect", effect.missed, effect.runs, calibrationAlpha})
		}
	}
	return out
}

// confirmation is a share that was above its limit, and what it was in the second run.
type confirmation struct {
	design        string
	first, second claim
}

// section is one table of the page.
type section struct {
	title, text string
	shortRuns   int
	studies     func(full bool) []study
	claims      func(o outcome) []claim // nil: outcome.claims
	table       func(outcomes []outcome) string
}

// moreRuns is how many times as many experiments the second run has.
const moreRuns = 4

// confirm simulates a study again where the outcome breaks promises, and fails for
// those that are broken again. It returns all that were looked at twice.
func (s section) confirm(t *testing.T, o outcome) []confirmation {
	t.Helper()
	claims := s.claims
	if claims == nil {
		claims = outcome.claims
	}
	var out []confirmation
	var again []claim // of the second run, once there is one
	for i, first := range claims(o) {
		if !first.broken() {
			continue
		}
		if again == nil {
			again = claims(o.simulate(moreRuns*first.runs, confirmationSeed))
		}
		c := confirmation{o.name, first, again[i]}
		out = append(out, c)
		t.Logf("%s, %s: %s: %s %%, in the second run %s %%", c.design, first.method, first.what, first, c.second)
		if c.second.broken() {
			t.Errorf("%s, %s: %s %% of %s in the first run, %s %% in the second, want at most %.2f %%",
				c.design, first.method, first, first.what, c.second, 100*c.second.limit())
		}
	}
	return out
}

var (
	calibrateOnly = flag.String("calibrate", "", "run only the sections of the full calibration whose title holds this word, and write nothing")
	calibrateRuns = flag.Int("runs", 0, "with -calibrate, so many experiments of each design; 0 is those of the page")
)

// run simulates the studies of a section and returns its table, and what was looked
// at twice.
func (s section) run(t *testing.T, full bool) (table string, twice []confirmation) {
	t.Helper()
	var outcomes []outcome
	for _, study := range s.studies(full) {
		runs := study.runs
		switch {
		case !full:
			runs = s.shortRuns
		case *calibrateOnly != "" && *calibrateRuns > 0:
			runs = *calibrateRuns
		}
		o := study.simulate(runs, calibrationSeed)
		twice = append(twice, s.confirm(t, o)...)
		outcomes = append(outcomes, o)
	}
	return s.table(outcomes), twice
}

// calibrationAlpha is the nominal level of everything unless a section says so.
const calibrationAlpha = 0.05

// usualTable has a row a method.
func usualTable(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| design | method | alarms in A/A, % | power, % | mean stop | misses the truth at any look, % | width at the end |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, o := range outcomes {
		base := o.tallies[0][1]
		for m, method := range o.methods {
			null, effect := o.tallies[m][0], o.tallies[m][1]
			missed, width := "–", "–"
			if effect.answered > 0 {
				missed = shareOf(effect.missed, effect.runs).String()
				if base.answered > 0 && !o.severalRows {
					width = fmt.Sprintf("%.2f", effect.width/float64(effect.answered)/(base.width/float64(base.answered)))
				}
			}
			stop := effect.stop(o.looks)
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %.2f (%.3f) | %s | %s |\n", o.name, o.shownOnly(method),
				shareOf(null.alarms, null.runs), shareOf(effect.alarms, effect.runs), stop.percent, stop.se, missed, width)
		}
	}
	return b.String()
}
