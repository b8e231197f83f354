package telemetry_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/telemetry"
)

// The bars of the captured corpus.
const (
	maxStallErrorPct = 5
	maxStartErrorMs  = 500
	longStallMs      = 2_000 // from here on, a session is classified as stalled
)

// TestBeacons folds what real players sent and compares it with what was
// measured on their video elements. BEACONS_DIR points it at other captures of
// the same form; -v prints a table.
func TestBeacons(t *testing.T) {
	t.Parallel()
	sessions := beaconCorpus(t)
	folded := make([]telemetry.Session, len(sessions))
	for i := range sessions {
		records, _ := sessions[i].records(t, sessions[i].mode())
		folded[i] = telemetry.FoldCMCD(records)
	}
	logTable(t, sessions, folded)

	t.Run("Parse", func(t *testing.T) { testParse(t, sessions) })
	t.Run("Replay", func(t *testing.T) { testReplay(t, sessions, folded) })
	t.Run("Stalls", func(t *testing.T) { testStalls(t, sessions, folded) })
	t.Run("Start", func(t *testing.T) { testStart(t, sessions, folded) })
	t.Run("NeverStarted", func(t *testing.T) { testNeverStarted(t, sessions, folded) })
	t.Run("DashLies", func(t *testing.T) { testDashLies(t, sessions, folded) })
	t.Run("ShakaStalls", func(t *testing.T) { testShakaStalls(t, sessions, folded) })
	t.Run("RequestsOnly", func(t *testing.T) { testRequestsOnly(t, sessions, folded) })
	t.Run("RequestLogs", func(t *testing.T) { testRequestLogs(t, sessions, folded) })
}

// mode returns how the session reports what we fold it from.
func (s *beaconSession) mode() telemetry.Mode {
	if s.EventMode {
		return telemetry.ModeEvent
	}
	return telemetry.ModeRequest
}

// withStates reports whether the session sends event reports with states.
func (s *beaconSession) withStates() bool { return s.EventMode && s.Player != "shaka" }

func logTable(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	t.Helper()
	t.Logf("%-38s tier %6s %6s %6s %6s %2s %6s %6s %5s %s", "session",
		"start", "truth", "stall", "truth", "n", "play", "truth", "kbps", "observed")
	for i := range sessions {
		s, f := &sessions[i], &folded[i]
		start, truth, kbps := int64(-1), -1.0, int64(-1)
		if f.FirstFrameMs != nil {
			start = *f.FirstFrameMs
		}
		if s.Truth.FirstFrameMs != nil {
			truth = *s.Truth.FirstFrameMs
		}
		if f.RungMs > 0 {
			kbps = f.RungKbpsMs / f.RungMs
		}
		t.Logf("%-38s %4v %6d %6.0f %6d %6.0f %2d %6d %6.0f %5d %v", s.ID, f.Tier, start, truth,
			f.StallMs, s.Truth.StalledMs, f.StallN, f.PlayMs, s.Truth.WatchedMs, kbps, f.Observed)
	}
}

// testParse wants every record taken, with exactly the keys that the slow
// decoder finds valid.
func testParse(t *testing.T, sessions []beaconSession) {
	records := 0
	dropped := map[string]int{}
	for i := range sessions {
		for j := range sessions[i].requests {
			request := &sessions[i].requests[j]
			got, rejected := request.decode(t)
			if request.carries() && len(got) == 0 {
				t.Errorf("%s: no record in request %d: %v", sessions[i].ID, j, rejected)
			}
			for k := range got {
				records++
				want, _ := slowDecode(got[k].Raw)
				if diff := gocmp.Diff(want, valuesOf(&got[k])); diff != "" {
					t.Errorf("%s: %s differs from the slow decoder (-want +got):\n%s", sessions[i].ID, got[k].Raw, diff)
				}
			}
			for _, r := range rejected {
				dropped[sessions[i].Player+" "+r.Field+" "+string(r.Reason)]++
				if r.Whole {
					t.Errorf("%s: request %d: record refused: %v", sessions[i].ID, j, r)
				}
			}
		}
	}
	t.Logf("%d records; values dropped: %v", records, dropped)
}

// testReplay wants the same session from the records shuffled and repeated.
func testReplay(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	const rounds, seed = 5, 20261122
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // reproducible on purpose
	for i := range sessions {
		records, _ := sessions[i].records(t, sessions[i].mode())
		for range rounds {
			replayed := slices.Clone(records)
			for range rng.IntN(3 * len(records)) {
				again := records[rng.IntN(len(records))]
				if again.Has.Has(telemetry.KeySN) {
					again.RecvMs += rng.Int64N(60_000) // a retry arrives later
				}
				replayed = append(replayed, again)
			}
			rng.Shuffle(len(replayed), func(a, b int) { replayed[a], replayed[b] = replayed[b], replayed[a] })
			if diff := gocmp.Diff(folded[i], telemetry.FoldCMCD(replayed)); diff != "" {
				t.Errorf("%s replayed with seed %d (-once +replayed):\n%s", sessions[i].ID, seed, diff)
			}
		}
	}
}

