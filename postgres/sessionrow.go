package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/telemetry"
)

// sessionColumns are the columns of sessions in the order of appendSession and
// parseSession.
var sessionColumns = strings.Fields(`
	session_id viewer_id device_id channel_id broadcaster_id stream_id
	country asn device_class os player player_version net_class identity_seq
	telemetry_tier first_recv_ms clock_offset_ms
	play_requested started start_seq first_frame_ms
	first_mark_seq first_mark_recv_ms first_mark_client_ts_ms first_mark_mono_ms
	last_mark_seq last_mark_recv_ms last_mark_client_ts_ms last_mark_mono_ms
	ended end_reason fatal_code
	` + sessionCounters + ` epoch epochs`)

// sessionCounters are the columns of telemetry.Counters in the order in which
// Merge compares their content.
const sessionCounters = `
	play_ms stall_ms stall_n seek_stall_ms paused_ms ad_ms hidden_ms
	rung_ms rung_kbps_ms top_rung_ms bottom_rung_ms height_ms low_height_ms
	switches_up switches_down frames dropped_frames bytes errors_n
	latency_ms_sum latency_samples stall_max_ms latency_max since_stall_ms observed measures latency_minutes`

// identityColumns are those of telemetry.Identity in the order of comparison.
const identityColumns = `
	viewer_id device_id channel_id broadcaster_id stream_id
	country asn device_class os player player_version net_class`

// identityOf returns the strings of an identity in the order of identityColumns.
func identityOf(s *telemetry.Session) [12]*string {
	return [12]*string{
		&s.ViewerID, &s.DeviceID, &s.ChannelID, &s.BroadcasterID, &s.StreamID,
		&s.Country, &s.ASN, &s.DeviceClass, &s.OS, &s.Player, &s.PlayerVersion, &s.NetClass,
	}
}

// countersOf returns the numbers of counters in the order of sessionCounters,
// without observed and what follows it.
func countersOf(c *telemetry.Counters) [24]*int64 {
	return [24]*int64{
		&c.PlayMs, &c.StallMs, &c.StallN, &c.SeekStallMs, &c.PausedMs, &c.AdMs, &c.HiddenMs,
		&c.RungMs, &c.RungKbpsMs, &c.TopRungMs, &c.BottomRungMs, &c.HeightMs, &c.LowHeightMs,
		&c.SwitchesUp, &c.SwitchesDown, &c.Frames, &c.DroppedFrames, &c.Bytes, &c.ErrorsN,
		&c.LatencySumMs, &c.LatencySamples, &c.StallMaxMs, &c.LatencyMaxMs, &c.SinceStallMs,
	}
}

func marksOf(s *telemetry.Session) [8]*int64 {
	return [8]*int64{
		&s.First.Seq, &s.First.RecvMs, &s.First.ClientTsMs, &s.First.MonoMs,
		&s.Last.Seq, &s.Last.RecvMs, &s.Last.ClientTsMs, &s.Last.MonoMs,
	}
}

// appendSession writes a session as a row of COPY.
func appendSession(buf []byte, s *telemetry.Session) []byte {
	tab := func(b []byte) []byte { return append(b, '\t') }
	buf = tab(appendText(buf, s.SessionID))
	for _, text := range identityOf(s) {
		buf = tab(appendText(buf, *text))
	}
	buf = tab(strconv.AppendInt(buf, s.IdentitySeq, 10))
	buf = tab(strconv.AppendInt(buf, int64(s.Tier), 10))
	buf = tab(strconv.AppendInt(buf, s.FirstRecvMs, 10))
	buf = tab(appendKnown(buf, s.ClockOffsetMs))
	buf = tab(appendBool(buf, s.PlayRequested))
	buf = tab(appendBool(buf, s.Started))
	buf = tab(strconv.AppendInt(buf, s.StartSeq, 10))
	buf = tab(appendKnown(buf, s.FirstFrameMs))
	for _, n := range marksOf(s) {
		buf = tab(strconv.AppendInt(buf, *n, 10))
	}
	buf = tab(appendBool(buf, s.Ended))
	buf = tab(appendText(buf, string(s.EndReason)))
	buf = tab(appendText(buf, s.FatalCode))
	for _, n := range countersOf(&s.Counters) {
		buf = tab(strconv.AppendInt(buf, *n, 10))
	}
	buf = tab(strconv.AppendInt(buf, int64(s.Observed), 10))
	buf = tab(appendText(buf, string(s.Measures)))
	buf = tab(appendText(buf, string(s.LatencyMinutes.Measures)))
	buf = tab(strconv.AppendInt(buf, s.Epoch, 10))
	if s.Epochs == nil {
		return appendNull(buf)
	}
	return appendText(buf, mustJSON(s.Epochs))
}

