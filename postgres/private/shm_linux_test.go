package private_test

import (
	"errors"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/splitcast/splitcast/postgres/private"
)

// shrinkSharedMemory gives this process, which has a mount namespace of its own,
// a /dev/shm of so many bytes, as containers have. Empty leaves it alone.
func shrinkSharedMemory(bytes string) error {
	if bytes == "" {
		return nil
	}
	return errors.Join(
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", "/dev/shm", "tmpfs", 0, "size="+bytes),
	)
}

// Containers have a /dev/shm of 64 MB, which a parallel hash join exceeds. Here it
// is smaller still.
func TestParallelJoinWithSmallSharedMemory(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	const shmBytes = 1 << 20
	dir := filepath.Join(tempDir(t, 0o711), "pg")
	stop(t, start(t, private.Config{Dir: dir})) // initdb itself needs more

	p := newParent(t, dir)
	p.cmd.Env = append(p.cmd.Env, "PRIVATE_SHM_BYTES="+strconv.Itoa(shmBytes))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	p.start(t)
	if p.Err != "" {
		t.Fatal(p.Err)
	}
	db := open(t, p.DSN)
	db.SetMaxOpenConns(1) // the settings belong to the connection
	for _, statement := range []string{
		"create table wide as select n, repeat('x', 100) as filler from generate_series(1, 100000) n",
		"analyze wide",
		"set work_mem = '64MB'", "set min_parallel_table_scan_size = 0",
		"set parallel_setup_cost = 0", "set parallel_tuple_cost = 0", "set enable_mergejoin = off",
	} {
		mustExec(t, db, statement)
	}
	rows, err := db.Query("explain (analyze, costs off, timing off) select count(*) from wide a join wide b using (n) where a.filler = b.filler")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`Memory Usage: (\d+)kB`).FindStringSubmatch(plan.String())
	if used == nil || !strings.Contains(plan.String(), "Parallel Hash Join") {
		t.Fatalf("the join was not parallel, so the test proves nothing:\n%s", &plan)
	}
	if kB, err := strconv.Atoi(used[1]); err != nil || kB<<10 <= shmBytes {
		t.Errorf("the join shared %s kB, too little to prove anything", used[1])
	}
	p.stop(t)
}
