package private

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minMajor is the oldest major version whose initdb and server know every
// option used here (initdb --no-instructions came with 14).
const minMajor = 14

// binaries is a folder with initdb and postgres of one version.
type binaries struct {
	dir     string
	version string // as postgres --version tells it, such as 15.18
	major   int
}

// findBinaries returns the usable binaries, best first. An explicit folder
// (argument, then PGBIN) is the only place looked at.
func findBinaries(ctx context.Context, explicit string) ([]binaries, error) {
	if explicit == "" {
		explicit = os.Getenv("PGBIN")
	}
	places := usualPlaces()
	if explicit != "" {
		places = []string{explicit}
	}
	var found []binaries
	for _, dir := range places {
		b, ok := inspect(ctx, dir)
		if ok && b.major >= minMajor && !slices.Contains(found, b) {
			found = append(found, b)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(found) == 0 && explicit != "" {
		return nil, fmt.Errorf("%s: %w", explicit, ErrNoBinaries)
	}
	if len(found) == 0 {
		return nil, ErrNoBinaries
	}
	if explicit == "" {
		slices.SortStableFunc(found, func(a, b binaries) int { return b.major - a.major })
	}
	return found, nil
}

// usualPlaces lists where PostgreSQL may be, the one in PATH first.
func usualPlaces() []string {
	var places []string
	if path, err := exec.LookPath("postgres"); err == nil {
		places = append(places, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // PGDG on Fedora, RHEL
		"/usr/bin",                          // Fedora, Arch
		"/usr/libexec/postgresql*",          // Alpine
		"/usr/local/pgsql/bin",              // built from source
		"/usr/local/bin",                    // container images, BSD
		"/opt/homebrew/opt/postgresql*/bin", // macOS, Homebrew
		"/usr/local/opt/postgresql*/bin",    // macOS on Intel, Homebrew
		"/Applications/Postgres.app/Contents/Versions/latest/bin", // macOS, Postgres.app
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			panic(err) // the patterns are constants
		}
		places = append(places, matches...)
	}
	return places
}

// versionPattern takes the version out of "postgres (PostgreSQL) 15.18 (Debian)".
var versionPattern = regexp.MustCompile(`^postgres \(PostgreSQL\) ((\d+)[^ ]*)`)

// inspect tells whether dir holds both programs, and of which version.
func inspect(ctx context.Context, dir string) (binaries, bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, false
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	b := binaries{dir: dir}
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			return binaries{}, false
		}
	}
	out, err := b.command(ctx, "/", "postgres", "--version").Output()
	if err != nil {
		return binaries{}, false
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return binaries{}, false
	}
	b.version = string(match[1])
	b.major, err = strconv.Atoi(string(match[2]))
	return b, err == nil
}

// command prepares one of the programs, to run in the folder workDir.
func (b binaries) command(ctx context.Context, workDir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(b.dir, name), args...)
	c.Dir = workDir
	c.Env = b.environment()
	return c
}

// environment passes on what the dynamic linker and the user lookup need and
// nothing else: the program's secrets are no business of the server, and PG*
// variables would change its behaviour.
func (b binaries) environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	var libraries []string
	// Relocatable bundles keep their libraries beside bin.
	if lib := filepath.Join(filepath.Dir(b.dir), "lib"); isBundle(b.dir, lib) {
		libraries = append(libraries, lib)
	}
	if value := os.Getenv("LD_LIBRARY_PATH"); value != "" {
		libraries = append(libraries, value)
	}
	if len(libraries) > 0 {
		env = append(env, "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	}
	return env
}

// isBundle tells whether lib holds the client library that belongs to bin. The
// system's own folder needs no help to be found, and naming it would change the
// search order.
func isBundle(bin, lib string) bool {
	if bin == "/usr/bin" || bin == "/usr/local/bin" {
		return false
	}
	matches, err := filepath.Glob(filepath.Join(lib, "libpq.*"))
	return err == nil && len(matches) > 0
}

// matchVersion picks the binaries for the data folder: the best when there is
// no data, else those of the version that made it. Errors:
// *VersionError, *PathError.
func matchVersion(found []binaries, data string) (binaries, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return found[0], nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return binaries{}, &PathError{Path: data, UID: os.Geteuid(), Reason: "it belongs to another user"}
	}
	if err != nil {
		return binaries{}, fmt.Errorf("read the version of the data folder: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return binaries{}, fmt.Errorf("read the version of the data folder %s: %w", data, err)
	}
	var majors []int
	for _, b := range found {
		if b.major == major {
			return b, nil
		}
		majors = append(majors, b.major)
	}
	return binaries{}, &VersionError{Dir: data, Data: major, Binaries: majors}
}
