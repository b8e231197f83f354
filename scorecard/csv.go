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
	if in.Alpha == 0 {
		in.Alpha = DefaultAlpha
	}
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
	metrics []columns
	in      Input
	last    int // line on which the last record began
}

func openTable(r io.Reader, in Input) (*table, error) {
	limit := &recordLimit{r: r}
	limit.reset()
	t := &table{csv: csv.NewReader(limit), limit: limit, unit: -1, in: in}
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
	if t.in.UnitColumn != "" {
		if t.unit, err = index("unit", t.in.UnitColumn); err != nil {
			return err
		}
	}
	t.metrics = make([]columns, len(t.in.Metrics))
	for i, m := range t.in.Metrics {
		if t.metrics[i].num, err = index("metric", m.Column); err != nil {
			return err
		}
		if m.Kind != KindRatio {
			continue
		}
		if t.metrics[i].den, err = index("metric", m.Denominator); err != nil {
			return err
		}
	}
	return nil
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
	arm, unit, column, reason := t.keys(record)
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
	}
	return c.add(arm, unit)
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

// keys returns the arm and the unit of a record, or why it has none.
func (t *table) keys(record []string) (arm, unit, column, reason string) {
	if len(record) != t.width {
		return "", "", "", fmt.Sprintf("the row has %d values for %d columns", len(record), t.width)
	}
	arm = strings.TrimSpace(record[t.arm])
	switch {
	case arm == "":
		return "", "", t.in.ArmColumn, "the arm is empty"
	case len(arm) > MaxArmBytes:
		return "", "", t.in.ArmColumn, fmt.Sprintf("the arm is longer than %d bytes", MaxArmBytes)
	case t.unit < 0:
		return arm, "", "", ""
	}
	unit = strings.TrimSpace(record[t.unit])
	switch {
	case unit == "":
		return "", "", t.in.UnitColumn, "the unit is empty"
	case len(unit) > MaxUnitBytes:
		return "", "", t.in.UnitColumn, fmt.Sprintf("the unit is longer than %d bytes", MaxUnitBytes)
	}
	return arm, unit, "", ""
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
