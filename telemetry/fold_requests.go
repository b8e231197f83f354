package telemetry

// requestFold walks the records of media requests in order.
type requestFold struct {
	s       Session
	rungs   rungClock
	starved bool // at the last request
}

// foldRequests makes a session of tier D. It tells bitrate (of the media
// fetched), live latency, and that the player starved at least so often. Start
// and play are estimates, and not marked as observed: media fetched may never
// be played.
func foldRequests(requests []*Record) Session {
	var f requestFold
	first, last := requests[0], requests[len(requests)-1]
	passedMs := max(0, last.RecvMs-first.RecvMs)
	f.s.identify(requests)
	f.s.Tier, f.s.PlayRequested = TierD, true
	f.s.First = Mark{Seq: first.SN, RecvMs: first.RecvMs}
	f.s.Last = Mark{Seq: last.SN, RecvMs: last.RecvMs, MonoMs: passedMs}
	f.walk(requests)
	f.rungs.into(&f.s)
	f.s.PlayMs = min(f.s.RungMs, passedMs)
	if f.s.LatencySamples > 0 {
		f.s.Observed |= ObservedLatency
	}
	return f.s
}

// walk notes what each request says.
func (f *requestFold) walk(requests []*Record) {
	for _, r := range requests {
		f.rungs.offer(r)
		if r.Has.Has(KeyLTC) {
			f.s.LatencySamples++
			f.s.LatencySumMs += r.LTC
			f.s.LatencyMaxMs = max(f.s.LatencyMaxMs, r.LTC)
		}
		if !isMedia(r.OT) {
			continue
		}
		if bl, _ := r.BL.max(); bl > 0 && !r.SU && !f.s.Started {
			f.s.Started, f.s.StartSeq = true, r.SN
		}
		f.starve(r)
		if kbps, ok := r.BR.bitrate(); ok && r.OT != "a" && r.D > 0 {
			f.rungs.add(kbps, r.D)
		}
	}
}

// starve counts the times at which playback surely starved after the start.
// What proves it differs by player. States prove it, with bs or an empty
// buffer: alone, dash.js sends both for one of its two buffers and through
// start-up. Without states, bs of HLS is true to the stall in hls.js, and in
// v2 an empty buffer outside seeks and start-up is in Shaka. Nothing is in
// DASH of v1, where dash.js and Shaka cannot be told apart.
func (f *requestFold) starve(r *Record) {
	bl, known := r.BL.max()
	empty := known && bl == 0
	var starved bool
	switch {
	case r.Has.Has(KeySTA):
		starved = isStall(r.STA) && (r.BS || empty)
	case r.SF == "h":
		starved = r.BS
	case r.V == CMCDVersion:
		starved = empty && !r.SU
	default:
		return
	}
	f.s.Observed |= ObservedStallBounds
	if starved && !f.starved && f.s.Started {
		f.s.StallN++
	}
	f.starved = starved
}

// isMedia reports whether an object type is audio or video to be played.
func isMedia(objectType string) bool {
	return objectType == "a" || objectType == "v" || objectType == "av"
}

// max returns the greatest number of a list.
func (l List) max() (most int64, ok bool) {
	for _, it := range l {
		most, ok = max(most, it.Value), true
	}
	return most, ok
}
