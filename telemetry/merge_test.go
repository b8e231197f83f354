package telemetry_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/telemetry"
)

// received is a record with the time of its receipt.
type received struct {
	hb     telemetry.Heartbeat
	recvMs int64
}

// drawReceived draws records so dense that numbers, clocks and receipts
// collide often, over more epochs than are kept.
func drawReceived(t *rapid.T, name string) []received {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) received {
		hb := telemetry.Heartbeat{SessionID: "s"}
		if rapid.IntRange(0, 3).Draw(t, "rich") == 0 {
			hb = drawHeartbeat(t, rapid.Just("s"))
		}
		hb.Seq = rapid.Int64Range(0, 12).Draw(t, "seq")
		hb.MonoMs = 10_000 * rapid.Int64Range(0, 2).Draw(t, "mono")
		hb.PlayMs = rapid.Int64Range(0, 2).Draw(t, "play")
		hb.SinceStallMs = rapid.Int64Range(0, 1).Draw(t, "since")
		hb.LatencyMinutes = rapid.SampledFrom([]telemetry.Dwell{nil, {{At: 3_000, Ms: 1}}, {{At: 2_900, Ms: 2}, {At: 90_000, Ms: 1}}}).Draw(t, "late")
		hb.Measures = rapid.SampledFrom([]telemetry.Measures{"", `{"chat":1}`, `{"chat":2,"spent":0.5}`}).Draw(t, "measures")
		if at := rapid.Int64Range(0, 2*telemetry.MaxEpochs).Draw(t, "started"); at > 0 {
			hb.ClientTsMs = clock0 + at*10_000 + hb.MonoMs
		}
		return received{hb, rapid.Int64Range(1_000, 1_001).Draw(t, "recv")}
	}), 0, 16).Draw(t, name)
}

func foldAll(records []received) (s telemetry.Session) {
	for i := range records {
		s.Apply(&records[i].hb, records[i].recvMs)
	}
	return s
}

// TestMergeLaws: any records whatsoever, conflicting ones too.
func TestMergeLaws(t *testing.T) {
	t.Parallel()
	equal := func(t *rapid.T, law string, got, want telemetry.Session) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", law, diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		ra, rb, rc := drawReceived(t, "a"), drawReceived(t, "b"), drawReceived(t, "c")
		a, b, c := foldAll(ra), foldAll(rb), foldAll(rc)
		ab := telemetry.Merge(a, b)
		equal(t, "commutative", telemetry.Merge(b, a), ab)
		equal(t, "associative", telemetry.Merge(ab, c), telemetry.Merge(a, telemetry.Merge(b, c)))
		equal(t, "idempotent", telemetry.Merge(ab, ab), ab)
		equal(t, "absorbs its parts", telemetry.Merge(ab, a), ab)
		equal(t, "zero is neutral", telemetry.Merge(telemetry.Session{}, a), a)

		all := append(append(append([]received{}, ra...), rb...), rc...)
		replayed := slices.Concat(all, ra)
		shuffled := rapid.Permutation(replayed).Draw(t, "replayed")
		equal(t, "any order and multiset", foldAll(shuffled), telemetry.Merge(ab, c))
	})
}

// TestFoldBatch: a batch is folded as record by record, session by session.
func TestFoldBatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hbs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) telemetry.Heartbeat {
			return drawHeartbeat(t, rapid.SampledFrom([]string{"a", "b", "c"}))
		})).Draw(t, "batch")
		want := map[string]telemetry.Session{}
		for i := range hbs {
			s := want[hbs[i].SessionID]
			s.Apply(&hbs[i], 77)
			want[hbs[i].SessionID] = s
		}
		folded := telemetry.FoldBatch(hbs, 77)
		got := map[string]telemetry.Session{}
		for _, s := range folded[:len(want)] {
			got[s.SessionID] = s
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("FoldBatch (-want +got):\n%s", diff)
		}
		for i, s := range folded[len(want):] { // contradictions
			if diff := cmp.Diff(got[s.SessionID], telemetry.Merge(got[s.SessionID], s)); diff != "" {
				t.Errorf("merging contradiction %d changes the session (-want +got):\n%s", i, diff)
			}
		}
	})
}

