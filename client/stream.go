package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxEventBytes bounds a line of an event stream; notices have 60 bytes.
const maxEventBytes = 64 << 10

// listen keeps an event stream open until ctx ends. The stream only says that
// there is a new version: what is lost with it, a poll finds.
func (c *Client) listen(ctx context.Context) {
	select {
	case <-c.ready: // before, there is no version to ask for changes of
	case <-ctx.Done():
		return
	}
	failures := 0
	for {
		opened := c.cfg.Now()
		err := c.stream(ctx)
		if ctx.Err() != nil {
			return
		}
		if c.cfg.Now().Sub(opened) > maxPause { // it served its time: a restart or a proxy ended it
			failures = 0
		}
		failures++
		c.cfg.Log.Debug("the event stream ended", "error", err)
		wait := time.NewTimer(backoff(failures))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

// stream opens the event stream and reads it to its end. A stream that brings
// nothing for streamIdle, not even a heartbeat, is dead, whatever TCP says.
func (c *Client) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(c.cfg.streamIdle, func() { cancel(errStreamIdle) })
	defer idle.Stop()
	req, err := c.request(ctx, http.MethodGet, eventsPath, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	// So that no change falls between the configuration and the stream.
	req.URL.RawQuery = url.Values{"since": {strconv.FormatInt(c.version(), 10)}}.Encode()
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("open the event stream: %w", errors.Join(err, context.Cause(ctx)))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return statusError("open the event stream", resp)
	}
	c.stats.streams.Add(1)
	return c.readEvents(resp.Body, func() { idle.Reset(c.cfg.streamIdle) })
}

var errStreamIdle = errors.New("nothing came for too long")

// readEvents reads server-sent events; alive is called at each line.
func (c *Client) readEvents(body io.Reader, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEventBytes)
	for lines.Scan() {
		alive()
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		if v, ok := noticeOf(data); ok {
			c.hear(v)
		}
	}
	return lines.Err()
}

// noticeOf returns the version of OFREP's refetch notice; 0 when it names none.
func noticeOf(data string) (version int64, ok bool) {
	var notice struct {
		Type string `json:"type"`
		ETag string `json:"etag"`
	}
	if json.Unmarshal([]byte(data), &notice) != nil || notice.Type != "refetchEvaluation" {
		return 0, false
	}
	v, err := strconv.ParseInt(notice.ETag, 10, 64)
	if err != nil {
		return 0, true
	}
	return v, true
}

// hear replaces a version that follow has not taken yet.
func (c *Client) hear(version int64) {
	select {
	case <-c.heard:
	default:
	}
	c.heard <- version // has room: nobody else sends
}
