package postgres

import (
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/telemetry"
)

// The rules of telemetry.Merge in SQL. s is the stored session, excluded the
// one of the batch; both come from heartbeats and have a single epoch, the same
// one. A comparison of rows
// goes column by column, like the comparisons of Merge, and text is compared by
// its bytes because the columns have collation "C".
const (
	sameEpoch = `(not s.folded and s.epochs is null and excluded.epochs is null and s.epoch = excluded.epoch)`

	unknownLast = `9223372036854775807`

	startsEarlier = `(excluded.started and (not s.started
		or (excluded.start_seq, coalesce(excluded.first_frame_ms, ` + unknownLast + `))
		 < (s.start_seq, coalesce(s.first_frame_ms, ` + unknownLast + `))))`
)

// The comparisons that decide which of the two states a group of columns comes from.
var (
	// The least (viewer is empty, identity_seq), then by content.
	identityIsBefore = compareRows("<", "(%.viewer_id = '')", "%.identity_seq", each(identityColumns))
	// The record with the lowest seq.
	firstIsBefore = compareRows("<", "%.first_mark_seq", "%.first_mark_mono_ms", "%.first_mark_recv_ms", "%.first_mark_client_ts_ms")
	// The record with the highest seq, of equal ones what was received first.
	lastIsAfter     = compareRows(">", newness, "%.ended", "%.end_reason", "%.fatal_code")
	countersAreNews = compareRows(">", newness, each(sessionCounters))
)

const newness = "%.last_mark_seq, -%.last_mark_recv_ms, %.last_mark_mono_ms, %.last_mark_client_ts_ms"

// compareRows compares a row of excluded with the same of s; % stands for either.
func compareRows(operator string, columns ...string) string {
	row := "(" + strings.Join(columns, ", ") + ")"
	return "(" + strings.ReplaceAll(row, "%", "excluded") + " " + operator + " " + strings.ReplaceAll(row, "%", "s") + ")"
}

// each writes a list of columns for compareRows.
func each(columns string) string {
	return "%." + strings.Join(strings.Fields(columns), ", %.")
}

// take sets columns to those of the batch when the condition holds.
func take(condition, columns string) string {
	var sets []string
	for c := range strings.FieldsSeq(columns) {
		sets = append(sets, c+" = case when "+condition+" then excluded."+c+" else s."+c+" end")
	}
	return strings.Join(sets, ", ")
}

// mergeNewer merges the sessions of which the batch holds newer records and
// nothing else, as of nearly all heartbeats: the record that is highest so far
// and the counters are taken as they are, and everything else stays. It costs
// half of what mergeStaged does, which decides for each column. The sessions it
// merged are in session_newer.
var mergeNewer = `
	with newer as (
		update sessions s set ` + overwriteFrom("b", lastColumns+sessionCounters) + `,
			clock_offset_ms = least(s.clock_offset_ms, b.clock_offset_ms)
		from session_batch b
		where s.session_id = b.session_id and not s.folded
		  and s.epochs is null and b.epochs is null and s.epoch = b.epoch
		  and b.last_mark_seq > s.last_mark_seq and b.first_mark_seq > s.first_mark_seq
		  and b.identity_seq > s.identity_seq and (b.viewer_id = '' or s.viewer_id <> '')
		  and (not b.started or (s.started and b.start_seq > s.start_seq))
		  and b.telemetry_tier <= s.telemetry_tier and b.first_recv_ms >= s.first_recv_ms
		  and (s.play_requested or not b.play_requested)
		returning s.session_id)
	insert into session_newer (session_id) select session_id from newer`

const lastColumns = `
	last_mark_seq last_mark_recv_ms last_mark_client_ts_ms last_mark_mono_ms ended end_reason fatal_code`

// countConflicts finds the sessions of which the newest record stored and the newest
// of the batch have the same number and tell different things: the one received
// first stays, and the other is counted, by player and version and with the session,
// through which arms are compared. What was sent twice says the same and is no
// conflict; the moment of receipt is not compared. It looks at the rows that
// mergeNewer left over, which are few.
var countConflicts = `
	with contradicted as (
		update sessions s set conflicts = s.conflicts + 1
		from session_batch b
		where s.session_id = b.session_id and s.last_mark_seq = b.last_mark_seq
		  and not s.folded and s.epochs is null and b.epochs is null and s.epoch = b.epoch
		  and not exists (select from session_newer n where n.session_id = b.session_id)
		  and ` + saysOtherThanStored + `
		returning s.player, s.player_version, b.last_mark_recv_ms, 1 as n)` + rejectConflicts("heartbeat", "seq")

// saysOtherThanStored holds for a record of the batch b that is not what is stored.
var saysOtherThanStored = strings.ReplaceAll(
	compareRows("is distinct from", "%.last_mark_mono_ms", "%.last_mark_client_ts_ms", "%.ended", each(sessionCounters)), "excluded.", "b.")

