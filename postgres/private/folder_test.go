package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogIsSetAsideAboveItsLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		bytes int64
		aside bool
	}{
		{"none", -1, false},
		{"at the limit", maxLogBytes, false},
		{"one byte above", maxLogBytes + 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := folder{log: filepath.Join(t.TempDir(), "log")}
			if tc.bytes >= 0 {
				if err := errors.Join(os.WriteFile(f.log, nil, 0o600), os.Truncate(f.log, tc.bytes)); err != nil {
					t.Fatal(err)
				}
			}
			file, err := f.openLog()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := os.Stat(f.log + ".old"); (err == nil) != tc.aside {
				t.Errorf("Stat of the old log = %v, want set aside: %t", err, tc.aside)
			}
		})
	}
}

func TestLogTail(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, log, want string }{
		{"empty", "", ""},
		{"short", "one\ntwo\n", "one\ntwo\n"},
		{"at the limit", strings.Repeat("x", maxLogTail), strings.Repeat("x", maxLogTail)},
		{"one byte above", "a" + strings.Repeat("x", maxLogTail), strings.Repeat("x", maxLogTail)},
	} {
		f := folder{log: filepath.Join(t.TempDir(), "log")}
		if err := os.WriteFile(f.log, []byte(tc.log), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := f.logTail(); got != tc.want {
			t.Errorf("%s: logTail() has %d bytes, want %d", tc.name, len(got), len(tc.want))
		}
	}
	if got := (folder{log: filepath.Join(t.TempDir(), "missing")}).logTail(); got != "" {
		t.Errorf("logTail() without a log = %q", got)
	}
}

// A socket path of the greatest length is used as it is, one byte more is not.
func TestSocketPathLimit(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	room := maxSocketPath - len("/socket/"+socketFile)
	for _, tc := range []struct {
		name   string
		length int
		inside bool
	}{
		{"at the limit", room, true},
		{"one byte above", room + 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fill := tc.length - len(base) - 1
			if fill < 1 {
				t.Skip("the temp folder's own path is too long")
			}
			f := folder{root: filepath.Join(base, strings.Repeat("d", fill))}
			if err := os.Mkdir(f.root, 0o711); err != nil {
				t.Fatal(err)
			}
			if err := f.makeSocketFolder(os.Geteuid(), os.Getegid()); err != nil {
				t.Fatal(err)
			}
			if inside := filepath.Dir(f.socket) == f.root; inside != tc.inside {
				t.Errorf("socket in %s, want it inside the folder: %t", f.socket, tc.inside)
			}
			if err := os.Remove(f.socket); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPrivateFolderRefusesWhatOthersPlaced(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	target := filepath.Join(root, "target")
	link, file := filepath.Join(root, "link"), filepath.Join(root, "file")
	own, wide := filepath.Join(root, "own"), filepath.Join(root, "wide")
	if err := errors.Join(os.Mkdir(target, 0o755), os.Symlink(target, link), os.WriteFile(file, nil, 0o600),
		os.Mkdir(own, 0o700), os.Mkdir(wide, 0o700), os.Chmod(wide, 0o777)); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{link: false, file: false, own: true, wide: true, filepath.Join(root, "new"): true}
	if os.Geteuid() == 0 {
		foreign := filepath.Join(root, "foreign")
		if err := errors.Join(os.Mkdir(foreign, 0o700), os.Chown(foreign, 12345, 12345)); err != nil {
			t.Fatal(err)
		}
		paths[foreign] = false
	}
	for path, accepted := range paths {
		err := makePrivateFolder(path, os.Geteuid(), os.Getegid())
		var refusal *PathError
		if (err == nil) != accepted || (err != nil && !errors.As(err, &refusal)) {
			t.Errorf("makePrivateFolder(%s) = %v, want accepted: %t", filepath.Base(path), err, accepted)
		}
		info, statErr := os.Lstat(path)
		if statErr != nil {
			t.Fatal(statErr)
		}
		if accepted && info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s has mode %v, want a folder for its owner alone", filepath.Base(path), info.Mode())
		}
	}
}

func TestReadPID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "\n": 0, "what\n": 0, "12": 12, "12\n": 12, " 12 \n/data\n": 12,
		"-7\n":                             0, // a single-user server notes its id like this
		"99999999999999999999\n":           0,
		strings.Repeat("1", 1000) + "\n":   0,
		"12\n" + strings.Repeat("x", 1000): 12,
	} {
		if got := readPID(strings.NewReader(text)); got != want {
			t.Errorf("readPID(%.20q) = %d, want %d", text, got, want)
		}
	}
}

func FuzzReadPID(f *testing.F) {
	f.Add("12\n/data\n")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, text string) {
		if got := readPID(strings.NewReader(text)); got < 0 {
			t.Errorf("readPID(%q) = %d: a negative number signals a whole process group", text, got)
		}
	})
}

func TestMatchVersion(t *testing.T) {
	t.Parallel()
	found := []binaries{{dir: "/17", major: 17}, {dir: "/15", major: 15}}
	for _, tc := range []struct {
		name, version string // empty: no data yet
		want          string
		refusal       []int
	}{
		{"no data: the newest", "", "/17", nil},
		{"newest", "17\n", "/17", nil},
		{"older, still installed", "15\n", "/15", nil},
		{"not installed", "16\n", "", []int{17, 15}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			if tc.version != "" {
				if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(tc.version), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := matchVersion(found, data)
			if got.dir != tc.want {
				t.Errorf("matchVersion took %q, want %q", got.dir, tc.want)
			}
			var refusal *VersionError
			if errors.As(err, &refusal) != (tc.refusal != nil) {
				t.Fatalf("matchVersion = %v", err)
			}
			if refusal != nil && !cmp.Equal(refusal.Binaries, tc.refusal) {
				t.Errorf("refused with binaries %v, want %v", refusal.Binaries, tc.refusal)
			}
		})
	}
}

func TestMatchVersionRefusesNonsense(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("fifteen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := matchVersion([]binaries{{major: 15}}, data); err == nil {
		t.Errorf("matchVersion = %v for an unreadable version", b)
	}
}

func TestQuoteDSN(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		``: `''`, `plain`: `'plain'`, `it's`: `'it\'s'`, `back\slash`: `'back\\slash'`, `\'`: `'\\\''`,
	} {
		if got := quoteDSN(value); got != want {
			t.Errorf("quoteDSN(%s) = %s, want %s", value, got, want)
		}
	}
}
