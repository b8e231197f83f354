package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of following.
const (
	// maxConfigBytes is above any configuration in use: 5,000 experiments are
	// 5 MB, a list of 100,000 ids is 13 MB.
	maxConfigBytes = 256 << 20
	// A failed request is repeated after these times, doubling between.
	minPause = 250 * time.Millisecond
	maxPause = 30 * time.Second
	// maxBehind is how many answers older than an announced version make it
	// one that will not come: a database was restored.
	maxBehind = 3
	// maxProblemBytes is read of an answer that is not a configuration.
	maxProblemBytes = 4 << 10
)

const (
	configPath = "/api/v1/config"
	eventsPath = "/ofrep/v1/events"
)

// errRefused marks failures that time does not mend: a key that is not
// allowed, or a configuration that cannot be.
var errRefused = errors.New("refused")

// follow keeps the configuration fresh until ctx ends.
func (c *Client) follow(ctx context.Context) {
	var announced int64
	failures, behind := 0, 0
	refusedTag := "" // of a configuration that cannot be, so that it is not sent again
	for {
		err := c.fetch(ctx, announced, &refusedTag)
		if ctx.Err() != nil {
			return
		}
		c.note(err)
		pause := jitter(c.cfg.Poll)
		switch {
		case err != nil:
			failures++
			pause = min(pause, backoff(failures))
		case announced > c.version() && behind < maxBehind:
			failures, behind = 0, behind+1
			pause = min(pause, backoff(behind))
		default:
			failures, behind, announced = 0, 0, 0
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		case announced = <-c.heard:
			behind = 0
			c.stats.notices.Add(1)
		}
		wait.Stop()
	}
}

// fetch asks for the configuration and puts a new one in force.
func (c *Client) fetch(ctx context.Context, announced int64, refusedTag *string) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	c.stats.fetches.Add(1)
	st := c.state.Load()
	req, err := c.request(ctx, http.MethodGet, configPath, http.NoBody)
	if err != nil {
		return err
	}
	if wanted := max(announced, c.version()); wanted > 0 { // a replica that is behind must not take us back
		req.URL.RawQuery = url.Values{"at_least": {strconv.FormatInt(wanted, 10)}}.Encode()
	}
	if *refusedTag != "" {
		req.Header.Add("If-None-Match", *refusedTag)
	}
	if st != nil && st.etag != "" {
		req.Header.Add("If-None-Match", st.etag)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask for the configuration: %w", err)
	}
	defer resp.Body.Close()
	etag := resp.Header.Get("ETag")
	switch resp.StatusCode {
	case http.StatusNotModified:
		if etag != "" && etag == *refusedTag {
			return fmt.Errorf("%w: the server still has the configuration that cannot be used", errRefused)
		}
		return nil
	case http.StatusOK:
	default:
		return statusError("ask for the configuration", resp)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxConfigBytes+1))
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if len(text) > maxConfigBytes {
		return fmt.Errorf("%w: the configuration is larger than %d bytes", errRefused, maxConfigBytes)
	}
	next, err := newState(text, etag, c.seen)
	if err != nil {
		*refusedTag = etag
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	*refusedTag = ""
	c.adopt(next)
	c.keepCopy(text, etag)
	return nil
}

// request makes a request of the server.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.URL+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	return req, nil
}

// statusError describes an answer of another status than hoped for.
func statusError(doing string, resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes)) // what it says is a courtesy
	err := fmt.Errorf("%s: the server answered %s: %s", doing, resp.Status, strings.TrimSpace(string(b)))
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return err
}

// adopt puts a configuration in force.
func (c *Client) adopt(next *state) {
	before := c.state.Swap(next)
	for key, why := range next.leftOut() {
		c.cfg.Log.Warn("an experiment is left out", "experiment", key, "config", next.version, "why", why)
	}
	if before == nil {
		close(c.ready)
		return
	}
	if keys := changed(before, next); len(keys) > 0 {
		c.tell(Event{Kind: EventChanged, Version: next.version, Keys: keys})
	}
}

// version returns the version in force; 0 when there is none.
func (c *Client) version() int64 {
	if st := c.state.Load(); st != nil {
		return st.version
	}
	return 0
}

// jitter spreads clients that started together: d give or take a fifth.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*d/5+1)
}

// backoff returns the pause after the n-th failure in a row.
func backoff(n int) time.Duration {
	return jitter(min(minPause<<min(n-1, 16), maxPause))
}
