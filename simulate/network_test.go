package simulate

import (
	"math"
	"os"
	"slices"
	"testing"
)

// tracesDir is where measured traces are, of the same form as TRACES_DIR.
func tracesDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TRACES_DIR")
	if dir == "" {
		dir = "../../shared/qoe/traces"
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("measured traces: %v", err)
		}
		t.Skipf("no measured traces: %v", err)
	}
	return dir
}

// linkStats are the columns of the table that comes with the traces.
type linkStats struct {
	meanP50, variationP50 float64
	below500              float64 // share of time
}

func statsOf(traces []Trace) linkStats {
	var means, variations []float64
	low, all := 0, 0
	for _, tr := range traces {
		var sum, squares float64
		for _, k := range tr.Kbps {
			sum += float64(k)
			squares += float64(k) * float64(k)
			all++
			low += count(k < 500)
		}
		n := float64(len(tr.Kbps))
		mean := sum / n
		means = append(means, mean)
		variations = append(variations, math.Sqrt(max(0, squares/n-mean*mean))/mean)
	}
	slices.Sort(means)
	slices.Sort(variations)
	return linkStats{means[len(means)/2], variations[len(variations)/2], float64(low) / float64(all)}
}

func within(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance*want }

// The targets are the published columns "mean kbit/s p50", "variation within a
// trace p50" and "time below 500 kbit/s": HSDPA 987, 0.58 and 38.4 %; LTE 31,935,
// 0.44 and 1.7 %, of which 1.1 % are left in whole seconds; Puffer's mean 15,365; the steadiness of FCC and Oboe, 0.21. The
// times below 500 kbit/s of Puffer (11.6 %) and Oboe (4.3 %) are bounds only:
// they come from flows that the player, not the link, held back. The variation of
// HSDPA is 0.69 when each trace is taken as a whole.
func TestNetworksResembleMeasured(t *testing.T) {
	t.Parallel()
	tests := []struct {
		class        NetClass
		want         linkStats
		below500Most float64
	}{
		{class: NetFixed, want: linkStats{15_365, 0.21, 0}, below500Most: 0.005},
		{class: NetWifi, want: linkStats{15_365, 0.45, 0}, below500Most: 0.043},
		{class: NetLTE, want: linkStats{31_935, 0.44, 0.017}, below500Most: 0.03},
		{class: Net3G, want: linkStats{987, 0.69, 0.384}, below500Most: 0.5},
	}
	for seed := range uint64(3) {
		library := SyntheticNetworks(seed)
		for _, test := range tests {
			got := statsOf(library[test.class])
			if !within(got.meanP50, test.want.meanP50, 0.15) {
				t.Errorf("seed %d: %s: median mean %.0f kbit/s, want %.0f", seed, test.class, got.meanP50, test.want.meanP50)
			}
			if !within(got.variationP50, test.want.variationP50, 0.25) {
				t.Errorf("seed %d: %s: median sd/mean %.2f, want %.2f", seed, test.class, got.variationP50, test.want.variationP50)
			}
			if got.below500 > test.below500Most || test.want.below500 > 0 && !within(got.below500, test.want.below500, 0.4) {
				t.Errorf("seed %d: %s: %.4f of the time below 500 kbit/s, want %.4f", seed, test.class, got.below500, test.want.below500)
			}
		}
	}
}

func TestLoadNetworksMatchesPublishedTable(t *testing.T) {
	t.Parallel()
	library, err := LoadNetworks(tracesDir(t))
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("TRACES_DIR") != "" {
		t.Skip("TRACES_DIR holds other traces than the published ones")
	}
	// Columns of the table: traces, mean p50, variation p50, share below 500.
	tests := []struct {
		class  NetClass
		traces int
		want   linkStats
	}{
		{NetFixed, 428, linkStats{2_913, 0.21, 0.043}},
		{NetWifi, 400, linkStats{15_365, 0.84, 0.116}},
		{NetLTE, 40, linkStats{31_935, 0.44, 0.017}},
		{Net3G, 86, linkStats{987, 0.58, 0.384}},
	}
	for _, test := range tests {
		if got := len(library[test.class]); got != test.traces {
			t.Errorf("%s: %d traces, want %d", test.class, got, test.traces)
		}
		got := statsOf(library[test.class])
		// Whole seconds smooth short dips away; slow links keep theirs.
		if !within(got.meanP50, test.want.meanP50, 0.1) || !within(got.variationP50, test.want.variationP50, 0.2) ||
			!within(got.below500, test.want.below500, 0.4) {
			t.Errorf("%s: %+v, want about %+v", test.class, got, test.want)
		}
	}
}

func TestFetchTakesWhatTheLinkCarries(t *testing.T) {
	t.Parallel()
	trace := Trace{Kbps: []float32{1000, 500, 0, 2000}, RTTSec: 0.1}
	tests := []struct {
		name         string
		offset, at   float64
		kbit         float64
		want         float64
		wantTimedOut bool
	}{
		{name: "within a second", kbit: 450, want: 0.1 + 0.45},
		{name: "over a border", kbit: 1000, want: 0.1 + 0.9 + 0.2},
		{name: "over an outage", kbit: 1400 + 1000, want: 0.1 + 0.9 + 1 + 1 + 0.5},
		{name: "from an offset, around the end", offset: 3.4, kbit: 1000 + 1000, want: 0.1 + 0.5 + 1},
		{name: "late in the session", at: 4001, kbit: 450, want: 0.1 + 0.9},
		{name: "given up", kbit: 1e9, want: fetchLimitSec, wantTimedOut: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := link{trace: &trace, offset: test.offset}
			got, ok := l.fetch(test.at, test.kbit)
			if math.Abs(got-test.want) > 1e-6 || ok == test.wantTimedOut {
				t.Errorf("fetch = %.6f, %t, want %.6f, %t", got, ok, test.want, !test.wantTimedOut)
			}
		})
	}
}
