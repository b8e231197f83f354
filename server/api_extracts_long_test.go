package server

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/extract"
	"github.com/splitcast/splitcast/internal/webtest"
	"github.com/splitcast/splitcast/metrics"
)

// More units than are read at once, of two days, some of them in a window of
// people's own.
const (
	longUnits  = 5_003
	longWindow = metrics.Window("return_7_13")
)

// measureLong stores outcomes as a job would, and restates one of each window.
func (b *bench) measureLong(t *testing.T) map[metrics.Window][]metrics.Outcome {
	t.Helper()
	exp, err := b.db.Get(t.Context(), "abr")
	if err != nil {
		t.Fatal(err)
	}
	stored := map[metrics.Window][]metrics.Outcome{}
	for i := range longUnits {
		for _, w := range []metrics.Window{metrics.WindowDay, longWindow} {
			o := metrics.Outcome{Unit: fmt.Sprintf("u%05d", i), Arm: i % 2, ExposedAt: testNow.Add(time.Duration(i) * time.Millisecond)}
			o.ClosesAt = o.ExposedAt.Add(w.Span() + w.Grace())
			if i >= longUnits/2 {
				o.ClosesAt = o.ClosesAt.AddDate(0, 0, 1)
			}
			o.Quantities[metrics.Units], o.Quantities[metrics.WatchMs] = 1, float64(i)
			o.Custom = []metrics.CustomValue{{Name: "event:follow", Value: float64(i % 3)}}
			stored[w] = append(stored[w], o)
		}
	}
	for number := 1; number <= 2; number++ {
		_, err := b.db.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			for _, w := range []metrics.Window{longWindow, metrics.WindowDay} {
				write, outcomes := tx.AppendOutcomes, stored[w]
				if number == 2 {
					again := outcomes[longUnits-1]
					again.Quantities[metrics.WatchMs] = 1e6
					write, outcomes = tx.AppendRestated, []metrics.Outcome{again}
				}
				if err := write(t.Context(), w, number, outcomes); err != nil {
					return err
				}
			}
			at := testNow.AddDate(0, 0, 20+number)
			return tx.AppendLook(t.Context(), metrics.Look{Number: number, At: at, Watermark: at, Arms: []metrics.ArmCounts{}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return stored
}

// TestLongExtracts: a file of more outcomes than are read at once holds each of them
// once, as it is stored, in one order, in every format.
func TestLongExtracts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	stored := b.measureLong(t)
	exp, err := b.db.Get(t.Context(), "abr")
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(format string, look int) string {
		got := b.send(t, scenario{method: "GET", path: fmt.Sprintf("%s/experiments/abr/outcomes?format=%s&look=%d", apiPath, format, look), as: "read"})
		if got.status != http.StatusOK {
			t.Fatalf("%s of look %d = %d: %s", format, look, got.status, got.body)
		}
		return got.body
	}
	for look := 1; look <= 2; look++ {
		text := fetch("csv", look)
		rows := readCSV(t, text)
		if len(rows) != 2*longUnits {
			t.Fatalf("look %d has %d rows, want %d", look, len(rows), 2*longUnits)
		}
		for i, row := range rows {
			w := []metrics.Window{metrics.WindowDay, longWindow}[i/longUnits]
			o := &stored[w][i%longUnits]
			fixed, watched := 1, o.Quantities[metrics.WatchMs]
			if look == 2 && i%longUnits == longUnits-1 {
				fixed, watched = 2, 1e6
			}
			want := map[string]string{
				"window": string(w), "unit": extract.Pseudonym(exp.Salt, o.Unit), "arm": exp.Arms[o.Arm].Key, "look": strconv.Itoa(fixed),
				"watch_ms": strconv.FormatFloat(watched, 'f', -1, 64), "custom": fmt.Sprintf(`{"event:follow":%d}`, i%longUnits%3),
				"closes_at": o.ClosesAt.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
			}
			for name, value := range want {
				if row[name] != value {
					t.Fatalf("look %d, row %d: %s = %q, want %q", look, i, name, row[name], value)
				}
			}
		}
		if fetch("csv", look) != text {
			t.Errorf("look %d is another file the second time", look)
		}
		for format, read := range map[string]func(*testing.T, string) []map[string]string{"ndjson": readNDJSON, "parquet": readParquet} {
			others := read(t, fetch(format, look))
			if len(others) != len(rows) {
				t.Fatalf("%s of look %d has %d rows, want %d", format, look, len(others), len(rows))
			}
			for i := range rows {
				if !reflect.DeepEqual(rows[i], others[i]) {
					t.Fatalf("%s of look %d, row %d = %v, want %v", format, look, i, others[i], rows[i])
				}
			}
		}
	}
}

// TestParquetByAnotherReader reads a file with hyparquet, which shares nothing with the
// library that wrote it.
func TestParquetByAnotherReader(t *testing.T) {
	t.Parallel()
	reader := webtest.Fetched(t, "hyparquet")
	node, err := exec.LookPath("node") // npm came with it
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.measureLong(t)
	file := filepath.Join(t.TempDir(), "outcomes.parquet")
	got := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/abr/outcomes?format=parquet", as: "read"})
	if err := os.WriteFile(file, []byte(got.body), 0o600); err != nil {
		t.Fatal(err)
	}
	const program = `
const [reader, path] = process.argv.slice(1)
const { asyncBufferFromFile, parquetReadObjects } = await import(reader + "/src/node.js")
const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) })
const units = new Set(rows.map(r => r.window + " " + r.unit)).size
const last = rows[rows.length - 1]
console.log(rows.length, rows.reduce((sum, r) => sum + r.watch_ms, 0), units, last.closes_at.toISOString())`
	printed, err := exec.CommandContext(t.Context(), node, "--input-type=module", "-e", program, reader, file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	sum := 2 * ((longUnits-1)*(longUnits-2)/2 + 1_000_000)
	closes := testNow.Add((longUnits-1)*time.Millisecond).Add(longWindow.Span()+longWindow.Grace()).AddDate(0, 0, 1)
	want := fmt.Sprintf("%d %d %d %s", 2*longUnits, sum, 2*longUnits, closes.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	if strings.TrimSpace(string(printed)) != want {
		t.Errorf("hyparquet read %s, want %s", printed, want)
	}
}
