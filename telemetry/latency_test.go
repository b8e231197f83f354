package telemetry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/telemetry"
)

func TestLatencyStep(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]int64{
		-1: 0, 0: 0, 1: 250, 250: 250, 251: 500, 3_000: 3_000, 9_751: 10_000, 10_000: 10_000, 10_001: 11_000, 60_000: 60_000, 60_001: 61_000, 600_000: 61_000,
	} {
		if got := telemetry.LatencyStepMs(ms); got != want {
			t.Errorf("LatencyStepMs(%d) = %d, want %d", ms, got, want)
		}
	}
}

func minutesOf(m telemetry.LatencyMinutes) map[int64]int64 {
	out := map[int64]int64{}
	m.Each(func(stepMs, minutes int64) { out[stepMs] += minutes })
	return out
}

// Minutes of heartbeats go to their steps, add up over restarts of the client,
// and are left out where they cannot be true.
func TestLatencyMinutesOfHeartbeats(t *testing.T) {
	t.Parallel()
	decode := func(fields string) (hb telemetry.Heartbeat, rejected int) {
		hbs, rejections, err := telemetry.DecodeHeartbeats([]byte(`{"session_id":"s",`+fields+`}`), "")
		if err != nil || len(hbs) != 1 {
			t.Fatalf("DecodeHeartbeats(%s) = %v, %v", fields, hbs, err)
		}
		return hbs[0], len(rejections)
	}
	first, _ := decode(`"seq":3,"client_ts_ms":1795384000000,"mono_ms":600000,"play_ms":590000,"stall_ms":900,"stall_n":1,"since_stall_ms":100000,"latency_minutes":{"2900":4,"3000":2,"90000":1,"120000":1,"5000":0}`)
	again, _ := decode(`"seq":4,"client_ts_ms":1795384900000,"mono_ms":120000,"play_ms":110000,"paused_ms":5000,"stall_ms":0,"stall_n":0,"latency_minutes":{"2990":2}`)
	var s telemetry.Session
	s.Apply(&again, 2)
	s.Apply(&first, 1)
	if diff := cmp.Diff(map[int64]int64{3_000: 8, 61_000: 2}, minutesOf(s.LatencyMinutes)); diff != "" {
		t.Errorf("minutes differ (-want +got):\n%s", diff)
	}
	if s.SinceStallMs != 215_000 || !s.Observed.Has(telemetry.ObservedSinceStall) {
		t.Errorf("%d ms since the last stall, want at least 215,000: the restart ended none", s.SinceStallMs)
	}
	for _, test := range []struct {
		fields string
		kept   bool
	}{
		{`"seq":1,"mono_ms":0,"latency_minutes":{"3000":1}`, true}, // a minute that began
		{`"seq":1,"mono_ms":57999,"latency_minutes":{"3000":2}`, false},
		{`"seq":1,"mono_ms":58000,"latency_minutes":{"3000":2}`, true}, // clocks of one client differ by 2 s
		{`"seq":1,"mono_ms":90000,"latency_minutes":{"600000":1}`, true},
		{`"seq":1,"mono_ms":90000,"latency_minutes":{"600001":1}`, false},
	} {
		hb, rejected := decode(test.fields)
		if kept := hb.Observed.Has(telemetry.ObservedLatencyMinutes); kept != test.kept || kept == (rejected > 0) {
			t.Errorf("%s: kept %v with %d rejections, want %v", test.fields, kept, rejected, test.kept)
		}
	}
	for fields, want := range map[string]bool{`"seq":1,"since_stall_ms":2000`: true, `"seq":1,"since_stall_ms":2001`: false} {
		if hb, _ := decode(fields); hb.Observed.Has(telemetry.ObservedSinceStall) != want {
			t.Errorf("%s: observed %v, want %v", fields, !want, want)
		}
	}
}

// States of a player: start, play for 30 s, stall 5 s, play 100 s; live latency of
// 3 s and 5 s in the first minute, 8 s in the second, 30 s while paused.
func TestLatencyMinutesOfEvents(t *testing.T) {
	t.Parallel()
	const script = `
		0 e=ps,sta=s
		1000 e=ps,sta=p
		10000 e=t,ltc=3000,sta=p
		31000 e=ps,sta=r
		36000 e=ps,sta=p
		50000 e=t,ltc=5000,sta=p
		70000 e=t,ltc=8000,sta=p
		100000 e=ps,sta=a
		130000 e=t,ltc=30000,sta=a
		136000 e=ps,sta=p`
	s := telemetry.FoldCMCD(reports(t, script))
	if diff := cmp.Diff(map[int64]int64{4_000: 1, 8_000: 1}, minutesOf(s.LatencyMinutes)); diff != "" {
		t.Errorf("minutes differ (-want +got):\n%s", diff)
	}
	if s.StallMs != 5_000 || s.SinceStallMs != 100_000 || !s.Observed.Has(telemetry.ObservedSinceStall|telemetry.ObservedLatencyMinutes) {
		t.Errorf("stall of %d ms ended %d ms before the last report, want 5,000 and 100,000", s.StallMs, s.SinceStallMs)
	}
}