// life is one life of a well-behaved client: it starts at some instant and
// sends n beats, every 10 s, whose counters only grow.
type life struct {
	startMs int64
	n       int64
}

const beatMs = 10_000

// beats returns the records of lives in a row; their seq goes on.
func beats(lives ...life) []telemetry.Heartbeat {
	var out []telemetry.Heartbeat
	for _, l := range lives {
		for i := range l.n {
			out = append(out, telemetry.Heartbeat{
				SessionID: "s", Seq: int64(len(out)), ClientTsMs: l.startMs + i*beatMs, MonoMs: i * beatMs,
				PlayMs: i * beatMs, StallN: i, StallMaxMs: i, LatencyMaxMs: 10 * i,
				Observed: telemetry.ObservedPlay | telemetry.ObservedStalls,
			})
		}
	}
	return out
}

const clock0 = 1_795_384_000_000

// TestRestart: the total of a session is the sum over the lives of its client,
// in whatever order the records arrive.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		lives    []life
		playMs   int64
		restarts int
	}{
		{"one life", []life{{clock0, 10}}, 90_000, 0},
		{"two", []life{{clock0, 10}, {clock0 + 120_000, 4}}, 90_000 + 30_000, 1},
		{"longer second", []life{{clock0, 3}, {clock0 + 60_000, 9}}, 20_000 + 80_000, 1},
		{"three", []life{{clock0, 5}, {clock0 + 60_000, 2}, {clock0 + 90_000, 3}}, 40_000 + 10_000 + 20_000, 2},
		{"at the limit", lifetimes(telemetry.MaxEpochs), telemetry.MaxEpochs * 20_000, telemetry.MaxEpochs - 1},
		{"beyond the limit", append([]life{{clock0 - 60_000, 5}}, lifetimes(telemetry.MaxEpochs)...), telemetry.MaxEpochs * 20_000, telemetry.MaxEpochs - 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hbs := beats(c.lives...)
			rapid.Check(t, func(t *rapid.T) {
				var s telemetry.Session
				for _, hb := range rapid.Permutation(append(hbs, hbs[:len(hbs)/2]...)).Draw(t, "order") {
					s.Apply(&hb, 5)
				}
				if s.PlayMs != c.playMs || s.Restarts() != c.restarts {
					t.Errorf("play = %d ms over %d restarts, want %d over %d", s.PlayMs, s.Restarts(), c.playMs, c.restarts)
				}
				if s.Last.Seq != int64(len(hbs)-1) || s.First.Seq != 0 || !s.Observed.Has(telemetry.ObservedStalls) {
					t.Errorf("session %+v is not from seq 0 to %d", s, len(hbs)-1)
				}
			})
		})
	}
}

func lifetimes(n int) []life {
	lives := make([]life, n)
	for i := range lives {
		lives[i] = life{clock0 + int64(i)*60_000, 3}
	}
	return lives
}

// TestNoRestart: what looks like another start instant, but whose counters go
// on, is the same epoch: nothing is counted twice.
func TestNoRestart(t *testing.T) {
	t.Parallel()
	for name, shift := range map[string]func(seq int64) int64{
		"clock set forward": func(seq int64) int64 { return seq / 5 * 3_600_000 },
		"clock set back":    func(seq int64) int64 { return seq / 5 * -3_600_000 },
		"clock of 1970":     func(seq int64) int64 { return max(0, 1-seq) * -clock0 },
		"drift":             func(seq int64) int64 { return seq * 300 },
		"jitter":            func(seq int64) int64 { return seq % 2 * 10_001 },
		"no clock":          func(seq int64) int64 { return -clock0 - seq*beatMs },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hbs := beats(life{clock0, 20})
			for i := range hbs {
				hbs[i].ClientTsMs += shift(hbs[i].Seq)
			}
			s := telemetry.FoldBatch(hbs, 5)[0]
			if want := int64(19 * beatMs); s.PlayMs != want || s.Restarts() != 0 {
				t.Errorf("play = %d ms over %d restarts, want %d over none", s.PlayMs, s.Restarts(), want)
			}
		})
	}
}

