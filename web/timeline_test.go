package web

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// sampleTimeline has an experiment of every status, one far in the past and one
// far ahead.
func sampleTimeline(chrome Chrome, choice TimelineChoice) TimelineView {
	now := telemetryNow
	day := func(n int) *time.Time { return new(now.AddDate(0, 0, n)) }
	one := func(key, layer, owner string, status experiment.Status, started, stopped *time.Time) experiment.Experiment {
		return experiment.Experiment{
			Spec:      experiment.Spec{Key: key, Name: strings.ToUpper(key[:1]) + strings.ReplaceAll(key[1:], "-", " "), Layer: layer, Owner: owner, Status: status},
			StartedAt: started, StoppedAt: stopped,
		}
	}
	running := one("abr-safety-75", "player", "mira", experiment.StatusRunning, day(-20), nil)
	running.Plan.End = &experiment.Date{Time: *day(22)}
	endless := one("low-latency", "player", "ana", experiment.StatusRunning, day(-3), nil)
	endless.StopAt = day(4_000)
	shipped := one("prefetch", "player", "mira", experiment.StatusStopped, day(-80), day(-52))
	shipped.ShippedArm = "treatment"
	scheduled := one("next-one-"+strings.Repeat("long-", 8), "", "ana", experiment.StatusDraft, nil, nil)
	scheduled.StartAt = day(5)
	return TimelineView{
		Chrome: chrome, Base: "/experiments", New: "/experiments/new", Choice: choice, Now: now, Total: 9,
		Experiments: []experiment.Experiment{
			running, endless, shipped, scheduled,
			one("draft", "", "ana", experiment.StatusDraft, nil, nil),
			one("paused", "player", "", experiment.StatusPaused, day(-40), nil),
			one("stopped", "edge", "mira", experiment.StatusStopped, day(-60), day(-45)),
			one("ancient", "edge", "mira", experiment.StatusStopped, day(-300), day(-280)),
			one("brief", "edge", "mira", experiment.StatusStopped, day(-10), new(day(-10).Add(time.Minute))),
		},
		Freezes: []experiment.Freeze{
			{Key: "finals", From: *day(-30), To: *day(-27), Reason: "World finals <live>"},
			{Key: "next-year", From: *day(300), To: *day(301), Reason: "far away"},
		},
	}
}

func TestTimelinePage(t *testing.T) {
	t.Parallel()
	year := renderPage(t, func(r *Renderer) pageWriter {
		return bind(r.Timeline, sampleTimeline(Chrome{}, TimelineChoice{groupLayer, 365}))
	})
	for _, want := range []string{
		"layers of their own", "Shipped treatment", "since 13 Oct 2026, ends 24 Nov 2026", "starts 7 Nov 2026", "Ancient", "World finals &lt;live&gt;",
		"8 experiments", `href="/experiments?back=365&amp;group=owner&amp;view=timeline"`, `aria-current="true">Year`,
	} {
		if !strings.Contains(year, want) {
			t.Errorf("the timeline of a year lacks %q", want)
		}
	}
	if strings.Contains(year, "far away") || strings.Contains(year, "<bdi>Draft</bdi>") {
		t.Error("what has no place in the time is shown")
	}
	golden(t, "timeline.html", year)
	quarter := renderPage(t, func(r *Renderer) pageWriter {
		return bind(r.Timeline, sampleTimeline(Chrome{}, TimelineChoice{groupOwner, 90}))
	})
	if strings.Contains(quarter, "Ancient") || !strings.Contains(quarter, "7 experiments; 1 ended earlier") || !strings.Contains(quarter, "no owner") {
		t.Error("the timeline of a quarter is not that of a quarter by owner")
	}
}

func TestReadTimelineChoice(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]TimelineChoice{
		"": {groupLayer, 90}, "group=owner&back=365": {groupOwner, 365}, "back=0": {groupLayer, 0}, "group=x&back=7": {groupLayer, 90},
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, ReadTimelineChoice(q)); diff != "" {
			t.Errorf("ReadTimelineChoice(%q) (-want +got):\n%s", query, diff)
		}
	}
}

// Of more rows than a page holds the newest are shown.
func TestTimelineIsBounded(t *testing.T) {
	t.Parallel()
	for n, earlier := range map[int]int{MaxTimeline: 0, MaxTimeline + 1: 1} {
		v := TimelineView{Now: telemetryNow}
		for i := range n {
			v.Experiments = append(v.Experiments, experiment.Experiment{StartedAt: new(telemetryNow.Add(-time.Duration(i) * time.Hour))})
		}
		rows, left := timelineShown(&v)
		if len(rows) != MaxTimeline || left != earlier || !rows[len(rows)-1].StartedAt.Equal(telemetryNow) {
			t.Errorf("of %d: %d rows, %d earlier", n, len(rows), left)
		}
	}
}
