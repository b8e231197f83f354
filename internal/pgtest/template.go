package pgtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/splitcast/splitcast/migrations"
	"github.com/splitcast/splitcast/postgres/private"
)

const (
	// templateDatabase has the newest schema; nobody connects to it, so that it
	// can be cloned at any time.
	templateDatabase = "migrated"
	// recipe is part of each template's name. Change it when the way in which
	// templates are made changes.
	recipe = "1"
	// maxTemplates bounds the disk taken by templates of other versions of the
	// schema, some 45 MB each.
	maxTemplates = 4
	// passable lets the user that PostgreSQL drops to go through a folder.
	passable = 0o711

	templatePrefix = "template-"
	runPrefix      = "run-"
)

// store is the folder in the machine's temp folder that all test binaries of a
// user share: templates, kept from run to run, and one folder per live server.
type store struct {
	root     string
	template string // folder of the template for this schema and this PostgreSQL
}

// openStore finds the store and creates it when missing. Error:
// private.ErrNoBinaries.
func openStore(ctx context.Context) (store, error) {
	version, err := private.Version(ctx, "")
	if err != nil {
		return store{}, err
	}
	schema, err := schemaHash()
	if err != nil {
		return store{}, err
	}
	root := filepath.Join(os.TempDir(), fmt.Sprintf("splitcast-pgtest-%d", os.Geteuid()))
	if err := os.Mkdir(root, passable); err != nil && !errors.Is(err, fs.ErrExist) {
		return store{}, fmt.Errorf("make the store: %w", err)
	}
	info, err := os.Lstat(root)
	if err != nil {
		return store{}, fmt.Errorf("look at the store: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(stat.Uid) != os.Geteuid() {
		return store{}, fmt.Errorf("the store %s belongs to somebody else", root)
	}
	name := templatePrefix + recipe + "-" + version + "-" + schema
	return store{root: root, template: filepath.Join(root, name)}, nil
}

// schemaHash identifies the migrations.
func schemaHash() (string, error) {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return "", fmt.Errorf("list the migrations: %w", err)
	}
	hash := sha256.New()
	for _, name := range names {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			return "", fmt.Errorf("read the migrations: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:8]), nil
}

// readTemplate returns when the template is there, making it if need be. The
// template and new folders of servers stay until release is called.
func (s store) readTemplate(ctx context.Context) (release func(), err error) {
	lock := filepath.Join(s.root, "lock")
	// With nobody else about, which is not the rule, earlier runs are swept away.
	if release, err := lockFile(lock, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		err = s.sweepRuns()
		release()
		if err != nil {
			return nil, err
		}
	}
	for {
		release, err := lockFile(lock, syscall.LOCK_SH)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(s.template); err == nil {
			return release, nil
		}
		release()
		if release, err = lockFile(lock, syscall.LOCK_EX); err != nil {
			return nil, err
		}
		err = s.makeTemplate(ctx)
		release()
		if err != nil {
			return nil, err
		}
	}
}

// makeTemplate makes the template unless another process just has. The caller
// holds the store alone. The work is done beside the final place, with everything
// written to disk: a template outlives a crash or is not there.
func (s store) makeTemplate(ctx context.Context) error {
	if _, err := os.Stat(s.template); err == nil {
		return nil
	}
	if err := s.sweepTemplates(maxTemplates - 1); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(s.root, runPrefix)
	if err != nil {
		return fmt.Errorf("make a folder for the template: %w", err)
	}
	if err := os.Chmod(fresh, passable); err != nil {
		return fmt.Errorf("open the folder of the template: %w", err)
	}
	server, err := private.Start(ctx, private.Config{Dir: fresh})
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	err = migrateTemplate(ctx, server)
	if err = errors.Join(err, server.Stop(ctx)); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, s.template); err != nil {
		return fmt.Errorf("put the template in place: %w", err)
	}
	return nil
}

// migrateTemplate creates the template database and closes it to connections.
func migrateTemplate(ctx context.Context, server *private.Server) error {
	if err := execute(ctx, server.DSN(), "create database "+templateDatabase); err != nil {
		return fmt.Errorf("create the template database: %w", err)
	}
	db, err := sql.Open("postgres", server.DatabaseDSN(templateDatabase))
	if err != nil {
		return fmt.Errorf("open the template database: %w", err)
	}
	if err := errors.Join(migrations.Up(ctx, db), db.Close()); err != nil {
		return err
	}
	return execute(ctx, server.DSN(), "alter database "+templateDatabase+" is_template true allow_connections false")
}

// sweepRuns removes the folders whose server has lost its test binary. The caller
// holds the store alone.
func (s store) sweepRuns() error {
	runs, err := filepath.Glob(filepath.Join(s.root, runPrefix+"*"))
	if err != nil {
		return fmt.Errorf("list earlier runs: %w", err)
	}
	for _, dir := range runs {
		if owned(dir) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove the rest of an earlier run: %w", err)
		}
	}
	return nil
}

// sweepTemplates removes all but the newest keep templates. The caller holds the
// store alone.
func (s store) sweepTemplates(keep int) error {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return fmt.Errorf("list the store: %w", err)
	}
	var templates []fs.FileInfo
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), templatePrefix) {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("look at a template: %w", err)
		}
		templates = append(templates, info)
	}
	slices.SortFunc(templates, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, info := range templates[min(keep, len(templates)):] {
		if err := os.RemoveAll(filepath.Join(s.root, info.Name())); err != nil {
			return fmt.Errorf("remove an old template: %w", err)
		}
	}
	return nil
}

// owned tells whether a process holds the lock that package private takes on the
// folder of a server.
func owned(dir string) bool {
	release, err := lockFile(filepath.Join(dir, "lock"), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return true // or cannot be looked at, and is then left alone
	}
	release()
	return false
}
