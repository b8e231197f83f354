package simulate

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// steady is a link of constant throughput.
func steady(kbps float32) link {
	return link{trace: &Trace{Kbps: []float32{kbps}, RTTSec: 0.02}}
}

// even are segments of exactly the rung's size.
func even() *sizeTable {
	var t sizeTable
	for i := range t {
		t[i] = 1
	}
	return &t
}

// easy is a course on which nothing goes wrong.
func easy() course {
	return course{
		link: steady(50_000), setupSec: 1, manifestSec: 0.3, wantSec: 600,
		patienceSec: 30, stallSec: 60,
	}
}

func playAll(c course, set Settings, sizes *sizeTable) player {
	p := newPlayer(c, set, sizes)
	p.runTo(MaxSession.Seconds())
	return p
}

func TestPlayerOnAGoodLink(t *testing.T) {
	t.Parallel()
	p := playAll(easy(), DefaultSettings(), even())
	// The first segment is 630 kbit/s x 2 s at 50 Mbit/s: 25 ms and one round trip.
	if got, want := p.startupSec, 1+0.02+0.0252; math.Abs(got-want) > 1e-9 {
		t.Errorf("start after %.4f s, want %.4f", got, want)
	}
	if p.outcome != Watched || math.Abs(p.total.playSec-600) > 1e-9 || p.total.stallSec != 0 || p.total.stalls != 0 {
		t.Errorf("outcome %d, played %.3f s, stalled %.3f s in %d", p.outcome, p.total.playSec, p.total.stallSec, p.total.stalls)
	}
	// One second after the encoder's zero the live segment is 0; three back is
	// -3, whose first picture was taken 6 s before zero: 7 s behind at the start.
	if late := p.total.lateSec / p.total.playSec; late < 6.9 || late > 7.1 {
		t.Errorf("mean latency %.3f s, want about 7.0", late)
	}
	if top := p.total.rungSec[rungs-1] / p.total.playSec; top < 0.98 {
		t.Errorf("%.3f of the time at the highest rung, want nearly all", top)
	}
}

func TestPlayerOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		course func(*course)
		want   Outcome
	}{
		{"watches to the end", func(*course) {}, Watched},
		{"loses patience", func(c *course) { c.patienceSec = 0.5 }, ExitedEarly},
		{"cannot start", func(c *course) { c.broken = true }, FailedStart},
		{"no link at all", func(c *course) { c.link = steady(1); c.patienceSec = 600 }, FailedStart},
		{"leaves on stalls", func(c *course) { c.link = steady(150); c.stallSec = 20 }, LeftOnStalls},
		{"loses the link", func(c *course) {
			c.link = link{trace: &Trace{Kbps: append(slices.Repeat([]float32{9000}, 30), make([]float32, 600)...)}}
			c.stallSec = 500
		}, FailedPlay},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := easy()
			test.course(&c)
			if p := playAll(c, DefaultSettings(), even()); p.outcome != test.want {
				t.Errorf("outcome %d, want %d", p.outcome, test.want)
			}
		})
	}
}

func TestPlayerLeavesOnTheMinute(t *testing.T) {
	t.Parallel()
	c := easy()
	c.patienceSec, c.setupSec = 4.25, 9
	if p := playAll(c, DefaultSettings(), even()); p.now != 4.25 || p.started {
		t.Errorf("left at %g, want 4.25", p.now)
	}
	c = easy()
	c.link, c.stallSec = steady(150), 12.5
	if p := playAll(c, DefaultSettings(), even()); math.Abs(p.total.stallSec-12.5) > 1e-9 {
		t.Errorf("stalled %g s, want 12.5", p.total.stallSec)
	}
}

func TestPrefetchSavesTheManifest(t *testing.T) {
	t.Parallel()
	set := DefaultSettings()
	set.PrefetchManifest = true
	without, with := playAll(easy(), DefaultSettings(), even()), playAll(easy(), set, even())
	if got := without.startupSec - with.startupSec; math.Abs(got-0.3) > 1e-6 {
		t.Errorf("prefetching saves %.4f s, want 0.3", got)
	}
}

