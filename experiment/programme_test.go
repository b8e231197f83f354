package experiment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/experiment"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func hour(h int) *time.Time {
	t := noon.Add(time.Duration(h) * time.Hour)
	return &t
}

func TestValidateOfTheProgramme(t *testing.T) {
	t.Parallel()
	steps := func(n int) (out []experiment.RampStep) {
		for i := range n {
			out = append(out, experiment.RampStep{At: *hour(i), Slots: i + 1})
		}
		return out
	}
	long := strings.Repeat("x", experiment.MaxReasonBytes)
	third := experiment.Arm{Key: "third", Weight: 1, Value: json.RawMessage(`{}`)}
	tests := []struct {
		name  string
		edit  func(*experiment.Spec)
		field string // empty: valid
	}{
		{"ramp at the limit", func(s *experiment.Spec) { s.Ramp = steps(experiment.MaxRampSteps) }, ""},
		{"ramp above the limit", func(s *experiment.Spec) { s.Ramp = steps(experiment.MaxRampSteps + 1) }, "ramp"},
		{"ramp shrinks", func(s *experiment.Spec) { s.Ramp = steps(3); s.Ramp[2].Slots = 2 }, "ramp[2].slots"},
		{"ramp goes back", func(s *experiment.Spec) { s.Ramp = steps(3); s.Ramp[2].At = s.Ramp[1].At }, "ramp[2].at"},
		{"ramp without time", func(s *experiment.Spec) { s.Ramp = []experiment.RampStep{{Slots: 1}} }, "ramp[0].at"},
		{"ramp of all slots", func(s *experiment.Spec) { s.Ramp = []experiment.RampStep{{At: noon, Slots: experiment.TotalSlots}} }, ""},
		{"ramp above all slots", func(s *experiment.Spec) { s.Ramp = []experiment.RampStep{{At: noon, Slots: experiment.TotalSlots + 1}} }, "ramp[0].slots"},
		{"stop after start", func(s *experiment.Spec) { s.StartAt, s.StopAt = hour(0), hour(1) }, ""},
		{"stop at start", func(s *experiment.Spec) { s.StartAt, s.StopAt = hour(0), hour(0) }, "stop_at"},
		{"holdouts ignored for a reason", func(s *experiment.Spec) { s.IgnoreHoldouts = long }, ""},
		{"holdouts ignored at length", func(s *experiment.Spec) { s.IgnoreHoldouts = long + "x" }, "ignore_holdouts"},
		{"pause keeps", func(s *experiment.Spec) { s.OnPause = experiment.PauseKeep }, ""},
		{"pause does what", func(s *experiment.Spec) { s.OnPause = "both" }, "on_pause"},
		{"requires itself", func(s *experiment.Spec) { s.Requires = []experiment.Requirement{{s.Key, []string{"a"}}} }, "requires[0].experiment"},
		{"requires no arm", func(s *experiment.Spec) { s.Requires = []experiment.Requirement{{"b", nil}} }, "requires[0].arms"},
		{"requires twice", func(s *experiment.Spec) {
			s.Requires = []experiment.Requirement{{"b", []string{"a"}}, {"b", []string{"a"}}}
		}, "requires[1].experiment"},
		{"requires many", func(s *experiment.Spec) {
			for i := range experiment.MaxRequires + 1 {
				s.Requires = append(s.Requires, experiment.Requirement{fmt.Sprint("b", i), []string{"a"}})
			}
		}, "requires"},
		{"one of three dropped", func(s *experiment.Spec) { s.Arms = append(s.Arms, third); s.Arms[1].Dropped = true }, ""},
		{"one of two dropped", func(s *experiment.Spec) { s.Arms[1].Dropped = true }, "arms"},
		{"control dropped", func(s *experiment.Spec) { s.Arms = append(s.Arms, third); s.Arms[0].Dropped = true }, "arms[0].dropped"},
		{"in a list", func(s *experiment.Spec) { s.Audience = &experiment.Audience{Op: experiment.OpInList, List: "l"} }, ""},
		{"attribute in a list", func(s *experiment.Spec) {
			s.Audience = &experiment.Audience{Attr: "country", Op: experiment.OpNotInList, List: "l"}
		}, ""},
		{"in no list", func(s *experiment.Spec) { s.Audience = &experiment.Audience{Op: experiment.OpInList} }, "audience.list"},
		{"a list and values", func(s *experiment.Spec) {
			s.Audience = &experiment.Audience{Op: experiment.OpInList, List: "l", Values: []experiment.Scalar{{V: "a"}}}
		}, "audience.value"},
		{"a list of another comparison", func(s *experiment.Spec) {
			s.Audience = &experiment.Audience{Attr: "a", Op: experiment.OpPresent, List: "l"}
		}, "audience.list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec := parseABR(t)
			tt.edit(&spec)
			spec.Normalize()
			var fields []string
			for _, f := range experiment.Faults(spec.Validate(func(string) bool { return true })) {
				fields = append(fields, f.Field)
			}
			if tt.field == "" && fields != nil || tt.field != "" && !slices.Contains(fields, tt.field) {
				t.Errorf("faults at %v, want %q", fields, tt.field)
			}
		})
	}
}

