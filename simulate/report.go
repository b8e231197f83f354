package simulate

import (
	"strconv"
	"time"
)

// Format is how a report is sent.
type Format uint8

// The formats.
const (
	Heartbeat     Format = iota // POST /v1/heartbeats
	CMCD                        // POST /v1/cmcd/{key}
	UnitEvent                   // POST /v1/events
	BroadcastBeat               // POST /v1/broadcasts
)

// Report is one record that a player sends, encoded: a heartbeat's JSON object
// or one line of CMCD.
type Report struct {
	At     time.Time // when the player sends it
	Format Format
	Kind   string // of a heartbeat: start, beat or end; of CMCD: the event; of an event: its name
	Seq    int64  // seq of a heartbeat, sn of CMCD
	Body   []byte
}

// Cadence is how often players report.
type Cadence struct {
	// FirstSec is the first moment at which a beat is sent, if the first
	// frame has come; otherwise it is the first multiple of TickSec after it.
	FirstSec float64
	// EverySec is the interval of further beats; 0 means none but the end.
	EverySec float64
}

// The cadences. Counters are cumulative, so a rare beat loses nothing but
// freshness: the accelerated world sends three heartbeats a session.
var (
	SparseCadence = Cadence{FirstSec: 30}
	LiveCadence   = Cadence{FirstSec: 10, EverySec: 10}
)

const (
	tickSec     = 10.0 // the grid of beats
	cmcdTickSec = 30.0 // the default interval of CTA-5004-B
)

// Viewing is a visit under way: it plays as far as it is asked to and yields
// the reports of that time.
type Viewing struct {
	Visit   *Visit
	player  player
	cadence Cadence
	on      *Switches
	lost    lost
	muted   bool
	atFrame bool    // the heartbeat at hand is that at the first frame
	framed  bool    // a heartbeat has told of the first frame
	nextSec float64 // of the next beat
	sentSec float64 // of the last beat
	seq     int64
	prefix  []byte // of heartbeats: who and where
	suffix  []byte
	cmcd    cmcdSender
	out     []Report
	done    bool
}

// View begins a visit under the given settings.
func (w *World) View(v *Visit, set Settings, c Cadence) *Viewing {
	view := &Viewing{Visit: v, player: w.play(v, set), on: &w.on, lost: w.lost(v, set), cadence: c, muted: v.muted(set), nextSec: c.FirstSec}
	if v.Silent(set) {
		view.done = true
		return view
	}
	if v.Who.CMCD {
		view.nextSec = cmcdTickSec
		view.cmcd.begin(view)
		return view
	}
	view.encodeIdentity()
	view.beat("start", 0)
	if w.loses() {
		view.player.log = view.tellFrame // so that the stages of loss can be told apart
	}
	return view
}

// Done reports whether the viewing is over and all reports were taken.
func (v *Viewing) Done() bool { return v.done && len(v.out) == 0 }

// Take plays until at and returns the reports up to then, in order.
func (v *Viewing) Take(at time.Time) []Report {
	v.runTo(at.Sub(v.Visit.Start).Seconds())
	out := v.out
	v.out = nil
	return out
}

// TakeAll plays to the end and returns all reports.
func (v *Viewing) TakeAll() []Report {
	v.runTo(MaxSession.Seconds())
	return v.out
}

// Due returns when the next report can come, so that nobody needs to ask before.
func (v *Viewing) Due() time.Time { return v.at(min(v.nextSec, v.player.now+tickSec)) }

func (v *Viewing) runTo(sec float64) {
	for !v.done && v.player.now < sec {
		until := min(sec, v.nextSec)
		v.player.runTo(until)
		switch {
		case v.player.outcome != Running:
			v.end()
		case v.player.now >= v.nextSec:
			v.tick()
		}
	}
}

// tick sends the beat that is due and sets the next.
func (v *Viewing) tick() {
	if v.Visit.Who.CMCD {
		v.cmcd.line("t", v.player.now)
		v.nextSec += cmcdTickSec
		return
	}
	if !v.player.started {
		v.nextSec += tickSec
		return
	}
	v.beat("beat", v.player.now)
	v.nextSec += v.cadence.EverySec
	if v.cadence.EverySec == 0 {
		v.nextSec = MaxSession.Seconds()
	}
}

// end closes the viewing.
func (v *Viewing) end() {
	v.done = true
	events := v.happen()
	v.leave()
	v.out = append(v.out, events...)
}

// leave sends what the player still can. A killed tab sends no end record: its last beat is
// up to one interval old, and that much is lost for ever.
func (v *Viewing) leave() {
	killed := v.Visit.killed > 0 && v.player.started
	if v.Visit.Who.CMCD {
		v.cmcd.end(killed)
		return
	}
	if !killed {
		v.beat("end", v.player.now)
		return
	}
	if v.cadence.EverySec == 0 {
		v.lastBeat()
	}
}

