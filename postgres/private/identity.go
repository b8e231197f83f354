package private

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// identity is whom the server runs as. PostgreSQL refuses root, and initdb
// refuses a uid without an entry in the user database.
type identity struct {
	uid, gid int // as the rest of the system sees the server
	// drop means that this process is root and the child must change its uid.
	drop bool
	// alias is the known user that the uid appears as inside a user namespace
	// of its own; nil when no namespace is needed.
	alias *identity
}

// String describes the identity for the log.
func (id identity) String() string {
	if id.alias != nil {
		return fmt.Sprintf("%d, seen as %d in a user namespace", id.uid, id.alias.uid)
	}
	return strconv.Itoa(id.uid)
}

// apply makes c run as the identity, in a process group of its own so that an
// interrupt from the terminal reaches only this program, which then stops the
// server in order.
func (id identity) apply(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if id.drop {
		c.SysProcAttr.Credential = &syscall.Credential{
			Uid: uint32(id.uid), Gid: uint32(id.gid), Groups: []uint32{uint32(id.gid)},
		}
	}
	if id.alias != nil {
		enterNamespace(c.SysProcAttr, id)
	}
}

// own gives a new file or folder to the identity.
func (id identity) own(path string) error {
	if !id.drop {
		return nil
	}
	if err := os.Lchown(path, id.uid, id.gid); err != nil {
		return fmt.Errorf("give %s to the PostgreSQL user: %w", path, err)
	}
	return nil
}

// chooser finds the identity for one folder.
type chooser struct {
	folder folder
	binary binaries
	self   identity
	owner  *identity // whom the data folder belongs to, nil when there is none
	log    *slog.Logger
}

// chooseIdentity decides whom the server of the folder runs as. What the kernel
// really allows is found out by trying. Errors: *PathError, *UserError.
func chooseIdentity(ctx context.Context, f folder, b binaries, userName string, log *slog.Logger) (identity, error) {
	c := chooser{folder: f, binary: b, log: log, self: identity{uid: os.Geteuid(), gid: os.Getegid()}}
	switch info, err := os.Lstat(f.data); {
	case err == nil:
		uid, gid := ownerOf(info)
		c.owner = &identity{uid: uid, gid: gid, drop: true}
	case !errors.Is(err, fs.ErrNotExist):
		return identity{}, fmt.Errorf("look at the data folder: %w", err)
	}
	switch {
	case c.self.uid != 0:
		return c.unprivileged(ctx)
	case userName != "":
		return c.named(ctx, userName)
	case c.owner != nil && c.owner.uid != 0:
		return *c.owner, c.try(ctx, *c.owner)
	case c.owner != nil: // made by root in a namespace
		return c.inNamespace(ctx)
	}
	return c.usual(ctx)
}

// unprivileged serves a process that is not root: PostgreSQL runs as the same
// uid, within a namespace where that uid has no name (as OpenShift assigns them).
func (c chooser) unprivileged(ctx context.Context) (identity, error) {
	if err := c.checkOwner(c.self); err != nil {
		return identity{}, err
	}
	if _, err := user.LookupId(strconv.Itoa(c.self.uid)); err != nil {
		return c.inNamespace(ctx)
	}
	return c.self, c.try(ctx, c.self)
}

// named serves root with a user that the configuration names.
func (c chooser) named(ctx context.Context, name string) (identity, error) {
	id, err := lookUp(name)
	if err != nil {
		return identity{}, err
	}
	if err := c.checkOwner(id); err != nil {
		return identity{}, err
	}
	return id, c.try(ctx, id)
}

// checkOwner refuses an identity that the existing data does not belong to:
// PostgreSQL would refuse it too.
func (c chooser) checkOwner(id identity) error {
	if c.owner == nil || c.owner.uid == id.uid {
		return nil
	}
	return &PathError{Path: c.folder.data, UID: id.uid, Reason: fmt.Sprintf("it belongs to uid %d", c.owner.uid)}
}

