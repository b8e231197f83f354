package extract

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// pseudonymBytes is how much of a hash stands for a unit: among 1e9 units the
// chance that any two share it is below 1e-20.
const pseudonymBytes = 16

// Pseudonym returns what stands for a unit in files: HMAC-SHA-256 of its id with
// the salt of the experiment as key, 32 hex digits. It is the same in all files of
// an experiment and another in every other one; who has both salt and ids can
// tell which is which, and so join other data.
func Pseudonym(salt, unit string) string {
	h := hmac.New(sha256.New, []byte(salt))
	return string(appendPseudonym(nil, h, unit))
}

func appendPseudonym(buf []byte, h hash.Hash, unit string) []byte {
	var sum [sha256.Size]byte
	h.Reset()
	_, _ = h.Write([]byte(unit)) // never fails
	return hex.AppendEncode(buf, h.Sum(sum[:0])[:pseudonymBytes])
}

// Rows makes rows of one experiment. It is for one goroutine.
type Rows struct {
	exp *experiment.Experiment
	mac hash.Hash
	buf []byte
}

// NewRows returns the maker of an experiment's rows.
func NewRows(exp *experiment.Experiment) *Rows {
	return &Rows{exp: exp, mac: hmac.New(sha256.New, []byte(exp.Salt))}
}

func (r *Rows) arm(i int) Value {
	if i < 0 || i >= len(r.exp.Arms) {
		return Unknown()
	}
	return TextOf(r.exp.Arms[i].Key)
}

// OutcomeColumns returns the columns of outcomes: what a unit did in a window, the
// base quantities, the dimensions at exposure, custom quantities as a JSON object, and
// whether the unit is likely a program.
func OutcomeColumns() []Column {
	columns := []Column{
		{"experiment", Text, false},
		{"version", Integer, false},
		{"window", Text, false},
		{"look", Integer, false},
		{"unit", Text, false},
		{"arm", Text, true},
		{"exposed_at", Moment, false},
		{"closes_at", Moment, false},
	}
	for q := range metrics.QuantityCount {
		columns = append(columns, Column{metrics.Quantity(q).String(), Number, true})
	}
	for _, name := range metrics.Dimensions() {
		columns = append(columns, Column{"dim_" + name, Text, true})
	}
	return append(columns, Column{"custom", Text, true}, Column{"suspected", Bool, false})
}

// Outcome appends the row of an outcome that was fixed at a look. observed is how
// many quantities there were when it was written; the others are unknown.
func (r *Rows) Outcome(row []Value, w metrics.Window, look int, o *metrics.Outcome, observed int) ([]Value, error) {
	r.buf = appendPseudonym(r.buf[:0], r.mac, o.Unit)
	row = append(row, TextOf(r.exp.Key), IntegerOf(int64(r.exp.Version)), TextOf(string(w)), IntegerOf(int64(look)),
		TextOf(string(r.buf)), r.arm(o.Arm), MomentOf(o.ExposedAt), MomentOf(o.ClosesAt))
	for i, q := range o.Quantities {
		if i < observed {
			row = append(row, NumberOf(q))
		} else {
			row = append(row, Unknown())
		}
	}
	for _, value := range o.Dims {
		row = append(row, TextOf(value))
	}
	custom, err := customText(o.Custom)
	return append(row, TextOf(custom), BoolOf(o.Suspected)), err
}

// customText writes custom quantities as a JSON object by name.
func customText(custom []metrics.CustomValue) (string, error) {
	if len(custom) == 0 {
		return "", nil
	}
	values := make(map[string]float64, len(custom))
	for _, c := range custom {
		values[c.Name] = c.Value
	}
	text, err := json.Marshal(values)
	return string(text), err
}

// CellColumns returns the columns of cells: the joint moments of numerator (y) and
// denominator (x) of a metric in an arm, from which every number of a report is
// made. Means are in two parts, whose sum is the mean to more digits than one
// number holds.
func CellColumns() []Column {
	return []Column{
		{"experiment", Text, false},
		{"version", Integer, false},
		{"look", Integer, false},
		{"at", Moment, false},
		{"watermark", Moment, false},
		{"metric", Text, false},
		{"metric_version", Integer, false},
		{"uncapped", Bool, false},
		{"dimension", Text, true},
		{"value", Text, true},
		{"arm", Text, true},
		{"n", Integer, false},
		{"mean_y", Number, false},
		{"low_y", Number, false},
		{"mean_x", Number, false},
		{"low_x", Number, false},
		{"m2_y", Number, false},
		{"m2_x", Number, false},
		{"c_xy", Number, false},
		{"histogram", Text, true},
	}
}

// Cell appends the row of a cell of a look.
func (r *Rows) Cell(row []Value, l *metrics.Look, c *metrics.Cell) ([]Value, error) {
	histogram := Unknown()
	if c.Hist != nil {
		text, err := json.Marshal(c.Hist)
		if err != nil {
			return row, err
		}
		histogram = TextOf(string(text))
	}
	p := &c.Pair
	return append(row,
		TextOf(r.exp.Key), IntegerOf(int64(r.exp.Version)), IntegerOf(int64(l.Number)), MomentOf(l.At),
		MomentOf(l.Watermark), TextOf(c.Metric), IntegerOf(int64(c.MetricVersion)), BoolOf(c.Uncapped),
		TextOf(c.Dimension), TextOf(c.Value), r.arm(c.Arm), IntegerOf(p.N),
		NumberOf(p.MeanY), NumberOf(p.LowY), NumberOf(p.MeanX), NumberOf(p.LowX),
		NumberOf(p.M2Y), NumberOf(p.M2X), NumberOf(p.CXY), histogram), nil
}

// LookColumns returns the columns of looks, one row an arm.
func LookColumns() []Column {
	return []Column{
		{"experiment", Text, false},
		{"version", Integer, false},
		{"look", Integer, false},
		{"at", Moment, false},
		{"watermark", Moment, false},
		{"arm", Text, true},
		{"exposed", Integer, false},
		{"crossed", Integer, false},
		{"overridden", Integer, false},
		{"closed_first", Integer, false},
		{"closed_day", Integer, false},
	}
}

// Look appends the row of an arm at a look.
func (r *Rows) Look(row []Value, l *metrics.Look, a *metrics.ArmCounts) []Value {
	return append(row,
		TextOf(r.exp.Key), IntegerOf(int64(r.exp.Version)), IntegerOf(int64(l.Number)), MomentOf(l.At),
		MomentOf(l.Watermark), r.arm(a.Arm), IntegerOf(a.Exposed), IntegerOf(a.Crossed),
		IntegerOf(a.Overridden), IntegerOf(a.ClosedFirst), IntegerOf(a.ClosedDay))
}
