package simulate

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"
)

// KeyIngest is the experiment on broadcasters: treatment sends to the ingest
// point that is nearest by measurement, not by the map.
const KeyIngest = "nearest-ingest"

// Broadcasts are what broadcasters send, as the ingest servers see it. The zero
// value is that nobody tells of it.
type Broadcasts struct {
	Channels int // that broadcast: the most popular ones
	// Effect is by how much, as a fraction, treatment of KeyIngest shortens the
	// time without frames and makes disconnects rarer.
	Effect float64
}

// DefaultBroadcasts lets all channels tell.
func DefaultBroadcasts() Broadcasts { return Broadcasts{Channels: channels, Effect: 0.6} }

// How broadcasts are. The sources are those of the viewers' networks: reference
// surveys of ingest, whose levels are estimates.
const (
	liveDayShare     = 0.75 // of days on which a broadcaster goes live
	failedLiveShare  = 0.07 // of broadcasts never reach the viewers
	goLiveMedianSec  = 4.0
	goLiveSigma      = 0.5
	giveUpSec        = 60.0 // a broadcaster waits so long for the stream to start
	liveMedianSec    = 5_400.0
	liveSigma        = 0.8
	liveMaxSec       = 6 * 3_600.0
	starvedShare     = 0.35 // of broadcasts starve at all in control
	starvedMeanSec   = 20.0
	disconnectsHour  = 0.4
	maxDisconnects   = 30
	takeoverShare    = 0.1  // of broadcasts move to another server half way
	badEncoderShare  = 0.12 // of encoders send key frames too rarely
	broadcastPieces  = 4    // records while live
	broadcastFPS     = 60
	ingestKbpsMedian = 4_500.0
	maxIngestKbps    = 12_000.0
)

// MaxBroadcast is the longest that a broadcast lasts.
const MaxBroadcast = time.Duration(liveMaxSec+giveUpSec) * time.Second

// Cast is one broadcast that will happen, whatever the arms.
type Cast struct {
	Broadcast
	Start time.Time // the session is created, to the millisecond
	seed  uint64
}

// Casts returns the broadcasts that begin on a UTC day, counted from that of
// the epoch, in order: at most one of a broadcaster.
func (w *World) Casts(day int) []Cast {
	var out []Cast
	midnight := w.midnight.Add(time.Duration(day) * dayLength)
	for c := range min(w.on.Broadcasts.Channels, channels) {
		seed := mix(w.seed, purposeCasts, uint64(c), uint64(day))
		d := newDice(seed)
		start := midnight.Add(w.timeOfDay(d, 0))
		if !d.chance(liveDayShare) || start.Before(w.epoch) || day < 0 {
			continue
		}
		out = append(out, Cast{Broadcast: broadcast(c, day), Start: start, seed: seed})
	}
	slices.SortFunc(out, func(a, b Cast) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.StreamID, b.StreamID))
	})
	return out
}

// ingest is how a broadcast went, in whole units.
type ingest struct {
	startMs            int64 // from the session to the stream; -1: it never came
	liveMs             int64
	starvedMs, longest int64
	disconnects        int64
	kbps, sdKbps       float64
	fpsShortMs, keyMs  int64
	frames, dropped    int64
	lateMs             int64 // glass to glass, mean
	takeover           bool
}

// ingest plays a broadcast. The dice fall the same in both arms.
func (w *World) ingest(c *Cast, near bool) ingest {
	d := newDice(mix(c.seed, purposeCasts))
	failed := d.chance(failedLiveShare)
	in := ingest{startMs: ms(min(d.logNormal(math.Log(goLiveMedianSec), goLiveSigma), giveUpSec))}
	live := min(60+d.logNormal(math.Log(liveMedianSec), liveSigma), liveMaxSec)
	in.liveMs = ms(live)
	better := 1.0
	if near {
		better -= w.on.Broadcasts.Effect
	}
	starved := d.ExpFloat64() * starvedMeanSec * better
	longest := 0.5 + d.Float64()/2
	if d.chance(starvedShare) {
		in.starvedMs = ms(min(starved, live/2))
		in.longest = int64(longest * float64(in.starvedMs))
	}
	// The same uniform draw in both arms: fewer disconnects, not other ones.
	in.disconnects = int64(poissonQuantile(disconnectsHour*live/3600*better, d.Float64(), maxDisconnects))
	in.kbps = min(d.logNormal(math.Log(ingestKbpsMedian), 0.35), maxIngestKbps)
	in.sdKbps = in.kbps * (0.05 + 0.05*d.Float64())
	in.fpsShortMs = ms(live * 0.01 * d.ExpFloat64() / (1 + d.ExpFloat64()))
	in.keyMs = in.liveMs
	if d.chance(badEncoderShare) {
		in.keyMs = int64(d.Float64() * float64(in.liveMs))
	}
	in.frames = int64(live * broadcastFPS)
	in.dropped = int64(min(0.002*d.ExpFloat64(), 1) * float64(in.frames))
	in.lateMs = ms(2 + d.ExpFloat64())
	in.takeover = d.chance(takeoverShare)
	in.fpsShortMs = min(in.fpsShortMs, in.liveMs)
	if failed {
		return ingest{startMs: -1}
	}
	return in
}

