package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// storedSessions reads every session in the order of ids.
func storedSessions(t testing.TB, db *DB) []telemetry.Session {
	t.Helper()
	var rows []string
	err := db.sql.SelectContext(t.Context(), &rows, `select `+selectSession("s")+` from sessions s order by session_id`)
	if err != nil {
		t.Fatalf("read sessions: %v", err)
	}
	out := make([]telemetry.Session, len(rows))
	for i, text := range rows {
		if out[i], err = parseSession(text); err != nil {
			t.Fatalf("parseSession(%q): %v", text, err)
		}
	}
	return out
}

// drawBeats draws records of few sessions with few numbers, so that every
// comparison of Merge meets equal and different values.
func drawBeats(t *rapid.T) []telemetry.Heartbeat {
	small := rapid.Int64Range(0, 3)
	text := rapid.SampledFrom([]string{"", "a", "b", "tab\tquote\"slash\\(,)", "é\n"})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) telemetry.Heartbeat {
		hb := telemetry.Heartbeat{
			SessionID: rapid.SampledFrom([]string{"s1", "s2", "s3"}).Draw(t, "session"),
			Seq:       small.Draw(t, "seq"),
			Kind:      rapid.SampledFrom([]telemetry.Kind{telemetry.KindBeat, telemetry.KindEnd}).Draw(t, "kind"),
			EndReason: telemetry.EndReason(text.Draw(t, "reason")), FatalCode: text.Draw(t, "fatal"),
			Identity: telemetry.Identity{
				ViewerID: text.Draw(t, "viewer"), ChannelID: text.Draw(t, "channel"),
				Dims: telemetry.Dims{Country: text.Draw(t, "country"), Player: text.Draw(t, "player")},
			},
			MonoMs:        small.Draw(t, "mono"),
			PlayRequested: rapid.Bool().Draw(t, "requested"),
			PlayMs:        small.Draw(t, "play"), StallMs: small.Draw(t, "stall"), Bytes: small.Draw(t, "bytes"),
			LatencyMaxMs: small.Draw(t, "latency"), StallMaxMs: small.Draw(t, "stallMax"),
			Measures:       telemetry.Measures(rapid.SampledFrom([]string{"", `{"a":1}`, `{"a":2,"b":0.5}`}).Draw(t, "measures")),
			SinceStallMs:   small.Draw(t, "since"),
			LatencyMinutes: rapid.SampledFrom([]telemetry.Dwell{nil, {{At: 3_000, Ms: 1}}, {{At: 2_900, Ms: 2}, {At: 90_000, Ms: 1}}}).Draw(t, "late"),
			Tier:           telemetry.Tier(rapid.IntRange(1, 4).Draw(t, "tier")), //nolint:gosec // in range
			Observed:       telemetry.Observed(rapid.Uint16().Draw(t, "observed")),
		}
		// Client clocks in one class of epochs, mostly.
		hb.ClientTsMs = rapid.SampledFrom([]int64{0, 1_000_000, 1_000_001, 1_000_002, 2_000_000}).Draw(t, "clientTs")
		if rapid.Bool().Draw(t, "frame") {
			frame := small.Draw(t, "firstFrame")
			hb.FirstFrameMs = &frame
		}
		return hb
	}), 1, 12).Draw(t, "beats")
}

func TestMergeSessionsIsTelemetryMerge(t *testing.T) {
	t.Parallel()
	db := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := db.sql.Exec(`truncate sessions`); err != nil {
			rt.Fatal(err)
		}
		want := map[string]telemetry.Session{}
		for range rapid.IntRange(1, 4).Draw(rt, "batches") {
			batch := telemetry.FoldBatch(drawBeats(rt), rapid.Int64Range(1_000_000, 1_000_003).Draw(rt, "recv"))
			if err := db.MergeSessions(context.Background(), batch); err != nil {
				rt.Fatalf("MergeSessions: %v", err)
			}
			for _, s := range batch {
				want[s.SessionID] = telemetry.Merge(want[s.SessionID], s)
			}
		}
		got := map[string]telemetry.Session{}
		for _, s := range storedSessions(t, db) {
			got[s.SessionID] = s
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Fatalf("stored sessions differ from telemetry.Merge (-want +got):\n%s", diff)
		}
	})
}

