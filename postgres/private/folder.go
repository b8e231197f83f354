package private

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

const (
	// maxSocketPath is the longest path of a socket that every system takes:
	// sun_path has 104 bytes on macOS and 108 on Linux, a final zero included.
	maxSocketPath = 103
	// socketFile is the name PostgreSQL gives the socket of our port.
	socketFile = ".s.PGSQL." + port
	// maxLogBytes is the size at which the server's log is set aside when the
	// server starts; one older file is kept. The log grows a few lines an hour.
	maxLogBytes = 8 << 20
	// maxLogTail is how much of the log goes into an error.
	maxLogTail = 2 << 10
	// dirMode lets the server's user pass through the folder and list nothing.
	dirMode = 0o711
)

// folder is the place of one server, owned by this process while lock is open.
type folder struct {
	root   string
	data   string // the cluster
	fresh  string // where initdb works before the result is renamed to data
	socket string // folder of the socket
	log    string
	lock   *os.File
}

// openFolder creates the folder when missing and takes its lock, or returns a
// *BusyError at once. The system drops the lock when this process ends, however
// it ends.
func openFolder(path string) (folder, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return folder{}, fmt.Errorf("find the PostgreSQL folder: %w", err)
	}
	if err := os.MkdirAll(root, dirMode); err != nil {
		return folder{}, fmt.Errorf("create the PostgreSQL folder: %w", err)
	}
	// Processes are recognised by their working folder, which has no links in it.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return folder{}, fmt.Errorf("find the PostgreSQL folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return folder{}, fmt.Errorf("open the lock of the PostgreSQL folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner := readPID(lock)
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return folder{}, &BusyError{Dir: root, PID: owner}
		}
		return folder{}, fmt.Errorf("lock the PostgreSQL folder %s: %w", root, err)
	}
	if err := writePID(lock); err != nil {
		_ = lock.Close()
		return folder{}, fmt.Errorf("write the lock of the PostgreSQL folder: %w", err)
	}
	return folder{
		root:  root,
		data:  filepath.Join(root, "data"),
		fresh: filepath.Join(root, "data.init"),
		log:   filepath.Join(root, "postgres.log"),
		lock:  lock,
	}, nil
}

// close gives the folder free for the next owner. No server works in it any more.
func (f folder) close() {
	if f.socket != "" && filepath.Dir(f.socket) != f.root {
		// A killed server leaves its socket, which would keep the folder in the
		// shared temp folder. Whatever cannot be removed is found again later.
		_ = f.removeSocket()
		_ = os.Remove(f.socket)
	}
	_ = f.lock.Close() // drops the lock in any case
}

// removeSocket removes what a server that is gone left in the socket's folder.
func (f folder) removeSocket() error {
	return errors.Join(removeIfThere(filepath.Join(f.socket, socketFile)), removeIfThere(filepath.Join(f.socket, socketFile+".lock")))
}

// removeIfThere removes a file that may be missing.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// readPID returns the process id on the first line of r, 0 when there is none.
func readPID(r io.Reader) int {
	head := make([]byte, 32)
	n, _ := io.ReadFull(r, head)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

// writePID replaces the contents of the lock by our process id, which the next
// starter reads for its error message.
func writePID(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// plainPath holds for paths that need no care in a list of hosts or of socket
// folders, both of which are separated by commas.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._+@=-]+$`)

// makeSocketFolder chooses and creates the folder of the socket, open to the
// server's user only: inside the root where the path is short and plain, else
// under a hashed name in the temp folder. Errors: *PathError.
func (f *folder) makeSocketFolder(uid, gid int) error {
	sum := sha256.Sum256([]byte(f.root))
	hashed := fmt.Sprintf("splitcast-%d-%x", uid, sum[:8])
	for _, dir := range []string{
		filepath.Join(f.root, "socket"),
		filepath.Join(os.TempDir(), hashed),
		filepath.Join("/tmp", hashed),
	} {
		if len(dir)+len("/")+len(socketFile) > maxSocketPath || !plainPath.MatchString(dir) {
			continue
		}
		if err := makePrivateFolder(dir, uid, gid); err != nil {
			return err
		}
		f.socket = dir
		return nil
	}
	return &PathError{Path: f.root, UID: uid, Reason: "no folder was found whose path is short enough for a Unix socket"}
}

// makePrivateFolder creates dir for uid alone, or accepts it when it is so
// already. In a shared temp folder somebody else may have taken the name, or put
// a link there: then it is refused.
func makePrivateFolder(dir string, uid, gid int) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create a private folder: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at a private folder: %w", err)
	}
	owner, _ := ownerOf(info)
	if !info.IsDir() || (owner != uid && owner != os.Geteuid()) {
		return &PathError{Path: dir, UID: uid, Reason: fmt.Sprintf("it belongs to uid %d (%s)", owner, info.Mode())}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close a private folder: %w", err)
	}
	if owner == uid {
		return nil
	}
	if err := os.Lchown(dir, uid, gid); err != nil {
		return fmt.Errorf("give away a private folder: %w", err)
	}
	return nil
}

// ownerOf returns the user and group that a file belongs to.
func ownerOf(info fs.FileInfo) (uid, gid int) {
	stat := info.Sys().(*syscall.Stat_t) //nolint:errcheck // always so on Unix
	return int(stat.Uid), int(stat.Gid)
}

// openLog opens the server's log for appending, setting aside one that has grown.
func (f folder) openLog() (*os.File, error) {
	if info, err := os.Stat(f.log); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(f.log, f.log+".old"); err != nil {
			return nil, fmt.Errorf("set the PostgreSQL log aside: %w", err)
		}
	}
	file, err := os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the PostgreSQL log: %w", err)
	}
	return file, nil
}

// logTail returns the end of the server's log, as far as it can be read.
func (f folder) logTail() string {
	file, err := os.Open(f.log)
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxLogTail {
		if _, err := file.Seek(-maxLogTail, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, maxLogTail))
	if err != nil {
		return ""
	}
	return string(text)
}
