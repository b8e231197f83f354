package telemetry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/telemetry"
)

func TestDecodeMeasures(t *testing.T) {
	t.Parallel()
	many := func(n int, value string) string {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"m%02d":%s`, i, value))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	for _, c := range []struct {
		name, measures string
		want           telemetry.Measures
		rejected       string
	}{
		{"none", `{}`, "", ""},
		{"null", `null`, "", ""},
		{"in order", `{"b":2,"a.x_1-y":1.50}`, `{"a.x_1-y":1.5,"b":2}`, ""},
		{"the last of equal names", `{"a":2,"a":1}`, `{"a":1}`, ""},
		{"large", `{"a":9007199254740991,"b":1e3}`, `{"a":9007199254740991,"b":1000}`, ""},
		{"too large", `{"a":9007199254740992,"b":1,"c":1e400}`, `{"b":1}`, "0 measures range; 0 measures range"},
		{"negative", `{"a":-1,"b":1}`, `{"b":1}`, "0 measures range"},
		{"a name that is none", `{"A":1,"":1,"b":1}`, `{"b":1}`, "0 measures range; 0 measures range"},
		{"a text", `{"a":"1","b":[1],"c":null,"d":1}`, `{"d":1}`, "0 measures type; 0 measures type; 0 measures type"},
		{"as many as may be", many(telemetry.MaxMeasures, "1"), telemetry.Measures(many(telemetry.MaxMeasures, "1")), ""},
		{"one more", many(telemetry.MaxMeasures+1, "1"), telemetry.Measures(many(telemetry.MaxMeasures, "1")), "0 measures too_many"},
		{"sixteen bad ones", many(16, "-1"), "", strings.Repeat("0 measures range; ", 15) + "0 measures range"},
	} {
		hbs, rejected, err := telemetry.DecodeHeartbeats([]byte(`{"session_id":"s","seq":1,"measures":`+c.measures+`}`), "")
		if err != nil || len(hbs) != 1 {
			t.Fatalf("%s: %d records, %v, %v", c.name, len(hbs), rejected, err)
		}
		if hbs[0].Measures != c.want || rejectionWords(rejected) != c.rejected {
			t.Errorf("%s: %s, rejected %q; want %s, %q", c.name, hbs[0].Measures, rejectionWords(rejected), c.want, c.rejected)
		}
		text, err := json.Marshal(hbs[0].Measures)
		var again telemetry.Measures
		if err != nil || json.Unmarshal(text, &again) != nil || again != c.want || telemetry.MeasuresOf(again.List()) != c.want {
			t.Errorf("%s: %s comes back as %s", c.name, text, again)
		}
	}
	for _, bad := range []string{`[1]`, `7`, many(17, "-1")} {
		hbs, rejected, _ := telemetry.DecodeHeartbeats([]byte(`{"session_id":"s","seq":1,"measures":`+bad+`}`), "")
		if len(hbs) != 0 || len(rejected) != 1 || !rejected[0].Whole {
			t.Errorf("%s: %d records, %v; want it refused", bad, len(hbs), rejected)
		}
	}
}

// A client that restarts counts its measures from 0 again: the total is the sum.
func TestMeasuresOverRestarts(t *testing.T) {
	t.Parallel()
	body := fmt.Sprintf(`[{"session_id":"s","seq":1,"client_ts_ms":%[1]d,"mono_ms":50000,"measures":{"chat":3,"spent":0.25}},
		{"session_id":"s","seq":2,"client_ts_ms":%[2]d,"mono_ms":1000,"measures":{"chat":1}},
		{"session_id":"s","seq":3,"client_ts_ms":%[3]d,"mono_ms":9000,"measures":{"chat":2,"follow":1}}]`, int64(clock0), int64(clock0)+100_000, int64(clock0)+108_000)
	hbs, rejected, err := telemetry.DecodeHeartbeats([]byte(body), "")
	if err != nil || rejected != nil {
		t.Fatal(rejected, err)
	}
	got := telemetry.FoldBatch(hbs, clock0)[0]
	want := []telemetry.Measure{{Name: "chat", Value: 5}, {Name: "follow", Value: 1}, {Name: "spent", Value: 0.25}}
	if diff := cmp.Diff(want, got.Measures.List()); diff != "" || got.Restarts() != 1 {
		t.Errorf("%d restarts, measures (-want +got):\n%s", got.Restarts(), diff)
	}
}