// TestRestartNotSeen pins down what the doc comment of Epoch gives away: the
// highest seq wins, and nothing is counted twice.
func TestRestartNotSeen(t *testing.T) {
	t.Parallel()
	quick := beats(life{clock0, 1}, life{clock0 + 5_000, 3}) // within 10 s of the start
	lost := beats(life{clock0, 3}, life{clock0 + 60_000, 9}) // the second life's first beats are lost
	lost = append(lost[:3], lost[7:]...)
	noClock := beats(life{clock0, 5}, life{clock0 + 60_000, 2})
	for i := range noClock {
		noClock[i].ClientTsMs = 0
	}
	for name, c := range map[string]struct {
		hbs    []telemetry.Heartbeat
		playMs int64
	}{"quick": {quick, 20_000}, "lost": {lost, 80_000}, "no clock": {noClock, 10_000}} {
		if s := telemetry.FoldBatch(c.hbs, 5)[0]; s.PlayMs != c.playMs || s.Restarts() != 0 {
			t.Errorf("%s: play = %d ms over %d restarts, want %d over none", name, s.PlayMs, s.Restarts(), c.playMs)
		}
	}
}

// TestSessionFields: the rule of each field, on three records in each order.
func TestSessionFields(t *testing.T) {
	t.Parallel()
	first, later := int64(900), int64(700)
	records := []received{
		{telemetry.Heartbeat{
			SessionID: "s", Seq: 0, Kind: telemetry.KindStart, ClientTsMs: 100, PlayRequested: true,
			Identity: telemetry.Identity{ChannelID: "early"}, Tier: telemetry.TierA,
		}, 1_000},
		{telemetry.Heartbeat{
			SessionID: "s", Seq: 1, ClientTsMs: 200, MonoMs: 100, FirstFrameMs: &first, Tier: telemetry.TierB,
			Identity: telemetry.Identity{ViewerID: "v", ChannelID: "c"}, PlayMs: 5,
		}, 1_050},
		{telemetry.Heartbeat{
			SessionID: "s", Seq: 4, ClientTsMs: 400, MonoMs: 300, FirstFrameMs: &later, Kind: telemetry.KindEnd,
			Identity: telemetry.Identity{ViewerID: "w"}, PlayMs: 20, EndReason: telemetry.EndError, FatalCode: "27",
		}, 1_900},
	}
	offset := int64(850)
	want := telemetry.Session{
		SessionID: "s", Identity: telemetry.Identity{ViewerID: "v", ChannelID: "c"}, IdentitySeq: 1,
		Tier: telemetry.TierB, FirstRecvMs: 1_000, ClockOffsetMs: &offset, PlayRequested: true,
		Started: true, StartSeq: 1, FirstFrameMs: &first,
		First: telemetry.Mark{Seq: 0, RecvMs: 1_000, ClientTsMs: 100},
		Last:  telemetry.Mark{Seq: 4, RecvMs: 1_900, ClientTsMs: 400, MonoMs: 300},
		Ended: true, EndReason: telemetry.EndError, FatalCode: "27",
		Counters: telemetry.Counters{PlayMs: 20},
	}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var s telemetry.Session
		for _, i := range order {
			s.Apply(&records[i].hb, records[i].recvMs)
			s.Apply(&records[i].hb, records[i].recvMs+60_000) // a replay changes nothing
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("records in order %v (-want +got):\n%s", order, diff)
		}
	}
	if got := want.BeatsAfterStart(); got != 4 {
		t.Errorf("BeatsAfterStart = %d, want 4: seq 1 to 4", got)
	}
	if got := (&telemetry.Session{}).BeatsAfterStart(); got != 0 {
		t.Errorf("BeatsAfterStart = %d before the start, want 0", got)
	}
}

