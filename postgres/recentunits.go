package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// sessionAttributes are the attributes that sessions keep, with their columns, in
// the order of metrics.Dimensions and then the ids.
var sessionAttributes = []struct{ name, column string }{
	{"country", "country"},
	{"device_class", "device_class"},
	{"os", "os"},
	{"player", "player"},
	{"player_version", "player_version"},
	{"net_class", "net_class"},
	{"isp", "asn"},
	{"channel_id", "channel_id"},
	{"viewer_id", "viewer_id"},
	{"device_id", "device_id"},
	{"broadcaster_id", "broadcaster_id"},
}

// unitColumnOf returns the column of sessions that names the unit of a type; empty:
// none does.
func unitColumnOf(unit experiment.UnitType) string {
	switch unit {
	case experiment.UnitViewer:
		return "viewer_id"
	case experiment.UnitDevice:
		return "device_id"
	case experiment.UnitBroadcaster:
		return "broadcaster_id"
	case experiment.UnitSession:
		return "session_id"
	case experiment.UnitBlock:
	}
	return ""
}

// SessionAttributes returns the names of the attributes that stored sessions know
// of their units.
func SessionAttributes() []string {
	out := make([]string, len(sessionAttributes))
	for i, a := range sessionAttributes {
		out[i] = a.name
	}
	return out
}

// maxRecentSessions bounds what EachRecentUnit reads while somebody waits: half a
// second.
const maxRecentSessions = 200_000

// recentSlices are how far back EachRecentUnit reads, one after the other: the
// newest sessions first, without sorting any.
var recentSlices = [...]time.Duration{
	time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 72 * time.Hour, 120 * time.Hour, 168 * time.Hour,
}

// RecentUnits says what EachRecentUnit read.
type RecentUnits struct {
	// Since is from when on all sessions were read; when the newest hour alone
	// held too many it is the end.
	Since     time.Time
	Sessions  int64 // read
	Nameless  int64 // of them without the unit's id
	Truncated bool  // there were more within the window
}

// EachRecentUnit calls visit for the sessions that began within the window before
// now, newest slices of time first, with the unit and the named attributes that
// are known of it; what is not known is empty. A unit comes as often as it has
// sessions. It stops at a limit, and at the longest slice.
//
// It returns experiment.CodeInvalid for units that sessions do not name, and for
// an attribute that they do not keep.
func (db *DB) EachRecentUnit(ctx context.Context, unit experiment.UnitType, names []string, now time.Time, window time.Duration,
	visit func(unit string, values []string),
) (RecentUnits, error) {
	return db.eachRecentUnit(ctx, recentRead{unit, names, now, window, maxRecentSessions}, visit)
}

// recentRead is what EachRecentUnit reads.
type recentRead struct {
	unit   experiment.UnitType
	names  []string
	now    time.Time
	window time.Duration
	limit  int64 // of sessions
}

func (db *DB) eachRecentUnit(ctx context.Context, r recentRead, visit func(unit string, values []string)) (RecentUnits, error) {
	query, err := recentQuery(r.unit, r.names)
	if err != nil {
		return RecentUnits{}, err
	}
	out := RecentUnits{Since: r.now}
	values := make([]string, len(r.names))
	var id string
	into := []any{&id}
	for i := range values {
		into = append(into, &values[i])
	}
	until := r.now
	for _, back := range recentSlices {
		from := r.now.Add(-min(back, r.window))
		left := r.limit - out.Sessions
		n := int64(0)
		err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
			if n++; n > left { // the row that says that there are more
				return nil
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			out.Sessions++
			if id == "" {
				out.Nameless++
				return nil
			}
			visit(id, values)
			return nil
		}, query, from.UnixMilli(), until.UnixMilli(), left+1)
		if err != nil {
			return out, wrap("read recent sessions", err)
		}
		if out.Truncated = n > left; out.Truncated {
			break
		}
		out.Since, until = from, from
		if back >= r.window {
			break
		}
	}
	return out, nil
}

// recentQuery reads sessions that began in [$1, $2), at most $3.
func recentQuery(unit experiment.UnitType, names []string) (string, error) {
	column := unitColumnOf(unit)
	if column == "" {
		return "", experiment.Invalidf("unit", "sessions name no units of type %s", unit)
	}
	columns := make(map[string]string, len(sessionAttributes))
	for _, a := range sessionAttributes {
		columns[a.name] = a.column
	}
	var b strings.Builder
	b.WriteString("select " + column)
	for _, name := range names {
		c, ok := columns[name]
		if !ok {
			return "", experiment.Invalidf("audience", "sessions do not keep the attribute %q", name)
		}
		b.WriteString(", " + c)
	}
	fmt.Fprint(&b, " from sessions where first_recv_ms >= $1 and first_recv_ms < $2 limit $3")
	return b.String(), nil
}
