package simulate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/telemetry"
)

// tinyWorld is for tests that look at every report.
func tinyWorld(seed uint64) *World {
	return NewWorld(Options{Seed: seed, Epoch: epoch, Viewers: 3_000})
}

// visits calls each for the visits of some days whose reports have the format.
func visits(w *World, days int, f Format, each func(v *Visit)) {
	for day := range days {
		for _, s := range w.Schedule(day) {
			if v := w.Visit(s); v.Who.CMCD == (f == CMCD) {
				each(&v)
			}
		}
	}
}

func bodyOf(reports []Report) []byte {
	var b []byte
	for _, r := range reports {
		b = append(append(b, r.Body...), '\n')
	}
	return b
}

// The platform's own decoder takes every heartbeat, and finds nothing that
// cannot be true.
func TestHeartbeatsAreTaken(t *testing.T) {
	t.Parallel()
	w := tinyWorld(1)
	n := 0
	for _, cadence := range []Cadence{SparseCadence, LiveCadence} {
		visits(w, 1, Heartbeat, func(v *Visit) {
			reports := w.View(v, DefaultSettings(), cadence).TakeAll()
			n += len(reports)
			beats, refused, err := telemetry.DecodeHeartbeats(bodyOf(reports), "application/x-ndjson")
			if err != nil || len(refused) > 0 || len(beats) != len(reports) {
				t.Fatalf("session %s: %d of %d records, %v, %+v", v.ID, len(beats), len(reports), err, refused)
			}
			for i := range beats {
				if rejected := telemetry.Validate(&beats[i]); len(rejected) > 0 {
					t.Fatalf("session %s: %+v", v.ID, rejected)
				}
			}
			sessions := telemetry.FoldBatch(beats, v.Start.UnixMilli())
			if len(sessions) != 1 || sessions[0].Flags() != 0 || sessions[0].Epochs != nil {
				t.Fatalf("session %s: %+v", v.ID, sessions)
			}
		})
	}
	if n < 1000 {
		t.Fatalf("only %d heartbeats were looked at", n)
	}
}

// What the platform makes of the heartbeats is what the player did.
func TestHeartbeatsTellTheTruth(t *testing.T) {
	t.Parallel()
	w := tinyWorld(2)
	visits(w, 2, Heartbeat, func(v *Visit) {
		if v.killed > 0 {
			return // its end is never told
		}
		p := w.play(v, DefaultSettings())
		p.runTo(MaxSession.Seconds())
		want := p.read(v.dropShare)
		body := bodyOf(w.View(v, DefaultSettings(), SparseCadence).TakeAll())
		beats, _, err := telemetry.DecodeHeartbeats(body, "application/x-ndjson")
		if err != nil {
			t.Fatal(err)
		}
		s := telemetry.FoldBatch(beats, 0)[0]
		got := counters{
			monoMs: s.Last.MonoMs, firstFrameMs: -1,
			playMs: s.PlayMs, stallMs: s.StallMs, stallMaxMs: s.StallMaxMs, sinceStallMs: s.SinceStallMs,
			stalls: s.StallN, switchUp: s.SwitchesUp, switchDown: s.SwitchesDown,
			rungMs: want.rungMs,
			frames: s.Frames, dropped: s.DroppedFrames, bytes: s.Bytes, errors: s.ErrorsN,
			latencySum: s.LatencySumMs, latencyN: s.LatencySamples, lateMax: s.LatencyMaxMs,
		}
		if s.FirstFrameMs != nil {
			got.firstFrameMs = *s.FirstFrameMs
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(counters{})); diff != "" {
			t.Fatalf("session %s (-player +platform)\n%s", v.ID, diff)
		}
		var kbpsMs int64
		for i, ms := range want.rungMs {
			kbpsMs += ladder[i].kbps * ms
		}
		failed := p.outcome == FailedStart || p.outcome == FailedPlay
		if s.RungKbpsMs != kbpsMs || !s.Ended || (s.FatalCode != "") != failed || s.Started != p.started {
			t.Fatalf("session %s: %+v", v.ID, s)
		}
	})
}

// The wire format is that of the reference, field by field.
func TestHeartbeatFields(t *testing.T) {
	t.Parallel()
	w := smallWorld(3)
	var beat []byte
	visits(w, 1, Heartbeat, func(v *Visit) {
		if reports := w.View(v, DefaultSettings(), SparseCadence).TakeAll(); beat == nil && len(reports) == 3 && reports[2].Kind == "end" {
			beat = reports[2].Body
		}
	})
	var got map[string]any
	if err := json.Unmarshal(beat, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "since_stall_ms") // of those that stalled
	for field := range strings.FieldsSeq(`session_id seq kind end_reason viewer_id device_id channel_id broadcaster_id
		stream_id client_ts_ms mono_ms play_requested first_frame_ms play_ms stall_ms stall_n stall_max_ms seek_stall_ms
		paused_ms ad_ms hidden_ms rung_ms height_ms switches_up switches_down frames dropped_frames bytes errors_n
		latency_ms_sum latency_samples latency_max country asn device_class os player player_version net_class
		telemetry_tier schema`) {
		if _, ok := got[field]; !ok {
			t.Errorf("no field %s in %s", field, beat)
		}
		delete(got, field)
	}
	if len(got) > 0 {
		t.Errorf("fields that nobody knows: %v", got)
	}
}

