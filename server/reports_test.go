package server

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// A planned look decides although the report of so many looks does not show it, and
// the report of a past look knows none that came later.
func TestPlannedLooksAreRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	end := testNow.Truncate(24 * time.Hour).Add(48 * time.Hour)
	b.apply(t, `{"experiments":[{"key":"planned","unit":"viewer","design":"ab","status":"running",
		"arms":[{"key":"control","weight":1,"value":1},{"key":"treatment","weight":1,"value":2}],
		"plan":{"primary":["stall_ratio"],"method":"group_sequential","looks":2,"end":"`+end.Format(time.DateOnly)+`"}}]}`)
	exp, err := b.db.Get(t.Context(), "planned")
	if err != nil {
		t.Fatal(err)
	}
	first := report.PlannedTimes(&exp, nil)[0]
	// Look 302 is the first one after it; of 500 looks a report shows the odd ones.
	const looks, planned = 500, 302
	for n := 1; n <= looks; n++ {
		at := first.Add(time.Duration(n-planned) * time.Second)
		_, err := b.db.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			return tx.AppendLook(t.Context(), metrics.Look{Number: n, At: at, Watermark: at, Arms: []metrics.ArmCounts{{Arm: 0}, {Arm: 1}}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // read, and read again from memory
		for path, want := range map[string][]int{"": {planned}, "?look=302": {planned}, "?look=303": {planned}, "?look=301": nil, "?look=2": nil} {
			got := b.send(t, scenario{method: "GET", path: apiPath + "/experiments/planned/report" + path, as: "read"})
			var r report.Report
			if err := json.Unmarshal([]byte(got.body), &r); err != nil || got.status != http.StatusOK {
				t.Fatalf("report%s: %d, %v", path, got.status, err)
			}
			var taken []int
			for _, l := range r.Head.PlannedLooks.Taken {
				taken = append(taken, l.Look)
			}
			if len(taken) != len(want) || len(want) == 1 && taken[0] != want[0] {
				t.Errorf("report%s has planned looks %v, want %v", path, taken, want)
			}
		}
	}
}
