package web

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// telemetryNow is when the telemetry of these tests is looked at.
var telemetryNow = time.Date(2026, 11, 2, 12, 0, 30, 0, time.UTC)

// sampleTelemetry is an hour with every kind of source, player and refusal.
func sampleTelemetry(chrome Chrome) TelemetryView {
	v := TelemetryView{
		Chrome: chrome, Base: "/telemetry", At: telemetryNow, Minutes: 60, RecordsPerSec: 1843.4, RejectedSince: telemetryNow.Truncate(24 * time.Hour),
		Unfolded: 31, UnfoldedSince: new(telemetryNow.Add(-4 * time.Second)), Queued: 12, Server: "https://splitcast.example", Keys: "/settings",
		Sources: []TelemetrySource{
			{Tier: "A", Player: "app-tv", Version: "5.2.0", Sessions: 120_400, Started: 118_000, Clocked: 120_400, Late: 310, LagP95Ms: new(int64(840))},
			{Tier: "A", Player: "hls.js", Version: "1.7.4", Sessions: 30_100, Started: 30_000, Clocked: 30_000, Late: 12, LagP95Ms: new(int64(2_350))},
			{Tier: "B", Player: "hls.js", Version: "1.7.4", Sessions: 60_000, Started: 58_000, Clocked: 60_000, Late: 4_000, LagP95Ms: new(int64(190_000))},
			{Tier: "C", Player: "shaka", Version: strings.Repeat("5.0.1-nightly-", 6), Sessions: 1_200, Started: 1_100},
			{Tier: "D", Sessions: 9_000},
		},
		Results: []TelemetryResults{
			{Experiment: "abr-safety-75", URL: "/experiments/abr-safety-75", Look: 312, Watermark: new(telemetryNow.Add(-10 * time.Minute)), Waiting: new(telemetryNow.Add(-9 * time.Minute))},
			{Experiment: "low-latency", URL: "/experiments/low-latency", Look: 20, Watermark: new(telemetryNow.Add(-3 * time.Second)), Waiting: new(telemetryNow.Add(-2 * time.Second))},
			{Experiment: "new-one", URL: "/experiments/new-one"},
			{Experiment: "quiet", URL: "/experiments/quiet", Look: 7, Watermark: new(telemetryNow.Add(-90 * time.Hour))},
		},
	}
	for m := range 61 {
		at := telemetryNow.Truncate(time.Minute).Add(-time.Duration(m) * time.Minute)
		n := int64(40_000 + 9_000*(m%7))
		v.Rates = append(v.Rates, TelemetryRate{at, "heartbeat", n, int64(m % 5 * 300)}, TelemetryRate{at, "cmcd", n / 2, 0}, TelemetryRate{at, "broadcast", n / 20, 0})
	}
	for i := range 15 {
		v.Rejections = append(v.Rejections, TelemetryRejection{
			Source: "cmcd", Reason: "type", Field: fmt.Sprintf("k%d", i), Player: "hls.js", Version: "1.7.4", Count: int64(4_000 - 200*i),
		})
	}
	v.Rejections[1] = TelemetryRejection{Source: "heartbeat", Reason: "implausible", Field: "stall_ms", Player: "<b>app</b>", Version: "2", Count: 3_700}
	v.Rejections[2] = TelemetryRejection{Source: "exposure", Reason: "unheard_of", Whole: true, Count: 3_500}
	return v
}

func TestTelemetryPage(t *testing.T) {
	t.Parallel()
	page := renderPage(t, func(r *Renderer) pageWriter { return bind(r.Telemetry, sampleTelemetry(Chrome{User: "mira"})) })
	for _, want := range []string{
		"1,843", "hls.js 1.7.4", "A 33.41\u00a0%  B 66.59\u00a0%", "3 min", "3 more kinds", "cannot be true", "&lt;b&gt;app&lt;/b&gt;",
		"9 min behind: does the job run?", "2 s behind", "No window has closed yet", "Up to date", "31 CMCD sessions", "unheard_of", "unnamed player",
		`aria-current="true">Hour`, "exposure, whole record", "How to send records", "https://splitcast.example/v1/heartbeats",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	golden(t, "telemetry.html", page)
}

// Before the first record the page teaches how to send it.
func TestTelemetryPageTeaches(t *testing.T) {
	t.Parallel()
	page := renderPage(t, func(r *Renderer) pageWriter {
		return bind(r.Telemetry, TelemetryView{Base: "/telemetry", At: telemetryNow, Minutes: 60, Server: "http://127.0.0.1:9", Keys: "/settings"})
	})
	for _, want := range []string{"Send the first record", "http://127.0.0.1:9/v1/heartbeats", "http://127.0.0.1:9/v1/cmcd/$KEY", `href="/settings#keys"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "facts-row") || strings.Contains(page, "What comes in") {
		t.Error("an empty page shows numbers")
	}
}

// The minute that is not over is in no column, and every record of the window
// is in one.
func TestTelemetryColumnsHoldWholeMinutes(t *testing.T) {
	t.Parallel()
	for _, minutes := range []int{1, 59, 60, 61, 360, 1440} {
		v := TelemetryView{At: telemetryNow, Minutes: minutes, Rates: []TelemetryRate{
			{telemetryNow.Truncate(time.Minute), "heartbeat", 1e9, 0},
			{telemetryNow.Truncate(time.Minute).Add(-time.Minute), "heartbeat", 600, 60},
		}}
		p, err := newTelemetryPage(v)
		if err != nil {
			t.Fatalf("%d minutes: %v", minutes, err)
		}
		per := float64(max(1, (minutes+59)/60))
		if got, want := p.Minutes[0].Amounts[0], rate(10/per); got != want {
			t.Errorf("%d minutes: the newest column has %s/s, want %s", minutes, got, want)
		}
		if n := len(p.Minutes); n > telemetryColumns || float64(n)*per > float64(minutes) && minutes > 60 {
			t.Errorf("%d minutes: %d columns", minutes, n)
		}
	}
}
