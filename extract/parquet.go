package extract

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// rowsPerGroup is how many rows a row group of a Parquet file has, which is what
// the writer holds: about 10 MB of outcomes.
const rowsPerGroup = 20_000

// parquetWriter writes a file whose columns are in the order of their names: that
// is how the library holds a schema that is not a type. Readers go by the names.
type parquetWriter struct {
	out     *parquet.GenericWriter[any]
	columns []Column
	at      []int // place of each column in the file
	row     parquet.Row
}

func newParquet(w io.Writer, columns []Column) (*parquetWriter, error) {
	group := parquet.Group{}
	for _, c := range columns {
		node := parquetNode(c.Type)
		if c.Optional {
			node = parquet.Optional(node)
		}
		group[c.Name] = node
	}
	schema := parquet.NewSchema("splitcast", group)
	p := &parquetWriter{columns: columns, at: make([]int, len(columns)), row: make(parquet.Row, len(columns))}
	for i, c := range columns {
		leaf, ok := schema.Lookup(c.Name)
		if !ok {
			return nil, fmt.Errorf("column %q is lost", c.Name)
		}
		p.at[i] = leaf.ColumnIndex
	}
	cfg, err := parquet.NewWriterConfig(schema, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(rowsPerGroup))
	if err != nil {
		return nil, err
	}
	p.out = parquet.NewGenericWriter[any](w, cfg)
	return p, nil
}

func parquetNode(t Type) parquet.Node {
	switch t {
	case Integer:
		return parquet.Leaf(parquet.Int64Type)
	case Number:
		return parquet.Leaf(parquet.DoubleType)
	case Moment:
		return parquet.Timestamp(parquet.Microsecond)
	case Bool:
		return parquet.Leaf(parquet.BooleanType)
	case Text:
	}
	return parquet.String()
}

// Write adds a row; what is unknown is null.
func (p *parquetWriter) Write(row []Value) error {
	for i := range row {
		c := &p.columns[i]
		v, definition := parquet.NullValue(), 0
		if row[i].known {
			v = row[i].parquet(c.Type)
			if c.Optional {
				definition = 1
			}
		}
		p.row[p.at[i]] = v.Level(0, definition, p.at[i])
	}
	_, err := p.out.WriteRows([]parquet.Row{p.row})
	return err
}

func (v *Value) parquet(t Type) parquet.Value {
	switch t {
	case Integer, Moment:
		return parquet.Int64Value(v.integer)
	case Number:
		return parquet.DoubleValue(v.number)
	case Bool:
		return parquet.BooleanValue(v.integer != 0)
	case Text:
	}
	return parquet.ByteArrayValue([]byte(v.text))
}

// Close writes the last row group and the footer.
func (p *parquetWriter) Close() error { return p.out.Close() }
