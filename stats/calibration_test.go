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
// `go test` runs a short version that fails when a method breaks its promise by
// more than three standard errors. With SPLITCAST_CALIBRATE=full, as `make
// calibrate` sets it, all designs run in full and docs/calibration.md is written
// anew. Seeds are fixed: every run says the same.

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
			if width := t.last.upper - t.last.lower; t.last.hasInterval && !math.IsInf(width, 0) {
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
func (s study) simulate(runs int) outcome {
	chunks := (runs + calibrationChunk - 1) / calibrationChunk
	parts := make([][][2]tally, chunks)
	var group sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for chunk := range next {
				part := make([][2]tally, len(s.methods))
				for i := chunk * calibrationChunk; i < min(runs, (chunk+1)*calibrationChunk); i++ {
					s.one(rand.New(rand.NewPCG(calibrationSeed, uint64(i))), part)
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

const calibrationSeed = 20_240_601

// liberal are methods that are measured to show what they do wrong.
func liberal(method string) bool { return strings.HasPrefix(method, "peeking") }

// checkAlarms fails for methods that raise more alarms without an effect, or miss
// the truth more often, than alpha by so many standard errors.
func (o outcome) checkAlarms(t *testing.T, alpha, errors float64) {
	t.Helper()
	for m, method := range o.methods {
		alarms, interval := !liberal(method), !liberal(method)
		if o.promised != nil && !liberal(method) {
			alarms, interval = o.promised(method)
		}
		null, effect := o.tallies[m][0], o.tallies[m][1]
		limit := alpha + errors*math.Sqrt(alpha*(1-alpha)/float64(null.runs))
		expect := func(promised bool, count int, what string) {
			if got := float64(count) / float64(null.runs); promised && got > limit {
				t.Errorf("%s, %s: %.2f %% of %s, want at most %.2f %%", o.name, method, 100*got, what, 100*limit)
			}
		}
		expect(alarms, null.alarms, "alarms without an effect")
		expect(interval, null.missed, "intervals that miss no effect")
		expect(interval, effect.missed, "intervals that miss the effect")
	}
}

var calibrateOnly = flag.String("calibrate", "", "run only the sections of the full calibration whose title holds this word, and write nothing")

// TestCalibration runs all sections, in short or in full.
func TestCalibration(t *testing.T) {
	full := fullCalibration()
	if !full {
		t.Parallel()
	}
	var page strings.Builder
	page.WriteString(calibrationPreface)
	for _, section := range calibrationSections() {
		if strings.Contains(section.title, *calibrateOnly) {
			t.Run(section.title, func(t *testing.T) {
				fmt.Fprintf(&page, "\n## %s\n\n%s\n\n%s", section.title, section.text, section.run(t, full))
			})
		}
	}
	switch {
	case !full:
	case *calibrateOnly != "":
		t.Log(page.String())
	default:
		if err := os.WriteFile(calibrationPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// section is one table of the page.
type section struct {
	title, text string
	shortRuns   int
	studies     func(full bool) []study
	check       func(t *testing.T, o outcome, errors float64) // nil: checkAlarms at 5 %
	table       func(outcomes []outcome) string
}

// run simulates the studies of a section and returns its table.
func (s section) run(t *testing.T, full bool) string {
	t.Helper()
	const errors = 3
	var outcomes []outcome
	for _, study := range s.studies(full) {
		runs := study.runs
		if !full {
			runs = s.shortRuns
		}
		o := study.simulate(runs)
		if s.check != nil {
			s.check(t, o, errors)
		} else {
			o.checkAlarms(t, calibrationAlpha, errors)
		}
		outcomes = append(outcomes, o)
	}
	return s.table(outcomes)
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
				if base.answered > 0 {
					width = fmt.Sprintf("%.2f", effect.width/float64(effect.answered)/(base.width/float64(base.answered)))
				}
			}
			stop := effect.stop(o.looks)
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %.2f (%.3f) | %s | %s |\n", o.name, method,
				shareOf(null.alarms, null.runs), shareOf(effect.alarms, effect.runs), stop.percent, stop.se, missed, width)
		}
	}
	return b.String()
}
