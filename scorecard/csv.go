package scorecard

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// rowsPerCheck is how many rows are read between two looks at the context.
const rowsPerCheck = 4096

// utf8BOM is what spreadsheets put before the first column's name.
const utf8BOM = "\ufeff"

// ReadCSV compares the arms of comma-separated rows whose first line names the
// columns. A row that cannot be read, or lacks its arm or unit, becomes a
// Problem and the rest is read on. It returns an *Error for a request that the
// file cannot answer or a limit, the context's error, and those of r.
func ReadCSV(ctx context.Context, r io.Reader, in Input) (*Scorecard, error) {
	in = in.withDefaults()
	if err := in.check(); err != nil {
		return nil, err
	}
	t, err := openTable(r, in)
	if err != nil {
		return nil, err
	}
	c := newCollector(in)
	for {
		if c.rows%rowsPerCheck == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		record, err := t.next()
		if errors.Is(err, io.EOF) { // a record cut short by the end is a ParseError
			return c.scorecard()
		}
		if err := t.collect(c, record, err); err != nil {
			return nil, err
		}
	}
}

// table is an open file whose columns have been found.
type table struct {
	csv     *csv.Reader
	limit   *recordLimit
	width   int
	arm     int
	unit    int // -1: there is none
	stratum int // likewise
	cluster int // likewise
	metrics []columns
	before  []columns // the covariates by metric
	in      Input
	last    int // line on which the last record began
}

func openTable(r io.Reader, in Input) (*table, error) {
	limit := &recordLimit{r: r}
	limit.reset()
	t := &table{csv: csv.NewReader(limit), limit: limit, unit: -1, stratum: -1, cluster: -1, in: in}
	t.csv.FieldsPerRecord = -1 // checked here, so that one bad row does not end the file
	t.csv.ReuseRecord = true
	header, err := t.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errorf("file", "The file is empty; its first line must name the columns.")
	case isParseError(err):
		return nil, errorf("file", "The first line cannot be read: %v.", err)
	case err != nil:
		return nil, err
	}
	err = t.find(header)
	return t, err
}

// find locates the columns that are needed. Each must be there exactly once.
func (t *table) find(header []string) error {
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = strings.Clone(strings.TrimSpace(name))
	}
	names[0] = strings.TrimPrefix(names[0], utf8BOM)
	t.width = len(names)
	index := func(field, name string) (int, error) {
		i := slices.Index(names, name)
		switch {
		case i < 0:
			return 0, errorf(field, "The file has no column %s; it has %s.", quoted(name), listed(names))
		case slices.Contains(names[i+1:], name):
			return 0, errorf(field, "The file has the column %s twice.", quoted(name))
		}
		return i, nil
	}
	var err error
	if t.arm, err = index("arm", t.in.ArmColumn); err != nil {
		return err
	}
	for _, o := range []struct {
		field, name string
		at          *int
	}{{"unit", t.in.UnitColumn, &t.unit}, {"strata", t.in.Strata, &t.stratum}, {"cluster", t.in.Cluster, &t.cluster}} {
		if o.name == "" {
			continue
		}
		if *o.at, err = index(o.field, o.name); err != nil {
			return err
		}
	}
	t.metrics, t.before = make([]columns, len(t.in.Metrics)), make([]columns, len(t.in.Metrics))
	for i, m := range t.in.Metrics {
		if t.metrics[i], err = pairOf(index, "metric", m.Column, m.Denominator); err != nil {
			return err
		}
		if t.before[i], err = pairOf(index, "covariate", m.Covariate, m.CovariateDenominator); err != nil {
			return err
		}
	}
	return nil
}

// pairOf locates one or two columns; an empty name is none.
func pairOf(index func(field, name string) (int, error), field, num, den string) (c columns, err error) {
	if num != "" {
		if c.num, err = index(field, num); err != nil {
			return c, err
		}
	}
	if den != "" {
		c.den, err = index(field, den)
	}
	return c, err
}

