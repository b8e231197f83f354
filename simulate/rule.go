package simulate

// ladder is what the encoder offers: 160p, 360p, 480p, 720p60 and 1080p60.
var ladder = [rungs]rung{
	{kbps: 230, height: 160, fps: 30},
	{kbps: 630, height: 360, fps: 30},
	{kbps: 1400, height: 480, fps: 30},
	{kbps: 3000, height: 720, fps: 60},
	{kbps: 6000, height: 1080, fps: 60},
}

type rung struct{ kbps, height, fps int64 }

const (
	rungs     = 5
	startRung = 1 // before anything is known of the link
)

// Rule is how a player chooses the rung of the next segment.
type Rule uint8

// The rules.
const (
	// RuleThroughput takes the highest rung below a fraction of the
	// harmonic mean of the last segments' throughput.
	RuleThroughput Rule = iota
	// RuleBuffer maps the buffer onto the ladder, as BBA-0 does (Huang et
	// al., SIGCOMM 2014), and does not ask how fast the link is. It rides
	// out the dips of a fast link; of a slow one it asks for more than the
	// link carries as soon as the buffer has grown, and never for the
	// lowest rung.
	RuleBuffer
)

const (
	safety       = 0.8  // of the estimate that RuleThroughput uses
	estimateOver = 5    // segments
	reservoirSec = 2.75 // of buffer up to which RuleBuffer takes its lowest rung
	cushionSec   = 3.25 // of buffer above the reservoir over which it climbs
	bufferFloor  = 1    // its lowest rung: nobody is to see 160p
)

// estimate is the harmonic mean of the last throughputs: the mean rate at
// which equal amounts would have been pulled.
type estimate struct {
	inverse [estimateOver]float64 // s/kbit
	sum     float64
	n, at   int
}

func (e *estimate) add(kbps float64) {
	inv := 1 / kbps
	e.sum += inv - e.inverse[e.at]
	e.inverse[e.at] = inv
	if e.at++; e.at == estimateOver {
		e.at = 0
	}
	e.n = min(e.n+1, estimateOver)
}

// kbps returns the mean; it must not be asked before the first add.
func (e *estimate) kbps() float64 { return float64(e.n) / e.sum }

// choose returns the rung of the next segment; last is that of the segment before.
func (r Rule) choose(e *estimate, bufferSec float64, last int) int {
	if e.n == 0 {
		return startRung
	}
	if r == RuleBuffer {
		return chooseByBuffer(bufferSec, last)
	}
	want := safety * e.kbps()
	at := rungs - 1
	for at > 0 && float64(ladder[at].kbps) > want {
		at--
	}
	return at
}

// chooseByBuffer leaves the rung only when the map crosses the next rung up or
// the next one down.
func chooseByBuffer(bufferSec float64, last int) int {
	share := (bufferSec - reservoirSec) / cushionSec
	if share <= 0 {
		return bufferFloor
	}
	low, high := float64(ladder[bufferFloor].kbps), float64(ladder[rungs-1].kbps)
	rate := low + min(share, 1)*(high-low)
	switch {
	case last+1 < rungs && rate >= float64(ladder[last+1].kbps):
		return last + 1
	case last > bufferFloor && rate <= float64(ladder[last-1].kbps):
		return last - 1
	}
	return last
}