// TestConflict: of two records under one number, the one received first stays.
func TestConflict(t *testing.T) {
	t.Parallel()
	a := telemetry.Heartbeat{SessionID: "s", Seq: 3, MonoMs: 50_000, PlayMs: 10_000}
	b := telemetry.Heartbeat{SessionID: "s", Seq: 3, MonoMs: 50_000, PlayMs: 40_000}
	var s telemetry.Session
	s.Apply(&b, 200)
	s.Apply(&a, 100)
	if s.PlayMs != 10_000 {
		t.Errorf("play = %d ms, want the 10000 received first", s.PlayMs)
	}
}

func TestClosesAtMs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ended      bool
		intervalMs int64
		want       int64
	}{{false, 10_000, 1_090_000}, {false, 30_000, 1_090_000}, {false, 60_000, 1_180_000}, {true, 60_000, 1_000_000}} {
		s := telemetry.Session{Ended: c.ended, Last: telemetry.Mark{RecvMs: 1_000_000}}
		if got := s.ClosesAtMs(c.intervalMs); got != c.want {
			t.Errorf("ClosesAtMs(%d), ended %v = %d, want %d", c.intervalMs, c.ended, got, c.want)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	frames := telemetry.Counters{PlayMs: 20_000, Observed: telemetry.ObservedFrames}
	for name, c := range map[string]struct {
		s    telemetry.Session
		want telemetry.Flags
	}{
		"offline delivery": {telemetry.Session{Last: telemetry.Mark{RecvMs: 5, ClientTsMs: 600_000, MonoMs: 600_000}}, 0},
		"no client clock":  {telemetry.Session{Last: telemetry.Mark{RecvMs: 600_000, MonoMs: 660_000}}, 0},
		"fast":             {telemetry.Session{Last: telemetry.Mark{RecvMs: 600_000, MonoMs: 660_001}}, telemetry.FlagClock},
		"first ones lost": {telemetry.Session{
			First: telemetry.Mark{MonoMs: 600_000}, Last: telemetry.Mark{RecvMs: 10_000, MonoMs: 610_000},
		}, 0},
		"no frames":          {telemetry.Session{Counters: frames}, telemetry.FlagNoFrames},
		"frames not known":   {telemetry.Session{Counters: telemetry.Counters{PlayMs: 20_000}}, 0},
		"hidden":             {telemetry.Session{Counters: telemetry.Counters{PlayMs: 20_000, HiddenMs: 19_001}}, telemetry.FlagHidden},
		"hidden in a pause":  {telemetry.Session{Counters: telemetry.Counters{PlayMs: 20_000, PausedMs: 60_000, HiddenMs: 60_000}}, 0},
		"hidden, and paused": {telemetry.Session{Counters: telemetry.Counters{PlayMs: 20_000, PausedMs: 60_000, HiddenMs: 79_001}}, telemetry.FlagHidden},
		"hidden a lot":       {telemetry.Session{Counters: telemetry.Counters{PlayMs: 20_000, HiddenMs: 19_000}}, 0},
		"long":               {telemetry.Session{Counters: telemetry.Counters{PlayMs: telemetry.LongSessionMs + 1}}, telemetry.FlagLong},
		"not too long":       {telemetry.Session{Counters: telemetry.Counters{PlayMs: telemetry.LongSessionMs}}, 0},
	} {
		if got := c.s.Flags(); got != c.want {
			t.Errorf("%s: Flags = %b, want %b", name, got, c.want)
		}
	}
}
