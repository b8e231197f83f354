package simulate

import (
	"math"
	"strconv"
)

// cmcdSender writes the CMCD v2 event reports of a viewing as hls.js does in
// event mode (CTA-5004-B): a report every 30 s (t), at changes of state (ps) and
// of bitrate (bc), and at errors (e). Keys are in alphabetical order. hls.js
// reports neither live latency nor its start delay, and cannot carry who
// watches: the exposure's session joins the reports to the viewer by sid.
type cmcdSender struct {
	view  *Viewing
	sn    int64
	state state
	rung  int
}

// States that the sender reports by itself: hls.js is preloading and at once
// starting when the page asks it to play.
const (
	statePreloading state = 'd'
	stateStarting   state = 's'
)

// begin sends the first reports and listens to the player from then on.
func (c *cmcdSender) begin(v *Viewing) {
	c.view = v
	c.rung = -1
	v.player.log = c.changed
	c.line("t", 0)
	for _, c.state = range []state{statePreloading, stateStarting} {
		c.line("ps", 0)
	}
}

// changed is called by the player when its state or its rung changes.
func (c *cmcdSender) changed(atSec float64, s state) {
	if s == stateRung {
		c.rung = c.view.player.rung
		c.line("bc", atSec)
		return
	}
	c.state = s
	if s == stateFailed {
		c.line("e", atSec)
	}
	if s != stateEnded { // the viewer's own leaving is no state of the player
		c.line("ps", atSec)
	}
}

// end sends what the page still can when the viewer leaves.
func (c *cmcdSender) end(killed bool) {
	switch {
	case killed:
	case c.view.player.outcome == Watched && c.view.Visit.endReason == "ended":
		c.state = stateEnded
		c.line("ps", c.view.player.now)
	case c.state != stateFailed:
		c.line("t", c.view.player.now)
	}
}

// line appends one record.
func (c *cmcdSender) line(event string, atSec float64) {
	v := c.view
	p := &v.player
	at := v.at(atSec)
	b := make([]byte, 0, 256)
	if c.rung >= 0 {
		b = appendList(b, "bl", roundHundred(p.buffer()*1000))
		b = appendList(b, "br", ladder[c.rung].kbps)
	}
	if v.on.Lies.Starved {
		b = append(b, `bs,`...)
	}
	b = append(b, `cid="`...)
	b = append(b, v.Visit.Broadcast.ChannelID...)
	b = append(b, `",e=`...)
	b = append(b, event...)
	if event == "e" {
		b = append(b, `,ec=("`...)
		b = append(b, v.fatalCode()...)
		b = append(b, `")`...)
	}
	b = append(b, ',')
	if v.on.Lies.WrongStart && event == "ps" && c.state == statePlaying {
		b = append(strconv.AppendInt(append(b, "msd="...), lieStartMs, 10), ',')
	}
	if p.est.n > 0 {
		b = appendList(b, "mtp", roundHundred(p.est.kbps()))
	}
	b = append(b, `sf=h,sid="`...)
	b = append(b, v.Visit.ID...)
	b = append(b, `",sn=`...)
	b = strconv.AppendInt(b, c.sn, 10)
	b = append(b, `,st=l`...)
	if c.state != 0 {
		b = append(b, `,sta=`...)
		b = append(b, byte(c.state))
	}
	b = append(b, `,ts=`...)
	b = strconv.AppendInt(b, at.UnixMilli()+v.Visit.clockOffMs, 10)
	b = append(b, `,v=2`...)
	v.out = append(v.out, Report{At: at, Format: CMCD, Kind: event, Seq: c.sn, Body: b})
	c.sn++
}

// appendList writes key=(value) and a comma.
func appendList(b []byte, key string, value int64) []byte {
	b = append(b, key...)
	b = append(b, '=', '(')
	b = strconv.AppendInt(b, value, 10)
	return append(b, ')', ',')
}

// roundHundred rounds to 100, as CMCD asks for bl and mtp.
func roundHundred(x float64) int64 { return int64(math.Round(x/100)) * 100 }
