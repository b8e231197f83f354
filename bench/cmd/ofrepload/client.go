package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/splitcast/splitcast/bench/workload"
)

const viewerCount = 1024

// request is one POST, made again and again.
type request struct {
	path string
	body []byte
	etag string
}

func singleRequest(v *workload.Viewer, i int) request {
	return request{path: strings.Replace(singlePath, "{key}", workload.Key(i), 1), body: v.Body()}
}

func bulkRequest(v *workload.Viewer) request { return request{path: bulkPath, body: v.Body()} }

func singleRequests(vs []workload.Viewer, experiments int) []request {
	out := make([]request, len(vs))
	for i := range vs {
		out[i] = singleRequest(&vs[i], i%experiments)
	}
	return out
}

func bulkRequests(vs []workload.Viewer) []request {
	out := make([]request, len(vs))
	for i := range vs {
		out[i] = bulkRequest(&vs[i])
	}
	return out
}

type client struct {
	http  *http.Client
	conns int
}

func newClient(conns int) *client {
	return &client{conns: conns, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, DisableCompression: true}}}
}

// do posts the request and returns the status, the entity tag and the size.
func (c *client) do(ctx context.Context, base string, q *request) (status int, etag string, size int64, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return 0, "", 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	if q.etag != "" {
		r.Header.Set("If-None-Match", q.etag)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	size, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("ETag"), size, err
}

func (c *client) size(ctx context.Context, base string, q request) (int64, error) {
	_, _, size, err := c.do(ctx, base, &q)
	return size, err
}

// conditional returns bulk requests that carry their entity tag.
func (c *client) conditional(ctx context.Context, base string, vs []workload.Viewer) ([]request, error) {
	out := bulkRequests(vs)
	for i := range out {
		_, etag, _, err := c.do(ctx, base, &out[i])
		if err != nil {
			return nil, err
		}
		out[i].etag = etag
	}
	return out, nil
}

// cpuMicros sends the requests over all connections and returns the CPU time
// of the server's process, in microseconds a request.
func (c *client) cpuMicros(ctx context.Context, to *child, lc *loadCase) (float64, error) {
	before, err := cpuTicks(to.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	errs := make(chan error, c.conns)
	var wg sync.WaitGroup
	for range c.conns {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(lc.n); i = next.Add(1) {
				status, _, _, err := c.do(ctx, to.base, &lc.requests[i%int64(len(lc.requests))])
				if err == nil && status != lc.want {
					err = fmt.Errorf("%s: status %d, want %d", lc.name, status, lc.want)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return 0, err
	}
	after, err := cpuTicks(to.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	return float64(after-before) * microsPerTick / float64(lc.n), nil
}

// microsPerTick: USER_HZ is 100 on every Linux that Go runs on.
const microsPerTick = 10_000

// cpuTicks returns utime + stime of a process: fields 14 and 15 of
// /proc/PID/stat, counted after the command's name in parentheses.
func cpuTicks(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	u, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	s, err := strconv.ParseInt(fields[stime], 10, 64)
	if err != nil {
		return 0, err
	}
	return u + s, nil
}
