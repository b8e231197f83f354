package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
)

const programmeDocument = `
holdouts: [{key: programme, unit: viewer, slots: 500}]
lists: [{key: beta, unit: viewer, ids: [v-1, v-2, v-3]}]
freezes: [{key: cup, from: 2020-01-01T00:00:00Z, to: 2020-01-02T00:00:00Z, reason: the cup}]
experiments:
  - key: listed
    unit: viewer
    audience: {op: not_in_list, list: beta}
    ramp: [{at: 2020-01-01T00:00:00Z, slots: 9000}]
    slots: 1000
    layer: player
    arms: [{key: control, weight: 1, value: false}, {key: treatment, weight: 1, value: true}]
    plan: {primary: [stall_ratio], units: 400000}
    start_at: 2020-01-01T00:00:00Z
`

// A document of everything is applied, its schedule runs, and the commands act
// on it; the audit of the exposures that were made meanwhile finds no fault.
func TestProgrammeCommands(t *testing.T) {
	t.Parallel()
	p := startTestPlatform(t, pgtest.New(t))
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	at := []string{"--server", p.url(), "--token", testToken}
	command := func(args ...string) string {
		t.Helper()
		out, err := commandLine(t, append(args, at...)...)
		if err != nil {
			t.Fatalf("splitcast %v: %v", args, err)
		}
		return out
	}
	want := func(out string, parts ...string) {
		t.Helper()
		for _, s := range parts {
			if !strings.Contains(out, s) {
				t.Errorf("printed %q, want %q", out, s)
			}
		}
	}
	file := writeDocument(t, programmeDocument)
	want(command("apply", "-f", file), "created holdout programme (viewer, 500 slots)", "created list beta (3 ids)", "created freeze window cup", "created listed (version 1, draft)")

	// For both waits and all between: half a minute on a machine that is busy.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for { // the server takes the two steps that are past
		e, err := p.db.Get(ctx, "listed")
		if err != nil {
			t.Fatal(err)
		}
		if e.RampSlots == 9000 {
			break
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatalf("the schedule did not run: %+v", e)
		}
	}
	want(command("apply", "-f", file), "unchanged holdout programme", "unchanged list beta", "unchanged listed (version 1, running)")

	for i := range 200 {
		evaluate(t, p.url(), "v-"+string(rune('a'+i%26))+strings.Repeat("x", i/26))
	}
	want(command("restart", "listed", "--reason", "another player"), "listed (version 2, running)", "salt:", "version: 1 -> 2")
	want(command("ship", "listed", "--arm", "treatment"), "listed (version 2, stopped)", `shipped_arm: "" -> "treatment"`)
	if out, err := commandLine(t, append([]string{"ship", "listed", "--arm", "none"}, at...)...); err == nil || !strings.Contains(err.Error(), `no arm "none"`) {
		t.Errorf("shipping an arm that is not there: %q, %v", out, err)
	}
	want(command("remove", "listed"), `shipped_arm: "treatment" -> ""`)

	for !strings.Contains(command("audit", "exposures"), "listed: 1") { // 100 and some: nine tenths of the slots, less the holdout
		if sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatal("the exposures were not stored")
		}
	}
	want(command("audit", "exposures"), " match, 0 mismatches")
	want(command("audit", "log"), " entries are as they were written")
	// A client that lies about its arm is found out: of so many, a tenth fall into the
	// slots of the restart, and half of those into treatment.
	lies := make([]string, 300)
	for i := range lies {
		lies[i] = fmt.Sprintf(`{"experiment":"listed","version":2,"unit":"liar-%d","arm":"control"}`, i)
	}
	post(t, p.url()+"/v1/exposures", "["+strings.Join(lies, ",")+"]")
	out, err := commandLine(t, append([]string{"audit", "exposures", "--experiment", "listed"}, at...)...)
	if err == nil || !strings.Contains(err.Error(), "differ from what the configuration gives") {
		t.Errorf("audit = %v, want it to fail", err)
	}
	want(out, "version 2, unit liar", "the hash gives arm treatment, not control")
}

func evaluate(t *testing.T, url, unit string) {
	t.Helper()
	post(t, url+"/ofrep/v1/evaluate/flags/listed", `{"context":{"targetingKey":"`+unit+`"}}`)
}

func post(t *testing.T, url, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // nothing is read from it
	if res.StatusCode != http.StatusOK {
		t.Errorf("POST %s = %d", url, res.StatusCode)
	}
}
