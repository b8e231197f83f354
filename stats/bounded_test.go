package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// boundedLooks draws looks of an arm pair with values in [lower, upper].
func boundedLooks(t *rapid.T, lower, upper float64) []stats.BoundedLook {
	var out []stats.BoundedLook
	for range rapid.IntRange(1, 6).Draw(t, "looks") {
		var arms [2]stats.Moments
		for i := range arms {
			for _, u := range rapid.SliceOfN(rapid.Float64Range(0, 1), 0, 30).Draw(t, "values") {
				arms[i].Add(lower + u*(upper-lower))
			}
		}
		out = append(out, stats.BoundedLook{Control: arms[0], Treatment: arms[1]})
	}
	return out
}

func TestBoundedSequenceFollowsScaleShiftAndSwap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		looks := boundedLooks(t, 0, 1)
		b := stats.BoundedSequence{Alpha: 0.05, Upper: 1, Mean: 0.5, SD: 0.3, NOpt: 500}
		got, err := b.TwoSided(looks)
		if reasonOf(err) == stats.TooFewUnits {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !got.Contains(got.Estimate) || got.Lower < -1 || got.Upper > 1 {
			t.Errorf("interval %+v of the estimate %v", got.Interval, got.Estimate)
		}
		if excludes := !got.Contains(0); excludes != (got.LogE >= math.Log(20)) && math.Abs(got.LogE-math.Log(20)) > 1e-9 {
			t.Errorf("ln E %v and interval %+v disagree", got.LogE, got.Interval)
		}
		moved := make([]stats.BoundedLook, len(looks))
		swapped := make([]stats.BoundedLook, len(looks))
		move := func(m stats.Moments) stats.Moments {
			return stats.Moments{N: m.N, Mean: 5 + 3*(m.Mean+m.Low), M2: 9 * m.M2}
		}
		for i, l := range looks {
			moved[i] = stats.BoundedLook{Control: move(l.Control), Treatment: move(l.Treatment)}
			swapped[i] = stats.BoundedLook{Control: l.Treatment, Treatment: l.Control}
		}
		for i := range moved { // an empty look has no mean
			for _, m := range []*stats.Moments{&moved[i].Control, &moved[i].Treatment} {
				if m.N == 0 {
					*m = stats.Moments{}
				}
			}
		}
		wide, err := stats.BoundedSequence{Alpha: 0.05, Lower: 5, Upper: 8, Mean: 6.5, SD: 0.9, NOpt: 500}.TwoSided(moved)
		if err != nil || !closeTo(wide.Lower, 3*got.Lower, 1e-6, 1e-6) || !closeTo(wide.LogE, got.LogE, 1e-6, 1e-6) {
			t.Errorf("on another scale %+v, %v, want three times %+v", wide, err, got)
		}
		mirrored, err := b.TwoSided(swapped)
		if err != nil || !closeTo(mirrored.Lower, -got.Upper, 1e-9, 1e-12) || !closeTo(mirrored.LogE, got.LogE, 1e-9, 1e-9) {
			t.Errorf("with arms swapped %+v, %v, want the mirror of %+v", mirrored, err, got)
		}
	})
}

func TestBoundedSequenceIgnoresWhatItCannotCompare(t *testing.T) {
	t.Parallel()
	b := stats.BoundedSequence{Alpha: 0.05, Upper: 1, Mean: 0.1, SD: 0.3, NOpt: 500}
	look := stats.BoundedLook{Control: stats.MomentsOf([]float64{0, 1, 0}), Treatment: stats.MomentsOf([]float64{1, 1, 0})}
	want, err := b.TwoSided([]stats.BoundedLook{look})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.TwoSided([]stats.BoundedLook{look, {}})
	if err != nil || got != want {
		t.Errorf("with an empty look: %+v, %v, want %+v", got, err, want)
	}
	if _, err := b.TwoSided([]stats.BoundedLook{{Control: look.Control}}); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("without treatment: %v, want reason %s", err, stats.TooFewUnits)
	}
}

func TestBoundedSequenceRefusals(t *testing.T) {
	t.Parallel()
	good := stats.BoundedSequence{Alpha: 0.05, Upper: 1, Mean: 0.1, SD: 0.3, NOpt: 500}
	look := stats.BoundedLook{Control: stats.MomentsOf([]float64{0, 1, 0}), Treatment: stats.MomentsOf([]float64{1, 1, 0})}
	tests := []struct {
		name   string
		change func(b *stats.BoundedSequence, l *stats.BoundedLook)
		want   stats.Code
	}{
		{"fine", func(*stats.BoundedSequence, *stats.BoundedLook) {}, ""},
		{"alpha", func(b *stats.BoundedSequence, _ *stats.BoundedLook) { b.Alpha = 0 }, stats.InvalidArgument},
		{"range", func(b *stats.BoundedSequence, _ *stats.BoundedLook) { b.Upper = 0 }, stats.InvalidArgument},
		{"infinite range", func(b *stats.BoundedSequence, _ *stats.BoundedLook) { b.Upper = math.Inf(1) }, stats.InvalidArgument},
		{"mean", func(b *stats.BoundedSequence, _ *stats.BoundedLook) { b.Mean = 2 }, stats.InvalidArgument},
		{"sd", func(b *stats.BoundedSequence, _ *stats.BoundedLook) { b.SD = 0 }, stats.InvalidArgument},
		{"plan", func(b *stats.BoundedSequence, _ *stats.BoundedLook) { b.NOpt = 0 }, stats.InvalidArgument},
		{"value out of range", func(_ *stats.BoundedSequence, l *stats.BoundedLook) { l.Control.Mean = 1.5 }, stats.InvalidArgument},
		{"variance out of range", func(_ *stats.BoundedSequence, l *stats.BoundedLook) { l.Control.M2 = 9 }, stats.InvalidArgument},
		{"NaN", func(_ *stats.BoundedSequence, l *stats.BoundedLook) { l.Treatment.Mean = math.NaN() }, stats.NonFinite},
	}
	for _, test := range tests {
		b, l := good, look
		test.change(&b, &l)
		if s, err := b.TwoSided([]stats.BoundedLook{l}); reasonOf(err) != test.want {
			t.Errorf("%s: TwoSided = %+v, %v, want reason %q", test.name, s, err, test.want)
		}
	}
}

// With many units the sequence is about as wide as the normal one.
func TestBoundedSequenceAtScale(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(33, 1))
	const units, p = 50_000, 0.1
	var looks []stats.BoundedLook
	var whole [2]stats.Moments
	for range 20 {
		var arms [2]stats.Moments
		for i := range arms {
			for range units / 20 {
				arms[i].Add(map[bool]float64{true: 1}[rng.Float64() < p])
			}
			whole[i].Merge(arms[i])
		}
		looks = append(looks, stats.BoundedLook{Control: arms[0], Treatment: arms[1]})
	}
	exact, err := stats.BoundedSequence{Alpha: 0.05, Upper: 1, Mean: p, SD: 0.3, NOpt: 2 * units}.TwoSided(looks)
	if err != nil {
		t.Fatal(err)
	}
	e, err := stats.MeanDifference(whole[0], whole[1])
	if err != nil {
		t.Fatal(err)
	}
	normal, err := stats.AsympCS{Alpha: 0.05, NOpt: 2 * units}.TwoSided(e)
	if err != nil {
		t.Fatal(err)
	}
	if ratio := (exact.Upper - exact.Lower) / (normal.Upper - normal.Lower); ratio < 0.95 || ratio > 1.1 {
		t.Errorf("the bounded sequence is %.3f times as wide as the asymptotic one, want about 1", ratio)
	}
}
