package experiment_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

func TestValidUnitID(t *testing.T) {
	t.Parallel()
	valid := []string{"v", "user 1", "~", strings.Repeat("x", experiment.MaxUnitIDBytes)}
	invalid := []string{"", "ж", "a\n", "\x7f", strings.Repeat("x", experiment.MaxUnitIDBytes+1)}
	for _, id := range valid {
		if !experiment.ValidUnitID(id) {
			t.Errorf("ValidUnitID(%q) = false, want true", id)
		}
	}
	for _, id := range invalid {
		if experiment.ValidUnitID(id) {
			t.Errorf("ValidUnitID(%q) = true, want false", id)
		}
	}
}

func TestErrorsAreFoundThroughWrapping(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("apply: %w", experiment.Errors{experiment.Invalidf("key", "bad"), experiment.Errorf(experiment.CodeConflict, "slots", "full")})
	if got := len(experiment.Faults(err)); got != 2 {
		t.Errorf("Faults() found %d, want 2", got)
	}
	var one *experiment.Error
	if !errors.As(err, &one) || one.Field != "key" {
		t.Errorf("errors.As found %v, want the fault of key", one)
	}
	if _, ok := experiment.CodeOf(errors.New("disk on fire")); ok {
		t.Error("CodeOf() of a foreign error = true, want false")
	}
}

func TestAPIKeyAllows(t *testing.T) {
	t.Parallel()
	reader := experiment.APIKey{Scopes: []experiment.Scope{experiment.ScopeRead}}
	admin := experiment.APIKey{Scopes: []experiment.Scope{experiment.ScopeAdmin}}
	if !reader.Allows(experiment.ScopeRead) || reader.Allows(experiment.ScopeWrite) || !admin.Allows(experiment.ScopeIngest) {
		t.Error("a key allows its own scopes only; admin allows all")
	}
}

func TestExposureValidate(t *testing.T) {
	t.Parallel()
	good := func() experiment.Exposure {
		return experiment.Exposure{Experiment: "e", Unit: "v1", Arm: "control"}
	}
	tests := []struct {
		name  string
		edit  func(*experiment.Exposure)
		field string
	}{
		{"experiment", func(x *experiment.Exposure) { x.Experiment = "E" }, "experiment"},
		{"unit", func(x *experiment.Exposure) { x.Unit = "" }, "unit"},
		{"arm", func(x *experiment.Exposure) { x.Arm = "" }, "arm"},
		{"session", func(x *experiment.Exposure) { x.Session = "\x00" }, "session"},
		{"attribute too long", func(x *experiment.Exposure) {
			x.Attributes = map[string]string{"os": strings.Repeat("x", experiment.MaxAttributeBytes+1)}
		}, "attributes"},
		{"attribute with byte 0", func(x *experiment.Exposure) { x.Attributes = map[string]string{"os": "a\x00"} }, "attributes"},
		{"too long ago", func(x *experiment.Exposure) {
			x.At = time.Date(experiment.MinExposureYear, 1, 1, 0, 0, 0, -1, time.UTC)
		}, "at"},
		{"too many attributes", func(x *experiment.Exposure) {
			x.Attributes = map[string]string{}
			for i := range experiment.MaxExposureAttributes + 1 {
				x.Attributes[fmt.Sprint(i)] = ""
			}
		}, "attributes"},
	}
	x := good()
	if err := x.Validate(); err != nil {
		t.Fatalf("Validate() = %v, want nil", err)
	}
	x.At = time.Date(experiment.MinExposureYear, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := x.Validate(); err != nil {
		t.Fatalf("Validate() at the earliest time = %v, want nil", err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := good()
			tt.edit(&x)
			if f := experiment.Faults(x.Validate()); len(f) != 1 || f[0].Field != tt.field {
				t.Errorf("Validate() = %v, want a fault of %s", f, tt.field)
			}
		})
	}
}
