package main

import "testing"

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, c := range []struct {
		name   string
		live   []uint64
		stacks uint64
		want   int64
	}{
		{"at the start", nil, 0, leastMemory},
		{"little", []uint64{3 * mb}, 0, leastMemory},
		{"as much as the least allows", []uint64{16 * mb, 16 * mb}, 0, leastMemory},
		{"more", []uint64{17 * mb, 17 * mb}, 0, 34*mb + fixedMemory},
		{"busy for an instant", []uint64{17 * mb, 20 * mb, 17 * mb, 18 * mb, 17 * mb}, 0, 34*mb + fixedMemory},
		{"busy now", []uint64{17 * mb, 22 * mb}, 0, 34*mb + fixedMemory},
		{"grown at once", []uint64{17 * mb, 17 * mb, 100 * mb}, 0, 150*mb + fixedMemory},
		{"large", []uint64{400 * mb, 400 * mb}, 0, 800*mb + fixedMemory},
		{"shrunk at once", []uint64{100 * mb, 20 * mb}, 0, 40*mb + fixedMemory},
		{"streams", []uint64{30 * mb, 30 * mb}, 45 * mb, 105*mb + fixedMemory},
		{"few streams", []uint64{3 * mb}, 10 * mb, leastMemory},
	} {
		if got := memoryLimit(c.live, c.stacks); got != c.want {
			t.Errorf("%s: memoryLimit(%d, %d) = %d, want %d", c.name, c.live, c.stacks, got, c.want)
		}
	}
}

func TestOperatorsBoundMemoryThemselves(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"GOMEMLIMIT": true, "GOGC": true, "GODEBUG": false} {
		got := operatorBoundsMemory(func(asked string) string {
			if asked == name {
				return "50"
			}
			return ""
		})
		if got != want {
			t.Errorf("with %s set: %v, want %v", name, got, want)
		}
	}
}