// selectSession returns the expression that reads a session of the table named
// by the prefix as one text, which parseSession takes apart: sixty columns one
// by one cost the driver ten times as much.
func selectSession(prefix string) string {
	return "row(" + prefix + "." + strings.Join(sessionColumns, ", "+prefix+".") + ")::text"
}

// parseSession reads the text of selectSession. The strings of the session
// share it.
func parseSession(text string) (telemetry.Session, error) {
	var s telemetry.Session
	p := rowParser{text: text, at: 1} // after the opening parenthesis
	s.SessionID = p.string()
	for _, into := range identityOf(&s) {
		*into = p.string()
	}
	s.IdentitySeq = p.int()
	s.Tier = telemetry.Tier(p.int()) //nolint:gosec // 1 to 4 by a constraint
	s.FirstRecvMs = p.int()
	s.ClockOffsetMs = p.known()
	s.PlayRequested = p.bool()
	s.Started = p.bool()
	s.StartSeq = p.int()
	s.FirstFrameMs = p.known()
	for _, into := range marksOf(&s) {
		*into = p.int()
	}
	s.Ended = p.bool()
	s.EndReason = telemetry.EndReason(p.string())
	s.FatalCode = p.string()
	for _, into := range countersOf(&s.Counters) {
		*into = p.int()
	}
	s.Observed = telemetry.Observed(p.int()) //nolint:gosec // written from the same type
	s.Measures = telemetry.Measures(p.string())
	s.LatencyMinutes.Measures = telemetry.Measures(p.string())
	s.Epoch = p.int()
	if epochs, ok := p.field(); ok {
		if err := json.Unmarshal([]byte(epochs), &s.Epochs); err != nil {
			return s, fmt.Errorf("read epochs of session %s: %w", s.SessionID, err)
		}
	}
	if p.failed || p.at != len(text) {
		return s, errMalformedRow
	}
	return s, nil
}

var errMalformedRow = errors.New("the row of a session does not have the expected form")

// rowParser takes a composite value in PostgreSQL's text form apart: fields
// between commas, in double quotes where needed, nothing at all for null.
type rowParser struct {
	text   string
	at     int // of the next field
	failed bool
}

// field returns the next field; ok is false for null.
func (p *rowParser) field() (value string, ok bool) {
	if p.at >= len(p.text) {
		p.failed = true
		return "", false
	}
	if p.text[p.at] == '"' {
		return p.quoted(), true
	}
	rest := p.text[p.at:]
	end := strings.IndexByte(rest, ',')
	if end < 0 {
		end = len(rest) - 1 // the closing parenthesis
	}
	p.at += end + 1
	return rest[:end], end > 0
}

// quoted reads a field in quotes, in which quotes and backslashes are doubled.
func (p *rowParser) quoted() string {
	start := p.at + 1
	plain := true
	for i := start; i < len(p.text); i++ {
		switch p.text[i] {
		case '\\':
			plain = false
			i++
		case '"':
			if i+1 < len(p.text) && p.text[i+1] == '"' {
				plain = false
				i++
				continue
			}
			p.at = i + 2 // the quote, and the comma or parenthesis
			if plain {
				return p.text[start:i]
			}
			return unquote(p.text[start:i])
		}
	}
	p.failed = true
	return ""
}

// unquote removes the first of each pair of quotes or backslashes.
func unquote(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if (s[i] == '"' || s[i] == '\\') && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

func (p *rowParser) string() string {
	value, _ := p.field()
	return value
}

func (p *rowParser) bool() bool { return p.string() == "t" }

func (p *rowParser) int() int64 {
	n, err := strconv.ParseInt(p.string(), 10, 64)
	p.failed = p.failed || err != nil
	return n
}

func (p *rowParser) known() *int64 {
	value, ok := p.field()
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	p.failed = p.failed || err != nil
	return &n
}
