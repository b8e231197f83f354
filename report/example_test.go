package report_test

import (
	"fmt"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// A report says in one sentence what to do, and in rows why.
func ExampleBuild() {
	r := report.Build(reporttest.Fixtures()["guardrail_breach"])
	fmt.Println(r.Verdict.State)
	fmt.Println(r.Verdict.Action)
	fmt.Println(r.Guardrails[0].Metric.Name, r.Guardrails[0].State)
	// Output:
	// roll_back
	// Roll back to Control now.
	// Startup time, 95th percentile breached
}

// Any past look can be seen again as it was.
func ExampleInput_At() {
	in := reporttest.Fixtures()["guardrail_breach"]
	first := report.Build(in).Guardrails[0].FirstHarm
	before, _ := in.At(first - 1)
	fmt.Println(report.Build(before).Verdict.State)
	// Output: keep_running
}