// lastBeat sends what a player that beats every tick had sent last: it plays
// the same visit anew up to that moment.
func (v *Viewing) lastBeat() {
	at := v.player.now - v.Visit.killed
	if at <= v.player.startupSec || at <= v.sentSec {
		return
	}
	again := newPlayer(v.Visit.course, v.player.set, v.player.sizes)
	if v.player.minutes != nil {
		again.minutes = &lateMinutes{}
	}
	again.runTo(at)
	v.player = again
	v.beat("beat", at)
}

func (v *Viewing) at(sec float64) time.Time {
	return v.Visit.Start.Add(time.Duration(ms(sec)) * time.Millisecond)
}

// encodeIdentity makes the fields that stay the same in all heartbeats.
func (v *Viewing) encodeIdentity() {
	who, b := &v.Visit.Who, make([]byte, 0, 256)
	b = appendText(b, "viewer_id", who.ID)
	b = appendText(b, "device_id", who.DeviceID)
	b = appendText(b, "channel_id", v.Visit.Broadcast.ChannelID)
	b = appendText(b, "broadcaster_id", v.Visit.Broadcast.BroadcasterID)
	b = appendText(b, "stream_id", v.Visit.Broadcast.StreamID)
	b = append(b, `,"play_requested":true`...)
	v.prefix = b
	b = make([]byte, 0, 256)
	b = appendText(b, "country", who.Country)
	b = appendText(b, "asn", who.ASN)
	b = appendText(b, "device_class", who.Device.String())
	b = appendText(b, "os", who.OS)
	b = appendText(b, "player", who.Player)
	b = appendText(b, "player_version", who.PlayerVersion)
	b = appendText(b, "net_class", v.Visit.Net.String())
	b = append(b, `,"telemetry_tier":"A","schema":1}`...)
	v.suffix = b
}

// appendText writes a string field. Values are made here, of letters, digits
// and punctuation that JSON does not escape.
func appendText(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':', '"')
	b = append(b, value...)
	return append(b, '"')
}

// heartbeatBytes is above the size of any heartbeat.
const heartbeatBytes = 1024

// beat sends one heartbeat. The rewritten TV app, when its reporter has died,
// sends the first one only.
func (v *Viewing) beat(kind string, atSec float64) {
	if v.muted && v.seq > 0 {
		return
	}
	c := v.read()
	at := v.at(atSec)
	if v.lost.drops(v.seq, v.atFrame) {
		v.seq++
		v.sentSec = atSec
		return
	}
	b := make([]byte, 0, heartbeatBytes)
	b = append(b, `{"session_id":"`...)
	b = append(b, v.Visit.ID...)
	b = append(b, `","seq":`...)
	b = strconv.AppendInt(b, v.seq, 10)
	b = appendText(b, "kind", kind)
	if kind == "end" {
		b = appendText(b, "end_reason", v.endReason())
	}
	b = append(b, v.prefix...)
	b = appendField(b, "client_ts_ms", at.UnixMilli()+v.clockOff())
	b = appendField(b, "mono_ms", c.monoMs)
	b = c.appendJSON(b)
	if code := v.fatalCode(); code != "" {
		b = appendText(b, "fatal_code", code)
	}
	b = append(b, v.suffix...)
	v.out = append(v.out, Report{At: at, Format: Heartbeat, Kind: kind, Seq: v.seq, Body: b})
	v.seq++
	v.sentSec = atSec
}

// tellFrame sends a heartbeat at the first frame.
func (v *Viewing) tellFrame(atSec float64, s state) {
	if s != statePlaying || v.sentSec > 0 {
		return
	}
	v.atFrame = true
	v.beat("beat", atSec)
	v.atFrame = false
}

// read returns the counters that a heartbeat tells.
func (v *Viewing) read() counters {
	c := v.player.read(v.Visit.dropShare)
	if v.on.Social != (Social{}) {
		c.chats, c.chat = true, v.messages(v.player.total.playSec)
	}
	if v.Visit.Who.Bot == Idler {
		c.hide()
	}
	if c.firstFrameMs >= 0 {
		if v.framed && v.on.Lies.WrongStart {
			c.firstFrameMs = lieStartMs
		}
		v.framed = true
	}
	return c
}

// clockOff returns by how much the wall clock is off when a heartbeat is sent.
func (v *Viewing) clockOff() int64 {
	if v.on.Lies.WrongClocks && v.seq > 0 {
		return 0 // the clock was set right
	}
	return v.Visit.clockOffMs
}

// reached returns how far a viewing came, whatever was told of it.
func (v *Viewing) reached() Stage {
	if v.player.started {
		return Reported
	}
	return Attempted
}

func (v *Viewing) endReason() string {
	switch v.player.outcome {
	case FailedStart, FailedPlay:
		return "error"
	case ExitedEarly, LeftOnStalls:
		return "user"
	}
	return v.Visit.endReason
}

// fatalCode names the error that ended the viewing; empty for none.
func (v *Viewing) fatalCode() string {
	if o := v.player.outcome; o != FailedStart && o != FailedPlay {
		return ""
	}
	if v.Visit.course.broken {
		return "manifest-404"
	}
	return "segment-timeout"
}
