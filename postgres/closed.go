package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// closedPage is how many exposures are read at once: enough that the round trip
// does not count, few enough to hold.
const closedPage = 10_000

// closedSession are the columns of a session that metrics.Observe reads, in the
// order of parseClosedSession.
const closedSession = `s.session_id, s.first_recv_ms, s.play_requested, s.started, s.first_frame_ms,
	s.last_mark_mono_ms, s.ended, s.fatal_code, s.play_ms, s.stall_ms, s.stall_n,
	s.rung_kbps_ms, s.rung_ms, s.latency_samples, s.latency_ms_sum, s.observed`

// unitColumns are the columns of sessions that name a unit. A block has none:
// its sessions are joined by links alone.
var unitColumns = map[experiment.UnitType]string{
	experiment.UnitViewer:      "viewer_id",
	experiment.UnitDevice:      "device_id",
	experiment.UnitBroadcaster: "broadcaster_id",
	experiment.UnitSession:     "session_id",
}

// closesColumns are the columns of exposures in which windows close.
var closesColumns = map[metrics.Window]string{
	metrics.WindowFirst: "first_closes_at",
	metrics.WindowDay:   "day_closes_at",
}

// closedQuery returns the statement that reads a page: exposures with their
// sessions, one row a session, or one without any. The page is cut before the
// join, and both keep the order of the index.
//
// A unit counts as crossed when that was known as its window closed, so that
// outcomes do not depend on when a job gets to them.
func closedQuery(unit experiment.UnitType, w metrics.Window) string {
	closes := closesColumns[w]
	own, notOwn := `false`, `true`
	if column, ok := unitColumns[unit]; ok {
		own = `s.` + column + ` = x.unit_id and s.` + column + ` <> ''`
		notOwn = `s.` + column + ` <> x.unit_id`
	}
	const within = ` and s.first_recv_ms >= x.exposed_ms and s.first_recv_ms < x.exposed_ms + $7`
	return `
		select x.unit_id, x.arm, x.exposed_ms, x.closes_at, x.crossed, x.override, x.attributes, s.session
		from (
			select unit_id, arm, (date_part('epoch', at) * 1000)::bigint as exposed_ms, ` + closes + ` as closes_at,
			       coalesce(crossed_at <= ` + closes + `, false) as crossed, override, attributes
			from exposures
			where experiment_id = $1 and version = $2
			  and (` + closes + `, unit_id) > ($3, $4) and ` + closes + ` <= $5
			order by ` + closes + `, unit_id
			limit $6) x
		left join lateral (
			select row(` + closedSession + `)::text as session from sessions s
			where ` + own + within + `
			union all
			select row(` + closedSession + `)::text from session_links l join sessions s on s.session_id = l.session_id
			where l.unit_id = x.unit_id and l.unit_type = $8 and ` + notOwn + within + `) s on true
		order by x.closes_at, x.unit_id`
}

// Closed implements metrics.LookTx. Of each session it reads what
// metrics.Observe needs; the other fields are zero.
func (l *lookTx) Closed(ctx context.Context, w metrics.Window, after, upTo time.Time, each func(*metrics.Closed) error) error {
	r := closedReader{tx: l.tx, query: closedQuery(l.exp.Unit, w), exp: l.exp, window: w, after: stamp(after), upTo: stamp(upTo)}
	for {
		page, err := r.read(ctx)
		if err != nil {
			return wrap("read closed windows", err)
		}
		for i := range page {
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < closedPage {
			return nil
		}
	}
}

// closedReader reads page after page.
type closedReader struct {
	tx          *connTx
	query       string
	exp         *experiment.Experiment
	window      metrics.Window
	after, upTo time.Time
	afterUnit   string // all units up to here of those that closed at after are read
	fresh       bool   // whether afterUnit counts
	page        []metrics.Closed
}

func (r *closedReader) read(ctx context.Context) ([]metrics.Closed, error) {
	after := r.after
	if !r.fresh {
		// (after, '') excludes what closed at after only from the next moment on.
		after = after.Add(time.Microsecond)
		r.fresh = true
	}
	r.page = r.page[:0]
	err := eachRow(ctx, r.tx, r.scan, r.query, r.exp.ID, r.exp.Version, after, r.afterUnit, r.upTo, closedPage,
		r.window.Span().Milliseconds(), string(r.exp.Unit))
	if n := len(r.page); n > 0 {
		r.after, r.afterUnit = r.page[n-1].ClosesAt, r.page[n-1].Unit
	}
	return r.page, err
}

func (r *closedReader) scan(rows *sql.Rows) error {
	var c metrics.Closed
	var exposedMs int64
	var attributes []byte
	var session sql.NullString
	if err := rows.Scan(&c.Unit, &c.Arm, &exposedMs, &c.ClosesAt, &c.Crossed, &c.Override, &attributes, &session); err != nil {
		return err
	}
	n := len(r.page)
	if n == 0 || r.page[n-1].Unit != c.Unit {
		c.ExposedAt, c.ClosesAt = time.UnixMilli(exposedMs).UTC(), c.ClosesAt.UTC()
		if err := json.Unmarshal(attributes, &c.Dims); err != nil {
			return fmt.Errorf("read the attributes of unit %q: %w", c.Unit, err)
		}
		r.page = append(r.page, c)
		n++
	}
	if !session.Valid {
		return nil
	}
	s, err := parseClosedSession(session.String)
	r.page[n-1].Sessions = append(r.page[n-1].Sessions, s)
	return err
}

// parseClosedSession reads the text of a row of closedSession.
func parseClosedSession(text string) (telemetry.Session, error) {
	var s telemetry.Session
	p := rowParser{text: text, at: 1} // after the opening parenthesis
	s.SessionID = p.string()
	s.FirstRecvMs = p.int()
	s.PlayRequested, s.Started = p.bool(), p.bool()
	s.FirstFrameMs = p.known()
	s.Last.MonoMs = p.int()
	s.Ended = p.bool()
	s.FatalCode = p.string()
	s.PlayMs, s.StallMs, s.StallN = p.int(), p.int(), p.int()
	s.RungKbpsMs, s.RungMs = p.int(), p.int()
	s.LatencySamples, s.LatencySumMs = p.int(), p.int()
	s.Observed = telemetry.Observed(p.int()) //nolint:gosec // written from the same type
	if p.failed || p.at != len(text) {
		return s, errMalformedRow
	}
	return s, nil
}
