package telemetry

import (
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// MaxLogAgeMs is how long after a media request its log line is still taken:
// delivery networks hand logs over minutes to hours later, and try again for a
// day or two. What is older comes by import.
const MaxLogAgeMs = 7 * 24 * 3_600_000

// RequestLog is what DecodeRequestLogs read.
type RequestLog struct {
	Records     []Record
	Rejected    []Rejection
	WithoutCMCD int // lines of requests that carried none: neither taken nor at fault
}

// DecodeRequestLogs reads lines of a delivery network's log: a JSON array, one
// object, or one object a line, each with
//
//	query           the query of a media request, still percent-encoded
//	headers         its headers, names in any case; values may be lists
//	recv_ms         when the network had the request, Unix ms; required
//	player,
//	player_version  which no key of CMCD tells; optional
//
// CMCD of v1 and v2 is taken from the four headers, or, when they hold none,
// from the query: never from both. As in DecodeCMCD, values that are not right
// are dropped singly. A line is refused when it has no recv_ms within
// MaxLogAgeMs before nowMs, because that is what tells requests of v1 apart and
// makes the same log harmless when it comes again, or no sid, because it tells
// of no session.
//
// The error is an *experiment.Error of CodeInvalid or CodeTooLarge and means
// that no line was read.
func DecodeRequestLogs(body []byte, contentType string, nowMs int64) (RequestLog, error) {
	if len(body) > MaxBodyBytes {
		return RequestLog{}, errBodyTooLarge
	}
	d := requestLogDecoder{batch: newBatch[Record](body, len(body)/usualLineBytes+1), nowMs: nowMs}
	if err := d.read(contentType, d.line); err != nil {
		return RequestLog{}, err
	}
	return RequestLog{Records: d.items, Rejected: d.rejected, WithoutCMCD: d.without}, nil
}

// usualLineBytes sizes the result; a guess, not a limit.
const usualLineBytes = 400

// requestLogDecoder holds one body while it is read.
type requestLogDecoder struct {
	batch[Record]
	cmcd    cmcdDecoder
	nowMs   int64
	without int
}

// logLine is one line while it is read.
type logLine struct {
	query                 string
	shards                [len(cmcdHeaders)]string
	recvMs                int64
	hasRecv               bool
	player, playerVersion string
}

// line reads one object and appends its record or rejects it. False means that
// it is not JSON.
func (d *requestLogDecoder) line() bool {
	d.fault = fault{}
	var l logLine
	ok := d.object(func(key string) bool { return d.member(&l, key) })
	switch {
	case !ok:
		d.fault = fault{reason: ReasonMalformed, message: "not JSON"}
	case !l.hasRecv:
		d.fail("recv_ms", ReasonMissing, "is required")
	case l.recvMs < d.nowMs-MaxLogAgeMs || l.recvMs > d.nowMs+ClockSlackMs:
		d.fail("recv_ms", ReasonImplausible, "must be within the last %d days", MaxLogAgeMs/(24*3_600_000))
	}
	if d.fault.reason == "" {
		d.carried(&l)
	}
	if d.fault.reason != "" {
		d.reject(d.fault)
		l.name(&d.rejected[len(d.rejected)-1])
	}
	return ok
}

// name says in a rejection who sent the line.
func (l *logLine) name(r *Rejection) { r.Player, r.PlayerVersion = l.player, l.playerVersion }

// carried takes the CMCD of a line, if it carries any.
func (d *requestLogDecoder) carried(l *logLine) {
	var shards []string
	for _, shard := range l.shards {
		if shard != "" {
			shards = append(shards, shard)
		}
	}
	if len(shards) > 0 {
		d.keep(l, strings.Join(shards, ","))
		return
	}
	raw, found, err := cmcdInQuery(strings.TrimPrefix(l.query, "?"))
	switch {
	case err != nil:
		d.fail("query", ReasonMalformed, "not percent-encoded")
	case found:
		d.keep(l, raw)
	default:
		d.without++
	}
}

// keep appends the record of a line.
func (d *requestLogDecoder) keep(l *logLine, raw string) {
	d.items = append(d.items, Record{})
	r := &d.items[len(d.items)-1]
	d.cmcd.index, d.cmcd.rejected = d.count, d.rejected
	first := len(d.rejected)
	taken := d.cmcd.record(r, strings.Trim(raw, " \t\r\n"), ModeRequest)
	if taken && r.SID == "" {
		taken = d.cmcd.refuse(r, first, "sid", ReasonMissing, "is required")
	}
	d.rejected = d.cmcd.rejected
	for i := first; i < len(d.rejected); i++ {
		l.name(&d.rejected[i])
	}
	if !taken {
		d.items = d.items[:len(d.items)-1]
		return
	}
	r.RecvMs, r.Player, r.PlayerVersion = l.recvMs, l.player, l.playerVersion
}

// member reads the value of one key. False means that the text is not JSON.
func (d *requestLogDecoder) member(l *logLine, key string) bool {
	if d.at < len(d.text) && d.text[d.at] == 'n' {
		return d.word("null") // an absent field
	}
	switch key {
	case "query":
		var ok bool
		l.query, ok = d.readString(key)
		return ok
	case "headers":
		return d.headers(l)
	case "recv_ms":
		l.hasRecv = true
		return d.readNumber(&l.recvMs, key)
	case "player":
		return d.readText(&l.player, key)
	case "player_version":
		return d.readText(&l.playerVersion, key)
	}
	return d.skip(maxDepth)
}

// headers reads the headers of a line, those of CMCD at least.
func (d *requestLogDecoder) headers(l *logLine) bool {
	if d.peek() != '{' {
		d.fail("headers", ReasonType, "must be an object")
		return d.skip(maxDepth)
	}
	return d.object(func(name string) bool {
		for i, shard := range cmcdHeaders {
			if strings.EqualFold(name, shard) {
				return d.header(&l.shards[i])
			}
		}
		return d.skip(maxDepth)
	})
}

// header reads the value of a header: a string or a list of strings.
func (d *requestLogDecoder) header(into *string) bool {
	switch d.peek() {
	case 'n':
		return d.word("null")
	case '[':
	default:
		value, ok := d.readString("headers")
		*into = value
		return ok
	}
	d.at++
	var values []string
	if d.take(']') {
		return true
	}
	for {
		value, ok := d.readString("headers")
		values = append(values, value)
		if !ok {
			return false
		}
		if d.take(']') {
			*into = strings.Join(values, ",")
			return true
		}
		if !d.take(',') {
			return false
		}
	}
}

// ValidPlayer reports whether a receiver takes s for the name or the version
// of a player that it is told beside the records: an id, or nothing.
func ValidPlayer(s string) bool { return s == "" || experiment.ValidUnitID(s) }
