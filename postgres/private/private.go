// Package private runs PostgreSQL as a private child of this program: its own
// data folder, a Unix socket that only its user may open, no port, no password,
// no network. A supervisor starts the server again whenever it ends.
//
// It never downloads PostgreSQL, never upgrades or deletes a data folder, and
// never touches a server it did not start, except an orphan that an earlier
// owner of the same folder left behind.
//
//	server, err := private.Start(ctx, private.Config{Dir: ".splitcast/postgres"})
//	if err != nil {
//		return err
//	}
//	defer server.Stop(context.Background())
//	db, err := sql.Open("postgres", server.DSN())
package private

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// superuser is the role that initdb creates and that the program connects as.
const superuser = "splitcast"

// Config says where a private server lives and how it runs.
type Config struct {
	// Dir holds everything of the server: lock, data, socket and log. It is
	// created when missing. One process at a time owns it.
	Dir string
	// BinDir holds initdb and postgres. When empty, the folder named by the
	// environment variable PGBIN is used, else the newest version found in PATH
	// and where distributions put PostgreSQL, or the one that made the data.
	BinDir string
	// Settings are server parameters that replace or extend the package's own.
	Settings map[string]string
	// User is whom the server runs as when this process is root. When empty:
	// the owner of the data folder, else postgres, else nobody.
	User string
	// Log receives what the supervisor does. When nil, nothing is logged.
	Log *slog.Logger
}

// Server is a running private PostgreSQL. Its methods may be called from
// several goroutines.
type Server struct {
	log    *slog.Logger
	folder folder
	binary binaries
	as     identity
	args   []string

	pid      atomic.Int64
	restarts atomic.Int64

	stop    context.CancelFunc // tells the supervisor to shut down and end
	hurry   func()             // tells it not to wait for the fast shutdown
	done    chan struct{}      // closed when server and supervisor have ended
	stopErr error              // how the shutdown went; read after done
}

// Start starts the server of cfg.Dir, creating its data folder when there is
// none, and returns when it accepts connections. An orphan of a killed owner is
// shut down first. ctx bounds the start only; a large crash recovery may need
// minutes. Errors: ErrNoBinaries, *BusyError, *VersionError, *PathError,
// *UserError, *SettingError, *EnvironmentError, *StartError, or one of the
// operating system.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if err := errors.Join(checkEnvironment(), checkSettings(cfg.Settings)); err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	found, err := findBinaries(ctx, cfg.BinDir)
	if err != nil {
		return nil, err
	}
	dir, err := openFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			dir.close()
		}
	}()
	binary, err := matchVersion(found, dir.data)
	if err != nil {
		return nil, err
	}
	as, err := chooseIdentity(ctx, dir, binary, cfg.User, log)
	if err != nil {
		return nil, err
	}
	if err := dir.makeSocketFolder(as.uid, as.gid); err != nil {
		return nil, err
	}
	s := &Server{
		log: log, folder: dir, binary: binary, as: as,
		args: serverArgs(dir, cfg.Settings),
		done: make(chan struct{}),
	}
	if err := s.prepare(ctx, cfg.Settings[settingFsync] != "off"); err != nil {
		return nil, err
	}
	first, err := s.launch()
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, first); err != nil {
		first.endNow()
		return nil, err
	}
	log.Info("private PostgreSQL is ready", "dir", dir.root, "pid", first.pid(), "version", binary.version, "user", as.String())
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	hurry := make(chan struct{})
	s.stop, s.hurry = stop, sync.OnceFunc(func() { close(hurry) })
	go s.supervise(life, first, hurry)
	return s, nil
}

// Version returns the version of the binaries that Start would use for a new data
// folder, such as 15.18. Error: ErrNoBinaries.
func Version(ctx context.Context, binDir string) (string, error) {
	found, err := findBinaries(ctx, binDir)
	if err != nil {
		return "", err
	}
	return found[0].version, nil
}

// prepare makes the data folder ready for a server to start in it.
func (s *Server) prepare(ctx context.Context, durable bool) error {
	if err := s.folder.clear(ctx, s.log); err != nil {
		return err
	}
	return initialise(ctx, s.folder, s.binary, s.as, durable)
}

// DSN returns how lib/pq connects to the database postgres, which every server
// has. It stays the same when the server is restarted.
func (s *Server) DSN() string { return s.DatabaseDSN("postgres") }

// DatabaseDSN returns how lib/pq connects to another database of the server. It
// names what PG* variables of the environment would otherwise decide.
func (s *Server) DatabaseDSN(database string) string {
	return fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable sslnegotiation=postgres target_session_attrs=any options=''",
		quoteDSN(s.folder.socket), port, superuser, quoteDSN(database))
}

// Pid returns the process id of the postmaster last started.
func (s *Server) Pid() int { return int(s.pid.Load()) }

// Restarts counts how often the server has been started again since Start.
func (s *Server) Restarts() int { return int(s.restarts.Load()) }

// Stop shuts the server down and gives the folder free. It asks for a fast
// shutdown (open transactions are rolled back); when that takes longer than ten
// seconds or than ctx allows, the server is stopped at once and recovers at its
// next start, and the error is ErrForced. No committed data is lost in either
// case. Stop always ends the server; a second call returns the same.
func (s *Server) Stop(ctx context.Context) error {
	s.stop()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.hurry()
		<-s.done
	}
	return s.stopErr
}

// quoteDSN quotes a value of a keyword DSN.
func quoteDSN(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
