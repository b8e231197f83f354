package simulate

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func smallWorld(seed uint64) *World {
	return NewWorld(Options{Seed: seed, Epoch: epoch, Viewers: 12_000})
}

var sessionFields = cmp.Options{cmp.AllowUnexported(Session{}), cmpopts.EquateEmpty()}

func TestWorldIsItsSeed(t *testing.T) {
	t.Parallel()
	a, b, c := smallWorld(1), smallWorld(1), smallWorld(2)
	for day := range 3 {
		if diff := cmp.Diff(a.Schedule(day), b.Schedule(day), sessionFields); diff != "" {
			t.Errorf("day %d differs between worlds of one seed (-a +b)\n%s", day, diff)
		}
		if cmp.Equal(a.Schedule(day), c.Schedule(day), sessionFields) {
			t.Errorf("day %d is the same in worlds of two seeds", day)
		}
	}
	if diff := cmp.Diff(a.Viewer(17), b.Viewer(17), cmp.AllowUnexported(Viewer{})); diff != "" {
		t.Errorf("a viewer differs between worlds of one seed (-a +b)\n%s", diff)
	}
}

func TestScheduleIsStateless(t *testing.T) {
	t.Parallel()
	w := smallWorld(3)
	later := w.Schedule(9)
	for day := range 9 {
		w.Schedule(day)
	}
	if diff := cmp.Diff(later, w.Schedule(9), sessionFields); diff != "" {
		t.Errorf("a day depends on the days asked before (-first +again)\n%s", diff)
	}
	if got := w.Schedule(-1); got != nil {
		t.Errorf("%d sessions before the epoch", len(got))
	}
}

func TestNobodyComesBeforeTheEpoch(t *testing.T) {
	t.Parallel()
	noon := epoch.Add(12 * time.Hour)
	whole := NewWorld(Options{Seed: 4, Epoch: epoch, Viewers: 12_000})
	half := NewWorld(Options{Seed: 4, Epoch: noon, Viewers: 12_000})
	if diff := cmp.Diff(whole.Between(noon, epoch.AddDate(0, 0, 2)), half.Between(epoch, epoch.AddDate(0, 0, 2)), sessionFields); diff != "" {
		t.Errorf("two days from noon on (-of all +of the later world)\n%.1000s", diff)
	}
}

func TestBetweenCutsTheSchedule(t *testing.T) {
	t.Parallel()
	w := smallWorld(4)
	whole := slices.Concat(w.Schedule(0), w.Schedule(1), w.Schedule(2))
	var pieces []Session
	for at := epoch; at.Before(epoch.AddDate(0, 0, 3)); at = at.Add(7 * time.Hour) {
		pieces = append(pieces, w.Between(at, earliest(at.Add(7*time.Hour), epoch.AddDate(0, 0, 3)))...)
	}
	if diff := cmp.Diff(whole, pieces, sessionFields); diff != "" {
		t.Errorf("three days in pieces of seven hours (-whole +pieces)\n%s", diff)
	}
	for i := 1; i < len(whole); i++ {
		if whole[i].Start.Before(whole[i-1].Start) {
			t.Fatalf("session %d starts before the one before it", i)
		}
	}
	if got := w.Between(epoch.AddDate(0, 0, -3), epoch); len(got) > 0 {
		t.Errorf("%d sessions before the epoch", len(got))
	}
}

func TestSessionsPerViewerAreOverdispersed(t *testing.T) {
	t.Parallel()
	w := smallWorld(6)
	n := make([]float64, w.Viewers())
	for day := range 7 {
		for _, s := range w.Schedule(day) {
			n[s.Viewer]++
		}
	}
	var sum, squares float64
	for _, x := range n {
		sum += x
		squares += x * x
	}
	mean := sum / float64(len(n))
	variance := squares/float64(len(n)) - mean*mean
	// Negative binomial: variance = mean + mean²/k, k about rateShape.
	k := mean * mean / (variance - mean)
	if k < 0.15 || k > 0.5 {
		t.Errorf("mean %.3f, variance %.3f: k = %.2f, want about %.2f", mean, variance, k, rateShape)
	}
}

func TestLoadFollowsTheEvening(t *testing.T) {
	t.Parallel()
	w := smallWorld(7)
	var byHour [24]int
	for day := range 5 {
		for _, s := range w.Schedule(day) {
			v := w.Viewer(s.Viewer)
			byHour[(s.Start.Hour()+v.utcHours+24)%24]++
		}
	}
	if peak, trough := byHour[20], byHour[4]; peak < 5*trough {
		t.Errorf("%d sessions at 20 h local time, %d at 4 h: want at least five times", peak, trough)
	}
}

// Ranks 1-10 and 1-100 of the 1,000 largest channels of Twitch, 2020, hold 10
// and 40 % of the watch time (reference/qoe.md 3.3).
func TestChannelsAreAsUnequalAsMeasured(t *testing.T) {
	t.Parallel()
	w := channelWeights()
	for _, test := range []struct {
		top  int
		want float64
	}{{10, 0.10}, {100, 0.40}} {
		if got := w[test.top-1] / w[len(w)-1]; math.Abs(got-test.want) > 0.01 {
			t.Errorf("the top %d channels hold %.3f, want %.2f", test.top, got, test.want)
		}
	}
}

// puffer returns the watch times of the published experiment, cut as ours are.
func puffer(t *testing.T) []float64 {
	t.Helper()
	path := filepath.Join(filepath.Dir(tracesDir(t)), "puffer", "primary_watch_s.csv.gz")
	f, err := os.Open(path)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no published watch times: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	for _, row := range rows[1:] {
		x, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, min(x, MaxWatchSec))
	}
	return out
}

func shareBelow(sorted []float64, x float64) float64 {
	n, _ := slices.BinarySearch(sorted, x)
	return float64(n) / float64(len(sorted))
}

// topShare returns which part of the sum the largest share of values holds.
func topShare(sorted []float64, share float64) float64 {
	var all, top float64
	from := len(sorted) - int(share*float64(len(sorted)))
	for i, x := range sorted {
		all += x
		if i >= from {
			top += x
		}
	}
	return top / all
}

// Watch times of 137,348 real sessions (Puffer, NSDI 2020): their distribution
// and how few sessions hold most of the time.
func TestWatchTimeResemblesMeasured(t *testing.T) {
	t.Parallel()
	want := puffer(t)
	d := newDice(8)
	got := make([]float64, 200_000)
	for i := range got {
		got[i] = d.intent()
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, sec := range []float64{10, 60, 300, 3600} {
		if g, w := shareBelow(got, sec), shareBelow(want, sec); math.Abs(g-w) > 0.02 {
			t.Errorf("%.3f of sessions are shorter than %g s, measured %.3f", g, sec, w)
		}
	}
	for _, share := range []float64{0.01, 0.05, 0.1, 0.2} {
		if g, w := topShare(got, share), topShare(want, share); math.Abs(g-w) > 0.03 {
			t.Errorf("the top %g of sessions hold %.3f of the time, measured %.3f", share, g, w)
		}
	}
}

func BenchmarkSchedule(b *testing.B) {
	w := NewWorld(Options{Seed: 1, Epoch: epoch})
	b.ReportAllocs()
	day := 0
	for b.Loop() {
		w.Schedule(day % 14)
		day++
	}
}