// poissonQuantile returns the least count whose distribution function reaches u.
func poissonQuantile(mean, u float64, most int) int {
	p := math.Exp(-mean)
	sum, n := p, 0
	for sum < u && n < most {
		n++
		p *= mean / float64(n)
		sum += p
	}
	return n
}

// reports returns the heartbeats of a broadcast's ingest servers.
func (c *Cast) reports(in *ingest) []Report {
	var out []Report
	if in.startMs < 0 {
		out = append(out, c.report(0, 0, "start", c.Start, 0, -1, &ingest{}))
		gaveUp := c.Start.Add(ms2duration(ms(giveUpSec)))
		return append(out, c.report(0, 1, "end", gaveUp, ms(giveUpSec), -1, &ingest{}))
	}
	halves := []ingest{*in}
	if in.takeover {
		first := in.part(0.5)
		halves = []ingest{first, in.minus(&first)}
	}
	at := c.Start
	for part := range halves {
		h := &halves[part]
		out = append(out, c.report(part, 0, "start", at, 0, -1, &ingest{}))
		for piece := 1; piece <= broadcastPieces; piece++ {
			so := h.part(float64(piece) / broadcastPieces)
			kind := "beat"
			if piece == broadcastPieces {
				kind = "end"
			}
			mono := in.startMs + so.liveMs
			out = append(out, c.report(part, int64(piece), kind, at.Add(ms2duration(mono)), mono, in.startMs, &so))
		}
		at = at.Add(ms2duration(in.startMs + h.liveMs))
	}
	return out
}

func ms2duration(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// part returns the counters after a share of the time live; the whole is exact.
func (in *ingest) part(share float64) ingest {
	if share >= 1 {
		return *in
	}
	of := func(n int64) int64 { return int64(share * float64(n)) }
	out := *in
	out.liveMs, out.starvedMs, out.disconnects = of(in.liveMs), of(in.starvedMs), of(in.disconnects)
	out.longest = min(in.longest, out.starvedMs)
	out.fpsShortMs, out.keyMs = of(in.fpsShortMs), of(in.keyMs)
	out.frames, out.dropped = of(in.frames), of(in.dropped)
	return out
}

// minus returns what is left of the counters.
func (in *ingest) minus(o *ingest) ingest {
	out := *in
	out.liveMs -= o.liveMs
	out.starvedMs -= o.starvedMs
	out.disconnects -= o.disconnects
	out.longest = min(in.longest, out.starvedMs)
	out.fpsShortMs -= o.fpsShortMs
	out.keyMs -= o.keyMs
	out.frames -= o.frames
	out.dropped -= o.dropped
	return out
}

// report writes one record; a negative start is one that has not come.
func (c *Cast) report(part int, seq int64, kind string, at time.Time, monoMs, startMs int64, in *ingest) Report {
	b := make([]byte, 0, 640)
	b = append(b, `{"stream_id":"`...)
	b = append(b, c.StreamID...)
	b = append(b, '"')
	b = appendField(b, "part", int64(part))
	b = appendField(b, "seq", seq)
	b = appendText(b, "kind", kind)
	if kind == "end" {
		b = appendText(b, "end_reason", "stopped")
	}
	b = appendText(b, "broadcaster_id", c.BroadcasterID)
	b = appendText(b, "channel_id", c.ChannelID)
	b = appendText(b, "region", "edge-"+strconv.Itoa(part+1))
	b = appendText(b, "protocol", "rtmp")
	b = appendText(b, "encoder", "obs")
	b = appendField(b, "client_ts_ms", at.UnixMilli())
	b = appendField(b, "mono_ms", monoMs)
	if startMs < 0 {
		b = append(b, `,"stream_start_ms":null`...)
	} else {
		b = appendField(b, "stream_start_ms", startMs)
	}
	seconds := in.liveMs / 1000
	for _, f := range [...]struct {
		name  string
		value int64
	}{
		{"live_ms", in.liveMs},
		{"starvation_ms", in.starvedMs},
		{"starvation_n", in.starvedMs / 10_000},
		{"starvation_max_ms", in.longest},
		{"disconnects", in.disconnects},
		{"bitrate_samples", seconds},
		{"bitrate_kbps_sum", int64(in.kbps * float64(seconds))},
		{"bitrate_kbps2_sum", int64((in.kbps*in.kbps + in.sdKbps*in.sdKbps) * float64(seconds))},
		{"fps_short_ms", in.fpsShortMs},
		{"keyframe_ok_ms", in.keyMs},
		{"frames_in", in.frames},
		{"frames_dropped", in.dropped},
		{"latency_ms_sum", in.lateMs * seconds},
		{"latency_samples", seconds},
	} {
		b = appendField(b, f.name, f.value)
	}
	return Report{At: at, Format: BroadcastBeat, Kind: kind, Seq: seq, Body: append(b, '}')}
}
