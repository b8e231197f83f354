// Package client evaluates experiments inside a service: it follows the
// configuration of a Splitcast server, answers from memory, and reports each
// unit's exposure at the moment at which the service uses a value.
//
// A getter never waits, never does I/O and never panics. Without its server a
// Client goes on with the last good configuration, also after a restart when it
// keeps one on disk; without any it returns the caller's defaults and says why.
// What it does not understand, because the server is newer, it does not guess.
//
//	c, err := client.New(ctx, client.Config{URL: "https://splitcast.example", Token: key, Dir: "/var/lib/app"})
//	if err != nil {
//		return err
//	}
//	defer c.Close(ctx) // sends the exposures that wait
//	who := assignment.NewContext(viewerID)
//	who.SetString("country", "DE")
//	autoplay, details := c.Bool("autoplay", who, false)
package client

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Client evaluates in process. Its methods may be called concurrently.
type Client struct {
	cfg       Config
	http      *http.Client
	ownHTTP   *http.Transport // nil: the caller's
	state     atomic.Pointer[state]
	ready     chan struct{} // closed with the first configuration
	exposures *exposureQueue
	seen      *seenSet
	stats     counters

	heard   chan int64 // the newest version that the event stream announced
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	closing sync.Once
	lost    error // what Close returns

	mu        sync.Mutex
	health    health
	contactAt time.Time // when the server last confirmed the configuration
	failure   error     // of the newest contact; nil: there was none
	followers map[int]func(Event)
	nextID    int
}

// New returns a Client that begins to follow its server. It does not wait: see
// Ready. The Client works until Close; when ctx ends before, it stops following
// and sending, and Close has nothing left to do. It returns an
// experiment.Error of CodeInvalid for a Config that cannot be.
func New(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, ready: make(chan struct{}), seen: newSeenSet(), heard: make(chan int64, 1), followers: map[int]func(Event){},
	}
	c.http = &http.Client{}
	if cfg.HTTPClient != nil {
		*c.http = *cfg.HTTPClient
		c.http.Timeout = 0
	} else if shared, ok := http.DefaultTransport.(*http.Transport); ok {
		c.ownHTTP = shared.Clone()
		c.http.Transport = c.ownHTTP
	}
	c.loadCopy()
	ctx, c.cancel = context.WithCancel(ctx)
	c.exposures = newExposureQueue(ctx, c)
	c.tasks.Go(func() { c.follow(ctx) })
	if !cfg.NoStream {
		c.tasks.Go(func() { c.listen(ctx) })
	}
	return c, nil
}

// Ready waits for a configuration to evaluate, from the server or from disk.
// When ctx ends before, it returns why there is none.
func (c *Client) Ready(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	default:
	}
	select {
	case <-c.ready:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return fmt.Errorf("no configuration yet: %w (%w)", c.failure, ctx.Err())
	}
	return fmt.Errorf("no configuration yet: %w", ctx.Err())
}

// Close stops following the server and sends the exposures that wait, at most
// until ctx ends. It returns an error when some were left. Getters go on to
// answer from the last configuration, without exposures. A second call returns
// the same.
func (c *Client) Close(ctx context.Context) error {
	c.closing.Do(func() {
		c.lost = c.exposures.close(ctx)
		c.cancel()
		c.tasks.Wait()
		if c.ownHTTP != nil {
			c.ownHTTP.CloseIdleConnections()
		}
	})
	return c.lost
}