func TestHoldBackIsLatency(t *testing.T) {
	t.Parallel()
	late := func(holdBack int) float64 {
		p := playAll(easy(), Settings{HoldBack: holdBack}, even())
		return p.total.lateSec / p.total.playSec
	}
	for n := 3; n < maxHoldBack; n++ {
		if got := late(n+1) - late(n); math.Abs(got-segmentSec) > 0.05 {
			t.Errorf("from %d to %d segments: %.3f s more latency, want %g", n, n+1, got, segmentSec)
		}
	}
}

// drawCourse draws any course a world could give, and worse.
func drawCourse(t *rapid.T) course {
	trace := Trace{
		Kbps:   rapid.SliceOfN(rapid.Float32Range(0, 20_000), 5, 60).Draw(t, "kbps"),
		RTTSec: rapid.Float64Range(0.001, 0.5).Draw(t, "rtt"),
	}
	return course{
		link:        link{trace: &trace, offset: rapid.Float64Range(0, 4).Draw(t, "offset")},
		sizeAt:      rapid.Uint64().Draw(t, "sizes"),
		setupSec:    rapid.Float64Range(0.31, 5).Draw(t, "setup"),
		manifestSec: 0.3,
		joinPhase:   rapid.Float64Range(0, 1.999).Draw(t, "phase"),
		wantSec:     rapid.Float64Range(0.1, 400).Draw(t, "want"),
		patienceSec: rapid.Float64Range(0.1, 60).Draw(t, "patience"),
		stallSec:    rapid.Float64Range(0.1, 100).Draw(t, "stall"),
		broken:      rapid.IntRange(0, 9).Draw(t, "broken") == 0,
	}
}

func drawSettings(t *rapid.T) Settings {
	return Settings{
		PrefetchManifest: rapid.Bool().Draw(t, "prefetch"),
		HoldBack:         rapid.IntRange(minHoldBack, maxHoldBack).Draw(t, "hold back"),
		Rule:             Rule(rapid.IntRange(0, 1).Draw(t, "rule")),
	}
}

// Stopping on the way changes nothing, and no counter ever falls.
func TestPlayerInPieces(t *testing.T) {
	t.Parallel()
	sizes := newSizes(1)
	rapid.Check(t, func(t *rapid.T) {
		c, set := drawCourse(t), drawSettings(t)
		whole := playAll(c, set, sizes)
		p := newPlayer(c, set, sizes)
		step := rapid.Float64Range(0.05, 30).Draw(t, "step")
		var last counters
		for at := step; p.outcome == Running; at += step {
			p.runTo(at)
			now := p.read(0.01)
			if fell := last.above(&now); fell != "" {
				t.Fatalf("at %.2f s %s fell: %+v after %+v", at, fell, now, last)
			}
			last = now
		}
		opts := cmp.Options{
			cmp.AllowUnexported(totals{}), cmpopts.EquateApprox(1e-6, 1e-6),
		}
		if diff := cmp.Diff(whole.total, p.total, opts); diff != "" || whole.outcome != p.outcome {
			t.Fatalf("outcome %d in one go, %d in pieces of %.2f s (-whole +pieces)\n%s", whole.outcome, p.outcome, step, diff)
		}
	})
}

// above names a counter of c that is above that of later.
func (c *counters) above(later *counters) string {
	pairs := []struct {
		name     string
		old, now int64
	}{
		{"mono", c.monoMs, later.monoMs},
		{"play", c.playMs, later.playMs},
		{"stall", c.stallMs, later.stallMs},
		{"longest stall", c.stallMaxMs, later.stallMaxMs},
		{"stalls", c.stalls, later.stalls},
		{"frames", c.frames, later.frames},
		{"bytes", c.bytes, later.bytes},
		{"samples", c.latencyN, later.latencyN},
		{"errors", c.errors, later.errors},
		{"switches", c.switchUp + c.switchDown, later.switchUp + later.switchDown},
	}
	for _, p := range pairs {
		if p.old > p.now {
			return p.name
		}
	}
	return ""
}

