//go:build unix && !linux

package private

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing: only Linux has parent-death signals. The next
// start shuts the orphan down.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// enterNamespace does nothing: only Linux has user namespaces. Running the
// server then fails with what PostgreSQL says.
func enterNamespace(*syscall.SysProcAttr, identity) {}

// serverProcesses returns the postmaster that works in the folder dir,
// recognised by its arguments. Its children cannot be told apart here; they end
// by themselves when the postmaster is gone.
func serverProcesses(dir string) ([]int, error) {
	pid := postmasterPID(dir)
	if pid == 0 {
		return nil, nil
	}
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil, nil // ps fails when there is no such process
	}
	program, _, _ := strings.Cut(string(out), " -D ")
	if filepath.Base(program) == "postgres" && strings.Contains(string(out), " -D "+dir+" ") {
		return []int{pid}, nil
	}
	return nil, nil
}