// Advance in many small steps ends where one large step does, and never shrinks.
func TestAdvanceIsTheSameInAnySteps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := experiment.Experiment{Spec: experiment.Spec{Status: experiment.StatusDraft, Slots: rapid.IntRange(1, 3000).Draw(t, "slots")}}
		at := rapid.IntRange(0, 5).Draw(t, "start")
		e.StartAt = hour(at)
		if rapid.Bool().Draw(t, "stops") {
			e.StopAt = hour(at + rapid.IntRange(1, 20).Draw(t, "stop"))
		}
		slots := 0
		for range rapid.IntRange(0, 5).Draw(t, "steps") {
			at += rapid.IntRange(1, 5).Draw(t, "wait")
			slots += rapid.IntRange(1, 2000).Draw(t, "growth")
			e.Ramp = append(e.Ramp, experiment.RampStep{At: *hour(at), Slots: slots})
		}
		end := rapid.IntRange(0, 40).Draw(t, "end")
		once, _, _ := experiment.Advance(e, *hour(end))
		many := e
		for h := range end + 1 {
			next, changes, due := experiment.Advance(many, *hour(h))
			if due != !cmp.Equal(next, many) || len(changes) > 0 && !due {
				t.Fatalf("hour %d: due %v, but %+v became %+v", h, due, many, next)
			}
			if next.TargetSlots() < many.TargetSlots() {
				t.Fatalf("hour %d: a ramp shrank from %d to %d", h, many.TargetSlots(), next.TargetSlots())
			}
			many = next
		}
		if diff := cmp.Diff(once, many); diff != "" {
			t.Fatalf("one step and many differ:\n%s", diff)
		}
		if next, ok := many.NextStep(); ok && !next.After(*hour(end)) {
			t.Fatalf("a step at %v is left at %v", next, hour(end))
		}
	})
}

func TestStepsWaitWhilePaused(t *testing.T) {
	t.Parallel()
	e := experiment.Experiment{Spec: experiment.Spec{Status: experiment.StatusPaused, Slots: 10, StopAt: hour(3), Ramp: []experiment.RampStep{{At: *hour(1), Slots: 20}}}}
	if _, _, due := experiment.Advance(e, *hour(2)); due {
		t.Error("a step of the ramp was taken while paused")
	}
	e.Status = experiment.StatusRunning
	if next, _, _ := experiment.Advance(e, *hour(2)); next.TargetSlots() != 20 {
		t.Errorf("resumed at %d slots, want the step that waited", next.TargetSlots())
	}
	e.Status = experiment.StatusPaused
	if next, _, _ := experiment.Advance(e, *hour(3)); next.Status != experiment.StatusStopped {
		t.Errorf("at its end a paused experiment is %s", next.Status)
	}
}

func TestHoldoutsAndFreezesAreValidated(t *testing.T) {
	t.Parallel()
	good := experiment.HoldoutSpec{Key: "h", Unit: experiment.UnitViewer, Slots: experiment.TotalSlots - 1}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate(%+v) = %v", good, err)
	}
	for _, bad := range []experiment.HoldoutSpec{{"", "viewer", 1, false}, {"h", "tv", 1, false}, {"h", "viewer", 0, false}, {"h", "viewer", experiment.TotalSlots, false}} {
		if bad.Validate() == nil {
			t.Errorf("Validate(%+v) accepts it", bad)
		}
	}
	window := experiment.Freeze{Key: "cup", From: noon, To: noon.Add(experiment.MaxFreezeSpan), Reason: "the cup"}
	if err := window.Validate(); err != nil {
		t.Errorf("Validate(%+v) = %v", window, err)
	}
	for name, edit := range map[string]func(*experiment.Freeze){
		"too long":   func(z *experiment.Freeze) { z.To = z.To.Add(time.Second) },
		"empty":      func(z *experiment.Freeze) { z.To = z.From },
		"no time":    func(z *experiment.Freeze) { z.From = time.Time{} },
		"no reason":  func(z *experiment.Freeze) { z.Reason = "" },
		"not a key":  func(z *experiment.Freeze) { z.Key = "The cup" },
		"all reason": func(z *experiment.Freeze) { z.Reason = strings.Repeat("x", experiment.MaxReasonBytes+1) },
	} {
		z := window
		edit(&z)
		if z.Validate() == nil {
			t.Errorf("a window that is %s is accepted", name)
		}
	}
	for at, want := range map[time.Time]bool{window.From.Add(-1): false, window.From: true, window.To.Add(-1): true, window.To: false} {
		if window.Holds(at) != want {
			t.Errorf("Holds(%v) = %v", at, !want)
		}
	}
}

