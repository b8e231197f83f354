package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// pastSession began some time before the exposure and lasted so long.
func pastSession(id string, before, lasted time.Duration) telemetry.Session {
	frame := int64(1_000)
	began := exposedAt.Add(-before).UnixMilli()
	return telemetry.Session{
		SessionID: id, FirstRecvMs: began, PlayRequested: true, Started: true, FirstFrameMs: &frame,
		Last:     telemetry.Mark{RecvMs: began + lasted.Milliseconds(), MonoMs: lasted.Milliseconds()},
		Counters: telemetry.Counters{PlayMs: lasted.Milliseconds(), StallMs: 1_000, StallN: 1, Observed: everything},
	}
}

// asked are the quantities of three metrics.
var askedOfPast = []metrics.Quantity{
	metrics.WatchMs, metrics.WatchUnits, metrics.StallMs, metrics.StallBaseMs, metrics.Returned, metrics.Units, metrics.DistinctStarts,
}

func TestObserveHistory(t *testing.T) {
	t.Parallel()
	const day, hour, silence = 24 * time.Hour, time.Hour, telemetry.CloseMinMs * time.Millisecond
	idle := pastSession("idle", 5*hour, hour)
	idle.PlayRequested, idle.Started, idle.FirstFrameMs, idle.PlayMs, idle.StallMs = false, false, nil, 0, 0
	silent := pastSession("silent", 5*hour, hour)
	silent.Observed &^= telemetry.ObservedPlay
	during := pastSession("during", -hour, hour)
	for _, test := range []struct {
		name     string
		sessions []telemetry.Session
		history  bool
		want     map[metrics.Quantity]float64
	}{
		{"nothing", nil, false, nil},
		{"only after the exposure", []telemetry.Session{during}, false, nil},
		{"two on one day, one on another", []telemetry.Session{
			pastSession("a", 2*hour, hour), pastSession("b", 5*hour, 2*hour), pastSession("c", 30*hour, hour), during,
		}, true, map[metrics.Quantity]float64{
			metrics.WatchMs: 4 * hourMs, metrics.WatchUnits: 1, metrics.StallMs: 3_000, metrics.StallBaseMs: 4*hourMs + 3_000,
			metrics.Returned: 2, metrics.Units: 1, metrics.DistinctStarts: 3,
		}},
		{"the oldest that counts, and one that is too old", []telemetry.Session{
			pastSession("in", 14*day, hour), pastSession("out", 14*day+time.Millisecond, hour),
		}, true, map[metrics.Quantity]float64{
			metrics.WatchMs: hourMs, metrics.WatchUnits: 1, metrics.StallMs: 1_000, metrics.StallBaseMs: hourMs + 1_000,
			metrics.Returned: 1, metrics.Units: 1, metrics.DistinctStarts: 1,
		}},
		{"over just in time, and a millisecond too late", []telemetry.Session{
			pastSession("over", hour, hour-silence), pastSession("on", hour, hour-silence+time.Millisecond),
		}, true, map[metrics.Quantity]float64{
			metrics.WatchMs: hourMs - telemetry.CloseMinMs, metrics.WatchUnits: 1, metrics.StallMs: 1_000,
			metrics.StallBaseMs: hourMs - telemetry.CloseMinMs + 1_000, metrics.Returned: 1, metrics.Units: 1, metrics.DistinctStarts: 1,
		}},
		{"nobody wanted to play", []telemetry.Session{idle}, false, nil},
		{"play time is not observed", []telemetry.Session{silent}, true, map[metrics.Quantity]float64{
			metrics.Returned: 1, metrics.Units: 1, metrics.DistinctStarts: 1,
		}},
		{"more hours than 14 days have", []telemetry.Session{
			pastSession("x", 13*day, 12*day), pastSession("y", 13*day, 12*day),
		}, true, map[metrics.Quantity]float64{
			metrics.WatchMs: 14 * 24 * hourMs, metrics.WatchUnits: 1, metrics.StallMs: 2_000, metrics.StallBaseMs: 24*24*hourMs + 2_000,
			metrics.Returned: 1, metrics.Units: 1, metrics.DistinctStarts: 1,
		}},
	} {
		c := metrics.Closed{Unit: "u", ExposedAt: exposedAt, Sessions: test.sessions}
		got := metrics.ObserveHistory(&c, 14, askedOfPast)
		want := metrics.Covariates{Known: true, History: test.history}
		for q, v := range test.want {
			want.Quantities[q] = v
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: ObserveHistory differs (-want +got):\n%s", test.name, diff)
		}
		for i, j := 0, len(c.Sessions)-1; i < j; i, j = i+1, j-1 {
			c.Sessions[i], c.Sessions[j] = c.Sessions[j], c.Sessions[i]
		}
		if again := metrics.ObserveHistory(&c, 14, askedOfPast); again != got {
			t.Errorf("%s: another order gives %+v, not %+v", test.name, again, got)
		}
	}
}

func TestObserveHistoryLimit(t *testing.T) {
	t.Parallel()
	var sessions []telemetry.Session
	for i := range metrics.MaxHistorySessions {
		sessions = append(sessions, pastSession(fmt.Sprint(i), time.Duration(i+1)*time.Hour, time.Minute))
	}
	watched := func(sessions []telemetry.Session) float64 {
		c := metrics.Closed{ExposedAt: exposedAt, Sessions: sessions}
		got := metrics.ObserveHistory(&c, 14, askedOfPast)
		return got.Quantities[metrics.WatchMs]
	}
	if got, want := watched(sessions), float64(metrics.MaxHistorySessions*60_000); got != want {
		t.Errorf("at the limit: %v ms watched, want %v", got, want)
	}
	oldest := pastSession("oldest", 13*24*time.Hour, 10*time.Hour)
	if got, want := watched(append(sessions, oldest)), float64(metrics.MaxHistorySessions*60_000); got != want {
		t.Errorf("beyond the limit: %v ms watched, want %v: the oldest is left out", got, want)
	}
}
