package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/lib/pq"
)

// RejectionKey is what rejections are counted by.
type RejectionKey struct {
	Source        string // heartbeat, cmcd, request_log, broadcast or exposure
	Reason        string
	Field         string
	Whole         bool // the record was refused, not only the field
	Player        string
	PlayerVersion string
}

// RejectionCount is a count as stored.
type RejectionCount struct {
	Day time.Time `db:"day" json:"day"`
	RejectionRow
	Count int64 `db:"count" json:"count"`
}

// RejectionRow is a RejectionKey as stored.
type RejectionRow struct {
	Source        string `db:"source" json:"source"`
	Reason        string `db:"reason" json:"reason"`
	Field         string `db:"field" json:"field,omitempty"`
	Whole         bool   `db:"whole" json:"whole"`
	Player        string `db:"player" json:"player,omitempty"`
	PlayerVersion string `db:"player_version" json:"player_version,omitempty"`
}

// maxRejectionText bounds each text of a RejectionKey: what was refused says
// what it likes of its player, and an index refuses texts of some kilobytes.
const maxRejectionText = 128

// maxRejections bounds the counts of one answer: a page of them.
const maxRejections = 1000

// storable is the key as it can be stored: texts are cut to maxRejectionText
// bytes, and what PostgreSQL cannot hold becomes the replacement character.
func (k RejectionKey) storable() RejectionKey {
	for _, text := range [...]*string{&k.Reason, &k.Field, &k.Player, &k.PlayerVersion} {
		s := strings.ReplaceAll(strings.ToValidUTF8(*text, "\uFFFD"), "\x00", "\uFFFD")
		if len(s) > maxRejectionText {
			s = strings.ToValidUTF8(s[:maxRejectionText], "") // a character cut in two goes
		}
		*text = s
	}
	return k
}

// AddRejections adds counts, those above 0, to those of the day of now.
func (db *DB) AddRejections(ctx context.Context, now time.Time, counts map[RejectionKey]int64) error {
	stored := make(map[RejectionKey]int64, len(counts))
	for k, n := range counts {
		if n > 0 {
			stored[k.storable()] += n
		}
	}
	if len(stored) == 0 {
		return nil
	}
	var sources, reasons, fields, players, versions []string
	var whole []bool
	var ns []int64
	for k, n := range stored {
		sources, reasons, fields = append(sources, k.Source), append(reasons, k.Reason), append(fields, k.Field)
		whole, ns = append(whole, k.Whole), append(ns, n)
		players, versions = append(players, k.Player), append(versions, k.PlayerVersion)
	}
	_, err := db.sql.ExecContext(ctx, `
		insert into rejections as r (day, source, reason, field, whole, player, player_version, count)
		select $1::date, * from unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::text[], $7::text[], $8::bigint[])
			as u (source, reason, field, whole, player, player_version, count)
		order by source, reason, field, whole, player, player_version
		on conflict (day, source, reason, field, whole, player, player_version) do update set count = r.count + excluded.count`,
		dayOf(now), pq.Array(sources), pq.Array(reasons), pq.Array(fields), pq.Array(whole), pq.Array(players), pq.Array(versions), pq.Array(ns))
	return wrap("count rejections", err)
}

// Rejections returns the counts from a day on, largest first, at most 1,000.
func (db *DB) Rejections(ctx context.Context, from time.Time) ([]RejectionCount, error) {
	out := []RejectionCount{}
	err := db.sql.SelectContext(ctx, &out, `
		select day, source, reason, field, whole, player, player_version, count
		from rejections where day >= $1
		order by count desc, day desc, source, reason, field, whole, player, player_version limit $2`,
		dayOf(from), maxRejections)
	for i := range out {
		out[i].Day = out[i].Day.UTC()
	}
	return out, wrap("read rejections", err)
}