// usual serves root without wishes: the first usual user that can reach the
// folder, else root itself within a namespace where it is nobody.
func (c chooser) usual(ctx context.Context) (identity, error) {
	var failure error = &UserError{User: "root", Reason: "PostgreSQL refuses root, and there is no user postgres or nobody"}
	for _, name := range []string{"postgres", "nobody"} {
		id, err := lookUp(name)
		if err != nil {
			continue
		}
		if err = c.try(ctx, id); err == nil {
			return id, nil
		}
		failure = err
	}
	id, err := c.inNamespace(ctx)
	if err != nil {
		return identity{}, failure // says more than that namespaces are off
	}
	c.log.Warn("PostgreSQL keeps the uid of root, inside a user namespace; a data folder that the user postgres can reach would be safer",
		"dir", c.folder.root, "reason", failure)
	return id, nil
}

// inNamespace keeps the uid and gives it a name that initdb knows.
func (c chooser) inNamespace(ctx context.Context) (identity, error) {
	name := strconv.Itoa(c.self.uid)
	for _, known := range []string{"nobody", "postgres"} {
		alias, err := lookUp(known)
		if err != nil {
			continue
		}
		id := identity{uid: c.self.uid, gid: c.self.gid, alias: &alias}
		if err := c.try(ctx, id); err != nil {
			return identity{}, &UserError{User: name, Reason: "PostgreSQL needs a user with an entry in the user database, " +
				"and the kernel refused a user namespace instead; add an entry, or set DATABASE_URL", Err: err}
		}
		return id, nil
	}
	return identity{}, &UserError{User: name, Reason: "the user database has no entry for it, nor for nobody or postgres"}
}

// try runs a harmless program as the identity inside the folder. The kernel
// thereby decides whether uid, folder, binaries and namespace go together.
func (c chooser) try(ctx context.Context, id identity) error {
	cmd := c.binary.command(ctx, c.folder.root, "postgres", "--version")
	id.apply(cmd)
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) && id.drop {
		for _, path := range []string{c.folder.root, filepath.Join(c.binary.dir, "postgres")} {
			if blocked, reason := id.blockedAt(path); blocked != "" {
				return &PathError{Path: blocked, UID: id.uid, Reason: reason}
			}
		}
	}
	return &UserError{User: id.String(), Reason: "a test run failed", Err: err}
}

// lookUp finds a user to drop to.
func lookUp(name string) (identity, error) {
	entry, err := user.Lookup(name)
	if err != nil {
		return identity{}, &UserError{User: name, Reason: "it is not in the user database", Err: err}
	}
	uid, err := strconv.Atoi(entry.Uid)
	if err != nil {
		return identity{}, &UserError{User: name, Reason: "its uid is not a number", Err: err}
	}
	gid, err := strconv.Atoi(entry.Gid)
	if err != nil {
		return identity{}, &UserError{User: name, Reason: "its gid is not a number", Err: err}
	}
	if uid == 0 {
		return identity{}, &UserError{User: name, Reason: "PostgreSQL refuses root"}
	}
	return identity{uid: uid, gid: gid, drop: true}, nil
}

// blockedAt names the first part of path that the identity may not pass, as far
// as the permission bits tell.
func (id identity) blockedAt(path string) (blocked, reason string) {
	if parent := filepath.Dir(path); parent != path {
		if blocked, reason := id.blockedAt(parent); blocked != "" {
			return blocked, reason
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return path, err.Error()
	}
	uid, gid := ownerOf(info)
	var bit fs.FileMode = 0o001
	if gid == id.gid {
		bit = 0o010
	}
	if uid == id.uid {
		bit = 0o100
	}
	if info.Mode()&bit != 0 {
		return "", ""
	}
	return path, fmt.Sprintf("uid %d cannot pass through it (owner %d, mode %04o); choose another data folder, or chmod a+x", id.uid, uid, info.Mode().Perm())
}
