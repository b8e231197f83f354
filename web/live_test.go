package web

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

func TestLiveIsOfferedWhereSomethingChanges(t *testing.T) {
	t.Parallel()
	running := reportView(sample(t, "typical"))
	running.Events = "/experiments/abr-safety-75/events"
	if page := renderReport(t, running); !strings.Contains(page, `data-live="/experiments/abr-safety-75/events?since=1.28.running"`) {
		t.Error("a running report does not follow")
	}
	past := running
	past.Latest = 29
	frozen := running
	frozen.Frozen = &Frozen{}
	over := reportView(variants(t)["status_stopped"])
	over.Events = running.Events
	for name, v := range map[string]ReportView{"the past": past, "a frozen report": frozen, "a stopped one": over} {
		if page := renderReport(t, v); strings.Contains(page, "data-live") || strings.Contains(page, "live.") {
			t.Errorf("%s follows", name)
		}
	}
}

func TestLiveMark(t *testing.T) {
	t.Parallel()
	if got, want := LiveMark(2, 17, experiment.StatusPaused), "2.17.paused"; got != want {
		t.Errorf("LiveMark = %q, want %q", got, want)
	}
}
