package main

import "testing"

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, c := range []struct {
		name string
		live []uint64
		want int64
	}{
		{"at the start", nil, leastMemory},
		{"little", []uint64{3 * mb}, leastMemory},
		{"as much as the least allows", []uint64{16 * mb, 16 * mb}, leastMemory},
		{"more", []uint64{17 * mb, 17 * mb}, 34*mb + fixedMemory},
		{"busy for an instant", []uint64{17 * mb, 20 * mb, 17 * mb, 18 * mb, 17 * mb}, 34*mb + fixedMemory},
		{"busy now", []uint64{17 * mb, 22 * mb}, 34*mb + fixedMemory},
		{"grown at once", []uint64{17 * mb, 17 * mb, 100 * mb}, 150*mb + fixedMemory},
		{"large", []uint64{400 * mb, 400 * mb}, 800*mb + fixedMemory},
		{"shrunk at once", []uint64{100 * mb, 20 * mb}, 40*mb + fixedMemory},
	} {
		if got := memoryLimit(c.live); got != c.want {
			t.Errorf("%s: memoryLimit(%d) = %d, want %d", c.name, c.live, got, c.want)
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
