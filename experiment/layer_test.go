package experiment_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/experiment"
)

type ranges = []experiment.SlotRange

func TestResizeSlots(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		own, others ranges
		want        int
		result      ranges
	}{
		{"first", nil, nil, 100, ranges{{0, 100}}},
		{"beside another", nil, ranges{{0, 100}}, 50, ranges{{100, 150}}},
		{"grow keeps own", ranges{{100, 150}}, ranges{{0, 100}, {150, 200}}, 80, ranges{{100, 150}, {200, 230}}},
		{"fill gaps", nil, ranges{{10, 20}}, 15, ranges{{0, 10}, {20, 25}}},
		{"shrink gives back the highest", ranges{{0, 10}, {20, 30}}, nil, 15, ranges{{0, 10}, {20, 25}}},
		{"shrink over a range", ranges{{0, 10}, {20, 30}}, nil, 5, ranges{{0, 5}}},
		{"all", nil, nil, experiment.TotalSlots, ranges{{0, experiment.TotalSlots}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := experiment.ResizeSlots(tt.own, tt.others, tt.want)
			if diff := cmp.Diff(tt.result, got); err != nil || diff != "" {
				t.Errorf("ResizeSlots() = %v, %v, want %v", got, err, tt.result)
			}
		})
	}
}

func TestResizeSlotsFullLayer(t *testing.T) {
	t.Parallel()
	_, err := experiment.ResizeSlots(ranges{{0, 10}}, ranges{{10, 9_995}}, 16)
	if code, _ := experiment.CodeOf(err); code != experiment.CodeConflict {
		t.Errorf("ResizeSlots() = %v, want a conflict", err)
	}
}

// Any sequence of resizes keeps owners disjoint and gives each the number it
// asked for; growing keeps every slot that was owned.
func TestResizeSlotsLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		owners := make([]ranges, 4)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			i := rapid.IntRange(0, len(owners)-1).Draw(t, "owner")
			want := rapid.IntRange(0, experiment.TotalSlots).Draw(t, "want")
			var others ranges
			for j, r := range owners {
				if j != i {
					others = append(others, r...)
				}
			}
			before := slotSet(owners[i])
			got, err := experiment.ResizeSlots(owners[i], others, want)
			if err != nil {
				continue
			}
			owners[i] = got
			if n := experiment.CountSlots(got); n != want {
				t.Fatalf("got %d slots, want %d", n, want)
			}
			after := slotSet(got)
			smaller, larger := before, after
			if len(before) > len(after) {
				smaller, larger = after, before
			}
			for s := range smaller {
				if !larger[s] {
					t.Fatalf("slot %d moved from %v to %v", s, owners[i], got)
				}
			}
			seen := map[int]bool{}
			for _, rs := range owners {
				for s := range slotSet(rs) {
					if seen[s] {
						t.Fatalf("slot %d has two owners", s)
					}
					seen[s] = true
				}
			}
		}
	})
}

func slotSet(rs ranges) map[int]bool {
	out := map[int]bool{}
	for _, r := range rs {
		for s := r.From; s < r.To; s++ {
			out[s] = true
		}
	}
	return out
}
