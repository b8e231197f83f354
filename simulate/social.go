package simulate

import (
	"math"
	"strconv"
)

// KeyHighlights is the experiment on chat: treatment shows what others said
// while the viewer was away.
const KeyHighlights = "chat-highlights"

// What viewers do beside watching, as the platform hears of it.
const (
	MeasureChat   = "chat_messages" // a counter in heartbeats
	EventFollow   = "follow"        // of a viewer, at the end of a session
	EventPurchase = "purchase"      // likewise, with its price
)

// Social is what viewers do beside watching. The zero value is that they watch
// in silence.
type Social struct {
	MessagesPerMin float64 // of play, of those who chat at all
	FollowShare    float64 // of started sessions in control that end with a follow
	PurchaseShare  float64 // of started sessions that end with a purchase, in both arms
	// Effect is by how much, as a fraction, treatment of KeyHighlights raises the
	// messages per minute and the share of sessions with a follow. Purchases stay.
	Effect float64
}

// DefaultSocial is a lively chat.
func DefaultSocial() Social {
	return Social{MessagesPerMin: 0.5, FollowShare: 0.06, PurchaseShare: 0.01, Effect: 0.25}
}

// chattersShare of viewers write at all.
const chattersShare = 0.35

// social is what one visit brings with it, the same in both arms.
type social struct {
	perMin, phase    float64 // of messages
	follow, purchase float64 // draws: it happens below the share
	priceCent        int64
}

// social draws it, from dice that nothing else uses.
func (w *World) social(v *Visit) social {
	if w.on.Social == (Social{}) {
		return social{}
	}
	who := newDice(mix(v.Who.seed, purposeSocial))
	d := newDice(mix(v.seed, purposeSocial))
	s := social{phase: d.Float64(), follow: d.Float64(), purchase: d.Float64()}
	s.priceCent = int64(math.Round(100 * d.logNormal(math.Log(5), 0.6)))
	if who.chance(chattersShare) {
		s.perMin = w.on.Social.MessagesPerMin * who.ExpFloat64()
	}
	return s
}

// messages returns how many messages were sent by a moment of play: their mean
// is rate times time, and the phase makes them whole.
func (v *Viewing) messages(playSec float64) int64 {
	rate := v.Visit.social.perMin
	if v.player.set.Highlights {
		rate *= 1 + v.on.Social.Effect
	}
	if rate == 0 {
		return 0
	}
	return int64(v.Visit.social.phase + rate*playSec/60)
}

// happen returns the events at the end of a session that started. The services
// that know of them report them, so that they arrive whatever the player loses.
func (v *Viewing) happen() []Report {
	if v.on.Social == (Social{}) || !v.player.started {
		return nil
	}
	var out []Report
	follow := v.on.Social.FollowShare
	if v.player.set.Highlights {
		follow *= 1 + v.on.Social.Effect
	}
	if v.Visit.social.follow < follow {
		out = append(out, v.event(EventFollow, 0))
	}
	if v.Visit.social.purchase < v.on.Social.PurchaseShare {
		out = append(out, v.event(EventPurchase, v.Visit.social.priceCent))
	}
	return out
}

// event returns one event of the viewer; a price of 0 is none.
func (v *Viewing) event(name string, priceCent int64) Report {
	at := v.at(v.player.now)
	b := appendEvent(nil, v.Visit.Who.ID, name, v.Visit.ID, at.UnixMilli())
	if priceCent > 0 {
		b = append(b, `,"value":`...)
		b = strconv.AppendFloat(b, float64(priceCent)/100, 'f', 2, 64)
	}
	return Report{At: at, Format: UnitEvent, Kind: name, Seq: 1, Body: append(b, '}')}
}

// appendEvent writes an event of a viewer without the closing brace. Its id is
// the session's and the name's, so that it is counted once.
func appendEvent(b []byte, unit, name, session string, atMs int64) []byte {
	b = append(b, `{"unit_type":"viewer"`...)
	b = appendText(b, "unit", unit)
	b = appendText(b, "name", name)
	b = appendText(b, "id", session+"-"+name)
	return appendField(b, "at", atMs)
}
