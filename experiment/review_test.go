package experiment_test

import (
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// reviewedExperiment returns an experiment that runs by a ramp.
func reviewedExperiment() experiment.Experiment {
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	return experiment.Experiment{
		Spec: experiment.Spec{
			Key: "e", Name: "E", Unit: experiment.UnitViewer, Slots: 100, Status: experiment.StatusRunning, StopAt: &at,
			Arms: []experiment.Arm{
				{Key: "control", Weight: 1, Value: []byte(`{"a": 1, "b": 2}`)}, {Key: "b", Weight: 1, Value: []byte(`{}`)}, {Key: "c", Weight: 1, Value: []byte(`{}`)},
			},
			Plan: experiment.Plan{Primary: []string{"stall_ratio"}}.WithDefaults(),
		},
		Salt: "s", Version: 1, RampSlots: 200,
	}
}

func TestNeedsReview(t *testing.T) {
	t.Parallel()
	type edit func(*experiment.Experiment)
	status := func(s experiment.Status) edit { return func(e *experiment.Experiment) { e.Status = s } }
	stopAt := func(d time.Duration) edit {
		return func(e *experiment.Experiment) { at := e.StopAt.Add(d); e.StopAt = &at }
	}
	both := func(edits ...edit) edit {
		return func(e *experiment.Experiment) {
			for _, do := range edits {
				do(e)
			}
		}
	}
	slots := func(n int) edit { return func(e *experiment.Experiment) { e.Slots = n } }
	paused, stopped, draft := status(experiment.StatusPaused), status(experiment.StatusStopped), status(experiment.StatusDraft)
	ship := func(arm string) edit { return func(e *experiment.Experiment) { e.ShippedArm = arm } }
	keep := func(e *experiment.Experiment) { e.OnPause = experiment.PauseKeep }
	nothing := func(*experiment.Experiment) {}
	for name, c := range map[string]struct {
		before, change edit
		want           bool
	}{
		"nothing":                     {nothing, nothing, false},
		"words":                       {nothing, func(e *experiment.Experiment) { e.Name, e.Hypothesis, e.Owner, e.Arms[1].Name = "F", "h", "o", "B" }, false},
		"a draft is edited":           {draft, slots(500), false},
		"a draft runs":                {draft, status(experiment.StatusRunning), true},
		"it is archived":              {stopped, status(experiment.StatusArchived), false},
		"it pauses":                   {nothing, paused, false},
		"it pauses and keeps arms":    {nothing, both(paused, keep), false},
		"paused, it keeps arms again": {paused, keep, true},
		"it resumes":                  {paused, status(experiment.StatusRunning), false},
		"it resumes as another":       {paused, both(status(experiment.StatusRunning), slots(300)), true},
		"it stops":                    {nothing, stopped, false},
		"it ships":                    {nothing, both(stopped, ship("b")), true},
		"stopped, it ships":           {stopped, ship("b"), true},
		"it ships another arm":        {both(stopped, ship("b")), ship("c"), true},
		"a shipped arm is taken back": {both(stopped, ship("b")), ship(""), false},
		"an arm is dropped":           {nothing, func(e *experiment.Experiment) { e.Arms[2].Dropped = true }, false},
		"it is drawn again":           {nothing, func(e *experiment.Experiment) { e.Salt = "t" }, true},
		"a version of a holdout":      {nothing, func(e *experiment.Experiment) { e.Version++ }, false},
		"a step of the ramp":          {nothing, func(e *experiment.Experiment) { e.RampSlots = 5_000 }, false},
		"fewer slots":                 {nothing, slots(50), false},
		"as many as the ramp reached": {nothing, slots(200), false},
		"one more":                    {nothing, slots(201), true},
		"a ramp to come":              {nothing, func(e *experiment.Experiment) { e.Ramp = []experiment.RampStep{{At: *e.StopAt, Slots: 300}} }, true},
		"it stops sooner":             {nothing, stopAt(-time.Hour), false},
		"it stops later":              {nothing, stopAt(time.Hour), true},
		"it never stops":              {nothing, func(e *experiment.Experiment) { e.StopAt = nil }, true},
		"another weight":              {nothing, func(e *experiment.Experiment) { e.Arms[1].Weight = 2 }, true},
		"another value":               {nothing, func(e *experiment.Experiment) { e.Arms[0].Value = []byte(`{"a":1}`) }, true},
		"a value in another order":    {nothing, func(e *experiment.Experiment) { e.Arms[0].Value = []byte(`{"b":2,"a":1}`) }, false},
		"an audience":                 {nothing, func(e *experiment.Experiment) { e.Audience = &experiment.Audience{} }, true},
		"an override":                 {nothing, func(e *experiment.Experiment) { e.Overrides = map[string]string{"u": "b"} }, true},
		"another plan":                {nothing, func(e *experiment.Experiment) { e.Plan.MDE = 0.3 }, true},
		"holdouts are ignored":        {nothing, func(e *experiment.Experiment) { e.IgnoreHoldouts = "why" }, true},
	} {
		cur, next := reviewedExperiment(), reviewedExperiment()
		c.before(&cur)
		c.before(&next)
		c.change(&next)
		if got := experiment.NeedsReview(&cur, &next); got != c.want {
			t.Errorf("%s: NeedsReview = %v, want %v", name, got, c.want)
		}
	}
	fresh := reviewedExperiment()
	if !experiment.NeedsReview(nil, &fresh) {
		t.Error("a new experiment runs without a review")
	}
}

// The digest is of what is stored and what would be, not of how either is written.
func TestReviewDigest(t *testing.T) {
	t.Parallel()
	cur, next, spaced := reviewedExperiment(), reviewedExperiment(), reviewedExperiment()
	next.Salt, spaced.Salt = "of one try", "of another"
	spaced.Arms[0].Value = []byte(`{"b":2,"a":1}`)
	if a, b := experiment.ReviewDigest(&cur, &next), experiment.ReviewDigest(&cur, &spaced); a != b || len(a) != 64 {
		t.Errorf("the same has the digests %s and %s", a, b)
	}
	seen := map[string]string{experiment.ReviewDigest(&cur, &next): "restart"}
	for name, edit := range map[string]func(cur, next *experiment.Experiment){
		"not drawn again": func(cur, next *experiment.Experiment) { next.Salt = cur.Salt },
		"another plan":    func(_, next *experiment.Experiment) { next.Plan.MDE = 0.3 },
		"another word":    func(_, next *experiment.Experiment) { next.Hypothesis = "h" },
		"an arm ships":    func(_, next *experiment.Experiment) { next.ShippedArm = "b" },
		"from another":    func(cur, _ *experiment.Experiment) { cur.Slots = 7 },
		"from shipped":    func(cur, _ *experiment.Experiment) { cur.ShippedArm = "b" },
	} {
		c, n := reviewedExperiment(), reviewedExperiment()
		n.Salt = "of a try"
		edit(&c, &n)
		d := experiment.ReviewDigest(&c, &n)
		if seen[d] != "" {
			t.Errorf("%s and %s have the same digest", name, seen[d])
		}
		seen[d] = name
	}
	if d := experiment.ReviewDigest(nil, &next); seen[d] != "" {
		t.Errorf("a new experiment has the digest of %s", seen[d])
	}
}
