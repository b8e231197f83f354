package web

import (
	"bytes"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
)

// The plan's treatment of likely programs is behind a summary until it is not the
// default, and a unit of which nobody knows is refused at the field.
func TestLaunchSuspects(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		unit, suspects string
		has            []string
		lacks          string
	}{
		"the default":   {"viewer", "", []string{`<details><summary>Who counts`, `<option value="" selected>count like everybody`, `aria-describedby="h-plan.suspects"`}, "aria-invalid"},
		"left out":      {"viewer", "exclude", []string{`<details open><summary>Who counts`, `<option value="exclude" selected>are left out`}, "aria-invalid"},
		"of a stranger": {"broadcaster", "exclude", []string{`<details open>`, `id="h-plan.suspects">of a broadcaster it is not known whether it is a program: include them`, `aria-invalid="true"`}, "behaved like one"},
	} {
		form := NewLaunchForm(experiment.ChangeUI)
		form.Set(fieldUnit, tt.unit)
		form.Set(fieldSuspects, tt.suspects)
		form.Add(fieldSeen, string(launch.StepPower))
		view := launchViewOf(form, launch.Input{})
		view.Base, view.Draft, view.Step, view.Metrics, view.Now = "/launch", "D1", launch.StepPower, metrics.All(), launchNow
		var buf bytes.Buffer
		if err := renderer(t).Launch(&buf, view); err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.has {
			if !strings.Contains(buf.String(), want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		if strings.Contains(buf.String(), tt.lacks) {
			t.Errorf("%s: the page has %q", name, tt.lacks)
		}
	}
}
