package extract

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxExactInteger bounds the whole numbers that float64 holds exactly.
const maxExactInteger = 1 << 53

// momentFormat is RFC 3339 with as many digits as are stored.
const momentFormat = "2006-01-02T15:04:05.000000Z07:00"

// append writes the value as text without quotes.
func (v *Value) append(buf []byte, t Type) []byte {
	switch t {
	case Text:
		return append(buf, v.text...)
	case Integer:
		return strconv.AppendInt(buf, v.integer, 10)
	case Number:
		if math.Abs(v.number) < maxExactInteger && v.number == math.Trunc(v.number) {
			return strconv.AppendInt(buf, int64(v.number), 10)
		}
		return strconv.AppendFloat(buf, v.number, 'g', -1, 64)
	case Moment:
		return time.UnixMicro(v.integer).UTC().AppendFormat(buf, momentFormat)
	case Bool:
		return strconv.AppendBool(buf, v.integer != 0)
	}
	return buf
}

type csvWriter struct {
	out     *csv.Writer
	columns []Column
	record  []string
	buf     []byte
}

func newCSV(w io.Writer, columns []Column) (*csvWriter, error) {
	c := &csvWriter{out: csv.NewWriter(w), columns: columns, record: make([]string, len(columns))}
	for i := range columns {
		c.record[i] = columns[i].Name
	}
	return c, c.out.Write(c.record)
}

// Write writes a line; what is unknown is empty. Texts that a spreadsheet would
// take for a formula are preceded by an apostrophe, as in the CSV of reports.
func (c *csvWriter) Write(row []Value) error {
	for i := range row {
		c.record[i] = ""
		if !row[i].known {
			continue
		}
		c.buf = row[i].append(c.buf[:0], c.columns[i].Type)
		c.record[i] = string(c.buf)
		if c.columns[i].Type == Text && strings.ContainsRune("=+-@\t\r", rune(c.record[i][0])) {
			c.record[i] = "'" + c.record[i]
		}
	}
	return c.out.Write(c.record)
}

// Close writes what is held.
func (c *csvWriter) Close() error {
	c.out.Flush()
	return c.out.Error()
}

type ndjsonWriter struct {
	out     *bufio.Writer
	columns []Column
	names   []string // as JSON, with what stands before each
	buf     []byte
}

func newNDJSON(w io.Writer, columns []Column) *ndjsonWriter {
	n := &ndjsonWriter{out: bufio.NewWriter(w), columns: columns, names: make([]string, len(columns))}
	for i := range columns {
		before := ","
		if i == 0 {
			before = "{"
		}
		n.names[i] = before + `"` + columns[i].Name + `":`
	}
	return n
}

// Write writes an object; what is unknown is null.
func (n *ndjsonWriter) Write(row []Value) error {
	buf := n.buf[:0]
	for i := range row {
		buf = append(buf, n.names[i]...)
		t := n.columns[i].Type
		switch {
		case !row[i].known:
			buf = append(buf, "null"...)
		case t == Text:
			text, err := json.Marshal(row[i].text)
			if err != nil {
				return err
			}
			buf = append(buf, text...)
		case t == Moment:
			buf = append(row[i].append(append(buf, '"'), t), '"')
		default:
			buf = row[i].append(buf, t)
		}
	}
	buf = append(buf, '}', '\n')
	n.buf = buf
	_, err := n.out.Write(buf)
	return err
}

// Close writes what is held.
func (n *ndjsonWriter) Close() error { return n.out.Flush() }
