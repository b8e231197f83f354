package webtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Fetched returns the path of what scripts/npm.sh fetches of a package. Without it
// the test is skipped with the reason; with CI=true it fails unless
// SPLITCAST_NPM_REASON says why it could not be had.
func Fetched(t testing.TB, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(moduleRoot(t), "bin", name+"-*"))
	if err != nil {
		t.Fatalf("webtest: look for %s: %v", name, err)
	}
	if len(found) == 0 {
		reason := os.Getenv("SPLITCAST_NPM_REASON")
		if reason == "" && os.Getenv("CI") == "true" {
			t.Fatalf("webtest: %s is not there; run scripts/npm.sh", name)
		}
		t.Skipf("webtest: %s is not there; run scripts/npm.sh %s", name, reason)
	}
	return found[len(found)-1]
}

// moduleRoot returns the folder of go.mod above the test's.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("webtest: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("webtest: no go.mod above the test")
		}
		dir = up
	}
}
