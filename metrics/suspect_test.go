package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// watching returns a session of a minute that began some minutes after the exposure.
func watching(id string, minutes float64) telemetry.Session {
	at := exposedAt.Add(time.Duration(minutes * float64(time.Minute))).UnixMilli()
	return telemetry.Session{
		SessionID: id, FirstRecvMs: at, PlayRequested: true, Started: true,
		Last:     telemetry.Mark{RecvMs: at + 60_000, MonoMs: 60_000},
		Counters: telemetry.Counters{PlayMs: 60_000, Frames: 1_500, Observed: telemetry.ObservedPlay | telemetry.ObservedFrames},
	}
}

// Nothing that happens after the exposure makes a unit suspected, whatever it is.
func TestSuspected(t *testing.T) {
	t.Parallel()
	const limit, hour = metrics.MaxConcurrentSessions, 60.0
	sessions := func(n int, minutes, apart float64, change func(*telemetry.Session)) []telemetry.Session {
		var out []telemetry.Session
		for i := range n {
			s := watching(fmt.Sprint(minutes, i), minutes+apart*float64(i))
			if change != nil {
				change(&s)
			}
			out = append(out, s)
		}
		return out
	}
	noFrames := func(s *telemetry.Session) { s.Frames = 0 }
	hidden := func(s *telemetry.Session) { s.HiddenMs = s.PlayMs }
	for _, test := range []struct {
		name     string
		agent    string
		days     int
		sessions []telemetry.Session
		want     bool
	}{
		{"nobody", "", 14, nil, false},
		{"calls itself a bot", "Mozilla/5.0 (compatible; ExampleBot/2.1)", 0, nil, true},
		{"calls itself a browser", "Mozilla/5.0 (X11; Linux x86_64)", 0, nil, false},
		{"as many screens as a household", "", 14, sessions(limit, -hour, 0, nil), false},
		{"one more", "", 14, sessions(limit+1, -hour, 0, nil), true},
		{"one more, when the past is not read", "", 0, sessions(limit+1, -hour, 0, nil), false},
		{"one after the other", "", 14, sessions(limit+1, -hour, 1, nil), false},
		{"one more, longer ago", "", 14, sessions(limit+1, -15*24*hour, 0, nil), false},
		{"many after the exposure", "", 14, sessions(10*limit, 1, 0, nil), false},
		{"many that go on after the exposure", "", 14, sessions(10*limit, -0.5, 0, nil), false},
		{"no frames before", "", 14, sessions(3, -3*hour, hour/2, noFrames), true},
		{"no frames before, but twice", "", 14, sessions(2, -3*hour, hour/2, noFrames), false},
		{"no frames after", "", 14, sessions(20, 1, 5, noFrames), false},
		{"hidden before", "", 14, sessions(3, -3*hour, hour/2, hidden), true},
		{"hidden half of the time", "", 14, append(sessions(3, -9*hour, hour/2, hidden), sessions(3, -3*hour, hour/2, nil)...), false},
		{"hidden after", "", 14, sessions(20, 1, 5, hidden), false},
	} {
		c := &metrics.Closed{Unit: "u", ExposedAt: exposedAt, Sessions: test.sessions, Dims: map[string]string{"user_agent": test.agent}}
		if got := metrics.Suspected(c, test.days); got != test.want {
			t.Errorf("%s: Suspected = %v, want %v", test.name, got, test.want)
		}
	}
}