func TestReportsAreNumberedAndInOrder(t *testing.T) {
	t.Parallel()
	w := smallWorld(4)
	for _, f := range []Format{Heartbeat, CMCD} {
		visits(w, 2, f, func(v *Visit) {
			reports := w.View(v, DefaultSettings(), SparseCadence).TakeAll()
			for i, r := range reports {
				if r.Seq != int64(i) || r.Format != f || r.At.Before(v.Start) || i > 0 && r.At.Before(reports[i-1].At) {
					t.Fatalf("report %d of %s: %s, number %d, after %s", i, v.ID, r.Kind, r.Seq, r.At.Sub(v.Start))
				}
			}
			if f == Heartbeat && len(reports) > 3 {
				t.Fatalf("%d heartbeats of %s", len(reports), v.ID)
			}
		})
	}
}

// Taking reports as time goes by gives what taking all at once does.
func TestViewingInRealTime(t *testing.T) {
	t.Parallel()
	w := smallWorld(5)
	n := 0
	for _, f := range []Format{Heartbeat, CMCD} {
		visits(w, 1, f, func(v *Visit) {
			if n++; n > 300 && f == Heartbeat || n > 400 {
				return
			}
			want := bodyOf(w.View(v, DefaultSettings(), LiveCadence).TakeAll())
			var got []byte
			view := w.View(v, DefaultSettings(), LiveCadence)
			for at := v.Start; !view.Done(); at = at.Add(time.Second) {
				due := view.Due()
				reports := view.Take(at)
				for _, r := range reports {
					if r.At.After(at) {
						t.Fatalf("a report of %s was taken at %s", r.At, at)
					}
				}
				if len(reports) > 0 && f == Heartbeat && at.Before(due.Add(-time.Second)) && at.After(v.Start) && !view.Done() {
					t.Fatalf("a report came at %s, before it was due at %s", at, due)
				}
				got = append(got, bodyOf(reports)...)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("session %s differs:\n%s\n%s", v.ID, got, want)
			}
		})
	}
}

func TestKilledTabSendsNoEnd(t *testing.T) {
	t.Parallel()
	w := smallWorld(6)
	killed, told := 0, 0
	visits(w, 2, Heartbeat, func(v *Visit) {
		p := w.play(v, DefaultSettings())
		p.runTo(MaxSession.Seconds())
		reports := w.View(v, DefaultSettings(), SparseCadence).TakeAll()
		last := reports[len(reports)-1]
		if v.killed == 0 || !p.started {
			if last.Kind != "end" {
				t.Fatalf("%s ends with %s", v.ID, last.Kind)
			}
			return
		}
		killed++
		if last.Kind == "end" {
			t.Fatalf("%s was killed and said so", v.ID)
		}
		if len(reports) > 1 {
			told++
			// What is lost is at most one interval of ten seconds.
			if lost := v.Start.Add(time.Duration(p.now * float64(time.Second))).Sub(last.At); lost > 11*time.Second {
				t.Fatalf("%s: the last %s are lost", v.ID, lost)
			}
		}
		if want := v.told(&p); want != (len(reports) > 1) {
			t.Fatalf("%s: %d reports, but told is %t", v.ID, len(reports), want)
		}
	})
	if killed == 0 || told == killed {
		t.Errorf("of %d killed sessions %d told how they went", killed, told)
	}
}

func TestRewrittenTVAppLosesReports(t *testing.T) {
	t.Parallel()
	w := smallWorld(7)
	set := DefaultSettings()
	set.TVRewrite = true
	silent, muted := 0, 0
	visits(w, 2, Heartbeat, func(v *Visit) {
		reports := w.View(v, set, SparseCadence).TakeAll()
		switch {
		case v.Who.OldTV:
			silent++
			if len(reports) > 0 {
				t.Fatalf("%s on an old television reports", v.ID)
			}
		case v.Who.Device == TV && v.lostBeats:
			muted++
			if len(reports) != 1 || reports[0].Kind != "start" {
				t.Fatalf("%s lost its beats, but sent %d", v.ID, len(reports))
			}
		default:
			if want := w.View(v, DefaultSettings(), SparseCadence).TakeAll(); !bytes.Equal(bodyOf(want), bodyOf(reports)) {
				t.Fatalf("%s is not on a television, but changed", v.ID)
			}
		}
	})
	if silent == 0 || muted == 0 {
		t.Errorf("%d silent and %d muted sessions", silent, muted)
	}
}

func BenchmarkView(b *testing.B) {
	w := smallWorld(1)
	sessions := w.Schedule(0)
	b.ReportAllocs()
	i, n := 0, 0
	for b.Loop() {
		v := w.Visit(sessions[i%len(sessions)])
		n += len(w.View(&v, DefaultSettings(), SparseCadence).TakeAll())
		i++
	}
	b.ReportMetric(float64(n)/float64(i), "reports/op")
}
