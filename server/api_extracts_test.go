package server

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/splitcast/splitcast/extract"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// measure exposes viewers, lets them watch, and takes looks until every day is
// over. A country has the sign that spreadsheets take for a formula.
func (b *bench) measure(t *testing.T, viewers int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	exposures, beats := make([]string, viewers), make([]string, viewers)
	for i := range viewers {
		arm := []string{"control", "treatment"}[i%2]
		country := []string{`DE`, `=1+"1`, ``}[i%3]
		exposures[i] = fmt.Sprintf(`{"experiment":"abr","unit":"viewer-%d","arm":%q,"attributes":{"country":%q}}`, i, arm, country)
		beats[i] = fmt.Sprintf(`{"session_id":"s-%d","seq":1,"viewer_id":"viewer-%d","mono_ms":700000,"play_requested":true,
			"first_frame_ms":800,"play_ms":%d,"stall_ms":%d,"stall_n":3,"seek_stall_ms":0}`, i, i, 100_000+rng.IntN(500_000), 1000+rng.IntN(20_000))
	}
	for path, records := range map[string][]string{"/v1/exposures": exposures, "/v1/heartbeats": beats} {
		got := b.send(t, scenario{
			method: "POST", path: path, as: "ingest", body: "[" + strings.Join(records, ",") + "]",
			header: map[string]string{"Content-Type": "application/json"},
		})
		if got.status != http.StatusOK || strings.Contains(got.body, "rejected") {
			t.Fatalf("POST %s = %d: %s", path, got.status, got.body)
		}
	}
	job := metrics.Job{Store: b.db, Experiments: b.db.Page, Catalogue: b.db.Catalogue}
	for _, after := range []time.Duration{metrics.FirstSpan + metrics.FirstGrace, metrics.DaySpan + metrics.DayGrace} {
		b.clock.advance(after + 2*metrics.WatermarkLag)
		sum, err := job.RunOnce(context.WithoutCancel(t.Context()), b.clock.Now())
		if err != nil || sum.Looks != 1 {
			t.Fatalf("the job = %+v, %v, want a look", sum, err)
		}
	}
}

const extractViewers = 600

func TestExtracts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.measure(t, extractViewers)
	fetch := func(path string) answer {
		got := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/abr/" + path, as: "read"})
		if got.status != http.StatusOK {
			t.Fatalf("GET %s = %d: %s", path, got.status, got.body)
		}
		return got
	}
	outcomes := fetch("outcomes")
	if got := outcomes.header.Get("Content-Disposition"); got != `attachment; filename="abr-outcomes.csv"` {
		t.Errorf("Content-Disposition = %q", got)
	}
	for _, secret := range []string{"viewer-1", "s-1"} {
		if strings.Contains(outcomes.body, secret) {
			t.Errorf("the file tells the id %q", secret)
		}
	}
	for _, file := range []struct {
		what string
		rows int
	}{{"outcomes", 2 * extractViewers}, {"cells", 0}, {"cells?all=true", 0}, {"looks", 4}} {
		query := file.what + map[bool]string{true: "&format=", false: "?format="}[strings.Contains(file.what, "?")]
		rows := readCSV(t, fetch(query+"csv").body)
		if len(rows) == 0 || file.rows > 0 && len(rows) != file.rows {
			t.Errorf("%s has %d rows, want %d", file.what, len(rows), file.rows)
		}
		if diff := cmp.Diff(rows, readNDJSON(t, fetch(query+"ndjson").body)); diff != "" {
			t.Errorf("%s as NDJSON differs from CSV (-csv +ndjson):\n%s", file.what, diff)
		}
		if diff := cmp.Diff(rows, readParquet(t, fetch(query+"parquet").body)); diff != "" {
			t.Errorf("%s as Parquet differs from CSV (-csv +parquet):\n%s", file.what, diff)
		}
	}
	exp, err := b.db.Get(t.Context(), "abr")
	if err != nil {
		t.Fatal(err)
	}
	first := readCSV(t, fetch("outcomes?look=1").body)
	if len(first) != extractViewers || !slices.ContainsFunc(first, func(r map[string]string) bool { return r["unit"] == extract.Pseudonym(exp.Salt, "viewer-1") }) {
		t.Errorf("look 1 has %d outcomes, want %d, that of viewer-1 under its pseudonym", len(first), extractViewers)
	}
	b.play(t, []scenario{
		{name: "look that is not there", method: "GET", path: apiPath + "/experiments/abr/outcomes?look=3", as: "read", status: 404},
		{name: "unknown format", method: "GET", path: apiPath + "/experiments/abr/outcomes?format=xls", as: "read", status: 422},
		{name: "no such experiment", method: "GET", path: apiPath + "/experiments/none/outcomes", as: "read", status: 404},
		{name: "no look yet", method: "GET", path: apiPath + "/experiments/later/outcomes", as: "read", status: 200, has: []string{"unit,arm"}},
	})
}

