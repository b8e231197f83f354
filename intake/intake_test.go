package intake

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// records reads a file to the end: records, or where and why there is none.
func records(t *testing.T, what What, text string, m Mapping) (out, faults []string) {
	t.Helper()
	rows, err := Open(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(what, rows.Columns(), m)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return out, faults
		}
		fault, bad := errors.AsType[*Fault](err)
		if err != nil && !bad {
			t.Fatal(err)
		}
		var record json.RawMessage
		if fault == nil {
			record, fault = plan.Record(&row, false)
		}
		if fault != nil {
			faults = append(faults, fault.Error())
			continue
		}
		out = append(out, string(record))
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	const want = `{"unit":"u1","arm":"a","at":"2026-11-02T12:00:00Z","attributes":{"country":"DE"},"quantities":{"watch_ms":5}}`
	for name, text := range map[string]string{
		"CSV":          "unit,arm,at,country,watch_ms\nu1,a,2026-11-02T13:00:00+01:00,DE,5\n",
		"BOM and CRLF": "\ufeffunit,arm,at,country,watch_ms\r\nu1,a,1793620800,DE,5\r\n",
		"NDJSON":       `{"unit":"u1","arm":"a","at":1793620800000,"country":"DE","watch_ms":5,"stall_ms":null}` + "\n",
	} {
		out, faults := records(t, Outcomes, text, Mapping{})
		if diff := cmp.Diff([]string{want}, out); diff != "" || faults != nil {
			t.Errorf("%s (-want +got):\n%s%v", name, diff, faults)
		}
	}
	_, faults := records(t, Outcomes, "unit,arm,watch_ms\nu,a,x\n,a,1\nu,,1\nu,a\n", Mapping{})
	wantFaults := []string{
		`line 2, column "watch_ms": "x" is not a finite number`, `line 3, column "unit": the unit is missing`,
		`line 4, column "arm": the arm is missing`, `line 5: the row has 2 values for 3 columns`,
	}
	if diff := cmp.Diff(wantFaults, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	out, _ := records(t, Sessions, "at,session_id,play_ms,play_requested\n2026-11-02,17,5,TRUE\n", Mapping{})
	if diff := cmp.Diff([]string{`{"at":"2026-11-02T00:00:00Z","kind":"end","play_ms":5,"play_requested":true,"seq":1,"session_id":"17"}`}, out); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
}

// Custom quantities and the past have columns of their own names, or of others.
func TestRecordsOfCustomQuantities(t *testing.T) {
	t.Parallel()
	const text = "unit,arm,event:follow,event_value:tip,measure:chat,chats,past:watch_ms,past:nothing,value:tip\nu,a,1,-2.5,3,4,7000,1,9\nw,a,,,,,,,\n"
	out, faults := records(t, Outcomes, text, Mapping{Fields: map[string]string{"stream_measure:raids": "chats", "funnel:path": "measure:chat"}})
	want := []string{
		`{"unit":"u","arm":"a","custom":{"event:follow":1,"funnel:path":3,"stream_measure:raids":4,"value:tip":-2.5},"past":{"watch_ms":7000}}`,
		`{"unit":"w","arm":"a"}`,
	}
	if diff := cmp.Diff(want, out); diff != "" || faults != nil {
		t.Errorf("records (-want +got):\n%s%v", diff, faults)
	}
	rows, err := Open(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(Outcomes, rows.Columns(), Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"chats", "past:nothing", "value:tip"}, plan.Unused()); diff != "" {
		t.Errorf("unused columns (-want +got):\n%s", diff)
	}
	for field, column := range map[string]string{
		"custom.value:tip": "event_value:tip", "custom.event:follow": "event:follow", "past.watch_ms": "past:watch_ms", "custom.event:none": "",
	} {
		if got := plan.Column(field); got != column {
			t.Errorf("Column(%s) = %q, want %q", field, got, column)
		}
	}
	_, faults = records(t, Outcomes, "unit,arm,event:follow,past:watch_ms\nu,a,x,1\nu,a,1,y\n", Mapping{})
	wantFaults := []string{`line 2, column "event:follow": "x" is not a finite number`, `line 3, column "past:watch_ms": "y" is not a finite number`}
	if diff := cmp.Diff(wantFaults, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	out, _ = records(t, Sessions, "at,session_id,measure:chat,measure:tip\n2026-11-02,s,5,\n", Mapping{})
	if diff := cmp.Diff([]string{`{"at":"2026-11-02T00:00:00Z","kind":"end","measures":{"chat":5},"seq":1,"session_id":"s"}`}, out); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	for _, bad := range []Mapping{
		{Fields: map[string]string{"event:": "chats"}},
		{Fields: map[string]string{"past:nothing": "chats"}},
		{Fields: map[string]string{"event:Follow": "chats"}},
		{Window: "return_9_8"},
	} {
		if _, err := NewPlan(Outcomes, rows.Columns(), bad); err == nil {
			t.Errorf("NewPlan took %+v", bad)
		}
	}
}

// FuzzOpen: whatever a file holds, reading it ends, without a panic.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"unit,arm\nu,a\n", `{"unit":"u"}`, "\x1f\x8b", "\ufeff", "a\"b", "{\n{", "unit\n\"x\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := Open(strings.NewReader(text))
		for n := 0; err == nil; n++ {
			if _, err = rows.Next(); n > len(text) {
				t.Fatalf("%d rows of %d bytes", n, len(text))
			}
			if _, bad := errors.AsType[*Fault](err); bad {
				err = nil
			}
		}
	})
}

// Events need a unit, a name, an id and a time; the arm of their unit is not theirs to tell.
func TestRecordsOfEvents(t *testing.T) {
	t.Parallel()
	const csv = "unit,name,id,at,value,unit_type,country\n" +
		"u,tip,1,2026-11-02T12:00:00Z,2.5,device,DE\nu,follow,2,1793620800,,,\n,tip,3,1793620800,1,,\nu,,4,1793620800,1,,\nu,tip,,1793620800,1,,\nu,tip,5,,1,,\nu,tip,6,1793620800,x,,\n"
	want := []string{
		`{"unit_type":"device","unit":"u","name":"tip","id":"1","at":"2026-11-02T12:00:00Z","value":2.5}`,
		`{"unit":"u","name":"follow","id":"2","at":"2026-11-02T12:00:00Z"}`,
	}
	wantFaults := []string{
		`line 4, column "unit": the unit is missing`, `line 5, column "name": the name is missing`, `line 6, column "id": the id is missing`,
		`line 7, column "at": the time is missing`, `line 8, column "value": "x" is not a finite number`,
	}
	out, faults := records(t, Events, csv, Mapping{})
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantFaults, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	const ndjson = `{"viewer":"u","what":"tip","order":1,"when":1793620800000,"price":2.5,"unit_type":"device"}` + "\n"
	mapping := Mapping{Unit: "viewer", At: "when", Fields: map[string]string{"name": "what", "id": "order", "value": "price"}}
	if out, faults = records(t, Events, ndjson, mapping); faults != nil || len(out) != 1 || out[0] != want[0] {
		t.Errorf("NDJSON: %q, %q, want %s", out, faults, want[0])
	}
	for name, mapping := range map[string]Mapping{
		"no id": {}, "a quantity": {Fields: map[string]string{"id": "order", "watch_ms": "price"}}, "an attribute": {Fields: map[string]string{"id": "order", "attr:country": "price"}},
	} {
		if _, err := NewPlan(Events, []string{"unit", "name", "order", "at", "price"}, mapping); err == nil {
			t.Errorf("%s: NewPlan took the columns", name)
		}
	}
}
