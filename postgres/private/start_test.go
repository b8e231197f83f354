package private_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/postgres/private"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	server := start(t, private.Config{
		Dir:      filepath.Join(tempDir(t, 0o711), "pg"),
		Settings: map[string]string{"work_mem": "5MB", "max_connections": "7"},
	})
	db := open(t, server.DSN())
	want := map[string]string{
		// What privacy and supervision rest on.
		"listen_addresses": "", "unix_socket_permissions": "0700", "dynamic_shared_memory_type": "mmap",
		// Nothing that was acknowledged may be lost.
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		// Defaults of the package.
		"shared_buffers": "256MB", "max_wal_size": "4GB", "wal_compression": "pglz", "checkpoint_timeout": "15min",
		"jit": "off", "huge_pages": "off", "TimeZone": "UTC", "server_encoding": "UTF8", "lc_collate": "C",
		// Settings of the caller win.
		"work_mem": "5MB", "max_connections": "7",
	}
	got := map[string]string{}
	for name := range want {
		got[name] = ask[string](t, db, "select current_setting('"+name+"')")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestSettingsOfThePackageAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"listen_addresses", "port", "unix_socket_directories", "Unix_Socket_Permissions",
		"dynamic_shared_memory_type", "log_destination", "logging_collector",
	} {
		err := fails(t, private.Config{Dir: t.TempDir(), Settings: map[string]string{name: "x"}})
		if got := wantError[*private.SettingError](t, err).Name; got != name {
			t.Errorf("SettingError.Name = %q, want %q", got, name)
		}
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	err := wantError[*private.StartError](t, fails(t, private.Config{Dir: dir, Settings: map[string]string{"shared_buffers": "nonsense"}}))
	if err.Command != "postgres" || !strings.Contains(err.Log, "shared_buffers") {
		t.Errorf("Start = %v, want postgres to blame shared_buffers", err)
	}
	// The folder is free again.
	start(t, private.Config{Dir: dir})
}

func TestServerKnowsNoSecrets(t *testing.T) {
	t.Setenv("SPLITCAST_BOOTSTRAP_TOKEN", "secret")
	t.Setenv("PGDATA", "/nonexistent")
	t.Setenv("PGOPTIONS", "-c work_mem=1MB")
	server := start(t, private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")})
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(server.Pid()), "environ"))
	if err != nil {
		t.Skip(err)
	}
	for _, absent := range []string{"secret", "PGDATA=/nonexistent", "PGOPTIONS"} {
		if strings.Contains(string(environment), absent) {
			t.Errorf("the server's environment holds %q", absent)
		}
	}
}

func TestEnvironmentCannotLeadElsewhere(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "192.0.2.1", "PGPORT": "1", "PGUSER": "nobody", "PGDATABASE": "nowhere", "PGSSLMODE": "verify-full",
		"PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGOPTIONS": "-c work_mem=1MB",
	} {
		t.Setenv(name, value)
	}
	server := start(t, private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")})
	const query = "select current_user || ' ' || current_database() || ' ' || current_setting('work_mem')"
	if got, want := ask[string](t, open(t, server.DSN()), query), "splitcast postgres 4MB"; got != want {
		t.Errorf("connected as %q, want %q", got, want)
	}
	for _, name := range []string{"PGHOSTADDR", "PGSERVICE"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "192.0.2.1")
			err := wantError[*private.EnvironmentError](t, fails(t, private.Config{Dir: t.TempDir()}))
			if err.Name != name {
				t.Errorf("Start blames %s, want %s", err.Name, name)
			}
		})
	}
}