// The notebook says what the report says, computed by another program from the
// file of outcomes.
func TestNotebookAgreesWithTheReport(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("python3 is not here: ", err)
	}
	b := newBench(t)
	b.measure(t, extractViewers)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	get := func(path string) string {
		t.Helper()
		got := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/abr/" + path, as: "read"})
		if got.status != http.StatusOK {
			t.Fatalf("GET %s = %d: %s", path, got.status, got.body)
		}
		return got.body
	}
	var notebook struct {
		Format int `json:"nbformat"`
		Cells  []struct {
			Type   string   `json:"cell_type"`
			Source []string `json:"source"`
		}
	}
	if err := json.Unmarshal([]byte(get("notebook")), &notebook); err != nil || notebook.Format != 4 {
		t.Fatalf("the notebook is of format %d: %v", notebook.Format, err)
	}
	program := ""
	for _, cell := range notebook.Cells {
		if cell.Type == "code" {
			program += strings.Join(cell.Source, "") + "\n"
		}
	}
	outcomes := write("abr-outcomes.csv", get("outcomes"))
	script := write("notebook.py", program+"\nprint('RESULTS ' + json.dumps(RESULTS))\n")
	command := exec.CommandContext(t.Context(), python, script)
	command.Env = append(os.Environ(), "SPLITCAST_OUTCOMES="+outcomes)
	printed, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	_, text, _ := strings.Cut(string(printed), "RESULTS ")
	var results []struct {
		Metric, Arm            string
		Lift, SE, Lower, Upper float64
	}
	if err := json.Unmarshal([]byte(text), &results); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(get("report")), &r); err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || len(r.Primary) != 1 || r.Primary[0].Effect == nil {
		t.Fatalf("results = %+v, report = %+v, want one effect in each", results, r.Primary)
	}
	got, want := results[0], r.Primary[0].Effect
	if got.Metric != "stall_ratio" || got.Arm != "treatment" {
		t.Errorf("the notebook speaks of %s in %s", got.Metric, got.Arm)
	}
	for name, pair := range map[string][2]float64{
		"lift": {got.Lift, want.Estimate}, "se": {got.SE, want.SE}, "lower": {got.Lower, want.Lower}, "upper": {got.Upper, want.Upper},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s by the notebook = %v, by the report %v", name, pair[0], pair[1])
		}
	}
}

// readCSV returns rows by the names of their columns. What is unknown is absent,
// and the mark that keeps spreadsheets from computing is taken off.
func readCSV(t *testing.T, text string) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, value := range record {
			if value != "" {
				row[records[0][i]] = strings.TrimPrefix(value, "'")
			}
		}
		out = append(out, row)
	}
	return out
}

func readNDJSON(t *testing.T, text string) []map[string]string {
	t.Helper()
	var out []map[string]string
	for line := range strings.Lines(text) {
		values := map[string]any{}
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&values); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		row := map[string]string{}
		for name, value := range values {
			if value != nil {
				row[name] = fmt.Sprint(value)
			}
		}
		out = append(out, row)
	}
	return out
}

// readParquet reads by the schema in the file alone.
func readParquet(t *testing.T, text string) []map[string]string {
	t.Helper()
	file, err := parquet.OpenFile(bytes.NewReader([]byte(text)), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	reader := parquet.NewGenericReader[map[string]any](file, file.Schema())
	defer reader.Close()
	rows := make([]map[string]any, file.NumRows())
	for i := range rows {
		rows[i] = map[string]any{}
	}
	if n, err := reader.Read(rows); n != len(rows) {
		t.Fatalf("%d of %d rows were read: %v", n, len(rows), err)
	}
	var moments []string
	for _, field := range file.Schema().Fields() {
		if strings.Contains(field.String(), "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)") {
			moments = append(moments, field.Name())
		}
	}
	var out []map[string]string
	for _, values := range rows {
		row := map[string]string{}
		for name, value := range values {
			micros, isInteger := value.(int64)
			if isInteger && slices.Contains(moments, name) {
				value = time.UnixMicro(micros)
			}
			switch v := value.(type) {
			case nil:
			case float64:
				row[name] = strconv.FormatFloat(v, 'g', -1, 64)
				if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
					row[name] = strconv.FormatInt(int64(v), 10)
				}
			case time.Time:
				row[name] = v.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
			default:
				row[name] = fmt.Sprint(v)
			}
		}
		out = append(out, row)
	}
	return out
}
