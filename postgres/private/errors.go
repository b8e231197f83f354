package private

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNoBinaries says that PostgreSQL is not installed, and what to do.
var ErrNoBinaries = errors.New("no PostgreSQL server found (initdb and postgres, version 14 or newer): " +
	"install it (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; " +
	"Alpine: apk add postgresql; macOS: brew install postgresql), " +
	"or set PGBIN to the folder that holds initdb and postgres, " +
	"or set DATABASE_URL to use a server that runs elsewhere")

// ErrForced says that Stop could not wait for an orderly shutdown. Committed
// data is safe; the next start replays the write-ahead log.
var ErrForced = errors.New("private PostgreSQL was stopped at once, without an orderly shutdown")

// BusyError says that another process uses the folder.
type BusyError struct {
	Dir string
	PID int // the other process, 0 when unknown
}

// Error names the folder and the other process.
func (e *BusyError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s already uses the PostgreSQL folder %s: stop it, or choose another folder", who, e.Dir)
}

// VersionError says that the data folder was made by a major version of
// PostgreSQL for which no binaries were found.
type VersionError struct {
	Dir      string
	Data     int   // major version that made the data
	Binaries []int // major versions found
}

// Error names both versions and the ways out.
func (e *VersionError) Error() string {
	found := make([]string, len(e.Binaries))
	for i, v := range e.Binaries {
		found[i] = strconv.Itoa(v)
	}
	return fmt.Sprintf("%s was made by PostgreSQL %d, but the binaries found are of version %s: "+
		"install PostgreSQL %d, or move the data by pg_upgrade or by dump and restore",
		e.Dir, e.Data, strings.Join(found, ", "), e.Data)
}

// PathError says that a folder or file cannot be used by the server's user.
type PathError struct {
	Path   string
	UID    int // whom the server would run as
	Reason string
}

// Error names the path, the user and the reason.
func (e *PathError) Error() string {
	return fmt.Sprintf("PostgreSQL as uid %d cannot use %s: %s", e.UID, e.Path, e.Reason)
}

// UserError says that no user was found whom PostgreSQL agrees to run as.
type UserError struct {
	User   string // name or uid
	Reason string
	Err    error // what the system said, may be nil
}

// Error names the user and the reason.
func (e *UserError) Error() string {
	text := fmt.Sprintf("PostgreSQL cannot run as user %s: %s", e.User, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what the system said.
func (e *UserError) Unwrap() error { return e.Err }

// SettingError says that a setting was given which the package keeps to itself.
type SettingError struct{ Name string }

// Error names the setting.
func (e *SettingError) Error() string {
	return fmt.Sprintf("PostgreSQL setting %q cannot be changed: the private server depends on it", e.Name)
}

// EnvironmentError says that a variable of the environment would lead lib/pq to
// another server, whatever the DSN says.
type EnvironmentError struct{ Name string }

// Error names the variable.
func (e *EnvironmentError) Error() string {
	return fmt.Sprintf("the environment variable %s leads away from the private PostgreSQL: unset it, or set DATABASE_URL", e.Name)
}

// StartError says that initdb or the server ended instead of becoming ready.
type StartError struct {
	Command string // initdb or postgres
	Log     string // the last lines it wrote
	Err     error
}

// Error gives the exit and the last lines of the log.
func (e *StartError) Error() string {
	return fmt.Sprintf("%s failed: %v: %s", e.Command, e.Err, strings.TrimSpace(e.Log))
}

// Unwrap returns how the process ended.
func (e *StartError) Unwrap() error { return e.Err }
