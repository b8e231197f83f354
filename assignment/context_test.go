package assignment_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

func TestContextErrNamesTheField(t *testing.T) {
	t.Parallel()
	fill := func(n int) func(c *assignment.Context) {
		return func(c *assignment.Context) {
			for i := range n {
				c.SetBool(fmt.Sprint("a", i), true)
			}
			c.SetBool("a0", false) // an old name is no new attribute
		}
	}
	tests := []struct {
		name  string
		set   func(c *assignment.Context)
		field string
		fault bool
	}{
		{"good", func(*assignment.Context) {}, "", false},
		{"empty key", func(c *assignment.Context) { c.SetTargetingKey("") }, "targetingKey", true},
		{"numeric key", func(c *assignment.Context) { c.SetNumber("targetingKey", 1) }, "targetingKey", true},
		{"key as attribute", func(c *assignment.Context) { c.SetString("targetingKey", "x") }, "", false},
		{"key not ASCII", func(c *assignment.Context) { c.SetTargetingKey("é") }, "targetingKey", true},
		{"numeric viewer id", func(c *assignment.Context) { c.SetNumber("viewer_id", 1) }, "viewer_id", true},
		{"empty session id", func(c *assignment.Context) { c.SetString("session_id", "") }, "session_id", true},
		{"128 attributes", fill(assignment.MaxContextAttributes), "", false},
		{"129 attributes", fill(assignment.MaxContextAttributes + 1), "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := assignment.NewContext("v")
			tt.set(c)
			err := c.Err()
			var fault *experiment.Error
			if errors.As(err, &fault) != tt.fault || tt.fault && fault.Field != tt.field {
				t.Errorf("Err() = %v, want a fault of %q: %t", err, tt.field, tt.fault)
			}
			if c.Reset("w"); c.Err() != nil {
				t.Errorf("after Reset, Err() = %v", c.Err())
			}
		})
	}
}

func TestContextTextsAreWhatExposuresKeep(t *testing.T) {
	t.Parallel()
	c := assignment.NewContext("v")
	c.SetString("country", "DE")
	c.SetNumber("build", 1_000_000)
	c.SetNumber("ratio", 0.1)
	c.SetNumber("tiny", 1e-9)
	c.SetNumber("nan", math.NaN())
	c.SetBool("beta", true)
	c.SetOther("list")
	c.SetString("gone", "x")
	c.Unset("gone")
	c.SetString("country", "FR")
	var got []string
	for name, text := range c.Texts() {
		got = append(got, name+"="+text)
	}
	want := []string{"country=FR", "build=1000000", "ratio=0.1", "tiny=1e-09", "beta=true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Texts (-want +got):\n%s", diff)
	}
	for name := range c.Texts() {
		if name != "country" {
			t.Errorf("Texts went on after the loop ended")
		}
		break
	}
}

// A Context that is used again knows nothing of what it held before.
func TestContextResetForgets(t *testing.T) {
	t.Parallel()
	c := assignment.NewContext("v")
	c.SetString("viewer_id", "w")
	c.SetString("country", "DE")
	c.Reset("x")
	if _, ok := c.String("country"); ok {
		t.Error("an attribute survived Reset")
	}
	if id, ok := c.Unit(experiment.UnitViewer); id != "x" || !ok {
		t.Errorf("Unit = %q, %t, want x", id, ok)
	}
}