func TestServerIsOutOfReachOfTheTerminal(t *testing.T) {
	t.Parallel()
	server := start(t, private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")})
	group, err := syscall.Getpgid(server.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if group == syscall.Getpgrp() {
		t.Error("an interrupt from the terminal would reach the server before the program")
	}
}

func TestSecondOwner(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	server := start(t, private.Config{Dir: dir})
	keep(t, server.DSN())
	link := filepath.Join(tempDir(t, 0o711), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link} {
		err := wantError[*private.BusyError](t, fails(t, private.Config{Dir: path}))
		if err.Dir != dir || err.PID != os.Getpid() {
			t.Errorf("Start(%s) blames process %d in %s, want %d in %s", path, err.PID, err.Dir, os.Getpid(), dir)
		}
	}
	if got := kept(t, server.DSN()); got != 1 {
		t.Errorf("%d rows after others tried, want 1", got)
	}
}

func TestNoBinaries(t *testing.T) {
	t.Parallel()
	half := t.TempDir()
	if err := os.WriteFile(filepath.Join(half, "initdb"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{t.TempDir(), half, filepath.Join(half, "missing")} {
		err := fails(t, private.Config{Dir: t.TempDir(), BinDir: dir})
		if !errors.Is(err, private.ErrNoBinaries) {
			t.Fatalf("Start = %v, want ErrNoBinaries", err)
		}
		for _, want := range []string{dir, "apt-get install postgresql", "PGBIN", "DATABASE_URL"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not name %q", err, want)
			}
		}
	}
}

func TestNoBinariesInPGBIN(t *testing.T) {
	t.Setenv("PGBIN", t.TempDir())
	if err := fails(t, private.Config{Dir: t.TempDir()}); !errors.Is(err, private.ErrNoBinaries) {
		t.Errorf("Start = %v, want ErrNoBinaries", err)
	}
	if _, err := private.Version(t.Context(), ""); !errors.Is(err, private.ErrNoBinaries) {
		t.Errorf("Version = %v, want ErrNoBinaries", err)
	}
}

func TestDataOfAnotherVersion(t *testing.T) {
	t.Parallel()
	cfg := private.Config{Dir: filepath.Join(tempDir(t, 0o711), "pg")}
	server := start(t, cfg)
	keep(t, server.DSN())
	stop(t, server)
	file := filepath.Join(cfg.Dir, "data", "PG_VERSION")
	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const other = 99
	if err := os.WriteFile(file, fmt.Appendln(nil, other), 0o600); err != nil {
		t.Fatal(err)
	}
	got := wantError[*private.VersionError](t, fails(t, cfg))
	if got.Data != other || len(got.Binaries) == 0 || strings.TrimSpace(string(right)) != strconv.Itoa(got.Binaries[0]) {
		t.Errorf("Start compares data of version %d with binaries of %v, want %d and [%s]", got.Data, got.Binaries, other, right)
	}
	if err := os.WriteFile(file, right, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := kept(t, start(t, cfg).DSN()); got != 1 {
		t.Errorf("%d rows after the refusal, want 1", got)
	}
}

func TestFolderOfSomethingElse(t *testing.T) {
	t.Parallel()
	dir := tempDir(t, 0o711)
	file := filepath.Join(dir, "data", "thesis.txt")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "data"), 0o755), os.WriteFile(file, []byte("years of work"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // data of root would mean a namespace
		uid := uidOf(t, "nobody")
		if err := os.Chown(filepath.Join(dir, "data"), uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	err := wantError[*private.PathError](t, fails(t, private.Config{Dir: dir}))
	if err.Path != filepath.Join(dir, "data") {
		t.Errorf("Start blames %s", err.Path)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "years of work" {
		t.Errorf("afterwards the folder holds %q, %v", text, err)
	}
}

func TestSocketFolder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		folder string // below a short temporary folder
		inside bool   // the socket lies in the server's folder
	}{
		{"short", "pg", true},
		{"long", strings.Repeat("long/", 30) + "pg", false},
		{"comma", "a,b", false},
		{"quotes and spaces", `it's "mine" \ no`, false},
		{"not ASCII", "données", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(tempDir(t, 0o711), tc.folder)
			server := start(t, private.Config{Dir: dir})
			keep(t, server.DSN())
			uid, _ := ownerOf(t, filepath.Join(dir, "data"))
			socket := ask[string](t, open(t, server.DSN()), "select trim(both '\"' from current_setting('unix_socket_directories'))")
			if inside := filepath.Dir(socket) == dir; inside != tc.inside {
				t.Errorf("socket in %s, want it inside the folder: %t", socket, tc.inside)
			}
			if owner, mode := ownerOf(t, socket); owner != uid || mode != 0o700 {
				t.Errorf("socket folder belongs to %d with mode %o, want %d and 700", owner, mode, uid)
			}
			stop(t, server)
			if _, err := os.Stat(socket); (err == nil) != tc.inside {
				t.Errorf("after Stop, Stat(%s) = %v", socket, err)
			}
			if got := kept(t, start(t, private.Config{Dir: dir}).DSN()); got != 1 {
				t.Errorf("%d rows after the second start, want 1", got)
			}
		})
	}
}

func BenchmarkWarmStart(b *testing.B) {
	cfg := private.Config{Dir: filepath.Join(tempDir(b, 0o711), "pg")}
	stop(b, start(b, cfg))
	for b.Loop() {
		stop(b, start(b, cfg))
	}
}

func BenchmarkColdStart(b *testing.B) {
	root := tempDir(b, 0o711)
	for n := 0; b.Loop(); n++ {
		stop(b, start(b, private.Config{Dir: filepath.Join(root, strconv.Itoa(n))}))
	}
}

// BenchmarkRestart measures from the kill of the postmaster to the next write.
func BenchmarkRestart(b *testing.B) {
	cfg := private.Config{Dir: filepath.Join(tempDir(b, 0o711), "pg")}
	for b.Loop() {
		b.StopTimer()
		server := start(b, cfg)
		keep(b, server.DSN())
		db := open(b, server.DSN())
		b.StartTimer()
		signal(b, server.Pid(), syscall.SIGKILL)
		within(b, func() error {
			if server.Restarts() != 1 {
				return errors.New("not started again")
			}
			_, err := db.Exec("insert into kept values (now())")
			return err
		})
		b.StopTimer()
		stop(b, server)
		b.StartTimer()
	}
}
