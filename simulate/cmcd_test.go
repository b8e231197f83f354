package simulate

import (
	"math"
	"testing"

	"github.com/splitcast/splitcast/telemetry"
)

// The platform's own decoder takes every record, and what it folds is what the
// player did, to the millisecond of each change of state.
func TestCMCDTellsTheTruth(t *testing.T) {
	t.Parallel()
	w := NewWorld(Options{Seed: 1, Epoch: epoch, Viewers: 120_000})
	n, stalled, failed := 0, 0, 0
	visits(w, 4, CMCD, func(v *Visit) {
		n++
		p := w.play(v, DefaultSettings())
		p.runTo(MaxSession.Seconds())
		reports := w.View(v, DefaultSettings(), SparseCadence).TakeAll()
		records, rejected, err := telemetry.DecodeCMCD(bodyOf(reports))
		if err != nil || len(rejected) > 0 || len(records) != len(reports) {
			t.Fatalf("session %s: %d of %d records, %v, %+v", v.ID, len(records), len(reports), err, rejected)
		}
		s := telemetry.FoldCMCD(records)
		if s.SessionID != v.ID || s.ChannelID != v.Broadcast.ChannelID || s.Tier != telemetry.TierB {
			t.Fatalf("session %s: %+v", v.ID, s)
		}
		if s.Started != p.started || s.Started && *s.FirstFrameMs != ms(p.startupSec) {
			t.Fatalf("session %s started %t after %v, the player after %g s", v.ID, s.Started, s.FirstFrameMs, p.startupSec)
		}
		if fatal := p.outcome == FailedStart || p.outcome == FailedPlay; fatal != (s.FatalCode != "") {
			t.Fatalf("session %s: fatal %q, outcome %d", v.ID, s.FatalCode, p.outcome)
		} else if fatal {
			failed++
		}
		if v.killed > 0 {
			return
		}
		stalled += count(p.total.stalls > 0)
		slack := float64(2*p.total.stalls + 2) // ms: each change of state is rounded
		if math.Abs(float64(s.StallMs)-1000*p.total.stallSec) > slack || math.Abs(float64(s.PlayMs)-1000*p.total.playSec) > slack {
			t.Fatalf("session %s: played %d ms and stalled %d ms, the player %.0f and %.0f",
				v.ID, s.PlayMs, s.StallMs, 1000*p.total.playSec, 1000*p.total.stallSec)
		}
		if s.Observed.Has(telemetry.ObservedLatency) {
			t.Fatalf("session %s reports latency, which hls.js does not", v.ID)
		}
	})
	if n < 200 || stalled < 10 || failed == 0 {
		t.Fatalf("%d sessions, %d with stalls, %d failed: too few to tell", n, stalled, failed)
	}
}

func TestCMCDIsWellFormed(t *testing.T) {
	t.Parallel()
	w := NewWorld(Options{Seed: 2, Epoch: epoch, Viewers: 40_000})
	states := map[string]bool{}
	visits(w, 3, CMCD, func(v *Visit) {
		for i, r := range w.View(v, DefaultSettings(), SparseCadence).TakeAll() {
			rec, err := parseCMCD(string(r.Body))
			if err != nil {
				t.Fatalf("%s: %v", r.Body, err)
			}
			states[rec.text("sta")] = true
			if rec.number("v") != 2 || rec.number("sn") != int64(i) || rec.text("sid") != v.ID || rec.text("st") != "l" || rec.text("sf") != "h" {
				t.Fatalf("not a record of %s: %s", v.ID, r.Body)
			}
			for _, key := range []string{"bl", "mtp"} { // rounded to 100
				if n := rec.number(key); rec.values[key] != "" && (n < 0 || n%100 != 0) {
					t.Fatalf("%s is %d in %s", key, n, r.Body)
				}
			}
			if _, custom := rec.values["com.example-arm"]; custom {
				t.Fatalf("an arm on the wire: %s", r.Body)
			}
		}
	})
	for _, s := range []string{"d", "s", "p", "r", "e", "f"} {
		if !states[s] {
			t.Errorf("no record with state %s", s)
		}
	}
}
