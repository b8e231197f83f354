package main

import (
	"encoding/json"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/planning"
)

func TestPlanCommand(t *testing.T) {
	t.Parallel()
	out, err := commandLine(t, "plan", "--mean=10", "--sd=20", "--units-per-day=50000", "--weights=1,1,1", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var result planning.Result
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(result.Rules) != 3 || len(result.Rules[0].Arms) != 3 || result.Comparisons != 2 {
		t.Errorf("the plan is %s", out)
	}
	_, err = commandLine(t, "plan", "--share=1.5")
	if faults := experiment.Faults(err); len(faults) != 1 || faults[0].Field != "baseline.share" {
		t.Errorf("a share of 1.5: %v", err)
	}
}
