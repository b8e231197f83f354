//go:build !race

package report_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/splitcast/splitcast/report"
)

// run is one simulated experiment, looked at after every batch.
type run struct {
	seed                     uint64
	primary, guard           float64 // true lifts
	looks                    int
	batch                    int64
	everBetter, everWorse    bool
	everSafe, everHarm, ship bool
}

func (x *run) simulate() {
	r := rand.New(rand.NewPCG(x.seed, 11))
	arm := func(lift float64) *stream { return &stream{r: r, mean: 10 * (1 + lift), sd: 12} }
	pc, pt, gc, gt := arm(0), arm(x.primary), arm(0), arm(x.guard)
	s := newSynthetic(2)
	for look := 1; look <= x.looks; look++ {
		s.looks = nil // one look is enough: states do not depend on the past
		s.at(int64(look)*x.batch,
			cell(primaryKey, 0, pc.next(x.batch)), cell(primaryKey, 1, pt.next(x.batch)),
			cell(guardKey, 0, gc.next(x.batch)), cell(guardKey, 1, gt.next(x.batch)))
		built := report.Build(s.input())
		primary, guard := built.Primary[0].State, built.Guardrails[0].State
		x.everBetter = x.everBetter || primary == report.StateBetter
		x.everWorse = x.everWorse || primary == report.StateWorse
		x.everSafe = x.everSafe || guard == report.StateSafe
		x.everHarm = x.everHarm || guard == report.StateHarmed || guard == report.StateBreached
		x.ship = x.ship || built.Verdict.State == report.VerdictShip
	}
}

// bound is the largest count of n that a probability p explains: three standard
// errors above the mean.
func bound(n int, p float64) int {
	return int(float64(n)*p + 3*math.Sqrt(float64(n)*p*(1-p)))
}

// TestPeekingErrors looks at 400 experiments 40 times each. Without effect, a
// better or worse primary is an error; on the margin, so is a safe guardrail.
func TestPeekingErrors(t *testing.T) {
	t.Parallel()
	const runs, looks, batch = 400, 40, 500
	var wrong, harm, safe, shipped, found int
	for i := range runs {
		null := run{seed: uint64(i), looks: looks, batch: batch}
		null.simulate()
		if null.everBetter || null.everWorse {
			wrong++
		}
		if null.everHarm {
			harm++
		}
		edge := run{seed: uint64(i) + 1e6, primary: 0.2, guard: -0.05, looks: looks, batch: batch}
		edge.simulate()
		if edge.everSafe {
			safe++
		}
		if edge.ship {
			shipped++
		}
		if edge.everBetter {
			found++
		}
	}
	t.Logf("of %d: %d wrong primaries, %d false harms, %d false safes, %d false ships, %d true effects found",
		runs, wrong, harm, safe, shipped, found)
	if limit := bound(runs, 0.05); wrong > limit || harm > limit || safe > limit || shipped > limit {
		t.Errorf("more than %d of %d: %d wrong, %d harm, %d safe, %d shipped", limit, runs, wrong, harm, safe, shipped)
	}
	if found < runs*9/10 {
		t.Errorf("a lift of 20 %% was found %d times of %d", found, runs)
	}
}

// TestHealthPeeking looks at healthy experiments: the checks of all stay quiet.
func TestHealthPeeking(t *testing.T) {
	t.Parallel()
	const runs = 60
	failed, warned := 0, 0
	for seed := range uint64(runs) {
		r := healthReport(seed, soundArm, soundArm)
		for _, c := range r.Trust {
			switch c.State {
			case report.CheckFail:
				failed++
			case report.CheckWarn:
				warned++
			case report.CheckOK, report.CheckUnknown:
			}
		}
	}
	if failed > 0 || warned > 1 {
		t.Errorf("of %d healthy experiments %d checks failed and %d warned at the end", runs, failed, warned)
	}
}

// TestPeekingErrorsAdjusted looks at experiments whose effects are adjusted, of
// equal arms and of nine to one. Without an effect a proven change is an error;
// with one the adjusted effect finds it more often.
func TestPeekingErrorsAdjusted(t *testing.T) {
	t.Parallel()
	const runs, looks = 200, 20
	for _, test := range []struct {
		name    string
		weights [2]int64
		batch   int64
		lift    float64
	}{
		{"equal arms", [2]int64{1, 1}, 400, 0.06},
		{"nine to one", [2]int64{9, 1}, 120, 0.1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var wrong, found, foundPlain int
			var reduction float64
			for i := range runs {
				null := adjustedRun{seed: uint64(i), weights: test.weights}
				null.simulate(looks, test.batch)
				if null.changed {
					wrong++
				}
				lifted := adjustedRun{seed: uint64(i) + 1e6, weights: test.weights, lift: test.lift}
				lifted.simulate(looks, test.batch)
				if lifted.changed {
					found++
				}
				if lifted.changedPlain {
					foundPlain++
				}
				reduction += lifted.reduction / runs
			}
			t.Logf("of %d: %d wrong; found %d, without the past %d; reduction %.2f", runs, wrong, found, foundPlain, reduction)
			if limit := bound(runs, 0.05); wrong > limit {
				t.Errorf("%d of %d without an effect were called different, want at most %d", wrong, runs, limit)
			}
			if found <= foundPlain || reduction < 0.15 {
				t.Errorf("the past helped nothing: found %d, without it %d; reduction %v", found, foundPlain, reduction)
			}
		})
	}
}
