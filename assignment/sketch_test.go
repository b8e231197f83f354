package assignment_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// sketchOf returns the sketch of marks.
func sketchOf(marks []uint64) []byte {
	var s assignment.Sketch
	s.Reserve()
	for _, m := range marks {
		s.Add(m)
	}
	return s.AppendBytes(nil)
}

func estimate(t testing.TB, b []byte) float64 {
	t.Helper()
	n, err := assignment.EstimateSketch(b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The units that evaluation assigns to an arm are counted within four standard
// errors, at any number; few are counted almost exactly. What the marks of an arm
// have in common (its share of the hash, the slots of its experiment) does no harm.
func TestSketchAgainstExactCounts(t *testing.T) {
	t.Parallel()
	e := plainExperiment("x")
	e.Arms[1].Weight = 3
	e.SlotRanges = []experiment.SlotRange{{From: 1000, To: 6000}}
	s := compile(t, soloConfig(e))
	var sketches [2]assignment.Sketch
	var exact [2]int
	for arm := range sketches {
		sketches[arm].Reserve()
	}
	checks := map[int]bool{100: true, 1000: true, 10_000: true, 30_000: true, 100_000: true, 1_000_000: true}
	if testing.Short() {
		delete(checks, 1_000_000)
	}
	ctx := assignment.NewContext("")
	for i := 0; len(checks) > 0; i++ {
		ctx.SetTargetingKey(fmt.Sprint("viewer-", i))
		r, _ := s.Evaluate("x", ctx)
		if !r.Assigned {
			continue
		}
		exact[r.Arm]++
		sketches[r.Arm].Add(r.Mark)
		sketches[r.Arm].Add(r.Mark) // to come again changes nothing
		if !checks[exact[1]] || r.Arm != 1 {
			continue
		}
		delete(checks, exact[1])
		for arm := range sketches {
			n := estimate(t, sketches[arm].AppendBytes(nil))
			tolerance := 4 * assignment.SketchErrorPct / 100
			if exact[arm] <= 1000 {
				tolerance = 0.03 // so few seldom share a register
			}
			if math.Abs(n/float64(exact[arm])-1) > tolerance {
				t.Errorf("arm %d: estimate %.0f of %d units, off by more than %.1f %%", arm, n, exact[arm], 100*tolerance)
			}
		}
	}
}

// The error of 200 sketches of independent marks is what SketchErrorPct says, and
// without bias.
func TestSketchErrorIsAsStated(t *testing.T) {
	t.Parallel()
	const sketches, units = 200, 20_000
	var sum, squares float64
	mark := uint64(1)
	for range sketches {
		var s assignment.Sketch
		s.Reserve()
		for range units {
			mark += 0x9e3779b97f4a7c15
			s.Add(mark)
		}
		off := estimate(t, s.AppendBytes(nil))/units - 1
		sum, squares = sum+off, squares+off*off
	}
	mean := 100 * sum / sketches
	sd := 100 * math.Sqrt(squares/sketches)
	if math.Abs(mean) > 4*assignment.SketchErrorPct/math.Sqrt(sketches) || sd < 0.75*assignment.SketchErrorPct || sd > 1.25*assignment.SketchErrorPct {
		t.Errorf("errors have mean %.2f %% and standard deviation %.2f %%, want 0 and %.2f %%", mean, sd, assignment.SketchErrorPct)
	}
}

// Merging is that of sets: of two sketches comes the sketch of all their marks,
// in any order and however often.
func TestSketchesMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		marks := rapid.SliceOfN(rapid.Uint64(), 0, 300)
		a, b := marks.Draw(rt, "a"), marks.Draw(rt, "b")
		merge := func(into, from []byte) []byte {
			out := bytes.Clone(into)
			grew, err := assignment.MergeSketch(out, from)
			if err != nil || grew == bytes.Equal(out, into) {
				rt.Fatalf("MergeSketch = %t, %v, and the registers differ: %t", grew, err, !bytes.Equal(out, into))
			}
			return out
		}
		sa, sb := sketchOf(a), sketchOf(b)
		all := sketchOf(append(append([]uint64(nil), a...), b...))
		if !bytes.Equal(merge(sa, sb), all) || !bytes.Equal(merge(sb, sa), all) {
			rt.Fatal("the merged sketch is not that of all marks")
		}
		if !bytes.Equal(merge(all, sa), all) || !bytes.Equal(merge(sketchOf(nil), sa), sa) {
			rt.Fatal("merging what is in changes something")
		}
	})
}

// Of many goroutines none loses what another adds.
func TestSketchTakesConcurrentUnits(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 5000
	var s assignment.Sketch
	var wg sync.WaitGroup
	var all []uint64
	for w := range workers {
		var marks []uint64
		for i := range each {
			marks = append(marks, uint64(w*each+i))
		}
		all = append(all, marks...)
		wg.Go(func() {
			s.Reserve()
			for _, m := range marks {
				s.Add(m)
			}
		})
	}
	wg.Wait()
	if !bytes.Equal(s.AppendBytes(nil), sketchOf(all)) {
		t.Error("the sketch is not that of all marks")
	}
	if !s.Changed() || s.Changed() {
		t.Error("Changed tells a change other than once")
	}
	for _, m := range all {
		s.Add(m)
	}
	if s.Changed() {
		t.Error("the same units again are a change")
	}
}

func TestSketchBorders(t *testing.T) {
	t.Parallel()
	var empty assignment.Sketch
	if n := estimate(t, empty.AppendBytes(nil)); n != 0 || empty.Reserved() || empty.Changed() {
		t.Errorf("an empty sketch counts %v units", n)
	}
	if n := estimate(t, sketchOf([]uint64{7})); math.Abs(n-1) > 0.01 {
		t.Errorf("one unit counts as %v", n)
	}
	full := bytes.Repeat([]byte{53}, assignment.SketchBytes)
	if n := estimate(t, full); !(n > 1e18) {
		t.Errorf("full registers count as %v", n)
	}
	over := bytes.Clone(full)
	over[9] = 54
	for says, b := range map[string][]byte{"register 9 holds 54": over, "not 4095": full[1:], "not 0": nil} {
		if _, err := assignment.EstimateSketch(b); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("EstimateSketch = %v, want %q", err, says)
		}
		if _, err := assignment.MergeSketch(bytes.Clone(full), b); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("MergeSketch = %v, want %q", err, says)
		}
	}
}
