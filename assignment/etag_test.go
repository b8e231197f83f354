package assignment_test

import (
	"math"
	"regexp"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

func tag(s *assignment.Snapshot, c *assignment.Context) string { return string(s.AppendETag(nil, c)) }

// Every change that can alter an answer alters the tag, and the order of
// attributes does not.
func TestETagFollowsWhatDecides(t *testing.T) {
	t.Parallel()
	cfg := workloadConfig(2)
	s := compile(t, cfg)
	base := func() *assignment.Context {
		c := assignment.NewContext("v")
		c.SetString("country", "DE")
		c.SetNumber("appBuild", 1)
		return c
	}
	first := tag(s, base())
	if !regexp.MustCompile(`^"7-[0-9a-f]{32}"$`).MatchString(first) {
		t.Errorf("AppendETag = %s, want a strong tag", first)
	}
	reordered := assignment.NewContext("v")
	reordered.SetNumber("appBuild", 1)
	reordered.SetString("country", "DE")
	if got := tag(s, reordered); got != first {
		t.Errorf("after reordering the tag is %s, was %s", got, first)
	}
	changes := map[string]func(c *assignment.Context){
		"targeting key":      func(c *assignment.Context) { c.SetTargetingKey("w") },
		"value":              func(c *assignment.Context) { c.SetString("country", "FR") },
		"absent":             func(c *assignment.Context) { c.Unset("country") },
		"type":               func(c *assignment.Context) { c.SetNumber("country", 1) },
		"other type":         func(c *assignment.Context) { c.SetOther("country") },
		"boolean for number": func(c *assignment.Context) { c.SetBool("appBuild", true) },
		"number":             func(c *assignment.Context) { c.SetNumber("appBuild", 1.5) },
		"new attribute":      func(c *assignment.Context) { c.SetBool("isSubscriber", false) },
		"viewer id":          func(c *assignment.Context) { c.SetString(assignment.AttrViewerID, "v") },
		"bad viewer id":      func(c *assignment.Context) { c.SetNumber(assignment.AttrViewerID, 1) },
		"session id":         func(c *assignment.Context) { c.SetString(assignment.AttrSessionID, "v") },
	}
	seen := map[string]string{first: "the first"}
	for name, change := range changes {
		c := base()
		change(c)
		got := tag(s, c)
		if other, twice := seen[got]; twice {
			t.Errorf("%s has the tag of %s", name, other)
		}
		seen[got] = name
	}
	zero, minus := base(), base()
	zero.SetNumber("appBuild", 0)
	minus.SetNumber("appBuild", math.Copysign(0, -1))
	if tag(s, zero) != tag(s, minus) {
		t.Error("0 and -0 compare equal but have different tags")
	}
}

func TestETagFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	c := assignment.NewContext("v")
	changes := map[string]func(cfg *experiment.Config){
		"nothing": func(*experiment.Config) {},
		"version": func(cfg *experiment.Config) { cfg.Version++ },
		"salt":    func(cfg *experiment.Config) { cfg.Experiments[0].Salt = "other" },
		"layer":   func(cfg *experiment.Config) { cfg.Layers[0].Salt = "other" },
		"slots":   func(cfg *experiment.Config) { cfg.Experiments[0].SlotRanges[0].To-- },
		"value":   func(cfg *experiment.Config) { cfg.Experiments[0].Arms[0].Value = []byte(`"x"`) },
		"status":  func(cfg *experiment.Config) { cfg.Experiments[0].Status = experiment.StatusPaused },
	}
	seen := map[string]string{}
	for name, change := range changes {
		cfg := workloadConfig(2)
		change(&cfg)
		got := tag(compile(t, cfg), c)
		if other, twice := seen[got]; twice {
			t.Errorf("after a change of %s the tag is that of %s", name, other)
		}
		seen[got] = name
	}
}

// A context beyond the room on the stack still gets its tag.
func TestETagOfALongContext(t *testing.T) {
	t.Parallel()
	s := compile(t, workloadConfig(1))
	a, b := assignment.NewContext("v"), assignment.NewContext("v")
	long := make([]byte, 4096)
	a.SetString("country", string(long))
	long[4095] = 1
	b.SetString("country", string(long))
	if tag(s, a) == tag(s, b) {
		t.Error("two long values have one tag")
	}
}