// countContradicting counts the records of the staging table, of which each
// contradicts another one of the batch that was merged before: all but those that
// are what was stored already, and which the other one contradicts.
var countContradicting = `
	with contradicting as (
		select b.session_id, count(*) as n, max(b.last_mark_recv_ms) as last_mark_recv_ms
		from session_batch b join sessions s on s.session_id = b.session_id
		where s.last_mark_seq <> b.last_mark_seq or ` + saysOtherThanStored + `
		group by b.session_id),
	contradicted as (
		update sessions s set conflicts = s.conflicts + b.n
		from contradicting b where s.session_id = b.session_id
		returning s.player, s.player_version, b.last_mark_recv_ms, b.n)` + rejectConflicts("heartbeat", "seq")

// rejectConflicts returns the end of a statement that adds what contradicted holds to
// the rejections of a source; field is that of the number that records share.
func rejectConflicts(source, field string) string {
	text := strconv.Itoa(maxRejectionText)
	return `
	insert into rejections as r (day, source, reason, field, whole, player, player_version, count)
	select (to_timestamp(max(last_mark_recv_ms) / 1000.0) at time zone 'UTC')::date, '` + source + `', '` + string(telemetry.ReasonConflict) + `', '` + field + `', true,
	       left(player, ` + text + `), left(player_version, ` + text + `), sum(n)
	from contradicted
	group by player, player_version
	order by player, player_version
	on conflict (day, source, reason, field, whole, player, player_version) do update set count = r.count + excluded.count`
}

// mergeStaged merges the rest of the staging table into sessions, in the order
// in which it was filled, and returns the sessions that it could not merge and
// marked. Sessions that the batch says nothing new of are not written.
var mergeStaged = `
	with merged as (
		insert into sessions as s (` + strings.Join(sessionColumns, ", ") + `)
		select ` + strings.Join(sessionColumns, ", ") + ` from session_batch b
		where not exists (select from session_newer n where n.session_id = b.session_id)
		on conflict (session_id) do update set
			` + strings.Join([]string{
	take(sameEpoch+" and "+identityIsBefore, "identity_seq "+identityColumns),
	take(sameEpoch+" and "+startsEarlier, "start_seq first_frame_ms"),
	take(sameEpoch+" and "+firstIsBefore, "first_mark_seq first_mark_recv_ms first_mark_client_ts_ms first_mark_mono_ms"),
	take(sameEpoch+" and "+lastIsAfter, lastColumns),
	take(sameEpoch+" and "+countersAreNews, sessionCounters),
	`telemetry_tier = case when ` + sameEpoch + ` then greatest(s.telemetry_tier, excluded.telemetry_tier) else s.telemetry_tier end`,
	`first_recv_ms = case when ` + sameEpoch + ` then least(s.first_recv_ms, excluded.first_recv_ms) else s.first_recv_ms end`,
	`clock_offset_ms = case when ` + sameEpoch + ` then least(s.clock_offset_ms, excluded.clock_offset_ms) else s.clock_offset_ms end`,
	`play_requested = s.play_requested or (` + sameEpoch + ` and excluded.play_requested)`,
	`started = s.started or (` + sameEpoch + ` and excluded.started)`,
	`needs_merge = not ` + sameEpoch,
}, ",\n\t\t\t") + `
		where not ` + sameEpoch + ` or ` + countersAreNews + ` or ` + lastIsAfter + ` or ` + firstIsBefore + `
		   or ` + startsEarlier + ` or ` + identityIsBefore + `
		   or excluded.telemetry_tier > s.telemetry_tier
		   or excluded.first_recv_ms < s.first_recv_ms
		   or excluded.clock_offset_ms < coalesce(s.clock_offset_ms, ` + unknownLast + `)
		   or (excluded.play_requested and not s.play_requested)
		returning s.session_id, s.needs_merge)
	select session_id from merged where needs_merge`

// replaceStaged overwrites sessions by the staging table, which comes from
// heartbeats.
var replaceStaged = replaceFrom("false")

// replaceFolded overwrites sessions by the staging table, which comes from a
// fold, except those of which heartbeats tell: they may have come after the fold
// chose its sessions.
var replaceFolded = replaceFrom("true") + ` where s.folded`

func replaceFrom(folded string) string {
	columns := strings.Join(sessionColumns, ", ")
	return `
	insert into sessions as s (` + columns + `, folded)
	select ` + columns + `, ` + folded + ` from session_batch
	on conflict (session_id) do update set needs_merge = false, folded = ` + folded + `, ` +
		overwriteFrom("excluded", strings.Join(sessionColumns[1:], " "))
}

// overwriteFrom sets columns to those of the row named.
func overwriteFrom(row, columns string) string {
	var sets []string
	for c := range strings.FieldsSeq(columns) {
		sets = append(sets, c+" = "+row+"."+c)
	}
	return strings.Join(sets, ", ")
}
