package intake

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// utf8BOM is what spreadsheets put before the first column's name.
const utf8BOM = "\ufeff"

const readBufferBytes = 1 << 16

// Row is one row of a file.
type Row struct {
	Line   int64
	values map[string]string // as text; what is missing is absent
	raw    map[string]json.RawMessage
}

// Value returns the text of a column; ok is false for a missing value.
func (r *Row) Value(column string) (text string, ok bool) {
	text, ok = r.values[column]
	return text, ok
}

// MarshalJSON writes the row as an object, as it was read.
func (r *Row) MarshalJSON() ([]byte, error) {
	if r.raw != nil {
		return json.Marshal(r.raw)
	}
	return json.Marshal(r.values)
}

// Rows reads a file.
type Rows struct {
	columns []string
	next    func() (Row, error)
}

// Columns returns the names of the columns; of NDJSON those of the first row.
func (r *Rows) Columns() []string { return r.columns }

// Next returns the next row, and io.EOF behind the last. A *Fault is of that row
// alone; after any other error there is nothing more to read.
func (r *Rows) Next() (Row, error) { return r.next() }

// Open begins to read rows: of CSV, whose first line names the columns, or of
// NDJSON, whose first character is a brace; plain or gzipped, told apart by what
// they hold, since names lie. It returns a *Fault for a file that is neither.
func Open(file io.Reader) (*Rows, error) {
	text := bufio.NewReaderSize(file, readBufferBytes)
	if magic, _ := text.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952, section 2.3.1
		unzipped, err := gzip.NewReader(text)
		if err != nil {
			return nil, fmt.Errorf("unpack: %w", err)
		}
		text = bufio.NewReaderSize(unzipped, readBufferBytes)
	}
	first, err := text.Peek(len(utf8BOM) + 1)
	if len(first) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, &Fault{Reason: "the file is empty"}
	}
	if bytes.HasPrefix(first, []byte(utf8BOM)) {
		if _, err := text.Discard(len(utf8BOM)); err != nil {
			return nil, err
		}
		first = first[len(utf8BOM):]
	}
	if len(first) > 0 && first[0] == '{' {
		return openNDJSON(text)
	}
	return openCSV(text)
}

func openCSV(text io.Reader) (*Rows, error) {
	limit := &rowLimit{r: text}
	in := csv.NewReader(limit)
	in.FieldsPerRecord = -1 // checked here, so that one bad row does not end the file
	in.ReuseRecord = true
	limit.reset()
	header, err := in.Read()
	if err != nil {
		return nil, &Fault{Line: 1, Reason: "the names of the columns cannot be read: " + err.Error()}
	}
	columns := make([]string, len(header))
	for i, name := range header {
		columns[i] = strings.Clone(strings.TrimSpace(name))
		if slices.Contains(columns[:i], columns[i]) {
			return nil, &Fault{Line: 1, Column: columns[i], Reason: "there are two columns of this name"}
		}
	}
	if len(columns) > MaxColumns {
		return nil, &Fault{Line: 1, Reason: fmt.Sprintf("there are %d columns; at most %d are read", len(columns), MaxColumns)}
	}
	return &Rows{columns: columns, next: func() (Row, error) {
		limit.reset()
		record, err := in.Read()
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			return Row{Line: int64(parse.StartLine)}, &Fault{Line: int64(parse.StartLine), Reason: parse.Err.Error()}
		}
		if err != nil {
			return Row{}, err
		}
		line, _ := in.FieldPos(0)
		row := Row{Line: int64(line), values: make(map[string]string, len(columns))}
		for i := range min(len(record), len(columns)) {
			if value := strings.TrimSpace(record[i]); !isMissing(value) {
				row.values[columns[i]] = strings.Clone(value)
			}
		}
		if len(record) != len(columns) {
			return row, &Fault{Line: row.Line, Reason: fmt.Sprintf("the row has %d values for %d columns", len(record), len(columns))}
		}
		return row, nil
	}}, nil
}

// isMissing reports whether a value is one of the ways in which R, pandas and
// databases write that there is none.
func isMissing(text string) bool {
	switch text {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL", `\N`:
		return true
	}
	return false
}

// openNDJSON reads one object a line.
func openNDJSON(text *bufio.Reader) (*Rows, error) {
	r := &Rows{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, MaxLineBytes)
	line := int64(0)
	read := func() (Row, error) {
		for lines.Scan() {
			line++
			if len(bytes.TrimSpace(lines.Bytes())) > 0 {
				return readObject(line, lines.Bytes())
			}
		}
		err := lines.Err()
		switch {
		case errors.Is(err, bufio.ErrTooLong):
			return Row{}, fmt.Errorf("line %d is longer than %d bytes", line+1, MaxLineBytes)
		case err == nil:
			err = io.EOF
		}
		return Row{}, err
	}
	first, err := read()
	if err != nil {
		return nil, err
	}
	r.columns = slices.Sorted(maps.Keys(first.raw))
	given := false
	r.next = func() (Row, error) {
		if !given {
			given = true
			return first, nil
		}
		return read()
	}
	return r, nil
}

func readObject(line int64, text []byte) (Row, error) {
	row := Row{Line: line, values: map[string]string{}, raw: map[string]json.RawMessage{}}
	if err := json.Unmarshal(text, &row.raw); err != nil {
		return Row{Line: line}, &Fault{Line: line, Reason: "the line is not a JSON object: " + err.Error()}
	}
	for name, value := range row.raw {
		var text string
		switch {
		case string(value) == "null":
			continue
		case json.Unmarshal(value, &text) != nil:
			text = string(value) // a number, a truth value, or something nested
		}
		if !isMissing(text) {
			row.values[name] = text
		}
	}
	return row, nil
}

// errRowTooLong ends the reading of a row that would not end by itself.
var errRowTooLong = fmt.Errorf("a row is longer than %d bytes; is a quote missing?", MaxLineBytes)

// rowLimit bounds what is read between two calls of reset, since csv.Reader keeps
// a whole row in memory however long it is.
type rowLimit struct {
	r    io.Reader
	left int
}

func (l *rowLimit) reset() { l.left = MaxLineBytes + 2*readBufferBytes }

// Read reads from the reader beneath until the limit is reached.
func (l *rowLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errRowTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
