package private

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent has the kernel send sig to the child when the thread that
// started it ends, which is when this process ends: see run.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// enterNamespace puts the child into a user namespace in which its uid bears the
// alias's number. This needs no privilege where the kernel allows it at all.
func enterNamespace(attr *syscall.SysProcAttr, id identity) {
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: id.alias.uid, HostID: id.uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: id.alias.gid, HostID: id.gid, Size: 1}}
}

// serverProcesses returns the PostgreSQL processes that work in the folder dir:
// the postmaster, its children, or a running initdb. A shell that happens to
// stand in the folder is not among them.
func serverProcesses(dir string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		base := filepath.Join("/proc", entry.Name())
		// A process that ends meanwhile, or that we may not look at, is not ours.
		if cwd, err := os.Readlink(filepath.Join(base, "cwd")); err != nil || cwd != dir {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(base, "comm"))
		if err == nil && slices.Contains([]string{"postgres", "initdb"}, strings.TrimSpace(string(comm))) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
