package extract_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/extract"
	"github.com/splitcast/splitcast/metrics"
)

// runNotebook runs the code of a notebook on a file of outcomes.
func runNotebook(t *testing.T, n extract.Notebook, outcomes []byte) []map[string]any {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("python3 is not here: ", err)
	}
	text, err := n.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var notebook struct {
		Cells []struct {
			Type   string   `json:"cell_type"`
			Source []string `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(text, &notebook); err != nil {
		t.Fatal(err)
	}
	program := ""
	for _, cell := range notebook.Cells {
		if cell.Type == "code" {
			program += strings.Join(cell.Source, "") + "\n"
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"outcomes.csv": string(outcomes), "notebook.py": program + "\nprint('RESULTS ' + json.dumps(RESULTS))\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), python, filepath.Join(dir, "notebook.py"))
	command.Env = append(os.Environ(), "SPLITCAST_OUTCOMES="+filepath.Join(dir, "outcomes.csv"))
	printed, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	_, results, _ := strings.Cut(string(printed), "RESULTS ")
	var out []map[string]any
	if err := json.Unmarshal([]byte(results), &out); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	return out
}

// A notebook reads custom quantities, funnels in both orders and suspected units as
// looks do.
func TestNotebookReadsOutcomesAsLooksDo(t *testing.T) {
	t.Parallel()
	const steps = `"kind":"funnel","steps":["starts","event:chat","event:tip"]}`
	var rows []extract.NotebookRow
	for _, text := range []string{
		`{"key":"strict","name":"n","description":"d","unit":"1",` + steps,
		`{"key":"loose","name":"n","description":"d","unit":"1","order":"any",` + steps,
		`{"key":"tippers","name":"n","description":"d","unit":"1","kind":"proportion","numerator":"event:tip","denominator":"units"}`,
		`{"key":"tips","name":"n","description":"d","unit":"1","kind":"mean","numerator":"event:tip","denominator":"units"}`,
	} {
		d, err := metrics.ParseDefinition([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, extract.NotebookRow{Metric: d, Arm: "treatment", Alpha: 0.05, NOpt: 5_000})
	}
	exp := &experiment.Experiment{Version: 1}
	exp.Key, exp.Salt = "abr", "salt"
	exp.Arms = []experiment.Arm{{Key: "control"}, {Key: "treatment"}}
	var file bytes.Buffer
	w, err := extract.New(extract.CSV, &file, extract.OutcomeColumns())
	if err != nil {
		t.Fatal(err)
	}
	table := extract.NewRows(exp)
	add := func(unit string, starts, chats, tips, passed float64, suspected, open bool) {
		t.Helper()
		for arm := range exp.Arms {
			o := metrics.Outcome{Unit: unit, Arm: arm, Suspected: suspected, ExposedAt: time.Unix(0, 0), ClosesAt: time.Unix(0, 0)}
			o.Quantities[metrics.Units], o.Quantities[metrics.Starts] = 1, starts
			o.Custom = []metrics.CustomValue{{Name: "event:chat", Value: chats}, {Name: "event:tip", Value: tips}, {Name: "funnel:strict", Value: passed}}
			if open {
				o.Custom = append(o.Custom, metrics.CustomValue{Name: "funnel_open:strict", Value: 1})
			}
			row, err := table.Outcome(nil, metrics.WindowDay, 1, &o, metrics.QuantityCount)
			if err == nil {
				err = w.Write(row)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	add("all", 1, 2, 3, 3, false, false)
	add("tipped first", 1, 1, 1, 2, false, false)
	add("started", 2, 0, 0, 1, false, false)
	add("not known", 1, 1, 0, 2, false, true)
	add("did not start", 0, 1, 4, 0, false, false)
	add("program", 1, 9, 9, 3, true, false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	type arm struct {
		N     float64
		Value float64
	}
	for _, test := range []struct {
		exclude bool
		want    map[string]arm
	}{
		{false, map[string]arm{"strict": {4, 2.0 / 4}, "loose": {5, 3.0 / 5}, "tippers": {6, 4.0 / 6}, "tips": {6, 17.0 / 6}}},
		{true, map[string]arm{"strict": {3, 1.0 / 3}, "loose": {4, 2.0 / 4}, "tippers": {5, 3.0 / 5}, "tips": {5, 8.0 / 5}}},
	} {
		n := extract.Notebook{Experiment: "abr", Version: 1, Look: 1, Control: "control", Rows: rows, ExcludeSuspected: test.exclude}
		got := map[string]arm{}
		for _, r := range runNotebook(t, n, file.Bytes()) {
			value, _ := r["control"].(float64)
			units, _ := r["n_control"].(float64)
			name, _ := r["metric"].(string)
			got[name] = arm{units, value}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("programs left out: %v: results differ (-want +got):\n%s", test.exclude, diff)
		}
	}
}
