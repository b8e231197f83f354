package simulate

import "math"

// The player and its live stream. Segment k holds the encoder's seconds
// [k·segmentSec, (k+1)·segmentSec) and can be fetched packagingSec after its end.
const (
	segmentSec    = 2.0
	packagingSec  = 0.5
	resumeSec     = 2.0  // buffer needed to start or to resume
	maxLatencySec = 20.0 // beyond it the player jumps back to its hold-back
	catchUpRate   = 1.05 // while late and well buffered
	catchUpLate   = 2.0  // behind the target before catching up
	catchUpBuffer = 3.0
	// MaxWatchSec bounds what one session plays, and so what it costs.
	MaxWatchSec = 7_200.0
	noticedSec  = 0.5 // a shorter stall is a dropped frame to the viewer
)

// Outcome is how a session came to its end.
type Outcome uint8

// The outcomes.
const (
	Running      Outcome = iota
	Watched              // as long as the viewer meant to
	ExitedEarly          // left before the first frame
	FailedStart          // a fatal error before the first frame
	FailedPlay           // a fatal error later
	LeftOnStalls         // had enough of stalls
)

// course is what a session brings with it: the same in every arm.
type course struct {
	link        link
	sizeAt      uint64  // offset into the sizes of segments
	setupSec    float64 // page, manifest and decoder, in control
	manifestSec float64 // of it for the manifest
	joinPhase   float64 // of the encoder at the start, s
	wantSec     float64 // the viewer would watch if nothing went wrong
	patienceSec float64 // wait for the first frame that the viewer accepts
	stallSec    float64 // stall in total that the viewer accepts
	broken      bool    // the start fails: no such manifest, no licence
}

// phase is what the player waits for.
type phase uint8

const (
	settingUp phase = iota
	awaiting        // the next segment to exist
	fetching
)

// player is one viewing: the segment-level model of a live player, advanced
// from event to event. It draws no random numbers, so two arms that see the
// same course differ by their settings alone.
type player struct {
	course
	set   Settings
	sizes *sizeTable
	log   func(atSec float64, s state) // optional: changes of state, see cmcd.go
	// minutes counts live latency minute by minute, if anybody asks for it.
	minutes *lateMinutes

	outcome Outcome
	phase   phase
	now     float64 // s since the viewer asked to play
	due     float64 // when the phase ends
	fetchOK bool
	fetched float64 // kbit under way
	took    float64

	segment  int // next to fetch
	rung     int
	est      estimate
	headLeft float64 // s of the segment on screen
	queue    [bufferSegments]uint8
	queueAt  uint
	queueN   uint

	playing     bool
	started     bool
	startupSec  float64
	late        float64 // behind the encoder, s
	lateAllowed float64 // before catching up
	rate        float64 // of playback
	stall       float64 // length of the stall at hand
	total       totals
}

// bufferSegments is more than fits between the playhead and the live edge: a
// player that is later than maxLatencySec jumps. A power of two.
const bufferSegments = 16

// totals are the counters that a player reports.
type totals struct {
	playSec, stallSec, stallMaxSec float64
	stallEndSec                    float64 // when the last stall ended
	stalls, jumps, switchUp        int64
	switchDown                     int64
	rungSec                        [rungs]float64
	kbit                           float64
	lateSec                        float64 // integral of the latency over play
	lateMax                        float64
}

// state is a player state in the words of CMCD.
type state byte

const (
	statePlaying state = 'p'
	stateStalled state = 'r'
	stateFailed  state = 'f'
	stateEnded   state = 'e'
	stateRung    state = 'b' // not a state: another rung was chosen
)

func newPlayer(c course, set Settings, sizes *sizeTable) player {
	p := player{course: c, set: set, sizes: sizes, rung: -1}
	p.due = c.setupSec
	if set.PrefetchManifest {
		p.due -= c.manifestSec
	}
	p.wantSec = min(c.wantSec, MaxWatchSec)
	p.lateAllowed = float64(set.holdBack())*segmentSec + packagingSec + catchUpLate
	return p
}

// runTo advances the session to atSec, or to its end. The state between two
// events is exact, so that stopping on the way changes nothing.
func (p *player) runTo(atSec float64) {
	for p.outcome == Running && p.now < atSec {
		until := p.due
		if until > atSec {
			until = atSec
		}
		if !p.started && until > p.patienceSec {
			until = p.patienceSec
		}
		p.elapse(until - p.now)
		switch {
		case p.outcome != Running:
		case p.now >= p.due:
			p.event()
		case !p.started && p.now >= p.patienceSec:
			p.outcome = ExitedEarly
		}
	}
}

// event ends the phase at hand.
func (p *player) event() {
	switch p.phase {
	case settingUp:
		if p.broken {
			p.finish(FailedStart)
			return
		}
		p.segment = p.edge()
		p.next()
	case awaiting:
		p.fetch()
	case fetching:
		p.arrived()
	}
}

// edge returns the segment at the hold-back.
func (p *player) edge() int {
	return int(math.Floor((p.now-p.joinPhase)/segmentSec)) - p.set.holdBack()
}

// next waits for the next segment to exist, or fetches it when it does.
func (p *player) next() {
	p.phase = awaiting
	p.due = float64(p.segment+1)*segmentSec + packagingSec + p.joinPhase
	if p.due <= p.now {
		p.fetch()
	}
}

