package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of the reporting of exposures.
const (
	// maxBatch keeps a body below the 1 MB that common proxies allow, with
	// attributes as services send them. A body that is too large nevertheless
	// is halved.
	maxBatch = 1_000
	// maxRefusals is how often an exposure is sent again that the server
	// rejects: one replica may not know yet what another one told us, for
	// some seconds.
	maxRefusals = 4
	// refusalPause is the time between, so that they take longer than that.
	refusalPause = time.Second
	// maxRetryAfter bounds what a Retry-After may ask for.
	maxRetryAfter = time.Minute
	// maxAnswerBytes is above any answer about a batch.
	maxAnswerBytes = 4 << 20
)

const exposuresPath = "/v1/exposures"

// exposureQueue sends exposures in batches. Adding never blocks. What was not
// acknowledged is sent again: the server keeps the earliest exposure of a unit,
// so that a repetition changes nothing.
type exposureQueue struct {
	c     *Client
	queue chan experiment.Exposure
	stop  chan struct{}
	abort context.CancelFunc // ends retries when the time to stop is over
	ended chan struct{}
	left  atomic.Int64 // taken from the queue, but not delivered

	mu     sync.RWMutex
	closed bool
	err    error // of the newest try
}

func newExposureQueue(ctx context.Context, c *Client) *exposureQueue {
	ctx, cancel := context.WithCancel(ctx)
	q := &exposureQueue{
		c: c, queue: make(chan experiment.Exposure, c.cfg.QueueLen),
		stop: make(chan struct{}), abort: cancel, ended: make(chan struct{}),
	}
	go q.run(ctx)
	return q
}

// add takes an exposure for sending and reports whether there was room.
func (q *exposureQueue) add(x experiment.Exposure) bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if !q.closed {
		select {
		case q.queue <- x:
			return true
		default:
		}
	}
	q.c.stats.dropped.Add(1)
	return false
}

func (q *exposureQueue) len() int { return len(q.queue) + int(q.left.Load()) }

func (q *exposureQueue) failure() error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.err
}

func (q *exposureQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
}

// close sends what is queued, at most until ctx ends.
func (q *exposureQueue) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	close(q.stop)
	defer q.abort()
	select {
	case <-q.ended:
	case <-ctx.Done():
		q.abort()
		<-q.ended
	}
	if n := q.len(); n > 0 {
		q.c.stats.dropped.Add(uint64(n))
		return fmt.Errorf("%d exposures were not sent: %w", n, q.failure())
	}
	return nil
}

func (q *exposureQueue) run(ctx context.Context) {
	defer close(q.ended)
	for more := true; more; {
		var batch []experiment.Exposure
		batch, more = q.collect(ctx)
		q.left.Store(int64(len(batch)))
		if !q.deliver(ctx, batch) {
			return
		}
	}
}

// collect waits for the first exposure and takes what else comes within
// flushEvery. more is false when the queue was told to stop and is empty.
func (q *exposureQueue) collect(ctx context.Context) (batch []experiment.Exposure, more bool) {
	select {
	case x := <-q.queue:
		batch = append(batch, x)
	case <-q.stop:
	case <-ctx.Done():
		return nil, false
	}
	flush := time.NewTimer(q.c.cfg.flushEvery)
	defer flush.Stop()
	for len(batch) < maxBatch {
		select {
		case x := <-q.queue:
			batch = append(batch, x)
			continue
		default:
		}
		select {
		case x := <-q.queue:
			batch = append(batch, x)
		case <-flush.C:
			return batch, true
		case <-q.stop:
			return batch, len(q.queue) > 0
		}
	}
	return batch, true
}

// deliver sends a batch until the server took or finally rejected each
// exposure. It reports false when ctx ended before.
func (q *exposureQueue) deliver(ctx context.Context, batch []experiment.Exposure) bool {
	failures, refusals := 0, 0
	for len(batch) > 0 {
		a, err := q.post(ctx, batch)
		q.fail(err)
		pause := refusalPause
		switch {
		case err != nil:
			if ctx.Err() != nil {
				return false
			}
			failures++
			if failures == 1 {
				q.c.cfg.Log.Warn("exposures wait for the server", "count", len(batch), "queued", len(q.queue), "error", err)
			}
			pause = max(backoff(failures), a.retryAfter)
		case a.tooLarge && len(batch) > 1:
			half := len(batch) / 2
			return q.deliver(ctx, batch[:half]) && q.deliver(ctx, batch[half:])
		default:
			failures, refusals = 0, refusals+1
			batch = q.settle(batch, &a, refusals == maxRefusals)
		}
		if len(batch) == 0 {
			break
		}
		q.c.stats.retried.Add(1)
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return false
		case <-wait.C:
		}
	}
	return true
}

// settle counts what the server took and returns what it rejected, to be tried
// again unless this was the last try.
func (q *exposureQueue) settle(batch []experiment.Exposure, a *postAnswer, last bool) []experiment.Exposure {
	var again []experiment.Exposure
	for i := range batch {
		if a.all || a.tooLarge || a.has(i) {
			again = append(again, batch[i])
		}
	}
	took := len(batch) - len(again)
	q.c.stats.sent.Add(uint64(took))
	q.left.Add(-int64(took))
	if !last || len(again) == 0 {
		return again
	}
	q.c.cfg.Log.Error("exposures were rejected", "count", len(again), "experiment", again[0].Experiment, "why", a.why())
	q.c.stats.rejected.Add(uint64(len(again)))
	q.left.Add(-int64(len(again)))
	return nil
}

// postAnswer is what became of a batch.
type postAnswer struct {
	rejected   map[int]string // why, by index
	all        bool           // none was taken
	tooLarge   bool
	detail     string // of a refusal of the whole
	retryAfter time.Duration
}

func (a *postAnswer) has(i int) bool {
	_, rejected := a.rejected[i]
	return rejected
}

func (a *postAnswer) why() string {
	for _, message := range a.rejected {
		return message
	}
	return a.detail
}

// post sends a batch once. An error means that it is to be sent again.
func (q *exposureQueue) post(ctx context.Context, batch []experiment.Exposure) (a postAnswer, err error) {
	body, err := json.Marshal(batch)
	if err != nil {
		return a, fmt.Errorf("write exposures: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, q.c.cfg.Timeout)
	defer cancel()
	req, err := q.c.request(ctx, http.MethodPost, exposuresPath, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := q.c.http.Do(req)
	if err != nil {
		return a, fmt.Errorf("send exposures: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusBadRequest:
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes))
		a.all, a.detail = true, string(text)
		return a, err
	case http.StatusRequestEntityTooLarge:
		a.tooLarge, a.detail = true, "the body is too large"
		return a, nil
	default:
		a.retryAfter = retryAfter(resp)
		return a, statusError("send exposures", resp)
	}
	var answer struct {
		Rejected []struct {
			Index   int    `json:"index"`
			Message string `json:"message"`
		} `json:"rejected"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswerBytes)).Decode(&answer); err != nil {
		return a, fmt.Errorf("read the answer to exposures: %w", err)
	}
	a.rejected = make(map[int]string, len(answer.Rejected))
	for _, r := range answer.Rejected {
		a.rejected[r.Index] = r.Message
	}
	return a, nil
}

// retryAfter returns how long an answer asks to wait; 0 when it does not say.
func retryAfter(resp *http.Response) time.Duration {
	sec, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || sec < 0 {
		return 0
	}
	return min(time.Duration(sec)*time.Second, maxRetryAfter)
}