func testStalls(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	var sum, truth float64
	for i := range sessions {
		s, f := &sessions[i], &folded[i]
		if !s.withStates() {
			continue
		}
		if want := telemetry.ObservedPlay | telemetry.ObservedStalls; !f.Observed.Has(want) {
			t.Errorf("%s observes %v, want %v", s.ID, f.Observed, want)
		}
		sum += float64(f.StallMs)
		truth += s.Truth.StalledMs
		if got, want := f.StallMs > longStallMs, s.Truth.StalledMs > longStallMs; got != want {
			t.Errorf("%s: stalled = %v (%d ms), want %v (%.0f ms)", s.ID, got, f.StallMs, want, s.Truth.StalledMs)
		}
	}
	if truth == 0 {
		t.Skip("nothing stalled in this corpus")
	}
	errorPct := 100 * (sum/truth - 1)
	t.Logf("stall time %.0f ms, truth %.0f ms: %+.2f %%", sum, truth, errorPct)
	if math.Abs(errorPct) > maxStallErrorPct {
		t.Errorf("stall time is off by %.2f %%, want at most %d %%", errorPct, maxStallErrorPct)
	}
}

func testStart(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	var errors []float64
	for i := range sessions {
		s, f := &sessions[i], &folded[i]
		if !s.withStates() || s.Truth.FirstFrameMs == nil {
			continue
		}
		if !f.Started || f.FirstFrameMs == nil {
			t.Errorf("%s: no start time, want %.0f ms", s.ID, *s.Truth.FirstFrameMs)
			continue
		}
		off := float64(*f.FirstFrameMs) - *s.Truth.FirstFrameMs
		errors = append(errors, off)
		if math.Abs(off) > maxStartErrorMs {
			t.Errorf("%s: start time is off by %.0f ms, want at most %d", s.ID, off, maxStartErrorMs)
		}
	}
	if len(errors) > 0 {
		t.Logf("%d start times, off by %.0f to %.0f ms", len(errors), slices.Min(errors), slices.Max(errors))
	}
}

func testNeverStarted(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	for i := range sessions {
		s, f := &sessions[i], &folded[i]
		if s.Truth.FirstFrameMs != nil || !s.EventMode {
			continue
		}
		if f.Started || f.FirstFrameMs != nil || f.PlayMs > 0 {
			t.Errorf("%s counts as a start: %+v", s.ID, f)
		}
		if !f.PlayRequested {
			t.Errorf("%s is no attempt to play", s.ID)
		}
		if s.Player == "shaka" && f.Observed.Has(telemetry.ObservedFailure) {
			t.Errorf("%s claims to observe failures", s.ID)
		}
		if s.Player != "shaka" && strings.Contains(s.Scenario, "manifest404") && f.FatalCode == "" {
			t.Errorf("%s failed without a code", s.ID)
		}
		if strings.Contains(s.Scenario, "ebvs") && f.FatalCode != "" {
			t.Errorf("%s: the viewer left, but it failed with %q", s.ID, f.FatalCode)
		}
	}
}

// testDashLies wants none of the start delays and epoch times that dash.js
// reports: sessions are the same without them, and no accepted ttfb is one.
func testDashLies(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	reported, accepted, epochs := 0, 0, 0
	for i := range sessions {
		s := &sessions[i]
		if s.Player != "dash" || !s.EventMode {
			continue
		}
		records, _ := s.records(t, telemetry.ModeEvent)
		for j := range records {
			r := &records[j]
			if strings.Contains(r.Raw, "msd=") {
				reported++
			}
			if strings.Contains(r.Raw, "ttfb=1") && !r.Has.Has(telemetry.KeyTTFB) {
				epochs++
			}
			if r.Has.Has(telemetry.KeyTTFB) && r.TTFB > r.TTLB+1_000 {
				t.Errorf("%s: ttfb %d of ttlb %d accepted", s.ID, r.TTFB, r.TTLB)
			}
			r.Has &^= telemetry.KeyMSD
		}
		if diff := gocmp.Diff(telemetry.FoldCMCD(records), folded[i]); diff != "" {
			accepted++
			t.Errorf("%s: msd accepted (-without +with):\n%s", s.ID, diff)
		}
	}
	t.Logf("msd: %d reported, %d accepted; %d epoch ttfb rejected", reported, accepted, epochs)
}

func testShakaStalls(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	for i := range sessions {
		s, f := &sessions[i], &folded[i]
		if s.Player != "shaka" {
			continue
		}
		if f.Observed&(telemetry.ObservedStalls|telemetry.ObservedStallMax|telemetry.ObservedPlay) != 0 {
			t.Errorf("%s observes %v, want no stalls and no play", s.ID, f.Observed)
		}
		if want := cmp.Or(map[bool]telemetry.Tier{true: telemetry.TierC}[s.EventMode], telemetry.TierD); f.Tier != want {
			t.Errorf("%s is tier %v, want %v", s.ID, f.Tier, want)
		}
		both, _ := s.records(t, telemetry.ModeEvent)
		requests, _ := s.records(t, telemetry.ModeRequest)
		bound := telemetry.FoldCMCD(append(both, requests...))
		checkBound(t, s, &bound)
	}
}

// testRequestsOnly wants the lower bound of stalls to be one.
func testRequestsOnly(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	for i := range sessions {
		if s, f := &sessions[i], &folded[i]; !s.EventMode {
			if f.Tier != telemetry.TierD || f.Observed.Has(telemetry.ObservedStalls) {
				t.Errorf("%s is tier %v and observes %v, want D without stalls", s.ID, f.Tier, f.Observed)
			}
			checkBound(t, s, f)
		}
	}
}

func checkBound(t *testing.T, s *beaconSession, f *telemetry.Session) {
	t.Helper()
	if f.StallN > 0 && (!f.Observed.Has(telemetry.ObservedStallBounds) || s.Truth.StalledMs == 0) {
		t.Errorf("%s: at least %d stalls, observing %v; truth %.0f ms", s.ID, f.StallN, f.Observed, s.Truth.StalledMs)
	}
}
