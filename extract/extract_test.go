package extract_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/extract"
	"github.com/splitcast/splitcast/metrics"
)

// By Python's hmac module.
func TestPseudonym(t *testing.T) {
	t.Parallel()
	const want = "ecb2bf371b9c8c260c4b3bd6fafed5ae"
	if got := extract.Pseudonym("salt-1", "viewer-1"); got != want {
		t.Errorf("Pseudonym = %s, want %s", got, want)
	}
	if extract.Pseudonym("salt-2", "viewer-1") == want || extract.Pseudonym("salt-1", "viewer-2") == want {
		t.Error("another salt or unit has the same pseudonym")
	}
}

var columns = []extract.Column{
	{Name: "name", Type: extract.Text, Optional: true},
	{Name: "n", Type: extract.Integer},
	{Name: "v", Type: extract.Number, Optional: true},
	{Name: "at", Type: extract.Moment},
	{Name: "ok", Type: extract.Bool},
}

func write(t *testing.T, format extract.Format, rows ...[]extract.Value) string {
	t.Helper()
	var out bytes.Buffer
	w, err := extract.New(format, &out, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTextFormats(t *testing.T) {
	t.Parallel()
	at := extract.MomentOf(time.Date(2026, 11, 2, 13, 0, 0, 1_000, time.FixedZone("", 3600)))
	rows := [][]extract.Value{
		{extract.TextOf("=1+\"1\",\n"), extract.IntegerOf(-3), extract.NumberOf(0.1), at, extract.BoolOf(true)},
		{extract.TextOf(""), extract.IntegerOf(1 << 60), extract.Unknown(), at, extract.BoolOf(false)},
		{extract.TextOf("a"), extract.IntegerOf(0), extract.NumberOf(86_400_000), at, extract.BoolOf(false)},
	}
	const moment = "2026-11-02T12:00:00.000001Z"
	for format, want := range map[extract.Format]string{
		extract.CSV: "name,n,v,at,ok\n" +
			"\"'=1+\"\"1\"\",\n\",-3,0.1," + moment + ",true\n,1152921504606846976,," + moment + ",false\na,0,86400000," + moment + ",false\n",
		extract.NDJSON: `{"name":"=1+\"1\",\n","n":-3,"v":0.1,"at":"` + moment + `","ok":true}` + "\n" +
			`{"name":null,"n":1152921504606846976,"v":null,"at":"` + moment + `","ok":false}` + "\n" +
			`{"name":"a","n":0,"v":86400000,"at":"` + moment + `","ok":false}` + "\n",
	} {
		if got := write(t, format, rows...); got != want {
			t.Errorf("%s = %q, want %q", format, got, want)
		}
	}
	if got := write(t, extract.CSV); got != "name,n,v,at,ok\n" {
		t.Errorf("a file without rows = %q, want its header", got)
	}
}

// A long file is written in groups: the writer never holds all of it.
func TestParquetIsWrittenInGroups(t *testing.T) {
	t.Parallel()
	row := []extract.Value{extract.TextOf("a"), extract.IntegerOf(1), extract.Unknown(), extract.MomentOf(time.Unix(1, 0)), extract.BoolOf(true)}
	for n, want := range map[int]int{0: 0, 1: 1, 20_000: 1, 20_001: 2} {
		rows := make([][]extract.Value, n)
		for i := range rows {
			rows[i] = row
		}
		text := write(t, extract.Parquet, rows...)
		file, err := parquet.OpenFile(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		if file.NumRows() != int64(n) || len(file.RowGroups()) != want {
			t.Errorf("%d rows are %d in %d groups, want %d groups", n, file.NumRows(), len(file.RowGroups()), want)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	_, err := extract.New("xls", io.Discard, columns)
	if faults := experiment.Faults(err); len(faults) != 1 || faults[0].Field != "format" {
		t.Errorf("New(xls) = %v, want a fault of format", err)
	}
}

// An outcome of before a quantity was added does not observe it.
func TestQuantitiesAddedLaterAreUnknown(t *testing.T) {
	t.Parallel()
	exp := &experiment.Experiment{}
	exp.Key, exp.Arms = "abr", []experiment.Arm{{Key: "control"}}
	var out bytes.Buffer
	w, err := extract.New(extract.NDJSON, &out, extract.OutcomeColumns())
	if err != nil {
		t.Fatal(err)
	}
	o := metrics.Outcome{Unit: "u"}
	o.Custom = []metrics.CustomValue{{Name: "event:follow", Value: 2}}
	row, err := extract.NewRows(exp).Outcome(nil, metrics.WindowDay, 1, &o, int(metrics.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(row); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["custom"] != `{"event:follow":2}` || got["suspected"] != false {
		t.Errorf("custom = %v and suspected = %v, want 2 follows and false", got["custom"], got["suspected"])
	}
	if v, ok := got["bytes"]; !ok || v != nil || got["bytes_play_ms"] != 0.0 {
		t.Errorf("bytes = %v and bytes_play_ms = %v, want null and 0", got["bytes"], got["bytes_play_ms"])
	}
}
