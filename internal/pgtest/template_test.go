package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSweepTemplatesKeepsTheNewest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		there, want int
	}{
		{"none", 0, 0},
		{"at the limit", maxTemplates, maxTemplates},
		{"one above the limit", maxTemplates + 1, maxTemplates},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := store{root: t.TempDir()}
			other := filepath.Join(s.root, "lock")
			makeDir(t, other)
			var want []string
			for age := range tc.there {
				dir := filepath.Join(s.root, fmt.Sprintf("%s%d", templatePrefix, age))
				makeDir(t, filepath.Join(dir, "data"))
				at := time.Unix(int64(1_000_000-age), 0)
				if err := os.Chtimes(dir, at, at); err != nil {
					t.Fatal(err)
				}
				if age < tc.want {
					want = append(want, dir)
				}
			}
			if err := s.sweepTemplates(maxTemplates); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]string{other}, want...), list(t, s.root)); diff != "" {
				t.Errorf("after sweepTemplates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSweepRunsSparesLiveServers(t *testing.T) {
	t.Parallel()
	s := store{root: t.TempDir()}
	live, dead := filepath.Join(s.root, runPrefix+"1"), filepath.Join(s.root, runPrefix+"2")
	makeDir(t, live)
	makeDir(t, filepath.Join(dead, "data"))
	release, err := lockFile(filepath.Join(live, "lock"), syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := s.sweepRuns(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{live}, list(t, s.root)); diff != "" {
		t.Errorf("after sweepRuns (-want +got):\n%s", diff)
	}
}

func TestSchemaHashIsStable(t *testing.T) {
	t.Parallel()
	first, err := schemaHash()
	if err != nil {
		t.Fatal(err)
	}
	second, err := schemaHash()
	if err != nil || first != second || len(first) != 16 {
		t.Errorf("schemaHash() = %q, then %q, %v; want the same 16 digits", first, second, err)
	}
}

func makeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
