package simulate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Limits of the client.
const (
	maxAttempts     = 12 // with backoff some 45 s: a restart of the server
	firstBackoff    = 50 * time.Millisecond
	longestBackoff  = 8 * time.Second
	maxAnswerBytes  = 4 << 20
	requestTimeout  = 30 * time.Second
	idleConnections = 32
)

// client posts to the server and repeats what the server was too busy for or
// did not answer. Everything it posts may be repeated: the server is idempotent.
type client struct {
	base, token string
	http        *http.Client
	requests    atomic.Int64
	retries     atomic.Int64
}

func newClient(base, token string) *client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: idleConnections,
		DisableCompression:  true, // loopback: compression costs more than it saves
	}
	return &client{base: base, token: token, http: &http.Client{Transport: transport, Timeout: requestTimeout}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// StatusError is an answer that is not a success and that repeating cannot mend.
type StatusError struct {
	Path   string
	Status int
	Body   string // the beginning of the answer
}

// Error returns the path, the status and what the server said.
func (e *StatusError) Error() string {
	return fmt.Sprintf("POST %s: status %d: %s", e.Path, e.Status, e.Body)
}

const maxErrorBody = 400

// post sends body and returns the answer of a success.
func (c *client) post(ctx context.Context, path, contentType string, body []byte) ([]byte, error) {
	wait := firstBackoff
	for attempt := 1; ; attempt++ {
		answer, after, err := c.once(ctx, path, contentType, body)
		if err == nil {
			return answer, nil
		}
		if after < 0 || attempt == maxAttempts {
			return nil, err
		}
		c.retries.Add(1)
		if err := pause(ctx, min(max(wait, after), longestBackoff)); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

// once sends body. With an error it returns how long the server asks to wait,
// negative if the request must not be repeated.
func (c *client) once(ctx context.Context, path, contentType string, body []byte) (answer []byte, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, -1, fmt.Errorf("POST %s: %w", path, err)
	}
	req.Header.Set("Content-Type", contentType)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	c.requests.Add(1)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, err // names method and address already
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, 0, fmt.Errorf("POST %s: read answer: %w", path, err)
	}
	if resp.StatusCode/100 == 2 {
		return answer, 0, nil
	}
	failure := &StatusError{Path: path, Status: resp.StatusCode, Body: string(answer[:min(len(answer), maxErrorBody)])}
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return nil, -1, failure
	}
	if sec, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && sec > 0 {
		after = time.Duration(sec) * time.Second
	}
	return nil, after, failure
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