func TestMergeSessionsKeepsEveryField(t *testing.T) {
	t.Parallel()
	db := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := db.sql.Exec(`truncate sessions`); err != nil {
			rt.Fatal(err)
		}
		s := rapid.Make[telemetry.Session]().Draw(rt, "session")
		s.SessionID = "s"
		s.Tier = s.Tier%4 + 1
		s.FirstFrameMs = map[bool]*int64{true: s.FirstFrameMs}[s.Started]
		for _, text := range append(textsOf(&s), (*string)(&s.EndReason), &s.FatalCode) {
			*text = storable(*text)
		}
		measures := rapid.SampledFrom([]telemetry.Measures{"", `{"a":1}`, `{"a":2,"b":0.5}`})
		s.Measures = measures.Draw(rt, "measures")
		s.LatencyMinutes.Measures = measures.Draw(rt, "minutes")
		for i := range s.Epochs {
			s.Epochs[i].Measures = measures.Draw(rt, "measures of an epoch")
			s.Epochs[i].LatencyMinutes.Measures = measures.Draw(rt, "minutes of an epoch")
		}
		if len(s.Epochs) == 0 {
			s.Epochs = nil
		}
		if err := db.MergeSessions(context.Background(), []telemetry.Session{s}); err != nil {
			rt.Fatalf("MergeSessions: %v", err)
		}
		if diff := gocmp.Diff([]telemetry.Session{s}, storedSessions(t, db)); diff != "" {
			rt.Fatalf("a session changed on its way (-want +got):\n%s", diff)
		}
	})
}

func textsOf(s *telemetry.Session) []*string {
	texts := identityOf(s)
	return texts[:]
}

// storable is s as PostgreSQL can hold it.
func storable(s string) string {
	var out []rune
	for _, r := range s {
		if r == 0 {
			r = '\uFFFD'
		}
		out = append(out, r)
	}
	return string(out)
}

func TestMergeSessionsConcurrently(t *testing.T) {
	t.Parallel()
	db := open(t)
	rng := rand.New(rand.NewPCG(1, 2))
	const writers, batches, perBatch = 4, 20, 50
	want := map[string]telemetry.Session{}
	var all [writers * batches][]telemetry.Session
	for i := range all {
		for range perBatch {
			hb := telemetry.Heartbeat{
				SessionID: fmt.Sprint("s", rng.IntN(30)), Seq: rng.Int64N(1000), Kind: telemetry.KindBeat,
				MonoMs: rng.Int64N(100), PlayMs: rng.Int64N(100),
				ClientTsMs: 1_000_000 * rng.Int64N(2),
			}
			all[i] = append(all[i], telemetry.FoldBatch([]telemetry.Heartbeat{hb}, 5_000_000+rng.Int64N(5))...)
		}
		for _, s := range all[i] {
			want[s.SessionID] = telemetry.Merge(want[s.SessionID], s)
		}
	}
	failed := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := w; i < len(all); i += writers {
				if err := db.MergeSessions(t.Context(), all[i]); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Fatalf("MergeSessions: %v", err)
		}
	}
	wantList := make([]telemetry.Session, 0, len(want))
	for _, s := range want {
		wantList = append(wantList, s)
	}
	slices.SortFunc(wantList, func(a, b telemetry.Session) int { return cmp.Compare(a.SessionID, b.SessionID) })
	if diff := gocmp.Diff(wantList, storedSessions(t, db)); diff != "" {
		t.Errorf("stored sessions differ from telemetry.Merge (-want +got):\n%s", diff)
	}
}

func TestMergeSessionsRefusesTooMany(t *testing.T) {
	t.Parallel()
	db := open(t)
	batch := make([]telemetry.Session, MaxSessionBatch+1)
	err := db.MergeSessions(t.Context(), batch)
	if code, _ := experiment.CodeOf(err); code != experiment.CodeTooLarge {
		t.Errorf("MergeSessions of %d = %v, want code %s", len(batch), err, experiment.CodeTooLarge)
	}
	for i := range batch {
		batch[i] = telemetry.Session{SessionID: fmt.Sprint(i), Tier: telemetry.TierA}
	}
	if err := db.MergeSessions(t.Context(), batch[:MaxSessionBatch]); err != nil {
		t.Errorf("MergeSessions of %d: %v", MaxSessionBatch, err)
	}
}