// What a player reports adds up.
func TestPlayerAddsUp(t *testing.T) {
	t.Parallel()
	sizes := newSizes(2)
	rapid.Check(t, func(t *rapid.T) {
		p := playAll(drawCourse(t), drawSettings(t), sizes)
		sum := 0.0
		for _, sec := range p.total.rungSec {
			sum += sec
		}
		switch {
		case p.outcome == Running:
			t.Fatal("the session has no end")
		case math.Abs(sum-p.total.playSec) > 1e-6:
			t.Fatalf("%.6f s at the rungs, %.6f s played", sum, p.total.playSec)
		case p.total.playSec > p.wantSec+1e-9:
			t.Fatalf("played %.6f s of %.6f wanted", p.total.playSec, p.wantSec)
		case p.started && math.Abs(p.startupSec+p.total.playSec+p.total.stallSec-p.now) > 1e-6:
			t.Fatalf("start %.6f + play %.6f + stall %.6f s are not %.6f", p.startupSec, p.total.playSec, p.total.stallSec, p.now)
		case p.total.stallMaxSec > p.total.stallSec+1e-9 || p.total.stallSec > p.stallSec+1e-9:
			t.Fatalf("stalls: longest %.6f, total %.6f, borne %.6f", p.total.stallMaxSec, p.total.stallSec, p.stallSec)
		case p.now > MaxSession.Seconds():
			t.Fatalf("lasted %.1f s", p.now)
		}
	})
}

func TestRuleChooses(t *testing.T) {
	t.Parallel()
	fed := func(kbps ...float64) *estimate {
		e := &estimate{}
		for _, k := range kbps {
			e.add(k)
		}
		return e
	}
	tests := []struct {
		name   string
		rule   Rule
		est    *estimate
		buffer float64
		last   int
		want   int
	}{
		{"nothing known", RuleThroughput, fed(), 0, -1, startRung},
		{"nothing known, buffer rule", RuleBuffer, fed(), 9, -1, startRung},
		{"below all rungs", RuleThroughput, fed(100), 4, 2, 0},
		{"at a rung", RuleThroughput, fed(3000 / safety), 4, 0, 3},
		{"just below it", RuleThroughput, fed(2999 / safety), 4, 0, 2},
		{"harmonic mean", RuleThroughput, fed(1000, 1000, 9000), 4, 4, 1}, // 1421 x 0.8
		{"of the last five", RuleThroughput, fed(1, 9000, 9000, 9000, 9000, 9000), 4, 0, 4},
		{"reservoir", RuleBuffer, fed(9000), reservoirSec, 4, bufferFloor},
		{"never the lowest rung", RuleBuffer, fed(100), 0, 1, bufferFloor},
		{"full", RuleBuffer, fed(100), reservoirSec + cushionSec, 3, 4},
		{"one rung at a time", RuleBuffer, fed(100), reservoirSec + cushionSec, 0, 1},
		{"keeps between the rungs", RuleBuffer, fed(100), reservoirSec + 0.3*cushionSec, 2, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.rule.choose(test.est, test.buffer, test.last); got != test.want {
				t.Errorf("choose = %d, want %d", got, test.want)
			}
		})
	}
}

func BenchmarkSession(b *testing.B) {
	w := NewWorld(Options{Seed: 1, Epoch: epoch, Viewers: 20_000})
	sessions := w.Schedule(0)
	b.ReportAllocs()
	i, segments := 0, 0.0
	for b.Loop() {
		v := w.Visit(sessions[i%len(sessions)])
		p := w.play(&v, DefaultSettings())
		p.runTo(MaxSession.Seconds())
		segments += p.total.playSec / segmentSec
		i++
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "sessions/s")
	b.ReportMetric(segments/float64(i), "segments/op")
}
