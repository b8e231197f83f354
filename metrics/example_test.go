package metrics_test

import (
	"fmt"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// A player that cannot report stalls has no part in stall metrics, while its
// start counts.
func ExampleObserve() {
	exposed := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	startMs := int64(800)
	o := metrics.Observe(&metrics.Closed{
		Unit: "viewer-1", ExposedAt: exposed,
		Sessions: []telemetry.Session{{
			FirstRecvMs: exposed.UnixMilli() + 1_500, PlayRequested: true, Started: true, FirstFrameMs: &startMs,
			Counters: telemetry.Counters{Observed: telemetry.ObservedStart},
		}},
	}, metrics.WindowFirst)
	fmt.Println(o.Quantities[metrics.QuickStarts], "quick start of", o.Quantities[metrics.WaitedAttempts])
	fmt.Println(o.Quantities[metrics.StallSessions], "sessions that observe stalls")
	// Output:
	// 1 quick start of 1
	// 0 sessions that observe stalls
}