// The set holds exactly the ids given, whatever they are, and says them back.
func TestIDSetIsASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[a-c ~]{1,3}`)
		ids := rapid.SliceOfN(id, 1, 60).Draw(t, "ids")
		set, err := experiment.NewIDSet(ids)
		if err != nil {
			t.Fatal(err)
		}
		sorted := slices.Clone(ids)
		slices.Sort(sorted)
		sorted = slices.Compact(sorted)
		if diff := cmp.Diff(sorted, set.IDs()); diff != "" || set.Len() != len(sorted) {
			t.Fatalf("IDs (-want +got):\n%s", diff)
		}
		units := experiment.NewUnitSet(ids)
		for range 50 {
			probe := id.Draw(t, "probe")
			want := slices.Contains(ids, probe)
			if set.Has(probe) != want || units.Has(probe) != want {
				t.Fatalf("Has(%q) = %v and %v, want %v", probe, set.Has(probe), units.Has(probe), want)
			}
		}
		text, err := json.Marshal(map[string]any{"ids": set, "units": units})
		if err != nil {
			t.Fatal(err)
		}
		var back struct {
			IDs   *experiment.IDSet   `json:"ids"`
			Units *experiment.UnitSet `json:"units"`
		}
		if err := json.Unmarshal(text, &back); err != nil || back.IDs.Digest() != set.Digest() || back.Units.Len() != units.Len() || !back.Units.Has(ids[0]) {
			t.Fatalf("after JSON: %v, %v", back, err)
		}
	})
}

func TestParseIDSet(t *testing.T) {
	t.Parallel()
	set, err := experiment.ParseIDSet("\r\n b \r\na\n\nb")
	if err != nil || set.Text() != "a\nb\n" || set.Has("") || set.Has(" b") {
		t.Errorf("ParseIDSet = %q, %v", set.Text(), err)
	}
	for text, code := range map[string]experiment.Code{
		"é": experiment.CodeInvalid, strings.Repeat("x", experiment.MaxUnitIDBytes+1): experiment.CodeInvalid,
		strings.Repeat("a\n", experiment.MaxListIDs):   "",
		strings.Repeat("a\n", experiment.MaxListIDs+1): experiment.CodeTooLarge,
	} {
		_, err := experiment.ParseIDSet(text)
		if got, _ := experiment.CodeOf(err); got != code {
			t.Errorf("ParseIDSet(%.10q of %d bytes) = %v, want code %q", text, len(text), err, code)
		}
	}
}

func FuzzUnitSet(f *testing.F) {
	b, err := experiment.NewUnitSet([]string{"a", "b"}).AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s experiment.UnitSet
		if s.UnmarshalBinary(b) != nil {
			return
		}
		again, err := s.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}

func TestSetsDoNotAllocate(t *testing.T) {
	set, err := experiment.NewIDSet([]string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	units := experiment.NewUnitSet([]string{"a", "b", "c"})
	if n := testing.AllocsPerRun(100, func() { set.Has("b"); set.Has("x"); units.Has("b"); units.Has("x") }); n != 0 {
		t.Errorf("look-ups allocate %v times, want 0", n)
	}
}

func BenchmarkUnitSet(b *testing.B) {
	ids := make([]string, experiment.MaxKeptUnits)
	for i := range ids {
		ids[i] = fmt.Sprint("viewer-", i)
	}
	s := experiment.NewUnitSet(ids)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !s.Has(ids[i*7919%len(ids)]) {
			b.Fatal("a member was not found")
		}
	}
}

func TestOutlook(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	steps := []experiment.RampStep{{At: begin.Add(time.Hour), Slots: 1000}, {At: begin.Add(2 * time.Hour), Slots: 2000}}
	e := experiment.Experiment{Spec: experiment.Spec{Slots: 500, Ramp: steps, Status: experiment.StatusRunning}}
	if o := e.Outlook(); o.Slots != 500 || o.Goal != 2000 || o.NextAt == nil || !o.NextAt.Equal(steps[0].At) || o.NextSlots != 1000 {
		t.Errorf("before the first step: %+v", o)
	}
	e.RampSlots, e.RampedAt = 1000, &steps[0].At
	if o := e.Outlook(); o.Slots != 1000 || o.Goal != 2000 || !o.NextAt.Equal(steps[1].At) || o.NextSlots != 2000 {
		t.Errorf("after it: %+v", o)
	}
	e.Status = experiment.StatusPaused // steps wait
	if o := e.Outlook(); o.Slots != 1000 || o.Goal != 2000 || o.NextAt != nil || o.NextSlots != 0 {
		t.Errorf("paused: %+v", o)
	}
	stop := begin.Add(90 * time.Minute)
	e.Status, e.StopAt = experiment.StatusRunning, &stop
	if o := e.Outlook(); o.NextAt == nil || !o.NextAt.Equal(stop) || o.NextSlots != 0 {
		t.Errorf("stopped before: %+v", o)
	}
	e.StopAt, e.RampSlots, e.RampedAt = nil, 2000, &steps[1].At
	if o := e.Outlook(); o.Slots != 2000 || o.Goal != 2000 || o.NextAt != nil {
		t.Errorf("at its end: %+v", o)
	}
}
