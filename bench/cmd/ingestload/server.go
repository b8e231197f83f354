package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	adminToken  = "ingestload-admin-token-of-one-run"
	startWithin = time.Minute // initdb included
	stopWithin  = time.Minute // PostgreSQL writes what is in memory
)

// splitcast is a server in a process of its own, with its PostgreSQL.
type splitcast struct {
	cmd       *exec.Cmd
	url       string
	client    *http.Client
	ingestKey string
	dir       string
}

// startServer starts the program on a free port and waits until it is ready.
func startServer(ctx context.Context, program string) (*splitcast, error) {
	dir, err := os.MkdirTemp("", "ingestload")
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := errors.Join(l.Close(), os.Chmod(dir, 0o755)); err != nil {
		return nil, err
	}
	s := &splitcast{
		cmd: exec.Command(program, "serve", "--addr", addr, "--data", filepath.Join(dir, "data")),
		url: "http://" + addr, dir: dir,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}, Timeout: time.Minute},
	}
	s.cmd.Env = append(os.Environ(), "SPLITCAST_BOOTSTRAP_TOKEN="+adminToken)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	if s.ingestKey, err = s.createKey(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *splitcast) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := s.client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready within %v: %w", startWithin, errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *splitcast) createKey(ctx context.Context) (string, error) {
	body := []byte(`{"name":"load","scopes":["ingest"]}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/keys", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := s.client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var key struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(answer, &key); err != nil || key.Secret == "" {
		return "", fmt.Errorf("create a key: status %d: %.200s", resp.StatusCode, answer)
	}
	return key.Secret, nil
}

// stop ends the server, which stops its PostgreSQL, and removes their folder.
func (s *splitcast) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopWithin, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// printMemory prints what the server and all processes of its PostgreSQL hold,
// each shared page counted once (Pss of smaps_rollup).
func (s *splitcast) printMemory(out io.Writer) error {
	children, err := descendants(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	own, err := proportionalKB(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	database := int64(0)
	for _, pid := range children {
		kb, err := proportionalKB(pid)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // a connection that ended meanwhile
		}
		if err != nil {
			return err
		}
		database += kb
	}
	fmt.Fprintf(out, "  memory: server %d MB, PostgreSQL %d MB\n", own>>10, database>>10)
	return nil
}

// descendants returns the processes below one, from /proc/PID/stat.
func descendants(root int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	var out []int
	for next := children[root]; len(next) > 0; {
		out = append(out, next...)
		var below []int
		for _, pid := range next {
			below = append(below, children[pid]...)
		}
		next = below
	}
	return out, nil
}

// proportionalKB returns the proportional set size of a process in KiB.
func proportionalKB(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("process %d has no Pss", pid)
}