func (p *player) fetch() {
	r := p.set.Rule.choose(&p.est, p.buffer(), p.rung)
	if p.rung >= 0 && r != p.rung {
		if r > p.rung {
			p.total.switchUp++
		} else {
			p.total.switchDown++
		}
	}
	if r != p.rung {
		p.rung = r
		p.enter(stateRung)
	}
	p.phase = fetching
	p.fetched = float64(ladder[r].kbps) * segmentSec * p.sizes.at(p.sizeAt+uint64(p.segment))
	p.took, p.fetchOK = p.link.fetch(p.now, p.fetched)
	p.due = p.now + p.took
}

func (p *player) arrived() {
	if !p.fetchOK {
		if p.started {
			p.finish(FailedPlay)
		} else {
			p.finish(FailedStart)
		}
		return
	}
	p.est.add(p.fetched / p.took)
	p.total.kbit += p.fetched
	p.enqueue(uint8(p.rung))
	p.segment++
	if !p.playing && p.buffer() >= resumeSec {
		p.resume()
	}
	if p.playing && p.late > maxLatencySec {
		p.jump()
	}
	p.pace()
	p.next()
}

func (p *player) resume() {
	p.playing = true
	p.endStall()
	if !p.started {
		p.started = true
		p.startupSec = p.now
		p.late = p.now - p.joinPhase - float64(p.segment-1)*segmentSec
	}
	p.enter(statePlaying)
}

// jump gives up what is buffered and begins again at the hold-back, as players
// do that fell too far behind: the viewer sees one more stall.
func (p *player) jump() {
	p.total.jumps++
	p.segment = p.edge()
	p.late = p.now - p.joinPhase - float64(p.segment)*segmentSec
	p.queueN, p.headLeft = 0, 0
	p.beginStall()
}

func (p *player) beginStall() {
	p.playing = false
	p.total.stalls++
	p.stall = 0
	p.enter(stateStalled)
}

func (p *player) endStall() {
	p.total.stallMaxSec = max(p.total.stallMaxSec, p.stall)
	p.total.stallEndSec = p.now
	p.stall = 0
}

// elapse lets sec pass, within which no segment arrives.
func (p *player) elapse(sec float64) {
	for p.playing && sec > 0 {
		step := p.headLeft / p.rate
		if step > sec {
			step = sec
		}
		if left := p.wantSec - p.total.playSec; step >= left-instantSec {
			p.show(left)
			p.finish(Watched)
			return
		}
		p.show(step)
		sec -= step
		if p.queueN == 0 && sec > 0 {
			p.beginStall()
		}
	}
	if sec > 0 {
		p.wait(sec)
	}
}

// wait lets sec pass without a picture that moves.
func (p *player) wait(sec float64) {
	if !p.started {
		p.now += sec
		return
	}
	fedUp := p.stallSec - p.total.stallSec
	leaves := sec >= fedUp
	if leaves {
		sec = fedUp
	}
	p.now += sec
	p.total.stallSec += sec
	p.stall += sec
	p.late += sec
	if leaves {
		p.endStall()
		p.finish(LeftOnStalls)
	}
}

// show plays step seconds of wall time of the segment on screen.
func (p *player) show(step float64) {
	p.now += step
	p.total.playSec += step
	gain := step * (p.rate - 1)
	if p.minutes != nil {
		p.minutes.add(step, p.late, p.rate-1)
	}
	p.total.lateSec += step * (p.late - gain/2)
	if p.late > p.total.lateMax {
		p.total.lateMax = p.late
	}
	p.total.rungSec[p.queue[p.queueAt%bufferSegments]] += step
	p.late -= gain
	p.headLeft -= step * p.rate
	if p.headLeft > instantSec {
		return
	}
	p.queueN--
	p.queueAt++
	p.headLeft = 0
	if p.queueN > 0 {
		p.headLeft = segmentSec
	}
	p.pace()
}

// pace sets the playback rate. It is called at events only, so that looking at
// the player in between changes nothing.
func (p *player) pace() {
	p.rate = 1
	if p.late > p.lateAllowed && p.buffer() > catchUpBuffer {
		p.rate = catchUpRate
	}
}

// instantSec is below the resolution of any clock here: a segment that has
// less left is over. Without it rounding would play endless empty remainders.
const instantSec = 1e-9

func (p *player) buffer() float64 {
	if p.queueN == 0 {
		return 0
	}
	return p.headLeft + float64(p.queueN-1)*segmentSec
}

func (p *player) enqueue(r uint8) {
	if p.queueN == 0 {
		p.headLeft = segmentSec
	}
	p.queue[(p.queueAt+p.queueN)%bufferSegments] = r
	p.queueN++
}

func (p *player) finish(o Outcome) {
	p.outcome = o
	switch o {
	case FailedStart, FailedPlay:
		p.enter(stateFailed)
	case Watched:
		p.enter(stateEnded)
	}
}

func (p *player) enter(s state) {
	if p.log != nil {
		p.log(p.now, s)
	}
}

// stalled reports whether the viewer noticed a stall.
func (p *player) stalled() bool { return p.total.stallSec >= noticedSec }

// sizeTable holds factors of segment sizes around the rung's rate: log-normal
// with mean 1, as encoders at a constant quality produce. Its length is a
// power of two.
type sizeTable [1024]float64

const sizeSigma = 0.15

func newSizes(seed uint64) *sizeTable {
	d := newDice(mix(seed, purposeSizes))
	var t sizeTable
	for i := range t {
		t[i] = d.logNormal(-sizeSigma*sizeSigma/2, sizeSigma)
	}
	return &t
}

func (t *sizeTable) at(i uint64) float64 { return t[i%uint64(len(t))] }
