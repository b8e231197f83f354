package postgres

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// closedPage holds a page of closed windows as it came, and hands it out one by
// one. Memory is used again from page to page.
type closedPage struct {
	rows       []closedRow
	attributes []byte                           // JSON, one after the other
	sessions   []string                         // rows of selectClosedSession, one after the other
	broadcasts map[string][]telemetry.Broadcast // by broadcaster; nil: the units are none
	decoder    attributeDecoder
	closed     metrics.Closed
	frames     []int64 // of closed.Sessions
}

// closedRow is an exposure. Its attributes and sessions are the parts from..to of
// the page's.
type closedRow struct {
	unit              string
	exposedMs         int64
	closesUs          int64
	arm               int
	crossed, override bool
	attributes        part
	sessions          part
}

type part struct{ from, to int }

func (r *closedRow) closesAt() time.Time { return time.UnixMicro(r.closesUs).UTC() }

func (p *closedPage) reset() {
	p.rows, p.attributes, p.sessions = p.rows[:0], p.attributes[:0], p.sessions[:0]
}

// scan takes a row of closedQuery.
func (p *closedPage) scan(rows *sql.Rows) error {
	var r closedRow
	var attributes sql.RawBytes
	var session string
	err := rows.Scan(&r.unit, &r.arm, &r.exposedMs, &r.closesUs, &r.crossed, &r.override, &attributes, &session)
	if err != nil {
		return err
	}
	n := len(p.rows)
	if n == 0 || p.rows[n-1].unit != r.unit {
		r.attributes = part{len(p.attributes), len(p.attributes) + len(attributes)}
		r.sessions = part{len(p.sessions), len(p.sessions)}
		p.attributes = append(p.attributes, attributes...)
		p.rows = append(p.rows, r)
		n++
	}
	if session != "" {
		p.sessions = append(p.sessions, session)
		p.rows[n-1].sessions.to++
	}
	return nil
}

// sort puts the rows into closing order.
func (p *closedPage) sort() {
	slices.SortFunc(p.rows, func(a, b closedRow) int {
		if a.closesUs != b.closesUs {
			return cmp.Compare(a.closesUs, b.closesUs)
		}
		return cmp.Compare(a.unit, b.unit)
	})
}

// each hands the page out.
func (p *closedPage) each(yield func(*metrics.Closed) error) error {
	for i := range p.rows {
		r := &p.rows[i]
		c := &p.closed
		c.Unit, c.Arm, c.Crossed, c.Override = r.unit, r.arm, r.crossed, r.override
		c.ExposedAt, c.ClosesAt = time.UnixMilli(r.exposedMs).UTC(), r.closesAt()
		var err error
		if c.Dims, err = p.decoder.decode(p.attributes[r.attributes.from:r.attributes.to]); err != nil {
			return fmt.Errorf("read the attributes of unit %q: %w", r.unit, err)
		}
		if err := p.parseSessions(p.sessions[r.sessions.from:r.sessions.to]); err != nil {
			return fmt.Errorf("read a session of unit %q: %w", r.unit, err)
		}
		p.setBroadcasts(c)
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

func (p *closedPage) parseSessions(texts []string) error {
	c := &p.closed
	c.Sessions, p.frames = c.Sessions[:0], p.frames[:0]
	for i, text := range texts {
		if i == cap(c.Sessions) {
			c.Sessions = append(c.Sessions, telemetry.Session{})
		}
		c.Sessions = c.Sessions[:i+1] // what parseClosedSession does not set is zero since it was made
		p.frames = append(p.frames, 0)
		if err := parseClosedSession(text, &c.Sessions[i], &p.frames[i]); err != nil {
			return err
		}
	}
	return nil
}

// selectClosedSession reads what metrics.Observe needs of a session as one
// text, like selectSession, in the order of parseClosedSession.
const selectClosedSession = `row(s.session_id, s.first_recv_ms, s.play_requested, s.started, s.first_frame_ms,
	s.last_mark_recv_ms, s.last_mark_mono_ms, s.ended, s.end_reason, s.fatal_code, s.play_ms, s.stall_ms, s.stall_n, s.stall_max_ms,
	s.rung_kbps_ms, s.rung_ms, s.top_rung_ms, s.low_height_ms, s.switches_up + s.switches_down,
	s.paused_ms, s.hidden_ms, s.frames, s.dropped_frames, s.bytes, s.latency_samples, s.latency_ms_sum, s.observed, s.measures,
	s.since_stall_ms, s.latency_minutes)::text`

// parseClosedSession reads the text of selectClosedSession into s, which shares
// it. The time of the first frame, if known, is kept in frame.
func parseClosedSession(text string, s *telemetry.Session, frame *int64) error {
	p := rowParser{text: text, at: 1} // after the opening parenthesis
	s.SessionID = p.string()
	s.FirstRecvMs = p.int()
	s.PlayRequested, s.Started = p.bool(), p.bool()
	s.FirstFrameMs = nil
	if known := p.known(); known != nil {
		*frame = *known
		s.FirstFrameMs = frame
	}
	s.Last.RecvMs, s.Last.MonoMs = p.int(), p.int()
	s.Ended = p.bool()
	s.EndReason = telemetry.EndReason(p.string())
	s.FatalCode = p.string()
	s.PlayMs, s.StallMs, s.StallN, s.StallMaxMs = p.int(), p.int(), p.int(), p.int()
	s.RungKbpsMs, s.RungMs, s.TopRungMs = p.int(), p.int(), p.int()
	s.LowHeightMs = p.int()
	s.SwitchesUp = p.int() // both ways: metrics adds them up
	s.PausedMs, s.HiddenMs = p.int(), p.int()
	s.Frames, s.DroppedFrames, s.Bytes = p.int(), p.int(), p.int()
	s.LatencySamples, s.LatencySumMs = p.int(), p.int()
	s.Observed = telemetry.Observed(p.int()) //nolint:gosec // written from the same type
	s.Measures = telemetry.Measures(p.string())
	s.SinceStallMs = p.int()
	s.LatencyMinutes.Measures = telemetry.Measures(p.string())
	if p.failed || p.at != len(text) {
		return errMalformedRow
	}
	return nil
}
