package simulate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start is a second at which the live world begins.
const start = 1_795_000_000

func TestPassersAreTheirSecond(t *testing.T) {
	t.Parallel()
	w := smallWorld(1)
	n := 0
	for second := int64(start); second < start+2_000; second++ {
		got := w.Passers(second, 5)
		if diff := cmp.Diff(got, w.Passers(second, 5), sessionFields); diff != "" {
			t.Fatalf("second %d differs from itself\n%s", second, diff)
		}
		for _, s := range got {
			if s.Start.Unix() != second || s.Viewer < 0 || s.Viewer >= w.Viewers() {
				t.Fatalf("second %d: %+v", second, s)
			}
		}
		n += len(got)
	}
	// Poisson of mean 10,000: four standard deviations.
	if n < 9_600 || n > 10_400 {
		t.Errorf("%d sessions in 2,000 s, want about 10,000", n)
	}
}

// An hour of the live world by a hand clock: every session is told of from its
// start to its end, once.
func TestLiveSendsEverything(t *testing.T) {
	t.Parallel()
	p, w := newPlatform(t), smallWorld(2)
	d := newDriver(t, p, w)
	d.LiveRate = 1
	d.prepare()
	l := live{driver: d, wheel: map[int64][]*Viewing{}, next: start}
	for now := int64(start); now <= start+600; now++ {
		if err := l.advance(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	checkSent(t, p, d.Sent())
	if got := d.Checkpoint().Unix(); got != start+600 {
		t.Errorf("Checkpoint() = %d, want %d", got, start+600)
	}
	beats, sessions := 0, 0
	for second := int64(start); second < start+600; second++ {
		for _, s := range w.Passers(second, 1) {
			v := w.Visit(s)
			arms := map[string]bool{}
			for _, x := range p.exposures {
				if x.Session == v.ID {
					arms[x.Experiment] = true
				}
			}
			sent := p.heartbeats[v.ID]
			if v.Who.CMCD || len(sent) == 0 {
				continue
			}
			sessions++
			beats += len(sent)
			if sent[0] == "" {
				t.Fatalf("session %s has no start", v.ID)
			}
		}
	}
	if sessions < 400 || beats < 5*sessions {
		t.Errorf("%d heartbeats of %d sessions within ten minutes", beats, sessions)
	}
}

// A computer that slept does not make up for it.
func TestLiveSkipsWhatItSlept(t *testing.T) {
	t.Parallel()
	p, w := newPlatform(t), smallWorld(3)
	d := newDriver(t, p, w)
	d.LiveRate = 1
	d.prepare()
	l := live{driver: d, wheel: map[int64][]*Viewing{}, next: start}
	if err := l.advance(t.Context(), start+8*3600); err != nil {
		t.Fatal(err)
	}
	if n := d.Sent().Evaluations; n > 2*maxLagSeconds {
		t.Errorf("%d sessions began while the computer slept", n)
	}
	if l.next != start+8*3600 {
		t.Errorf("the next second is %d, want %d", l.next, start+8*3600)
	}
}

func TestLiveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := newDriver(t, p, smallWorld(4))
	if err := d.Live(t.Context()); !errors.Is(err, errNoClock) {
		t.Errorf("Live without a clock: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	now := time.Unix(start, 0)
	d.Now = func() time.Time { stop(); return now }
	if err := d.Live(ctx); err != nil {
		t.Errorf("Live of an ended context: %v", err)
	}
}

// Sessions that CatchUp left under way are told of to their end.
func TestLiveContinuesCatchUp(t *testing.T) {
	t.Parallel()
	p, w := newPlatform(t), smallWorld(5)
	d := newDriver(t, p, w)
	d.LiveRate = 1e-9
	to := epoch.Add(3 * time.Hour)
	if err := d.CatchUp(t.Context(), epoch, to); err != nil {
		t.Fatal(err)
	}
	left := len(d.pending)
	before := p.beats + p.lines
	l := live{driver: d, wheel: map[int64][]*Viewing{}, next: to.Add(4 * time.Hour).Unix()}
	if err := l.advance(t.Context(), l.next+1); err != nil {
		t.Fatal(err)
	}
	if sent := p.beats + p.lines - before; left == 0 || sent != left || len(d.pending) > 0 {
		t.Errorf("%d reports were left, %d sent, %d still left", left, sent, len(d.pending))
	}
	checkSent(t, p, d.Sent())
}
