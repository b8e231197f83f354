package simulate

import "math"

// NetClass is the kind of access network that a session uses.
type NetClass uint8

// The classes, fastest first.
const (
	NetFixed NetClass = iota // fibre or cable, by wire
	NetWifi                  // the same lines, shared air
	NetLTE
	Net3G
	netClasses
)

// String returns the class as it stands in exposures and heartbeats.
func (c NetClass) String() string { return [...]string{"fixed", "wifi", "lte", "3g"}[c] }

// Trace is the throughput of one link, second by second; it repeats.
type Trace struct {
	Kbps   []float32 // one value a second
	RTTSec float64   // round trip of one request
}

// Networks is a library of traces by class. Sessions draw a trace and an
// offset, which costs nothing while they run and gives both arms of an
// experiment the very same link.
type Networks [netClasses][]Trace

// The library is large enough that no single trace carries a class.
const (
	tracesPerClass = 256
	traceSec       = 900
)

// regime is one state of the Markov chain that modulates a link.
type regime struct {
	factor   float64 // of the trace's level
	sigma    float64 // of the log-normal noise from second to second
	dwellSec float64 // mean time until the chain leaves
	weight   float64 // of being entered
}

// process is a Markov-modulated log-normal throughput process.
type process struct {
	medianKbps float64 // of the levels of traces
	spread     float64 // standard deviation of their logarithm
	memory     float64 // first-order autocorrelation of the noise within a regime
	rttSec     float64
	regimes    []regime
}

// processes are set so that mean, variation within a trace and time below
// 500 kbit/s come out as measured on real links (see TestNetworksResembleMeasured):
//
//	3g     HSDPA, Norway: Riiser et al., MMSys 2013. Mean 0.99 Mbit/s, sd/mean 0.6, 38 % below 500 kbit/s
//	lte    4G, Ghent: van der Hooft et al., IEEE Comm. Letters 2016. Mean 32 Mbit/s, 0.44, 1.7 %
//	wifi   level of Puffer viewers, 2021: mean 15 Mbit/s. Its sd/mean of 0.84 and 11.6 % below 500 kbit/s
//	       come from an application-limited flow and overstate dips; time below is that of
//	       real video sessions instead (Oboe and Conviva, SIGCOMM 2018): 4.3 %
//	fixed  the same level with the steadiness of wired lines: sd/mean 0.21 (FCC Measuring Broadband
//	       America 2016, Oboe), hardly ever below 500 kbit/s
var processes = [netClasses]process{
	NetFixed: {medianKbps: 16_000, spread: 0.55, memory: 0.75, rttSec: 0.015, regimes: []regime{
		{1, 0.18, 300, 0.92}, {0.35, 0.3, 8, 0.078}, {0.02, 0.4, 4, 0.002},
	}},
	NetWifi: {medianKbps: 17_000, spread: 0.6, memory: 0.7, rttSec: 0.025, regimes: []regime{
		{1, 0.42, 320, 0.63}, {0.22, 0.5, 10, 0.32}, {0.012, 0.6, 8, 0.05},
	}},
	NetLTE: {medianKbps: 32_500, spread: 0.26, memory: 0.7, rttSec: 0.04, regimes: []regime{
		{1, 0.36, 75, 0.53}, {0.25, 0.5, 9, 0.27}, {0.006, 0.8, 2.8, 0.2},
	}},
	Net3G: {medianKbps: 1_700, spread: 0.42, memory: 0.8, rttSec: 0.1, regimes: []regime{
		{1, 0.35, 40, 0.36}, {0.35, 0.35, 18, 0.32}, {0.07, 0.7, 14, 0.56},
	}},
}

// SyntheticNetworks makes a library from the seed.
func SyntheticNetworks(seed uint64) *Networks {
	var n Networks
	for c := range n {
		d := newDice(mix(seed, purposeTraces, uint64(c)))
		n[c] = make([]Trace, tracesPerClass)
		for i := range n[c] {
			n[c][i] = processes[c].trace(d)
		}
	}
	return &n
}

// trace draws one link. Its noise is an autoregressive process of order one,
// standardised, so that memory does not change the spread.
func (p *process) trace(d dice) Trace {
	level := d.logNormal(math.Log(p.medianKbps), p.spread)
	entry := make([]float64, len(p.regimes))
	stay := make([]float64, len(p.regimes))
	for i, r := range p.regimes {
		entry[i] = r.weight
		stay[i] = r.weight * r.dwellSec
	}
	entry, stay = cumulate(entry...), cumulate(stay...)
	at := d.pick(stay) // a link is met at any moment of its life
	noise := d.NormFloat64()
	innovation := math.Sqrt(1 - p.memory*p.memory)
	kbps := make([]float32, traceSec)
	for i := range kbps {
		r := p.regimes[at]
		kbps[i] = float32(level * r.factor * math.Exp(r.sigma*noise-r.sigma*r.sigma/2))
		noise = p.memory*noise + innovation*d.NormFloat64()
		if d.chance(1 / r.dwellSec) {
			at = d.pick(entry)
		}
	}
	return Trace{Kbps: kbps, RTTSec: p.rttSec}
}

// fetchLimitSec is when a player gives a request up.
const fetchLimitSec = 120

// link is a trace from an offset. Requests are made in the order of time.
type link struct {
	trace  *Trace
	offset float64
	laps   int // whole repetitions so far, in seconds
}

// fetch returns how long it takes to pull kbit over the link when the request
// leaves atSec into the session, round trip included, and false when the
// player gives up first.
func (l *link) fetch(atSec, kbit float64) (tookSec float64, ok bool) {
	kbps := l.trace.Kbps
	took := l.trace.RTTSec
	x := l.offset + atSec + took
	second := int(x)
	left := float64(second+1) - x
	for second-l.laps >= len(kbps) {
		l.laps += len(kbps)
	}
	for i := second - l.laps; ; {
		rate := float64(kbps[i])
		can := rate * left
		if can >= kbit {
			return took + kbit/rate, true
		}
		kbit -= can
		took += left
		left = 1
		if took > fetchLimitSec {
			return fetchLimitSec, false
		}
		if i++; i == len(kbps) {
			i = 0
		}
	}
}
