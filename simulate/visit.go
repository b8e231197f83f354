package simulate

import (
	"math"
	"time"
)

// Visit is a session with all that it brings with it except the arms.
type Visit struct {
	Session
	ID        string // UUID; the CMCD sid
	Who       Viewer
	Net       NetClass
	Broadcast Broadcast

	course     course
	endReason  string  // if the viewer leaves of their own accord
	killed     float64 // s before the end after which nothing is heard any more; 0: an orderly end
	lostBeats  bool    // the rewritten TV app loses its reports after the first
	dropShare  float64 // of frames
	clockOffMs int64   // of the device's clock
	social     social
}

// Shares of what happens to sessions.
const (
	brokenShare     = 0.008 // video start failure: manifest, licence (0.5 to 1.5 %)
	programmeEnds   = 0.06  // the stream ends before the viewer leaves
	backgroundShare = 0.5   // of departures on phones are the system's
	killedShare     = 0.1   // end with a killed tab or app: no end record
	killedMaxSec    = 10.0  // one heartbeat interval
	lostBeatsShare  = 0.06  // of sessions of the rewritten TV app
	skewedShare     = 0.05  // of devices with a wrong clock
	skewMaxMs       = 90_000
	setupFloorSec   = 0.12 // page and decoder, at best
	setupSd         = 0.45 // log-normal, from session to session
	manifestShare   = 0.3  // of set-up is waiting for the manifest
)

// Visit works out a session.
func (w *World) Visit(s Session) Visit {
	d := newDice(s.seed)
	v := Visit{Session: s, ID: sessionID(s.seed), Who: w.Viewer(s.Viewer)}
	v.Net, v.course.link = w.connect(&v.Who, d)
	v.Broadcast = broadcast(d.pick(w.tables.channels), w.day(s.Start))

	median := deviceKinds[v.Who.Device].setupMedian * v.Who.farAway * v.Who.slowness
	setup := d.logNormal(math.Log(median), setupSd)
	v.course.setupSec = setupFloorSec + setup
	v.course.manifestSec = manifestShare * setup
	v.course.joinPhase = d.Float64() * segmentSec
	v.course.sizeAt = d.Uint64()
	v.course.wantSec = d.intent()
	v.course.patienceSec = d.patience()
	v.course.stallSec = math.Min(d.ExpFloat64()*stallMeanSec, maxStallSec)
	v.course.broken = d.chance(brokenShare)

	v.endReason = "user"
	if phone := v.Who.Device == IOS || v.Who.Device == Android; d.chance(backgroundShare) && phone {
		v.endReason = "app_background"
	}
	if d.chance(programmeEnds) {
		v.endReason = "ended"
	}
	if killed := d.Float64() * killedMaxSec; d.chance(killedShare) {
		v.killed = killed
	}
	v.lostBeats = d.chance(lostBeatsShare)
	v.dropShare = 0.004 * d.ExpFloat64()
	if off := int64((2*d.Float64() - 1) * skewMaxMs); d.chance(skewedShare) {
		v.clockOffMs = off
	}
	if w.on.Lies.WrongClocks {
		v.clockOffMs = w.wrongClock(&v)
	}
	v.social = w.social(&v)
	if v.Who.Bot != Person {
		v.mechanise()
	}
	return v
}

// connect draws the link of one session: the viewer's own line at home, the
// air of wherever they are on the way.
func (w *World) connect(v *Viewer, d dice) (NetClass, link) {
	class, at := v.home, v.traceHome
	if d.chance(v.awayShare) {
		class, at = v.mobile, v.traceAway
	}
	traces := w.networks[class]
	t := &traces[at%uint64(len(traces))]
	return class, link{trace: t, offset: d.Float64() * float64(len(t.Kbps))}
}

// Silent reports whether under the settings nothing of the visit reaches the
// server, not even an exposure: the rewritten TV app dies on old firmware.
func (v *Visit) Silent(set Settings) bool { return set.TVRewrite && v.Who.OldTV }

// muted reports whether the app loses its reports after the first.
func (v *Visit) muted(set Settings) bool {
	return set.TVRewrite && v.Who.Device == TV && v.lostBeats
}

// play returns the visit's player at its start.
func (w *World) play(v *Visit, set Settings) player {
	p := newPlayer(v.course, set, w.sizes)
	if w.on.LatencyMinutes {
		p.minutes = &lateMinutes{}
	}
	return p
}

// MaxSession is the longest that a session lasts: what it plays, what it
// stalls, and what it waits for the first frame.
const MaxSession = (MaxWatchSec + maxStallSec + maxWaitSec) * time.Second

// sessionID makes a version 8 UUID (RFC 9562: contents are the maker's own).
func sessionID(seed uint64) string {
	a, b := mix(seed, purposeIdentity), mix(seed, purposeIdentity, 1)
	x := hex(a, 16) + hex(b, 16)
	variant := "89ab"[b>>46&3 : b>>46&3+1]
	return x[:8] + "-" + x[8:12] + "-8" + x[13:16] + "-" + variant + x[17:20] + "-" + x[20:]
}