// maxListed bounds how many columns an error names.
const maxListed = 20

func listed(names []string) string {
	more := ""
	if len(names) > maxListed {
		more = fmt.Sprintf(" and %d more", len(names)-maxListed)
		names = names[:maxListed]
	}
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = quoted(name)
	}
	return strings.Join(shown, ", ") + more
}

// next reads a record of at most MaxLineBytes.
func (t *table) next() ([]string, error) {
	t.limit.reset()
	start := t.csv.InputOffset()
	record, err := t.csv.Read()
	if errors.Is(err, errRecordTooLong) || t.csv.InputOffset()-start > MaxLineBytes {
		return nil, errorf("file", "A row after line %d is longer than %d bytes; is a quote missing?", t.last, MaxLineBytes)
	}
	if err == nil {
		t.last, _ = t.csv.FieldPos(0)
	}
	return record, err
}

func isParseError(err error) bool {
	var parse *csv.ParseError
	return errors.As(err, &parse)
}

// collect counts one record, or the reason why there is none.
func (t *table) collect(c *collector, record []string, err error) error {
	if err != nil {
		return c.unreadable(err)
	}
	c.rows++
	keys, column, reason := t.keys(record)
	if reason != "" {
		c.problem(t.last, column, reason)
		return nil
	}
	for i, m := range t.in.Metrics {
		var column, reason string
		c.row[i], column, reason = m.read(record, t.metrics[i])
		if reason != "" {
			line, _ := t.csv.FieldPos(t.metrics[i].num)
			c.problem(line, column, reason)
		}
		if m.Covariate == "" {
			continue
		}
		c.before.covariates[i], column, reason = m.readCovariate(record, t.before[i])
		if reason != "" {
			line, _ := t.csv.FieldPos(t.before[i].num)
			c.problem(line, column, reason)
		}
	}
	return c.add(keys, t.last)
}

// unreadable counts a record that is not well formed, and returns any other
// error, which ends the file.
func (c *collector) unreadable(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	c.rows++
	c.problem(parse.StartLine, "", parse.Err.Error())
	return nil
}

// keys returns whose a record is, or why that is not known.
func (t *table) keys(record []string) (k rowKeys, column, reason string) {
	if len(record) != t.width {
		return k, "", fmt.Sprintf("the row has %d values for %d columns", len(record), t.width)
	}
	for _, o := range []struct {
		into         *string
		at           int
		what, column string
		maxBytes     int
		optional     bool
	}{
		{&k.arm, t.arm, "arm", t.in.ArmColumn, MaxArmBytes, false},
		{&k.unit, t.unit, "unit", t.in.UnitColumn, MaxUnitBytes, false},
		{&k.cluster, t.cluster, "cluster", t.in.Cluster, MaxUnitBytes, false},
		{&k.stratum, t.stratum, "stratum", t.in.Strata, MaxUnitBytes, true}, // those without one are a stratum, too
	} {
		if o.at < 0 {
			continue
		}
		*o.into = strings.TrimSpace(record[o.at])
		switch {
		case *o.into == "" && !o.optional:
			return k, o.column, "the " + o.what + " is empty"
		case len(*o.into) > o.maxBytes:
			return k, o.column, fmt.Sprintf("the %s is longer than %d bytes", o.what, o.maxBytes)
		}
	}
	return k, "", ""
}

// errRecordTooLong ends the reading of a record that would not end by itself.
var errRecordTooLong = errors.New("record too long")

// readAhead is at most what csv.Reader holds beyond the record it returns: the
// default buffer of package bufio.
const readAhead = 4096

// recordLimit bounds what is read between two calls of reset, since csv.Reader
// keeps a whole record in memory however long it is.
type recordLimit struct {
	r    io.Reader
	left int
}

func (l *recordLimit) reset() { l.left = MaxLineBytes + 2*readAhead }

// Read reads from the reader beneath until the limit is reached.
func (l *recordLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errRecordTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
