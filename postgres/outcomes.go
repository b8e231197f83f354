package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/splitcast/splitcast/metrics"
)

// fixedKey is what outcomes are counted by.
type fixedKey struct {
	window metrics.Window
	arm    int
}

const copyOutcomes = ` (day, experiment_id, version, win, unit_id, look, arm, exposed_at, closes_at, quantities, dims, covariates, custom, suspected)
	from stdin`

// tableRestated has the outcomes that were made again.
const tableRestated = "restated_outcomes"

// AppendOutcomes implements metrics.LookTx. That no unit has two outcomes of a
// window is a unique key of its day, which is enough: when a window closes is
// settled before it has closed.
func (l *lookTx) AppendOutcomes(ctx context.Context, w metrics.Window, look int, outcomes []metrics.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	if err := l.db.haveDays(ctx, tableOutcomes, closingDays(outcomes)); err != nil {
		return err
	}
	if err := l.copyOutcomes(ctx, tableOutcomes, w, look, outcomes); err != nil {
		if lacksPartition(err) {
			l.db.days.forget() // the next look makes it again
		}
		return wrap("append outcomes", err)
	}
	for i := range outcomes {
		l.fixed[fixedKey{w, outcomes[i].Arm}]++
	}
	return nil
}

// AppendRestated implements metrics.LookTx.
func (l *lookTx) AppendRestated(ctx context.Context, w metrics.Window, look int, outcomes []metrics.Outcome) error {
	if err := l.copyOutcomes(ctx, tableRestated, w, look, outcomes); err != nil {
		return wrap("append restated outcomes", err)
	}
	const stray = `
		select r.unit_id from restated_outcomes r
		where r.experiment_id = $1 and r.version = $2 and r.win = $3 and r.look = $4
		  and not exists (
			select from outcomes o
			where o.experiment_id = r.experiment_id and o.version = r.version and o.win = r.win
			  and o.day = r.day and o.unit_id = r.unit_id)
		limit 1`
	var unit string
	err := l.tx.GetContext(ctx, &unit, stray, l.exp.ID, l.exp.Version, string(w), look)
	if err == nil {
		return fmt.Errorf("unit %s has no outcome of window %s to restate", unit, w)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return wrap("check restated outcomes", err)
}

// copyOutcomes appends outcomes to one of the tables that hold them.
func (l *lookTx) copyOutcomes(ctx context.Context, table string, w metrics.Window, look int, outcomes []metrics.Outcome) error {
	// What the rows of this call have in common.
	run := strconv.AppendInt(nil, l.exp.ID, 10)
	run = append(strconv.AppendInt(append(run, '\t'), int64(l.exp.Version), 10), '\t')
	run = append(append(run, w...), '\t')
	number := append(strconv.AppendInt([]byte{'\t'}, int64(look), 10), '\t')

	kept := keptQuantities(l.exp)
	order := byUnit(outcomes)
	return l.tx.copyIn(ctx, "copy "+table+copyOutcomes, len(outcomes), func(buf []byte, i int) []byte {
		o := &outcomes[order[i]]
		buf = append(o.ClosesAt.UTC().AppendFormat(buf, time.DateOnly), '\t')
		buf = appendText(append(buf, run...), o.Unit)
		return appendOutcome(append(buf, number...), o, kept)
	})
}

// byUnit returns the indexes of outcomes in the order of their units, in which
// their key is twice as cheap to maintain as in the order of closing.
func byUnit(outcomes []metrics.Outcome) []int {
	order := make([]int, len(outcomes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(outcomes[a].Unit, outcomes[b].Unit) })
	return order
}

// closingDays returns the days on which windows closed, in rising order as the
// outcomes are.
func closingDays(outcomes []metrics.Outcome) []time.Time {
	var days []time.Time
	for i := range outcomes {
		if day := dayOf(outcomes[i].ClosesAt); len(days) == 0 || !days[len(days)-1].Equal(day) {
			days = append(days, day)
		}
	}
	return days
}

// appendOutcome writes the columns from arm on as a row of COPY, with as many
// quantities as are kept.
func appendOutcome(buf []byte, o *metrics.Outcome, kept int) []byte {
	buf = append(strconv.AppendInt(buf, int64(o.Arm), 10), '\t')
	buf = append(o.ExposedAt.UTC().AppendFormat(buf, timestampFormat), '\t')
	buf = append(o.ClosesAt.UTC().AppendFormat(buf, timestampFormat), '\t')
	buf = append(appendQuantities(buf, &o.Quantities, kept), '\t', '{')
	for i, value := range o.Dims {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendElement(buf, value)
	}
	buf = append(appendCovariates(append(buf, '}', '\t'), &o.Covariates), '\t')
	if custom := customText(o.Custom); custom == "" {
		buf = appendNull(buf)
	} else {
		buf = appendText(buf, custom)
	}
	return appendBool(append(buf, '\t'), o.Suspected)
}

// appendQuantities writes as many quantities as are kept, as the text of an array.
func appendQuantities(buf []byte, q *metrics.Quantities, kept int) []byte {
	buf = append(buf, '{')
	for i, f := range q[:kept] {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendFloat(buf, f)
	}
	return append(buf, '}')
}

// appendCovariates writes whether there is a past, and of each quantity that is
// not 0 its number and value; null where the past was not read.
func appendCovariates(buf []byte, c *metrics.Covariates) []byte {
	if !c.Known {
		return appendNull(buf)
	}
	buf = append(buf, '{', '0')
	if c.History {
		buf[len(buf)-1] = '1'
	}
	for i, q := range c.Quantities {
		if q != 0 {
			buf = append(strconv.AppendInt(append(buf, ','), int64(i), 10), ',')
			buf = appendFloat(buf, q)
		}
	}
	return append(buf, '}')
}

// maxExactInt bounds the whole numbers that float64 holds exactly.
const maxExactInt = 1 << 53

// appendFloat writes the shortest text that reads back as f. Quantities are
// whole numbers, which are much faster to write and to read as such.
func appendFloat(buf []byte, f float64) []byte {
	if math.Abs(f) < maxExactInt && f == math.Trunc(f) {
		return strconv.AppendInt(buf, int64(f), 10)
	}
	return strconv.AppendFloat(buf, f, 'g', -1, 64)
}

// appendElement writes an element of a text array within a row of COPY: in
// quotes, with quotes and backslashes escaped once for the array, and the
// escapes once more for COPY.
func appendElement(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' {
			buf = append(appendText(buf, s[start:i]), '\\', '\\')
			start = i
		}
	}
	return append(appendText(buf, s[start:]), '"')
}

// flushCounts adds the outcomes appended since the last call to outcome_counts:
// once a look, not with each chunk, because a row that changes often within one
// transaction is slow to find.
func (l *lookTx) flushCounts(ctx context.Context) error {
	const add = `
		insert into outcome_counts as c (experiment_id, version, win, arm, count)
		values ($1, $2, $3, $4, $5)
		on conflict (experiment_id, version, win, arm) do update set count = c.count + excluded.count`
	for key, n := range l.fixed {
		if _, err := l.tx.ExecContext(ctx, add, l.exp.ID, l.exp.Version, string(key.window), key.arm, n); err != nil {
			return fmt.Errorf("count outcomes: %w", err)
		}
	}
	clear(l.fixed)
	return nil
}
